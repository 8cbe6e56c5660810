"""Estimates at P picks, their errors against the truth, and what is said of them."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from benchmarks.common.cases import CLEAR_P, Case
from seisbench_llm.evaluate.measures import measures
from seisbench_llm.evaluate.metrics import wrap
from seisbench_llm.models.seismollm import SeisMoLLM

SPREADS = (0.5, 1.0, 2.0)
# Probability from which a polarity is decided.
DECIDED_FROM = 0.7
# The quantity of seisbench_llm.evaluate that is the first figure of a task.
FIRST_MEASURE = {
    "polarity": "accuracy",
    "magnitude": "mae",
    "distance": "median_ae",
    "back_azimuth": "median_ae",
}


def errors_of(task: str, table: pd.DataFrame) -> np.ndarray:
    """Estimate minus truth."""
    if task == "back_azimuth":
        return wrap((table["value"] - table["truth"]).to_numpy())
    return (table["value"] - table["truth"]).to_numpy()


def estimate(model: SeisMoLLM, cases: list[Case], picks: list | None = None, **kwargs):
    """
    One row per record: what is known of it, value and spread; nan where there is no estimate.

    :param picks: Instead of the analyst's; None where there is none.
    :param kwargs: Arguments of ``classify``.
    """
    rows = []
    for case, pick in zip(cases, picks or [case.pick for case in cases], strict=True):
        found = []
        if pick is not None:
            found = model.classify(case.stream, picks=[pick], **kwargs).estimates
        value, spread = (found[0].value, found[0].spread) if found else (np.nan, np.nan)
        known = {k: v for k, v in vars(case).items() if k not in ("stream", "pick")}
        rows.append({**known, "value": value, "spread": spread})
    return pd.DataFrame(rows)


def scores(task: str, table: pd.DataFrame, typical: float) -> dict:
    """
    Figures of one group of records.

    :param typical: Median of the training labels, which the trivial predictor answers always.
    """
    error, truth = errors_of(task, table), table["truth"]
    size = np.abs(error)
    result = {"records": len(table)}
    if task == "polarity":
        hit = (table["value"] >= 0.5) == (truth == 1)
        sure = np.maximum(table["value"], 1 - table["value"]) >= DECIDED_FROM
        result |= {
            "accuracy": hit.mean(),
            f"accuracy above {DECIDED_FROM}": hit[sure].mean(),
            f"share above {DECIDED_FROM}": sure.mean(),
            "accuracy, majority": max(truth.mean(), 1 - truth.mean()),
        }
    elif task == "magnitude":
        result |= {
            "MAE": size.mean(),
            "bias": error.mean(),
            "MAE, median of train": np.abs(truth - typical).mean(),
        }
    elif task == "distance":
        trivial = np.abs(truth - typical)
        limit = np.maximum(0.25 * truth, 5)
        result |= {
            "median error, km": np.median(size),
            "median relative error": np.median(size / truth),
            "within 25 % or 5 km": (size <= limit).mean(),
            "median error, median of train": np.median(trivial),
            "within, median of train": (trivial <= limit).mean(),
        }
    else:
        result |= {
            "median error, degrees": np.median(size),
            "within 25": (size <= 25).mean(),
            "off by more than 135": (size > 135).mean(),
            "median error, guess": 90.0,
        }
    if task != "polarity":
        for k in SPREADS:
            result[f"within {k} spreads"] = (size <= k * table["spread"]).mean()
        result["median spread"] = table["spread"].median()
    return {name: round(float(value), 3) for name, value in result.items()}


def interval(task: str, table: pd.DataFrame) -> list[float]:
    """95 % limits of the first figure of :py:func:`scores`, from a bootstrap over events."""
    columns = {"true": table["truth"], "predicted": table["value"]}
    if task == "polarity":
        letters = np.where(table["truth"] == 1, "U", "D")
        columns = {"true": letters, "up": table["value"], "down": 1 - table["value"]}
    measured = measures(task, pd.DataFrame(columns), 0, 0, DECIDED_FROM)[task]
    events = np.unique(table["event"].astype(str), return_inverse=True)[1]
    return [round(limit, 3) for limit in measured.estimate(events)[FIRST_MEASURE[task]][1:]]


def by_group(task: str, table: pd.DataFrame, typical: float) -> dict:
    """Scores by set, of all and of those with a clear P."""
    found = table.dropna(subset="value")
    groups = dict(iter(found.groupby("dataset")))
    if len(groups) > 1:
        groups["all"] = found
    groups["clear P"] = found[found["snr"] >= CLEAR_P]
    result = {n: scores(task, rows, typical) for n, rows in groups.items() if len(rows)}
    last = "all" if "all" in result else next(iter(result), None)
    if last:
        result[last]["95 % limits"] = interval(task, groups[last])
    return {"without estimate": int(table["value"].isna().sum()), **result}


def coverage(task: str, table: pd.DataFrame, factors) -> np.ndarray:
    """Share of errors within each factor times the spread."""
    table = table.dropna(subset="value")
    ratio = np.abs(errors_of(task, table)) / table["spread"]
    return np.array([(ratio <= k).mean() for k in factors])


def hit_rates(rows: np.ndarray, edges) -> list[dict]:
    """Mean probability, hit rate and its 95 % limits (Wilson) per bin that holds anything."""
    from scipy.stats import binomtest

    bins = []
    for low, high in itertools.pairwise(edges):
        inside = rows[(rows[:, 0] >= low) & (rows[:, 0] < high + (high >= 1))]
        if len(inside):
            limits = binomtest(int(inside[:, 1].sum()), len(inside)).proportion_ci(method="wilson")
            means = inside.mean(axis=0)
            values = (*means, limits.low, limits.high)
            names = ("probability", "hit rate", "low", "high")
            found = dict(zip(names, (round(float(v), 3) for v in values), strict=True))
            bins.append(found | {"count": len(inside)})
    return bins
