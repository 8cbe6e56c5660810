"""
Do picks move when the stream starts elsewhere?

    python -m benchmarks.quality.pick_stability --data DATA --weights WEIGHTS \
        compact_picking phasenet/original

Any number of samples (1 to 1,999) is cut off the start of a record: all windows lie elsewhere.
Prints the share of picks that move by at most two samples, per phase, and percentiles.
"""

from __future__ import annotations

import argparse
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
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    records = []
    for name in ("phasenet_ncedc154", "eqcorrscan_nz"):
        held_out = [r for r in load_set(args.data, name) if r.split == "test"]
        records += held_out[: args.records]
    for name in args.models:
        picker = Picker.load(name, args.weights)
        for phase, moved in movements(picker, records, 4, np.random.default_rng(0)).items():
            moved = np.array(moved)
            percentiles = np.percentile(moved[np.isfinite(moved)], [50, 90, 95, 99])
            print(
                f"{picker.name} {phase}: {len(moved)} picks, at most 2 samples "
                f"{np.mean(moved < 0.0201):.3f}, lost {np.mean(np.isinf(moved)):.3f}, "
                f"50/90/95/99 % {np.round(percentiles, 3)} s"
            )


if __name__ == "__main__":
    main()
