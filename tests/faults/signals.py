"""
SIGTERM, Ctrl-C and SIGKILL at random moments of each command, with counts.

    python -m tests.faults.signals --rounds 4

After each signal no file under a final name may be half, and after SIGTERM and Ctrl-C nothing may
be left half written, with exit codes 143 and 130; the same command once more has to give what an
undisturbed one gives. Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import collections
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from tests.faults.cases import damaged, partial, prepare, run, tables
from tests.faults.results import record

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}

# Until a process has set its handlers, a signal ends it as any other; on a busy machine that takes
# a while.
EARLY_S = 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="Of each signal and command.")
    parser.add_argument("--only", nargs="+", help="Names of commands.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    rng, faults = np.random.default_rng(args.seed), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for case in prepare(folder):
            if args.only and case.name not in args.only:
                continue
            counts, found = disturb(case, folder / case.name.replace(" ", "_"), args.rounds, rng)
            faults += [f"{case.name}: {fault}" for fault in found]
            record(args.record, f"signals: {case.name}", counts, found)
            print(f"{case.name:<12}", dict(counts), f"faults: {len(found)}", flush=True)
    print(*faults, sep="\n")
    return 1 if faults else 0


def disturb(case, folder: Path, rounds: int, rng) -> tuple[collections.Counter, list[str]]:
    """Send each signal to a command again and again; counts, and what did not hold."""
    whole, counts, faults = folder / "whole", collections.Counter(), []
    end = run(case, whole)
    if end.code not in case.codes:
        return counts, [f"undisturbed it ended with {end.code}: {end.errors[-500:]}"]
    faults += damaged(whole)
    for number, code in CODES.items():
        for i in range(rounds):
            out = folder / f"{number.name}-{i}"
            stopped = run(case, out, number, rng.uniform(0, end.seconds))
            name = number.name
            if stopped.code in case.codes:
                counts["ended before"] += 1
            elif stopped.code == code:
                counts[name] += 1
            elif stopped.code == -number and stopped.seconds < EARLY_S:
                counts["ended at once"] += 1
            else:
                faults.append(f"{name} gave {stopped.code}: {stopped.errors[-300:]}")
            if "Traceback" in stopped.errors:
                faults.append(f"{name} gave a traceback: {stopped.errors[-300:]}")
            counts["left half written"] += bool(partial(out))
            if number is not signal.SIGKILL and partial(out):
                faults.append(f"{name} left {partial(out)}")
            faults += damaged(out)
            again, right = run(case, out), tables(whole)
            given = tables(out)
            others = sorted(k for k in given.keys() | right if given.get(k) != right.get(k))
            if again.code not in case.codes or others:
                faults.append(f"after {name} it ended with {again.code}, other files: {others}")
            shutil.rmtree(out)
    return counts, faults


if __name__ == "__main__":
    sys.exit(main())
