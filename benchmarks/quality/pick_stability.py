"""
Do picks move when the stream starts elsewhere?

    python -m benchmarks.quality.pick_stability --data DATA --weights WEIGHTS \
        --out benchmarks/results/pick_stability.json compact_picking phasenet/original

A random number of samples (1 to 1,999) is removed from the start of a record, so that all windows
lie elsewhere. Tells, for each phase, the share of picks that move by at most two samples, the share
that is lost, and percentiles of the movement.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import seisbench

from benchmarks.common.pickers import Picker
from benchmarks.common.records import load_set


def movements(picker: Picker, records: list, cuts: int, rng) -> dict[str, list[float]]:
    """Phase -> seconds by which each pick moved, inf if it was lost."""
    moved = {"P": [], "S": []}
    for record in records:
        start = min(trace.stats.starttime for trace in record.stream)
        reference = picker.classify(record.stream)
        for shift in rng.integers(1, 2000, cuts):
            picks = picker.classify(record.stream.slice(start + shift / 100))
            for pick in reference:
                # The picks that still have some record ahead of them.
                if pick.peak_time - start > 25:
                    times = [q.peak_time for q in picks if q.phase == pick.phase]
                    distance = min((abs(t - pick.peak_time) for t in times), default=np.inf)
                    moved[pick.phase].append(distance)
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="published ones, as in SeisBench's cache")
    parser.add_argument("--records", type=int, default=28, help="per set")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    records = []
    for name in ("phasenet_ncedc154", "eqcorrscan_nz"):
        held_out = [r for r in load_set(args.data, name) if r.split == "test"]
        records += held_out[: args.records]
    results = {}
    for name in args.models:
        picker = Picker.load(name, args.weights)
        results[picker.name] = {
            phase: summary(np.array(moved))
            for phase, moved in movements(picker, records, 4, np.random.default_rng(0)).items()
        }
    text = json.dumps(results, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


def summary(moved: np.ndarray) -> dict:
    """Shares and percentiles of the movement of picks in s, inf for lost ones."""
    percentiles = np.percentile(moved[np.isfinite(moved)], [50, 90, 95, 99])
    return {
        "picks": len(moved),
        "at most 2 samples": round(float(np.mean(moved < 0.0201)), 3),
        "lost": round(float(np.mean(np.isinf(moved))), 3),
        "50, 90, 95, 99 %, s": [round(float(q), 3) for q in percentiles],
    }


if __name__ == "__main__":
    main()
