"""
How many examples of each property have been tried.

    python -m tests.properties.count --out benchmarks/results/properties.json
    python -m tests.properties.count --profile ci --only test_records.py

Runs the properties file by file with many new examples, and counts those that passed. With --out,
the counts are added to a file; a file of tests that fails is not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

# As pytest prints with --hypothesis-show-statistics.
_TEST = re.compile(r"^(tests/properties/\S+::\S+):$", re.M)
_PASSING = re.compile(r"(\d+) passing(?: examples)?, ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--profile", choices=("ci", "long"), default="long")
    parser.add_argument("--only", nargs="+", help="Names of files.")
    parser.add_argument("--out", type=Path, help="JSON file to add the counts to.")
    args = parser.parse_args()
    names = args.only or sorted(file.name for file in FOLDER.glob("test_*.py"))
    failed = 0
    for name in names:
        command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"]
        command += ["--timeout", "0", "--hypothesis-show-statistics", f"tests/properties/{name}"]
        environment = {**os.environ, "HYPOTHESIS_PROFILE": args.profile}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        counts = count(done.stdout)
        total = sum(counts.values())
        print(f"{name}: {len(counts)} properties, {total} examples", flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout)
        elif args.out:
            known = json.loads(args.out.read_text()) if args.out.exists() else {}
            known[name] = {"profile": args.profile, "examples": total, "properties": counts}
            args.out.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return min(failed, 1)


def count(output: str) -> dict[str, int]:
    """Name of a property -> number of examples that passed, from what pytest prints."""
    parts = _TEST.split(output)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {
        name.partition("::")[2]: sum(int(passing) for passing in _PASSING.findall(text))
        for name, text in pairs
    }


if __name__ == "__main__":
    sys.exit(main())
