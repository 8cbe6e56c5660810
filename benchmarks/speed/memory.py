"""
How much memory do annotate and classify need for one day and three?

    python -m benchmarks.speed.memory --data DATA

Each case runs in processes of its own, so that peaks do not mix, and the median is taken, as peaks
depend on how threads take turns. What other models need: costs.py. Linux only.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import obspy
import seisbench

from benchmarks.common.timing import RESULTS, station, write_part
from seisbench_llm.models.seismollm import SeisMoLLM


def fresh(function: Callable, *args):
    """What a function returns in a new process, which imports its module anew."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *args).result()


def peak(function: Callable):
    """What a call returns, and by how many MiB this process has grown at most meanwhile."""
    # Linux forgets the peak so far, which was when the input was made.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    out = function()
    return out, (_status("VmHWM") - before) / 1024


def whole_days(data: Path, days: float) -> obspy.Stream:
    """The records of :py:func:`benchmarks.common.timing.station`, repeated for some days."""
    piece = station(data, 2.0)
    samples = round(days * 86400 * piece[0].stats.sampling_rate)
    for trace in piece:
        trace.data = np.resize(trace.data, samples)
    return piece


def one(data: Path, method: str, days: float) -> dict[str, float]:
    """Sizes in MiB of one case, in this process."""
    seisbench.logger.setLevel(logging.ERROR)
    stream, model = whole_days(data, days), SeisMoLLM.from_pretrained("compact_picking")
    model.annotate(obspy.read())  # libraries and threads
    out, above = peak(lambda: getattr(model, method)(stream, overlap=0.5))
    result = sum(t.data.nbytes for t in out) if method == "annotate" else 0
    return {
        "stream": sum(t.data.nbytes for t in stream) / 2**20,
        "peak above it": above,
        "of which result": result / 2**20,
    }


def _status(name: str) -> int:
    """A size in KiB that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each case")
    args = parser.parse_args()
    result = {}
    for method in ("annotate", "classify"):
        for days in (1, 3):
            runs = [fresh(one, args.data, method, days) for _ in range(args.repeats)]
            result[f"{method}, {days} d"] = {
                size: round(median(run[size] for run in runs)) for size in runs[0]
            }
    write_part(args.out, "memory", result)


if __name__ == "__main__":
    main()
