"""
A machine that lets commands down, with counts: full disks, no memory, workers that die, downloads
that break off.

    python -m tests.faults.machine

A full disk is a limit on the size of a file, and, where the user may mount one, a small tmpfs.
Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

from tests.faults.cases import Case, damaged, partial, prepare, run, tables
from tests.faults.results import record

LIMITS = (100, 3_000, 30_000, 300_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--downloads", type=int, default=25, help="Kills of downloads.")
    parser.add_argument("--only", nargs="+", help="Names of parts.")
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        alone = args.only == ["downloads"]
        cases = {} if alone else {case.name: case for case in prepare(folder)}
        parts = {
            "limits": lambda: limits(cases, folder),
            "small disk": lambda: small_disk(cases, folder),
            "loader": lambda: loader(cases["fit"], folder),
            "downloads": lambda: downloads(folder, args.downloads),
            # Last, as it starts threads of Dask in this process.
            "memory": lambda: memory(folder),
        }
        for name, part in parts.items():
            if not args.only or name in args.only:
                counts, found = part()
                faults += [f"{name}: {fault}" for fault in found]
                record(args.record, f"machine: {name}", counts, found)
                print(f"{name:<12}", dict(counts), f"faults: {len(found)}", flush=True)
    print(*faults, sep="\n")
    return 1 if faults else 0


def refused(case: Case, out: Path, end, faults: list[str]) -> str:
    """What became of a command on a full disk; writes down what did not hold."""
    faults += [f"{case.name}: {fault}" for fault in damaged(out)]
    if end.code in case.codes:
        return "finished"
    if end.code not in (2, 3) or (end.code == 2 and len(end.lines) != 1):
        faults.append(f"{case.name} ended with {end.code}: {end.errors[-600:]}")
    if partial(out):
        faults.append(f"{case.name} left {partial(out)}")
    return "refused"


def limits(cases: dict[str, Case], folder: Path):
    """Files that cannot become larger than so many bytes."""
    counts, faults = collections.Counter(), []
    for case in cases.values():
        if case.name == "archive run":
            # Dask cannot start its workers with so little.
            continue
        for largest in LIMITS:
            out = folder / "limits" / f"{case.name}-{largest}"
            end = run(case, out, largest=largest)
            counts[refused(case, out, end, faults)] += 1
            again = run(case, out)
            if again.code not in case.codes or damaged(out):
                faults.append(f"{case.name} with room again: {again.code} {again.errors[-300:]}")
            shutil.rmtree(out)
    return counts, faults


def small_disk(cases: dict[str, Case], folder: Path):
    """A file system with room for some of the results only."""
    counts, faults = collections.Counter(), []
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        return {"skipped: this user may not mount a tmpfs": 1}, []
    try:
        for room in (0, 4096, 16384, 40960):
            for case in cases.values():
                out = disk / "out"
                (disk / "ballast").write_bytes(b"\0" * max(0, 65536 - room))
                # A terminal or a journal is not on the disk that is full.
                end = run(case, out, log=folder / "small_disk.log")
                counts[refused(case, out, end, faults)] += 1
                for path in disk.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        deadline = time.monotonic() + 20
        while subprocess.run(["umount", str(disk)], capture_output=True).returncode:
            if time.monotonic() > deadline:
                faults.append(f"processes are left on the disk: {left_on(disk)}")
                subprocess.run(["umount", "--lazy", str(disk)], check=True)
                break
            time.sleep(0.2)
    return counts, faults


def left_on(disk: Path) -> list[str]:
    """Commands of the processes that have a file of a disk open, or work there."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            files = [process.cwd(), *(file.path for file in process.open_files())]
            if any(name.startswith(str(disk)) for name in files):
                found.append(" ".join(process.cmdline())[:300])
    return found


def loader(fit: Case, folder: Path):
    """A process that reads data for fit is killed, as by a system without memory."""
    counts, faults = collections.Counter(), []
    whole = run(fit, folder / "loader" / "whole")
    options = ["--data.num_workers=1", "--trainer.max_epochs=40"]
    slow = Case("fit", lambda out: [*fit.arguments(out), *options])
    child = os.fork()
    out = folder / "loader" / "killed"
    if child == 0:
        end = run(slow, out)
        good = end.code == 2 and len(end.lines) == 1 and "DataLoader worker" in end.lines[0]
        if not good:
            print(end.code, end.errors[-1000:], flush=True)
        os._exit(0 if good else 1)
    victim = _grandchild(child, out / "run" / "checkpoints" / "last.ckpt")
    if victim is None:
        faults.append("there was no process to kill")
    else:
        victim.kill()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        faults.append("fit did not say that a process that reads died")
    counts["processes killed"] += victim is not None
    faults += damaged(out)
    again = run(fit, out)
    if again.code or whole.code:
        faults.append(f"fit did not go on: {again.code} {again.errors[-500:]}")
    return counts, faults


def _grandchild(pid: int, sign: Path) -> psutil.Process | None:
    """A process that the command below ``pid`` has started, once there is a file."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and psutil.pid_exists(pid):
        found = [p for child in psutil.Process(pid).children() for p in child.children()]
        if sign.is_file() and found:
            return found[0]
        time.sleep(0.02)
    return None


def memory(folder: Path):
    """A station-day that needs more memory than a worker has: it fails, the others are done."""
    from seisbench_llm import archive as runs
    from tests.helpers.archive_stub import run_stub

    out = folder / "memory"
    os.environ["STUB_MEMORY"] = "XX.ONE:2020-01-01"
    try:
        summary = run_stub(folder / "sds", out, workers=1, memory="1GB")
    finally:
        del os.environ["STUB_MEMORY"]
    counts = collections.Counter(done=summary.done, failed=summary.failed)
    faults = damaged(out)
    if (summary.done, summary.failed) != (5, 1):
        faults.append(f"{summary} instead of one failed of six")
    messages = [entry["message"] for entry in runs.status(out).failures]
    if not all("more memory" in message for message in messages):
        faults.append(f"it does not say why: {messages}")
    again = run_stub(folder / "sds", out, workers=1, memory="1GB", retry_failed=True)
    if again.done != 6 or tables(out).keys() != tables(folder / "archive").keys():
        faults.append(f"it did not go on: {again}")
    return counts, faults


def downloads(folder: Path, kills: int):
    """Downloads of a weight that are killed at random moments, until one is whole."""
    from tests.faults.downloads import killed_downloads

    return killed_downloads(folder / "downloads", kills)


if __name__ == "__main__":
    sys.exit(main())
