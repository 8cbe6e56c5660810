"""
Is a catalogue of 300 stations complete, and do its memory and its pace stay the same over days?

Simulates picks of known events and of noise at 300 stations as the folder of an archive run, day by
day, and associates them, those of quality D, too. The shares of the events that are found, with and
without quality D, and events that are none are counted. Events that are not found are counted by
the number of their picks.

    python -m benchmarks.speed.catalogue [--days 5] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from seisbench_llm.archive.station_days import StationDay
from seisbench_llm.archive.store import Store
from seisbench_llm.catalogue import associate
from seisbench_llm.export import picks_to_dataframe, read_events
from seisbench_llm.monitor import VelocityModel

STATIONS, EVENTS_A_DAY, NOISE_A_DAY = 300, 60, 20
FIRST = date(2020, 1, 1)
SIDE_KM, FARTHEST_KM, DETECTED, PICK_ERROR = 400.0, 80.0, 0.8, 0.1

# An event is found if an event of the catalogue is as near as this.
WITHIN_S, WITHIN_KM = 5.0, 20.0


def make_stations(rng) -> pd.DataFrame:
    """Stations at random in a square."""
    place = rng.uniform(-SIDE_KM / 2, SIDE_KM / 2, (STATIONS, 2))
    return pd.DataFrame(
        {
            "id": [f"XX.S{number:03d}" for number in range(STATIONS)],
            "latitude": 45 + place[:, 1] / 111.2,
            "longitude": 10 + place[:, 0] / 111.2 / np.cos(np.radians(45)),
            "elevation": rng.uniform(0, 1500, STATIONS),
        }
    )


def make_day(rng, stations: pd.DataFrame, day: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events of a day, and the picks of them and of noise."""
    start = pd.Timestamp(day, tz="UTC")
    events = pd.DataFrame(
        {
            "seconds": np.sort(rng.uniform(0, 86_300, EVENTS_A_DAY)),
            "latitude": 45 + rng.uniform(-0.5, 0.5, EVENTS_A_DAY) * SIDE_KM / 111.2,
            "longitude": 10 + rng.uniform(-0.5, 0.5, EVENTS_A_DAY) * SIDE_KM / 78.6,
            "depth": rng.uniform(2, 15, EVENTS_A_DAY),
            "picks": 0,
        }
    )
    rows, x, y = [], stations["longitude"] * 78.6, stations["latitude"] * 111.2
    for event in events.itertuples():
        away = np.hypot(x - event.longitude * 78.6, y - event.latitude * 111.2).to_numpy()
        # Small events are seen less far.
        near = np.flatnonzero(away < FARTHEST_KM * rng.uniform(0.4, 1.0))
        for phase in "PS":
            seen = near[rng.uniform(size=len(near)) < DETECTED]
            travel = MEDIUM.times(phase, 0.5, [event.depth], away[seen])[0]
            times = event.seconds + travel + rng.normal(0, PICK_ERROR, len(seen))
            rows += [(station, phase, t) for station, t in zip(seen, times, strict=True)]
            events.loc[event.Index, "picks"] += len(seen)
    for station in range(STATIONS):
        for seconds in rng.uniform(0, 86_400, rng.poisson(NOISE_A_DAY)):
            rows.append((station, "PS"[rng.integers(2)], seconds))
    names = stations["id"].to_numpy()
    table = pd.DataFrame(rows, columns=["station", "phase", "seconds"])
    table = table[table["seconds"] < 86_400]
    frame = pd.DataFrame(
        {
            "trace_id": [f"{names[station]}.00" for station in table["station"]],
            "phase": table["phase"],
            "time": start + pd.to_timedelta(table["seconds"], unit="s"),
            "probability": rng.uniform(0.3, 1, len(table)),
            "instrument": "HH",
        }
    )
    times = start + pd.to_timedelta(events["seconds"], unit="s")
    return events.assign(time=times), picks_to_dataframe(frame)


MEDIUM = VelocityModel.crust()


def write_day(store: Store, day: date, picks: pd.DataFrame) -> None:
    """Picks of a day as an archive run leaves them: a file per station."""
    for trace_id, table in picks.groupby("trace_id"):
        network, station, location = trace_id.split(".")
        station_day = StationDay(network, station, location, "HH", str(day))
        store.write(station_day, {"picks": table.sort_values("time")}, {"state": "done"})


def match(truth: pd.DataFrame, found: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Which true events are found, and how many found events are none."""
    times = found["time"].astype("int64").to_numpy() / 1e6
    when = truth["time"].dt.as_unit("us").astype("int64").to_numpy() / 1e6
    matched, used = [], np.zeros(len(found), dtype=bool)
    for row, moment in zip(truth.itertuples(), when, strict=True):
        near = np.flatnonzero(np.abs(times - moment) < WITHIN_S)
        away = np.hypot(
            (found["longitude"].to_numpy()[near] - row.longitude) * 78.6,
            (found["latitude"].to_numpy()[near] - row.latitude) * 111.2,
        )
        near = near[away < WITHIN_KM]
        matched.append(len(near) > 0)
        used[near] = True
    return np.array(matched), int((~used).sum())


class Watch(threading.Thread):
    """Resident memory and finished blocks of this process over time."""

    def __init__(self, out: Path):
        super().__init__(daemon=True)
        self.out, self.ended = out, threading.Event()
        self.peaks: dict[int, float] = {}

    def run(self):
        """Note the peak of the memory in each day that is worked on."""
        process = psutil.Process()
        while not self.ended.wait(0.2):
            day = len(list(self.out.glob("blocks/*.json")))
            memory = process.memory_info().rss / 1e6
            self.peaks[day] = max(self.peaks.get(day, 0.0), memory)


def measure(days: int) -> dict:
    """A catalogue of some days."""
    rng = np.random.default_rng(0)
    stations = make_stations(rng)
    with tempfile.TemporaryDirectory() as root:
        run, out = Path(root) / "run", Path(root) / "catalogue"
        store, truth, rows = Store(run), [], []
        ids = [f"{name}.00.HH" for name in stations["id"]]
        store.write_plan({"model": {}}, ids, FIRST, FIRST + timedelta(days=days))
        for number in range(days):
            day = FIRST + timedelta(days=number)
            events, picks = make_day(rng, stations, day)
            write_day(store, day, picks)
            truth.append(events)
            rows.append(len(picks))
        watch = Watch(out)
        watch.start()
        result = associate(run, out, stations, keep_poor=True)
        watch.ended.set()
        blocks = [json.loads(file.read_text()) for file in sorted(out.glob("blocks/*.json"))]
        found = read_events(out / "events.csv")
    events = pd.concat(truth, ignore_index=True)
    matched, false = match(events, found)
    good = found[found["quality"] != "D"]
    missed = events["picks"][~matched].value_counts().sort_index()
    # Without the evening before and the morning after, and the first day, whose tables are made.
    seconds = [block["seconds"] for block in blocks[2:-1]]
    peaks = [round(watch.peaks[day]) for day in sorted(watch.peaks)]
    half = max(len(seconds) // 2, 1)
    return {
        "stations": STATIONS,
        "days": days,
        "picks_per_day": round(float(np.mean(rows))),
        "events_per_day": EVENTS_A_DAY,
        "noise_picks_per_station_and_day": NOISE_A_DAY,
        "true_events": int(EVENTS_A_DAY * days),
        "found_share": round(matched.mean(), 4),
        "events": result.events,
        "false_events": false,
        "found_share_without_quality_D": round(match(events, good)[0].mean(), 4),
        "false_events_without_quality_D": match(events, good)[1],
        "events_by_quality": found["quality"].value_counts().sort_index().to_dict(),
        "left_out_of_quality_D": int((found["quality"] == "D").sum()),
        "missed_events_by_picks": {str(picks): int(count) for picks, count in missed.items()},
        "most_picks_of_a_missed_event": int(missed.index.max()),
        "events_with_10_picks": int((many := events["picks"] >= 10).sum()),
        "found_of_them": int(matched[many].sum()),
        "seconds": result.seconds,
        "seconds_per_day_first_half": round(float(np.mean(seconds[:half])), 2),
        "seconds_per_day_second_half": round(float(np.mean(seconds[half:])), 2),
        "seconds_per_day": seconds,
        "memory_MB_by_finished_blocks": peaks,
        "memory_peak_MB": max(peaks),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--out", default="benchmarks/results/catalogue.json")
    arguments = parser.parse_args()
    before, began = os.getloadavg()[0], time.perf_counter()
    results = {
        "what": __doc__.strip().splitlines()[0],
        "load_average_before": before,
        "cores": os.cpu_count(),
        "timings": "indicative only if the load average was not near 0 before",
        **measure(arguments.days),
        "seconds_with_simulation": round(time.perf_counter() - began, 1),
    }
    Path(arguments.out).write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
