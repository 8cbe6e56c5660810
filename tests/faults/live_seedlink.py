"""
Kills of a live picker that listens to a SeedLink server, at random moments, with counts.

    python -m tests.faults.live_seedlink --kills 40

The picker runs in a process that is ended by SIGKILL after a random time, and is started again
until it has taken all packets. The server has two stations, sends records out of order and some
twice, and drops the connection now and then. In the end the picks have to be those of a picker
that was never killed, each report once.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from seisbench_llm.live import Live, LiveSettings, LiveState, feed_from
from tests.faults.live_archive import attempt, reports, trial
from tests.faults.results import record
from tests.helpers.live_stub import LEVELS, DataClock, Until, arrivals, filtered_model, integers
from tests.helpers.seedlink_server import SeedLinkServer, end_of, in_order_of_time


def packets(rng) -> list[bytes]:
    """Records of two stations, some of them late, some twice."""
    stream = arrivals(9_000) + arrivals(9_000, station="STB", seed=1)
    good = in_order_of_time(integers(stream))
    sent = good + [good[i] for i in rng.integers(0, len(good), 20)]
    place = [end_of(record).timestamp + rng.uniform(0, 5) for record in sent]
    return [sent[i] for i in np.argsort(place)]


def serve(server: SeedLinkServer) -> int:
    """Let a process of its own serve; its id."""
    process = os.fork()
    if process == 0:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    server.socket.close()
    return process


def listen(address: str, ends: list[float], folder: Path) -> None:
    """Pick until the last packet has been taken, going on from the state."""
    with LiveState(folder / "state.npz", folder / "picks.jsonl", every=0.05) as state:
        live = Live(filtered_model(), state.append, LiveSettings(step=4), **LEVELS)
        source = DataClock(address, ["XX.ST*..HH?"], reconnect=0.05, timeout=20)
        source.ends = ends
        # The last packet may have been taken, and the state saved, before the kill.
        known = state.load()[0]
        numbers = known["positions"].values() if known else [0]
        over = Until(lambda: max(source.number, *numbers) >= len(ends))
        feed_from(live, source, over, state=state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(arguments.seed)
    sent = packets(rng)
    ends = [end_of(record).timestamp for record in sent]
    server = SeedLinkServer(sent, drops=range(37, 1_000_000, 61))
    address, process = server.address, serve(server)
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole"
            whole.mkdir()
            began = time.monotonic()
            attempt(lambda: listen(address, ends, whole), None)
            longest, expected = time.monotonic() - began, reports(whole)
            kills = runs = 0
            while kills < arguments.kills:
                own, runs = Path(folder) / str(runs), runs + 1
                own.mkdir()
                task = lambda own=own: listen(address, ends, own)  # noqa: E731
                kills += trial(task, longest, rng, lambda: None)
                assert reports(own) == expected, f"{own} differs"
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    counts = {"kills": kills, "runs": runs, "reports in each": len(expected)}
    record(arguments.record, "live_seedlink", counts, [])
    print(
        f"live from SeedLink: {kills} kills in {runs} runs, {len(expected)} reports in each, those "
        f"of one run, each once"
    )


if __name__ == "__main__":
    main()
