"""
How much memory do annotate and classify need for one day and three?

    python -m benchmarks.speed.memory all --data DATA
    python -m benchmarks.speed.memory one --data DATA --method classify --days 3

``all`` runs every case in a process of its own, so that peaks are its own. Linux only.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import obspy
import seisbench

from benchmarks.common.timing import RESULTS, station, write_part
from seisbench_llm.models.seismollm import SeisMoLLM


def measure_all(args: argparse.Namespace) -> None:
    """Every case in a process of its own."""
    result = {}
    for method in ("annotate", "classify"):
        for days in (1, 3):
            command = [sys.executable, "-m", "benchmarks.speed.memory", "one"]
            command += ["--data", str(args.data), "--method", method, "--days", str(days)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            result[f"{method}, {days} d"] = json.loads(done.stdout.splitlines()[-1])
    write_part(args.out, "memory", result)


def one(args: argparse.Namespace) -> None:
    """One case: print sizes in MiB as JSON."""
    piece = station(args.data, 2.0)
    samples = round(args.days * 86400 * piece[0].stats.sampling_rate)
    for trace in piece:
        trace.data = np.resize(trace.data, samples)
    model = SeisMoLLM.from_pretrained("compact_picking")
    model.annotate(obspy.read())  # libraries and threads
    # Linux forgets the peak so far, which was when the stream was made.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    out = getattr(model, args.method)(piece, overlap=0.5)
    peak = _status("VmHWM") - before
    own = sum(t.data.nbytes for t in out) if args.method == "annotate" else 0
    entry = {
        "stream": sum(t.data.nbytes for t in piece) / 2**20,
        "peak above it": peak / 1024,
        "of which result": own / 2**20,
    }
    print(json.dumps({name: round(value) for name, value in entry.items()}))


def _status(name: str) -> int:
    """A size in KiB that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True)
    single = commands.add_parser("one", help="one case, in this process")
    single.add_argument("--method", choices=("annotate", "classify"), default="annotate")
    single.add_argument("--days", type=float, default=1)
    single.set_defaults(function=one)
    every = commands.add_parser("all", help="every case")
    every.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    every.set_defaults(function=measure_all)
    for command in (single, every):
        command.add_argument("--data", type=Path, required=True, help="folder of the real records")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    args.function(args)


if __name__ == "__main__":
    main()
