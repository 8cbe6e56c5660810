"""
What does the machinery of archive runs cost, apart from the model?

Simulates 100 stations x 30 days with a processor that does nothing, then, if a folder is given,
runs real records with 1 and 2 workers.

    python -m benchmarks.speed.archive [--sds FOLDER --start DAY --end DAY] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import obspy
import psutil
from seisbench.util import Pick

from seisbench_llm import archive
from seisbench_llm.archive.results import merge
from seisbench_llm.export.tables import picks_to_dataframe

# Model time of a three-component station-day on one core, which the overhead is compared to.
TASK_SECONDS = 10.0


class Nothing:
    """A processor that makes a few picks of nothing."""

    step, bridge, padding, lowest_rate = None, 60.0, 100.0, 0.0

    def __init__(self, weights):
        self.identity = {"weights": weights, "sha256": "", "version": ""}

    def __call__(self, stream):
        time_ = stream[0].stats.starttime + 50_000
        pick = Pick("XX.S000.", time_, time_, time_, peak_value=0.5, phase="P")
        return {"picks": picks_to_dataframe([pick] * 3)}


class Simulated:
    """An archive with an hour of 10 Hz for each station-day."""

    def channels(self, start, end, patterns):
        return {("XX", f"S{i:03d}", "", "BHZ") for i in range(100)}

    def get_waveforms(self, network, station, location, channel, start, end, padding):
        header = {"network": network, "station": station, "location": location}
        header.update(channel="BHZ", sampling_rate=10.0, starttime=start)
        return obspy.Stream([obspy.Trace(np.zeros(36_000), header)])


def rss() -> float:
    """Resident memory of this process, which holds client and scheduler, in MB."""
    return round(psutil.Process().memory_info().rss / 1e6, 1)


def simulate(workers: int) -> dict:
    """Run 3,000 station-days of nothing."""
    memory, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.5):
            memory.append((time.time(), rss()))

    threading.Thread(target=watch, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        result = archive.run(
            "python://benchmarks.speed.archive:Simulated",
            folder,
            "2020-01-01",
            "2020-01-31",
            ["XX.*"],
            "nothing",
            processor="benchmarks.speed.archive:Nothing",
            workers=workers,
        )
        stop.set()
        finished = sorted(p.stat().st_mtime for p in Path(folder).glob("manifest/*/*.json"))
        began = time.perf_counter()
        rows = merge(folder, Path(folder) / "all.parquet").rows
        merging = time.perf_counter() - began
    # Without the first ones, during which workers import and caches fill.
    each = (finished[-1] - finished[200]) / (len(finished) - 201) * workers
    first, half, last = (
        min(memory, key=lambda sample: abs(sample[0] - moment))[1]
        for moment in (finished[200], finished[len(finished) // 2], finished[-1])
    )
    return {
        "station_days": result.planned,
        "workers": workers,
        "seconds": result.seconds,
        "overhead_seconds_per_task_and_worker": round(each, 4),
        "overhead_share_of_10_s_task": round(each / TASK_SECONDS, 5),
        "client_and_scheduler_MB_after_200": first,
        "client_and_scheduler_MB_at_half": half,
        "client_and_scheduler_MB_at_end": last,
        "merge_seconds": round(merging, 1),
        "merge_rows": rows,
    }


def measure(sds: str, start: str, end: str) -> list[dict]:
    """Throughput on real records with one and two workers."""
    results = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            result = archive.run(sds, folder, start, end, ["*.*"], workers=workers)
        results.append({"workers": workers, **asdict(result)})
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sds")
    parser.add_argument("--start")
    parser.add_argument("--end")
    parser.add_argument("--out", default="benchmarks/results/archive.json")
    arguments = parser.parse_args()
    results = {
        "what": __doc__.strip().splitlines()[0],
        "load_average_before": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "timings": "indicative only if the load average was not near 0 before",
        "simulated": simulate(arguments.workers),
    }
    if arguments.sds:
        results["real"] = measure(arguments.sds, arguments.start, arguments.end)
    Path(arguments.out).write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
