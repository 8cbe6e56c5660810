"""
How good the four single-station estimates are on real records, and whether their spread is true.

    python -m benchmarks.quality.estimates --records RECORDS --data DATA

DATA is what packaged_data.py wrote. Writes benchmarks/results/estimates.json and
docs/figures/reliability.png; without names, for all packaged weights.

Each record is one ObsPy stream, whole length and native rate, given to the public classify() with
the analyst's P, and again with the picker's P that is nearest to it, if within 1 s. Held-out
records (``test``: neither station nor event in training) are few, so that those of which only the
station or only the event is known to the training (``unused``) are there beside them, and synthetic
ones of the test part. There are no polarities by hand: truths are clear first motions, found
automatically (``cases.first_motion``), of all real records, as polarities are learnt from synthetic
ones alone; and synthetic ones. Back-azimuths only where horizontals point north and east.
Clear P: 10 dB above noise on the vertical component.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench

from benchmarks.common.cases import (
    CLEAR_P,
    FIRST_MOTION,
    SYNTHETIC,
    TRUTHS,
    Case,
    real_cases,
    real_folder,
    split_records,
    synthetic_cases,
)
from benchmarks.common.records import SETS
from benchmarks.quality.picking import NEAR, peaks_of, true_picks
from seisbench_llm import weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.weights import WeightsError

SPREADS = (0.5, 1.0, 2.0)
NORMAL = {0.5: 0.383, 1.0: 0.683, 2.0: 0.954}
SURE, MATCH = 0.7, 1.0
SPLITS = ("test", "unused", "dev")
SYNTHETIC_CASES = 500


def angle_between(a, b):
    """Difference of angles in degrees, -180 to 180."""
    return (np.asarray(a) - b + 180) % 360 - 180


def errors_of(task: str, table: pd.DataFrame) -> np.ndarray:
    """Estimate minus truth."""
    if task == "back_azimuth":
        return angle_between(table["value"], table["truth"])
    return (table["value"] - table["truth"]).to_numpy()


def nearest_pick(picker: SeisMoLLM, case: Case):
    """The picker's P that is nearest to the analyst's, None if none is within a second."""
    picks = [p for p in picker.classify(case.stream).picks if p.phase == "P"]
    away = [abs(p.peak_time - case.pick.peak_time) for p in picks]
    return picks[int(np.argmin(away))] if away and min(away) <= MATCH else None


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
        sure = np.maximum(table["value"], 1 - table["value"]) >= SURE
        result |= {
            "accuracy": hit.mean(),
            f"accuracy above {SURE}": hit[sure].mean(),
            f"share above {SURE}": sure.mean(),
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


def interval(task: str, table: pd.DataFrame, typical: float, resamples: int = 300) -> list[float]:
    """95 % limits of the first figure, from a bootstrap over events."""
    groups = [rows for _, rows in table.groupby("event")]
    rng = np.random.default_rng(0)
    figures = []
    for _ in range(resamples):
        drawn = pd.concat([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        figures.append(list(scores(task, drawn, typical).values())[1])
    return [round(float(q), 3) for q in np.quantile(figures, (0.025, 0.975))]


def by_group(task: str, table: pd.DataFrame, typical: float) -> dict:
    """Scores by set, of all and of those with a clear P."""
    found = table.dropna(subset="value")
    groups = {name: rows for name, rows in found.groupby("dataset")}
    if len(groups) > 1:
        groups["all"] = found
    groups["clear P"] = found[found["snr"] >= CLEAR_P]
    result = {n: scores(task, rows, typical) for n, rows in groups.items() if len(rows)}
    last = "all" if "all" in result else next(iter(result), None)
    if last:
        result[last]["95 % limits"] = interval(task, groups[last], typical)
    return {"without estimate": int(table["value"].isna().sum()), **result}


def typical_truth(data: Path, kind: str, task: str) -> float:
    """Median of the training labels."""
    folder = real_folder(data) if kind == "records" else data / kind
    metadata = pd.read_csv(folder / "metadata.csv", low_memory=False)
    rows = metadata[metadata["split"] == "train"]
    return np.nan if task == "polarity" else float(rows[TRUTHS[task]].median())


def evaluate(model: SeisMoLLM, picker: SeisMoLLM, folder: Path, data: Path):
    """All figures of one weight, and the table of its estimates at the analysts' picks."""
    task = model.task.name
    splits = {name: (name,) for name in SPLITS}
    if task == "polarity":
        splits = {FIRST_MOTION: ("train", "dev", "test", "unused")}
    cases = {name: real_cases(folder, data, task, some) for name, some in splits.items()}
    cases[f"{SYNTHETIC} test"] = synthetic_cases(data, task, "test", SYNTHETIC_CASES)
    result, tables = {}, []
    for name, some in cases.items():
        kind = SYNTHETIC if name.startswith(SYNTHETIC) else "records"
        typical = typical_truth(data, kind, task)
        table = estimate(model, some)
        tables.append(table.assign(group=name))
        result[name] = {"analyst's P": by_group(task, table, typical)}
        if kind == "records":
            picks = [nearest_pick(picker, case) for case in some]
            result[name]["picker's P"] = by_group(task, estimate(model, some, picks), typical)
            if task != "polarity":
                bare = estimate(model, some, calibration=None)
                result[name]["spread over windows alone"] = {
                    f"within {k} spreads": round(float(share), 3)
                    for k, share in zip(SPREADS, coverage(task, bare, SPREADS), strict=True)
                }
    return result, pd.concat(tables)


def coverage(task: str, table: pd.DataFrame, factors) -> np.ndarray:
    """Share of errors within each factor times the spread."""
    table = table.dropna(subset="value")
    ratio = np.abs(errors_of(task, table)) / table["spread"]
    return np.array([(ratio <= k).mean() for k in factors])


def outcomes(found: list[dict], truth: list, phase: str, tolerance: float = 0.5) -> np.ndarray:
    """
    Rows of (probability of a peak, whether there is a pick within the tolerance).

    Only peaks within 10 s of an analyst's pick, as records can hold other events.

    :param found: Peaks by phase, of ``real_records.peaks_of``.
    :param truth: Times of the analyst's picks, of ``real_records.true_picks``.
    """
    rows = []
    for peaks, picks in zip(found, truth, strict=True):
        if picks.size:
            away = np.abs(peaks[phase][:, :1] - picks).min(axis=1)
            rows.append(np.stack([peaks[phase][:, 1], away <= tolerance], 1)[away <= NEAR])
    return np.concatenate(rows) if rows else np.zeros((0, 2))


def evaluate_picker(model: SeisMoLLM, folder: Path, data: Path) -> dict[str, np.ndarray]:
    """Phase -> outcomes on held-out records and on those of which a half is."""
    wanted = [r for r, row in split_records(folder, data) if row["split"] in ("test", "unused")]
    wanted = [r for r in wanted if r.dataset in SETS[:3] and len(r.stream)]
    found = [peaks_of(model, False, record.stream) for record in wanted]
    truth = {phase: [true_picks(record, phase) for record in wanted] for phase in "PS"}
    return {phase: outcomes(found, truth[phase], phase) for phase in "PS"}


def hit_rates(rows: np.ndarray, edges) -> list[dict]:
    """Mean probability, hit rate and its 95 % limits (Wilson) per bin that holds anything."""
    from scipy.stats import binomtest

    bins = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = rows[(rows[:, 0] >= low) & (rows[:, 0] < high + (high >= 1))]
        if len(inside):
            limits = binomtest(int(inside[:, 1].sum()), len(inside)).proportion_ci(method="wilson")
            means = inside.mean(axis=0)
            values = (*means, limits.low, limits.high)
            names = ("probability", "hit rate", "low", "high")
            found = dict(zip(names, (round(float(v), 3) for v in values), strict=True))
            bins.append(found | {"count": len(inside)})
    return bins


def draw(tables: dict[str, pd.DataFrame], rates: dict[str, dict], out: Path) -> None:
    """The reliability figure: a panel per task."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from scipy.stats import norm

    figure, axes = plt.subplots(2, 3, figsize=(12, 8), layout="constrained")
    factors = np.linspace(0, 3, 121)
    for ax, task in zip(axes.flat, ("magnitude", "distance", "back_azimuth"), strict=False):
        ax.set(title=task.replace("_", "-"), xlabel="spreads", ylabel="share of errors within")
        ax.plot(factors, 2 * norm.cdf(factors) - 1, "k--", lw=1, label="normal distribution")
        for group, rows in tables.get(task, pd.DataFrame({"group": []})).groupby("group"):
            label = f"{group} ({len(rows.dropna(subset='value'))})"
            ax.plot(factors, coverage(task, rows, factors), label=label)
        ax.set(xlim=(0, 3), ylim=(0, 1.02))
        ax.legend(fontsize=8, loc="lower right")
    panels = ("polarity", "picking P", "picking S")
    for ax, name in zip(axes.flat[3:], panels, strict=True):
        ax.set(title=name, xlabel="probability", ylabel="hit rate", ylim=(0, 1.02))
        ax.plot([0, 1], [0, 1], "k--", lw=1)
        for group, bins in rates.get(name, {}).items():
            x, y, low, high = (
                np.array([b[key] for b in bins])
                for key in ("probability", "hit rate", "low", "high")
            )
            bars = [np.maximum(y - low, 0), np.maximum(high - y, 0)]
            label = f"{group} ({sum(b['count'] for b in bins)})"
            ax.errorbar(x, y, bars, fmt="o-", ms=4, capsize=2, label=label)
        ax.set_xlim((0.5 if name == "polarity" else 0, 1))
        if name in rates:
            ax.legend(fontsize=8, loc="lower right")
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    plt.close(figure)


def polarity_outcomes(table: pd.DataFrame) -> np.ndarray:
    """Rows of (probability of the answer, whether it is right)."""
    table = table.dropna(subset="value")
    right = (table["value"] >= 0.5) == (table["truth"] == 1)
    return np.stack([np.maximum(table["value"], 1 - table["value"]), right], 1).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", nargs="*", help="names or paths; by default all packaged ones")
    parser.add_argument("--records", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--data", type=Path, required=True, help="what packaged_data.py wrote")
    parser.add_argument("--picker", default="compact_picking")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/estimates.json"))
    parser.add_argument("--figure", type=Path, default=Path("docs/figures/reliability.png"))
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    try:
        picker = SeisMoLLM.from_pretrained(args.picker)
        names = args.weights or weights.packaged_names()
        models = {Path(name).name: SeisMoLLM.from_pretrained(name) for name in names}
    except WeightsError as error:
        parser.error(str(error))
    results, tables, rates = {"picker": Path(args.picker).name}, {}, {}
    for name, model in models.items():
        task = model.task.name
        if task == "picking":
            found = evaluate_picker(model, args.records, args.data)
            for phase, rows in found.items():
                rates[f"picking {phase}"] = {"held out": hit_rates(rows, np.linspace(0, 1, 11))}
            results[name] = {k: v for k, v in rates.items() if k.startswith("picking")}
            continue
        results[name], tables[task] = evaluate(model, picker, args.records, args.data)
        if task == "polarity":
            rates[task] = {
                group: hit_rates(polarity_outcomes(rows), np.linspace(0.5, 1, 6))
                for group, rows in tables[task].groupby("group")
            }
            results[name]["reliability"] = rates[task]
        show(name, results[name])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n")
    draw(tables, rates, args.figure)


def show(name: str, result: dict) -> None:
    """Print the figures of a weight."""
    for group, kinds in result.items():
        for kind, sets in kinds.items() if group != "reliability" else ():
            print(f"\n{name}, {group} records, {kind}")
            if "without estimate" in sets:
                print(f"without estimate: {sets['without estimate']}")
                sets = {k: v for k, v in sets.items() if k != "without estimate"}
                print(pd.DataFrame(sets).T.to_string())
            else:
                print(sets)


if __name__ == "__main__":
    main()
