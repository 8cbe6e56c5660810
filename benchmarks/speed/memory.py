"""
How much memory do annotate and classify need for one day and three?

    python -m benchmarks.speed.memory all --data DATA
    python -m benchmarks.speed.memory one --data DATA --method classify --days 3 --model PhaseNet

``all`` runs each case in processes of its own, so that peaks do not mix, and takes the median, as
peaks depend on how threads take turns. PhaseNet and EQTransformer are SeisBench's own classes,
untrained, for one day. Linux only.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import obspy
import seisbench
import seisbench.models as sbm

from benchmarks.common.timing import RESULTS, station, write_part
from seisbench_llm.models.seismollm import SeisMoLLM

PACKAGED = "compact_picking"
MODELS = (PACKAGED, "PhaseNet", "EQTransformer")


def measure_all(args: argparse.Namespace) -> None:
    """Every case in a process of its own."""
    result = {}
    cases = [(PACKAGED, method, days) for method in ("annotate", "classify") for days in (1, 3)]
    cases += [("PhaseNet", "annotate", 1), ("EQTransformer", "annotate", 1)]
    for model, method, days in cases:
        command = [sys.executable, "-m", "benchmarks.speed.memory", "one", "--model", model]
        command += ["--data", str(args.data), "--method", method, "--days", str(days)]
        runs = []
        for _ in range(args.repeats):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
        name = f"{method}, {days} d" if model == PACKAGED else f"{method}, {days} d, {model}"
        result[name] = {size: round(median(run[size] for run in runs)) for size in runs[0]}
    write_part(args.out, "memory", result)


def one(args: argparse.Namespace) -> None:
    """One case: print sizes in MiB as JSON."""
    piece = station(args.data, 2.0)
    samples = round(args.days * 86400 * piece[0].stats.sampling_rate)
    for trace in piece:
        trace.data = np.resize(trace.data, samples)
    own = args.model == PACKAGED
    model = SeisMoLLM.from_pretrained(PACKAGED) if own else getattr(sbm, args.model)().eval()
    model.annotate(obspy.read())  # libraries and threads
    # Linux forgets the peak so far, which was when the stream was made.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    out = getattr(model, args.method)(piece, overlap=0.5)
    peak = _status("VmHWM") - before
    result = sum(t.data.nbytes for t in out) if args.method == "annotate" else 0
    entry = {
        "stream": sum(t.data.nbytes for t in piece) / 2**20,
        "peak above it": peak / 1024,
        "of which result": result / 2**20,
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
    single.add_argument("--model", choices=MODELS, default=PACKAGED)
    single.add_argument("--days", type=float, default=1)
    single.set_defaults(function=one)
    every = commands.add_parser("all", help="every case")
    every.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    every.add_argument("--repeats", type=int, default=3, help="runs of each case")
    every.set_defaults(function=measure_all)
    for command in (single, every):
        command.add_argument("--data", type=Path, required=True, help="folder of the real records")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    args.function(args)


if __name__ == "__main__":
    main()
