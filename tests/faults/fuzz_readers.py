"""
Random damage to files of every kind, with counts.

    python -m tests.faults.fuzz_readers --seconds 300

Bytes are flipped, cut, repeated, swapped, and numbers made huge, in files that each reader reads.
What comes of it may be an answer or one error of ours that names the file: no other exception, no
more than five seconds of processor time, no more than 2 GB of memory. Prints a table, what failed
with the seed that repeats it, and exits with 1 if anything did.
"""

from __future__ import annotations

import argparse
import collections
import logging
import struct
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import seisbench
import torch

from tests.faults.results import record
from tests.helpers.hostile import READERS, limited_memory, make, outcome

MOST_SECONDS, MOST_MEMORY = 5.0, 2**31

# What makes sizes, counts and offsets extreme, and text odd.
ODD = (
    *(struct.pack(f"{order}{kind}", value) for order in "<>" for kind, value in (
        ("i", -1), ("i", 2**31 - 1), ("i", 0), ("q", 2**62), ("f", float("nan")),
        ("f", 1e38), ("d", float("inf")), ("H", 0xFFFF),
    )),
    *(b"99999999999", b"-1", b"1e400", b"nan", b"\x00", b"\xff\xfe", b"../", b"%s", b"\n\n"),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="Processor time, all readers.")
    parser.add_argument("--only", nargs="+", help="Names of readers.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    seisbench.logger.setLevel(logging.ERROR)
    names = args.only or list(READERS)
    faults = []
    print(f"{'reader':<22}{'files':>7}{'refused':>9}{'read':>7}{'faults':>8}{'slowest s':>11}")
    with tempfile.TemporaryDirectory() as folder, limited_memory(MOST_MEMORY):
        for name in names:
            counts, found = fuzz(name, Path(folder) / name, args.seconds / len(names), args.seed)
            faults += found
            record(args.record, f"fuzz_readers: {name}", counts, found)
            shown = [counts[key] for key in ("files", "refused", "read")]
            print(f"{name:<22}{shown[0]:>7}{shown[1]:>9}{shown[2]:>7}{len(found):>8}"
                  f"{counts['slowest'] / 1000:>11.2f}", flush=True)  # fmt: skip
    print(*faults, sep="\n")
    return 1 if faults else 0


def fuzz(name: str, folder: Path, seconds: float, seed: int):
    """Damage a file of one reader for so long; counts and faults."""
    reader, counts, faults = READERS[name], collections.Counter(), []
    file = make(name, folder)
    whole = file.read_bytes()
    began, number = time.process_time(), seed
    while time.process_time() - began < seconds:
        number += 1
        file.write_bytes(mutated(whole, np.random.default_rng(number)))
        start = time.process_time()
        try:
            counts["refused" if outcome(reader, file) else "read"] += 1
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            faults.append(
                f"{name} seed {number}: {type(error).__name__} {str(error)[:150]!r} at "
                f"{Path(where.filename).name}:{where.lineno}"
            )
        taken = time.process_time() - start
        if taken > MOST_SECONDS:
            faults.append(f"{name} seed {number}: {taken:.1f} s")
        counts["slowest"] = max(counts["slowest"], round(1000 * taken))
        counts["files"] += 1
        if len(faults) > 20:
            break
    file.write_bytes(whole)
    reader.read(file)
    return counts, faults


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A file's content with one to five random changes, most of them in its first part."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        size = len(changed)
        if not size:
            break
        at = int(size * rng.random() ** rng.choice([1, 3]))
        kind = rng.integers(7)
        if kind == 0:
            changed[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            changed[at] = rng.integers(256)
        elif kind == 2:
            odd = ODD[rng.integers(len(ODD))]
            changed[at : at + len(odd)] = odd
        elif kind == 3:
            odd = ODD[rng.integers(len(ODD))]
            changed[at:at] = odd
        elif kind == 4:
            del changed[at : at + rng.integers(1, 100)]
        elif kind == 5:
            part = changed[at : at + rng.integers(1, 200)]
            changed[at:at] = part * int(rng.integers(1, 4))
        else:
            del changed[max(at, 1) :]
    return bytes(changed)


if __name__ == "__main__":
    sys.exit(main())
