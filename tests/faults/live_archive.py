"""
Kills of archive runs, merges and live pickers at random moments, with counts.

    python -m tests.faults.live_archive --kills 40

Each task runs in a process that is ended by SIGKILL after a random time, and is started again
until it comes to its end. Then no file may be half written, and the result must be that of an
undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from seisbench_llm import archive
from seisbench_llm.live import Live, LiveSettings, LiveState, Replay, feed_from
from tests.faults.results import record
from tests.helpers.archive_stub import run_stub, spiky_stream, write_sds
from tests.helpers.live_stub import LEVELS, arrivals, filtered_model


def attempt(task: Callable[[], None], seconds: float | None) -> bool:
    """Run a task in a process of its own; whether it ended by itself, and well."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            task()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        if os.WEXITSTATUS(status):
            raise RuntimeError("An undisturbed attempt failed.")
        return True
    return False


def trial(task: Callable[[], None], longest: float, rng, check: Callable[[], None]) -> int:
    """Kill a task until it comes to its end; number of kills."""
    kills = 0
    while not attempt(task, rng.uniform(0, longest)):
        kills += 1
        check()
        # Or a task that saves nothing before it is done would never come to its end.
        longest *= 1.05
    return kills


def archive_run(sds: Path, out: Path) -> None:
    """An archive run with two threads instead of worker processes, which take long to start."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as cluster:
        run_stub(sds, out, scheduler=cluster.scheduler_address)


def tables(out: Path) -> dict:
    """What a run leaves, but for what depends on the clock."""
    content = {p.relative_to(out): p.read_bytes() for p in out.glob("picks/*/*.parquet")}
    for file in out.glob("manifest/*/*.json"):
        manifest = json.loads(file.read_text())
        del manifest["seconds"]
        content[file.relative_to(out)] = manifest
    return content


def archives(folder: Path, kills: int, rng) -> dict[str, int]:
    """Kills of ``archive run``; the results have to be those of one run, byte by byte."""
    sds, whole = folder / "sds", folder / "whole"
    write_sds(spiky_stream(), sds)
    began = time.monotonic()
    attempt(lambda: archive_run(sds, whole), None)
    longest = time.monotonic() - began
    done = trials = 0
    while done < kills:
        out, trials = folder / f"out{trials}", trials + 1

        def check(out=out):
            for file in out.glob("picks/*/*.parquet"):
                pd.read_parquet(file, partitioning=None)
            for file in out.glob("manifest/*/*.json"):
                json.loads(file.read_text())

        done += trial(lambda out=out: archive_run(sds, out), longest, rng, check)
        assert tables(out) == tables(whole), f"{out} differs"
    return {"kills": done, "runs": trials}


def merges(folder: Path, kills: int, rng) -> dict[str, int]:
    """Kills of ``archive merge``."""
    if not (folder / "whole").is_dir():
        write_sds(spiky_stream(), folder / "sds")
        attempt(lambda: archive_run(folder / "sds", folder / "whole"), None)
    done = trials = 0
    for suffix in (".csv", ".parquet"):
        to = folder / f"all{suffix}"
        archive.merge(folder / "whole", to)
        expected = to.read_bytes()
        while done < kills * (1 + (suffix == ".parquet")) / 2:
            to.unlink()
            began = time.monotonic()
            attempt(lambda to=to: archive.merge(folder / "whole", to), None)
            longest, trials = time.monotonic() - began, trials + 1

            def check(to=to, expected=expected):
                assert not to.exists() or to.read_bytes() == expected, f"{to} is half written"

            task = lambda to=to: archive.merge(folder / "whole", to)  # noqa: E731
            done += trial(task, longest, rng, check)
            check()
    return {"kills": done, "runs": trials}


def live_replay(stream, folder: Path) -> None:
    """A replay that goes on from its state."""
    with LiveState(folder / "state.npz", folder / "picks.jsonl", every=0.05) as state:
        live = Live(filtered_model(), state.append, LiveSettings(step=4), **LEVELS)
        feed_from(live, Replay(stream, 0), threading.Event(), state=state)


def reports(folder: Path) -> list[dict]:
    """All lines of picks, but for what depends on the clock."""
    rows = [json.loads(line) for line in (folder / "picks.jsonl").read_text().splitlines()]
    return [{**row, "latency": None} for row in rows]


def lives(folder: Path, kills: int, rng) -> dict[str, int]:
    """Kills of a live picker; the reports have to be those of one replay, each once."""
    stream = arrivals(12_000) + arrivals(12_000, code="HN", seed=1)
    whole = folder / "live"
    whole.mkdir()
    began = time.monotonic()
    attempt(lambda: live_replay(stream, whole), None)
    longest, expected = time.monotonic() - began, reports(whole)
    done = trials = 0
    while done < kills:
        own, trials = folder / f"live{trials}", trials + 1
        own.mkdir()
        done += trial(lambda own=own: live_replay(stream, own), longest, rng, lambda: None)
        assert reports(own) == expected, f"{own} differs"
    return {"kills": done, "runs": trials, "reports in each": len(expected)}


PARTS = {"live": lives, "archive": archives, "merge": merges}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            counts = PARTS[name](Path(folder), arguments.kills, rng)
            record(arguments.record, f"live_archive: {name}", counts, [])
            print(f"{name}: {counts}, results those of one run", flush=True)


if __name__ == "__main__":
    main()
