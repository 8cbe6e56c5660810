"""
How good are the four estimates on records of the training's own regions, and do spreads hold?

    python -m benchmarks.quality.estimates --records RECORDS --data DATA

DATA is what making/data.py wrote. Writes benchmarks/results/estimates.json and
docs/figures/reliability.png; without names, for all packaged weights.

Each record is one ObsPy stream, whole length and native rate, given to the public classify() with
the analyst's P, and again with the picker's P that is nearest to it, if within 1 s. Held-out
records (``test``: neither station nor event in training) are few, so that those of which only the
station or only the event is known to the training (``unused``) are there beside them, and synthetic
ones of the test part. There are no polarities by hand: truths are clear first motions, found
automatically (``cases.first_motion``), of held-out real records, and synthetic ones. Back-azimuths
only where horizontals point north and east.
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
    FIRST_MOTION,
    SYNTHETIC,
    TRUTHS,
    Case,
    real_cases,
    real_folder,
    split_records,
    synthetic_cases,
)
from benchmarks.common.estimating import (
    SPREADS,
    by_group,
    coverage,
    estimate,
    hit_rates,
)
from benchmarks.common.matching import outcomes, true_picks
from benchmarks.common.pickers import Picker
from benchmarks.common.records import SETS
from seisbench_llm import weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.weights import WeightsError

# Largest distance of a picker's P from the analyst's in seconds.
SAME_PICK_SECONDS = 1.0
SPLITS = ("test", "unused", "dev")
SYNTHETIC_CASES = 500


def nearest_pick(picker: SeisMoLLM, case: Case):
    """The picker's P that is nearest to the analyst's, None if none is within a second."""
    picks = [p for p in picker.classify(case.stream).picks if p.phase == "P"]
    away = [abs(p.peak_time - case.pick.peak_time) for p in picks]
    return picks[int(np.argmin(away))] if away and min(away) <= SAME_PICK_SECONDS else None


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
        splits = {FIRST_MOTION: ("test", "unused")}
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


def evaluate_picker(picker: Picker, folder: Path, data: Path) -> dict[str, np.ndarray]:
    """Phase -> outcomes on held-out records and on those of which a half is."""
    wanted = [r for r, row in split_records(folder, data) if row["split"] in ("test", "unused")]
    wanted = [r for r in wanted if r.dataset in SETS[:3] and len(r.stream)]
    found = [picker.peaks(record.stream) for record in wanted]
    truth = {phase: [true_picks(record, phase) for record in wanted] for phase in "PS"}
    return {phase: outcomes(found, truth[phase], phase) for phase in "PS"}


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
    parser.add_argument("--data", type=Path, required=True, help="what making/data.py wrote")
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
            found = evaluate_picker(Picker(name, [model]), args.records, args.data)
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
