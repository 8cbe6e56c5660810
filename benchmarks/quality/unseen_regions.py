"""
How well are P and S picked in regions that no weight was trained on, beside published pickers?

    python -m benchmarks.quality.unseen_regions --data DATA --weights WEIGHTS --cache CACHE \
        [--published] compact_picking

The regions are ``UNSEEN_REGIONS`` of common/records.py. Each record is one ObsPy stream of native
rate, given to the public annotate(); peaks are matched as in common/matching.py.

The stream begins up to 9.5 s after the record (``move_start`` of common/records.py has the reason).
``--starts kept`` shows what that is worth; its figures go to another part of the result file.

F1 is at the default threshold of 0.3, and at the one threshold per picker, phase and tolerance that
is best over all records (which is chosen on the records that it is measured on, alike for all).
False picks per hour are those on the fifth of the noise before P (mirrored to 90 s) and the third
of the negatives that are kept out of training, at 0.3 and at the threshold of 0.5 s. Limits (95 %)
are of a bootstrap over events and stations.

Peaks are kept in CACHE by the content of the weights, so that only what is new is computed; remove
it when annotate has changed. What the result file has of other pickers stays.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

import numpy as np
import seisbench
import torch

from benchmarks.common.bootstrap import interval, record_weights
from benchmarks.common.matching import (
    DEFAULT_THRESHOLD,
    THRESHOLDS,
    TOLERANCES,
    counts_by_threshold,
    f1,
    hours,
    mirrored,
    residuals,
    true_picks,
)
from benchmarks.common.pickers import TEACHERS, Picker, published
from benchmarks.common.records import (
    NOT_NOISE,
    UNSEEN_REGIONS,
    AnalystRecord,
    load_negatives,
    load_noise,
    load_set,
    move_start,
    noise_held_out,
)
from seisbench_llm.streams.picks import time_uncertainty
from seisbench_llm.weights import WeightsError

RESULTS = Path(__file__).parents[1] / "results" / "unseen_regions.json"
# What the weights that are named are compared with, record by record.
REFERENCES = ("phasenet/volpick", TEACHERS)
# How streams begin -> key in the result file, and of what is kept in the cache.
PARTS = {"moved": "pickers", "kept": "pickers, starts kept"}
COLUMNS = [(phase, tolerance) for tolerance in TOLERANCES for phase in "PS"]


def unseen_records(folder: Path, starts: str = "moved") -> list[AnalystRecord]:
    """
    Records of all unseen regions.

    :param starts: ``moved`` or ``kept``, see above.
    """
    found = [r for name in UNSEEN_REGIONS for r in load_set(folder, name) if len(r.stream)]
    if starts == "moved":
        for record in found:
            move_start(record)
    return found


def silent_records(folder: Path) -> list[AnalystRecord]:
    """Noise before P, mirrored to 90 s, and negatives that are kept out of training."""
    noise = [r for r in load_noise(folder) if noise_held_out(r.event) and r.name not in NOT_NOISE]
    noise = [record for record in noise if len(record.stream)]
    for record in noise:
        record.dataset, record.stream = "noise before P", mirrored(record.stream)
    return noise + [r for r in load_negatives(folder) if r.split == "test" and len(r.stream)]


def cached_peaks(picker: Picker, records: list[AnalystRecord], name: str, cache: Path) -> list:
    """Peaks of each record, from the cache if this picker has seen these records."""
    file = cache / f"{picker.fingerprint()}_{name}.json"
    if not file.is_file():
        found = [picker.peaks(record.stream) for record in records]
        cache.mkdir(parents=True, exist_ok=True)
        rows = [{phase: table.tolist() for phase, table in peaks.items()} for peaks in found]
        file.write_text(json.dumps(rows))
    found = [
        {phase: np.reshape(rows, (-1, 2)) for phase, rows in peaks.items()}
        for peaks in json.loads(file.read_text())
    ]
    if len(found) != len(records):
        raise ValueError(f"{file} is of {len(found)} records, not of {len(records)}: delete it.")
    return found


def counts_at(found: list, records: list[AnalystRecord], phase: str, tolerance: float):
    """The best threshold, and hits, false picks, misses of each record at it and at 0.3."""
    counts = counts_by_threshold(found, records, phase, tolerance)
    best = int(np.argmax(f1(counts.sum(axis=1))))
    default = int(np.argmin(np.abs(THRESHOLDS - DEFAULT_THRESHOLD)))
    return float(THRESHOLDS[best]), {"best": counts[best], "at 0.3": counts[default]}


def column(
    found: list, records: list[AnalystRecord], phase: str, tolerance: float, others: dict[str, list]
) -> dict:
    """
    F1 of one phase and tolerance, by set and over all, with limits.

    :param others: Name -> peaks of pickers that this one is compared with, record by record.
    """
    best, counts = counts_at(found, records, phase, tolerance)
    names = np.array([record.dataset for record in records])
    drawn = drawn_records(records)
    result = {"threshold": best, "picks": {}}
    for key, at_level in counts.items():
        result[key] = {}
        for name in (*UNSEEN_REGIONS, "all"):
            rows = at_level[(names == name) | (name == "all")]
            result["picks"][name] = int(rows[:, [0, 2]].sum())
            result[key][name] = round(float(f1(rows.sum(axis=0))), 3)
        result[key]["limits"] = interval(drawn, lambda i, c=at_level: f1(c[i].sum(axis=0)))
    for name, peaks in others.items():
        for key, at_level in counts_at(peaks, records, phase, tolerance)[1].items():

            def difference(i, ours=counts[key], theirs=at_level):
                return f1(ours[i].sum(axis=0)) - f1(theirs[i].sum(axis=0))

            value = round(float(difference(np.arange(len(records)))), 3)
            result[key][f"less {name}"] = [value, *interval(drawn, difference)]
    return result


def times_within(
    found: list, records: list[AnalystRecord], phase: str, calibration: dict[str, float]
) -> dict:
    """Shares of the times within one and two of their uncertainties, by region; median error."""
    result = {}
    for name in UNSEEN_REGIONS:
        here = [i for i, record in enumerate(records) if record.dataset == name]
        truth = [true_picks(records[i], phase) for i in here]
        away, probability = residuals([found[i] for i in here], truth, phase)
        if not len(away):
            continue
        expected = [time_uncertainty(calibration, phase, p) for p in probability]
        ratio = np.abs(away) / np.array(expected)
        result[name] = {
            "picks": len(away),
            "within 1": round(float(np.mean(ratio <= 1)), 3),
            "within 2": round(float(np.mean(ratio <= 2)), 3),
            "median error": round(float(np.median(np.abs(away))), 3),
        }
    return result


def false_picks(
    found: list, records: list[AnalystRecord], phase: str, thresholds: dict[str, float]
) -> dict:
    """Picks per hour where there is no earthquake, by kind of record and over all."""
    names = np.array([record.dataset for record in records])
    length = np.array([hours([record.stream]) for record in records])
    drawn = drawn_records(records)
    result = {}
    for key, level in thresholds.items():
        picks = np.array([np.sum(peaks[phase][:, 1] >= level) for peaks in found])
        result[key] = {}
        for name in (*dict.fromkeys(names), "all"):
            rows = (names == name) | (name == "all")
            result[key][name] = round(float(picks[rows].sum() / length[rows].sum()), 2)
        result[key]["limits"] = interval(
            drawn, lambda i, p=picks: p[i].sum() / length[i].sum(), digits=2
        )
    return result


def drawn_records(records: list[AnalystRecord]) -> np.ndarray:
    """Weights of a bootstrap over events and stations."""
    rows = [(record.event, record.station, record.dataset) for record in records]
    return record_weights(*zip(*rows, strict=True))


def evaluate(
    picker: Picker,
    records: list[AnalystRecord],
    silent: list[AnalystRecord],
    cache: Path,
    others: list[Picker],
    starts: str = "moved",
) -> dict:
    """All figures of one picker, and its differences from others."""
    name = f"unseen_{starts}"
    found = cached_peaks(picker, records, name, cache)
    peaks = {other.name: cached_peaks(other, records, name, cache) for other in others}
    result = {
        f"{phase}@{tolerance}": column(found, records, phase, tolerance, peaks)
        for phase, tolerance in COLUMNS
    }
    calibration = picker.models[0].default_args.get("calibration")
    if len(picker.models) == 1 and calibration:
        result["times"] = {p: times_within(found, records, p, calibration) for p in "PS"}
    found, result["false picks per hour"] = cached_peaks(picker, silent, "silent", cache), {}
    for phase in "PS":
        levels = {"best": result[f"{phase}@0.5"]["threshold"], "at 0.3": DEFAULT_THRESHOLD}
        result["false picks per hour"][phase] = false_picks(found, silent, phase, levels)
    return result


def show(name: str, result: dict) -> None:
    """One line of each kind per picker."""
    for key in ("best", "at 0.3"):
        cells = [
            f"{result[c][key]['all']:.3f} {result[c][key]['limits']}"
            for c in (f"{phase}@{tolerance}" for phase, tolerance in COLUMNS)
        ]
        rates = [result["false picks per hour"][phase][key]["all"] for phase in "PS"]
        print(f"{name:28} {key:7} {'  '.join(cells)}  false P, S an hour {rates}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", help="weight names or paths, phasenet/volpick, ...")
    parser.add_argument(
        "--published", action="store_true", help="all published pickers, and a mean"
    )
    parser.add_argument("--starts", choices=PARTS, default="moved", help="of the streams")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="published ones, as in SeisBench's cache")
    parser.add_argument("--cache", type=Path, default=Path("runs/peaks"), help="folder of peaks")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    models = list(args.models)
    if args.published:
        if args.weights is None:
            parser.error("--published needs --weights.")
        models += [*published(args.weights), TEACHERS]
    records, silent = unseen_records(args.data, args.starts), silent_records(args.data)
    part, results = PARTS[args.starts], {}
    if args.out.is_file():
        results = json.loads(args.out.read_text())
    results.setdefault(part, {})
    results |= {
        "regions": UNSEEN_REGIONS,
        "records": {name: sum(r.dataset == name for r in records) for name in UNSEEN_REGIONS},
        "hours without earthquakes": {
            name: round(hours([r.stream for r in silent if r.dataset == name]), 2)
            for name in dict.fromkeys(record.dataset for record in silent)
        },
    }
    for name in models:
        begun = time.perf_counter()
        try:
            picker = Picker.load(name, args.weights)
            others = [Picker.load(o, args.weights) for o in REFERENCES if name in args.models]
        except WeightsError as error:
            parser.error(str(error))
        found = evaluate(picker, records, silent, args.cache, others, args.starts)
        results[part][picker.name] = found
        show(picker.name, found)
        print(f"{time.perf_counter() - begun:.0f} s", flush=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
