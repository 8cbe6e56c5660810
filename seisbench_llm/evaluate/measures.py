"""Measures of predictions, as they matter to users of picks, polarities and estimates."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

from ..tasks import TaskSpec, get_task
from .bootstrap import Measures
from .metrics import wrap
from .picks import matched, parse_numbers

TOLERANCES = (0.1, 0.5)
"""Largest residuals of a hit in seconds: the published one, and one that forgives."""

MISS_COST = 1.0
"""What a missed pick counts in ``mae_capped``, in seconds, and the most that any pick can."""

BINS = {
    "distance": np.array([0, 20, 50, 100, 150, 200, 300, np.inf]),
    "magnitude": np.array([-np.inf, 1, 2, 3, 4, 5, np.inf]),
    "snr": np.array([-np.inf, 0, 10, 20, 30, 40, np.inf]),
}

# What a table by distance or magnitude shows.
_MAIN = {
    "curves": ("f1_0.5s", "recall_0.1s", "recall_0.5s", "precision_0.1s", "mae_capped"),
    "class": ("accuracy", "undecided"),
    "scalar": ("mae", "bias", "median_ae", "mae_trivial"),
    "angle": ("median_ae", "bias", "within_25deg", "opposite"),
}

_CLASS_NAMES = {"polarity": ("U", "D")}


def class_names(task: str) -> tuple[str, ...]:
    """Names of the classes of a task in truths and predictions, in the order of its outputs."""
    spec = get_task(task)
    return _CLASS_NAMES.get(spec.name, spec.outputs)


def class_columns(task: str) -> list[str]:
    """Columns of a table of predictions with the probability of each class."""
    return [output.lower() for output in get_task(task).outputs]


def measures(
    task: str, table: pd.DataFrame, in_samples: int, sampling_rate: float, threshold: float
) -> dict[str, Measures]:
    """
    The quantities of a task; see :py:class:`~seisbench_llm.evaluate.Evaluation`.

    :param task: Name of the task.
    :param table: Predictions as :py:func:`~seisbench_llm.evaluate.predict` returns them.
    :param in_samples: Window length in samples (picking).
    :param sampling_rate: Hz (picking).
    :param threshold: Lowest probability of a class that counts as decided.
    :return: Phase -> quantities for picking, otherwise task -> quantities.
    """
    spec = get_task(task)
    if spec.head == "curves":
        return {phase: _picking(table, phase, in_samples, sampling_rate) for phase in "PS"}
    if spec.head == "class":
        return {task: _classes(spec, table, threshold)}
    true, predicted = (table[name].to_numpy(float) for name in ("true", "predicted"))
    if spec.head == "angle":
        return {task: _angle(true, predicted)}
    return {task: _scalar(task, true, predicted)}


def _ratio(numerator: str, denominator: str) -> Callable[[dict], np.ndarray]:
    return lambda sums: sums[numerator] / sums[denominator]


def _picks_of(table, phase: str, samples: int) -> tuple[list, list, list]:
    """Onsets and picks of each record, and whether each pick is judged."""
    name, columns = phase.lower(), ("onsets", "picks", "judged")
    if all(f"{name}_{column}" in table for column in columns):
        onsets, picks, judged = (
            [parse_numbers(entry) for entry in table[f"{name}_{column}"]] for column in columns
        )
        return onsets, picks, judged
    # One onset and one pick per window.
    onsets, picks = (
        [[v] if 0 <= v < samples else [] for v in table[f"{name}_{column}"]]
        for column in ("true", "predicted")
    )
    return onsets, picks, [[1.0] * len(values) for values in picks]


def _picking(table, phase: str, in_samples: int, rate: float) -> Measures:
    known = table[f"{phase.lower()}_true"].notna().to_numpy()
    records = zip(known, *_picks_of(table, phase, in_samples), strict=True)
    rows = [_row(*record, rate) for record in records]
    sums = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    formulas = {}
    for start, found in (("f1", None), ("precision", "judged"), ("recall", "true")):
        for name in (f"{tolerance}s" for tolerance in TOLERANCES):
            hit = f"hit_{name}"
            formulas[f"{start}_{name}"] = (
                _ratio(hit, found)
                if found
                else lambda s, k=hit: 2 * s[k] / (s["judged"] + s["true"])
            )
    for name in (f"{tolerance}s" for tolerance in TOLERANCES):
        formulas[f"mae_matched_{name}"] = _ratio(f"ae_{name}", f"hit_{name}")
        formulas[f"bias_matched_{name}"] = _ratio(f"error_{name}", f"hit_{name}")
    formulas["mae_capped"] = _ratio("cost", "true")
    formulas["false_picks"] = _ratio("false", "absent")
    formulas["precision_all_0.5s"] = _ratio("hit_0.5s", "picks")
    return Measures(sums, formulas)


def _row(known: bool, onsets: list, picks: list, judged: list, rate: float) -> dict[str, float]:
    """Contribution of one record to the sums of a phase."""
    if not known:
        onsets, picks, judged = [], [], []
    residuals = matched(onsets, picks, MISS_COST * rate)
    size = np.abs(list(residuals.values())) / rate
    counted = sum(bool(flag) or i in residuals for i, flag in enumerate(judged))
    row = {
        "true": len(onsets),
        "picks": len(picks),
        "judged": counted,
        "absent": known and not onsets,
        "false": not onsets and counted > 0,
        "cost": size.sum() + MISS_COST * (len(onsets) - len(size)),
    }
    for tolerance in TOLERANCES:
        near = [r / rate for r in residuals.values() if abs(r) <= round(tolerance * rate)]
        row[f"hit_{tolerance}s"] = len(near)
        row[f"ae_{tolerance}s"] = np.abs(near).sum()
        row[f"error_{tolerance}s"] = np.sum(near)
    return row


def _classes(spec: TaskSpec, table, threshold: float) -> Measures:
    names = np.array(class_names(spec.name))
    true = table["true"].to_numpy()[:, None] == names
    scores = table[class_columns(spec.name)].to_numpy(float)
    # The first of several equal ones counts.
    predicted = scores.argmax(axis=1)[:, None] == np.arange(len(names))
    decided, right = scores.max(axis=1) >= threshold, (true & predicted).any(axis=1)
    sums = {
        "all": np.ones(len(table)),
        "right": right,
        "decided": decided,
        "right_decided": right & decided,
        "undecided": ~decided,
        "majority": true[:, true.sum(axis=0).argmax()],
    }
    formulas = {
        "accuracy": _ratio("right", "all"),
        "accuracy_decided": _ratio("right_decided", "decided"),
        "undecided": _ratio("undecided", "all"),
        "accuracy_trivial": _ratio("majority", "all"),
    }
    for i, name in enumerate(names):
        hit = true[:, i] & predicted[:, i]
        sums |= {
            f"true_{name}": true[:, i],
            f"predicted_{name}": predicted[:, i],
            f"hit_{name}": hit,
        }
        formulas[f"precision_{name}"] = _ratio(f"hit_{name}", f"predicted_{name}")
        formulas[f"recall_{name}"] = _ratio(f"hit_{name}", f"true_{name}")
    return Measures(sums, formulas)


def _scalar(task: str, true: np.ndarray, predicted: np.ndarray) -> Measures:
    error, trivial = predicted - true, np.median(true)
    # Values are taken relative to the mean, so that the sum of squares keeps its digits.
    centred = true - true.mean()
    sums = {
        "all": np.ones(len(true)),
        "ae": np.abs(error),
        "error": error,
        "square": np.square(error),
        "true": centred,
        "true_square": np.square(centred),
        "ae_trivial": np.abs(true - trivial),
    }
    if task == "distance":
        limits = {"within_25pct_or_5km": np.maximum(0.25 * true, 5.0)}
    else:
        limits = {"within_0.3": 0.3, "within_0.5": 0.5}
    sums.update({name: np.abs(error) <= limit for name, limit in limits.items()})
    formulas = {
        "mae": _ratio("ae", "all"),
        "bias": _ratio("error", "all"),
        "r2": lambda s: 1 - s["square"] / (s["true_square"] - np.square(s["true"]) / s["all"]),
        **{name: _ratio(name, "all") for name in limits},
        "mae_trivial": _ratio("ae_trivial", "all"),
    }
    return Measures(sums, formulas, {"median_ae": (sums["ae"], 0.5), "p90_ae": (sums["ae"], 0.9)})


def _angle(true: np.ndarray, predicted: np.ndarray) -> Measures:
    error = wrap(predicted - true)
    size = np.abs(error)
    sums = {
        "all": np.ones(len(true)),
        "ae": size,
        "cos": np.cos(np.radians(error)),
        "sin": np.sin(np.radians(error)),
        "within_25deg": size <= 25,
        "within_45deg": size <= 45,
        "opposite": size > 135,
    }

    def spread(s):
        length = np.hypot(s["cos"], s["sin"]) / s["all"]
        return np.degrees(np.sqrt(-2 * np.log(np.clip(length, np.finfo(float).tiny, 1))))

    formulas = {
        "mae": _ratio("ae", "all"),
        "bias": lambda s: np.degrees(np.arctan2(s["sin"], s["cos"])),
        "std": spread,
        **{n: _ratio(n, "all") for n in ("within_25deg", "within_45deg", "opposite")},
    }
    return Measures(sums, formulas, {"median_ae": (size, 0.5)}, frozenset({"bias"}))


def counts(task: str, measured: dict[str, Measures]) -> dict[str, dict[str, float]]:
    """Counts, which accompany the measures and need no interval."""
    head = get_task(task).head
    if head == "curves":
        names = {"truths": "true", "picks": "picks", "without": "absent"}
        return {
            phase: {
                **{new: int(part.sums[old].sum()) for new, old in names.items()},
                "not_judged": int((part.sums["picks"] - part.sums["judged"]).sum()),
            }
            for phase, part in measured.items()
        }
    return {group: {"chance_median_ae": 90.0} if head == "angle" else {} for group in measured}


def confusion(task: str, table: pd.DataFrame) -> pd.DataFrame:
    """Number of records by true (rows) and predicted (columns) class."""
    names = list(class_names(task))
    scores = table[class_columns(task)].to_numpy(float)
    predicted = np.array(names)[scores.argmax(axis=1)]
    counted = pd.crosstab(
        table["true"].to_numpy(), predicted, rownames=["true"], colnames=["predicted"]
    )
    return counted.reindex(index=names, columns=names, fill_value=0)


def breakdown(
    task: str,
    table: pd.DataFrame,
    measured: dict[str, Measures],
    events: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """
    The main quantities by distance, magnitude and, if known, signal-to-noise ratio.

    :param measured: Return value of :py:func:`measures`.
    :param events: Event of each record, as any integers.
    :return: ``distance``, ``magnitude``, ``snr`` and, for classes, ``confidence`` -> one row per
        bin that has records (``low`` included, ``high`` excluded): phase (picking only), low,
        high, records, events, each quantity, and the limits of its interval.
    """
    tables = {}
    columns = {name: (table[name].to_numpy(float), BINS[name]) for name in BINS if name in table}
    head = get_task(task).head
    if head == "class":
        names = class_columns(task)
        confidence = table[names].max(axis=1).to_numpy(float)
        # A probability of exactly one belongs to the last bin.
        columns["confidence"] = (
            np.minimum(confidence, 1 - 1e-9),
            np.linspace(1 / len(names), 1.0, 6),
        )
    for name, (values, edges) in columns.items():
        rows = []
        for group, low, high in (
            (group, *pair) for group in measured for pair in itertools.pairwise(edges)
        ):
            inside = np.flatnonzero((values >= low) & (values < high))
            if not len(inside):
                continue
            row: dict = {"phase": group} if head == "curves" else {}
            row |= {"low": low, "high": high, "records": len(inside)}
            row["events"] = len(np.unique(events[inside]))
            if name == "confidence":
                row["mean_confidence"] = confidence[inside].mean()
            part = measured[group].select(inside, _MAIN[head])
            for key, limits in part.estimate(events[inside], resamples, seed).items():
                row |= dict(zip((key, f"{key}_low", f"{key}_high"), limits, strict=True))
            rows.append(row)
        if rows:
            tables[name] = pd.DataFrame(rows)
    return tables
