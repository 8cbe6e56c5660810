"""Counts of kills and failures, kept in a file of results."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from seisbench_llm.atomic import replacing


def record(file: Path | None, name: str, counts: Mapping, faults: Sequence[str]) -> None:
    """
    Put what a script counted into a file of results, beside what others have put there.

    :param file: None to do nothing.
    :param name: Of the script, and of its part.
    :param counts: What happened how often.
    :param faults: What did not hold.
    """
    if file is None:
        return
    module = Path(sys.argv[0]).stem
    entry = {
        **{key: int(number) for key, number in counts.items()},
        "faults": list(faults),
        "command": " ".join(["python -m", f"tests.faults.{module}", *_without(sys.argv[1:])]),
        "commit": _commit(),
        "load_average": round(os.getloadavg()[0], 1),
        "ended": datetime.now(UTC).isoformat(timespec="minutes"),
    }
    with open(f"{file}.lock", "w") as lock:
        # Several scripts may run side by side.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = json.loads(file.read_text()) if file.is_file() else {}
        found[name] = entry
        with replacing(file) as partial:
            partial.write_text(json.dumps(dict(sorted(found.items())), indent=1) + "\n")


def _without(arguments: list[str]) -> list[str]:
    """Arguments but for where the counts go."""
    if "--record" not in arguments:
        return arguments
    at = arguments.index("--record")
    return arguments[:at] + arguments[at + 2 :]


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
