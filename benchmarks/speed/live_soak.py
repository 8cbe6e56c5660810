"""
Does live picking keep its memory and its pace over a day, and with many stations?

The packaged picker listens to simulated stations: noise of real stations in Chile, and earthquakes
of the Ridgecrest aftershocks added at known times. Packets come late, out of order and twice, some
are lost, components and stations fall silent, and in the middle the picker is stopped and goes on
from its state. Packets come as fast as they are taken; the clock is that of the data.

    python -m benchmarks.speed.live_soak --data DATA --part day --stations 50 --hours 24

Every simulated half hour the part's results are written, so that a run that is cut short has told
what it saw. ``--draw`` makes the figure from the results alone.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import psutil
import torch

from benchmarks.common.timing import RESULTS
from seisbench_llm.live import Live, LivePick, LiveSettings, LiveState, feed_from
from seisbench_llm.live.sources import Packet
from seisbench_llm.models.seismollm import SeisMoLLM

START = obspy.UTCDateTime(2024, 1, 1)
RATE, PACKET_S = 100.0, 10.0
SAMPLES = round(PACKET_S * RATE)
SETTINGS = LiveSettings(step=60.0, settle=5.0, max_latency=30.0)
OVERLAP = 0.5
# Earthquakes: seconds of a record before its P and in all, between two at a station on average,
# the least, and how many times larger than the noise.
BEFORE_S, LENGTH_S, EVERY_S, LEAST_S, RATIO = 4.0, 30.0, 600.0, 120.0, 30.0
# Per packet.
LOST, LATE, TWICE = 5e-4, 5e-3, 5e-3
# Seconds by which packets come late at the most.
LATEST_S = 25.0
# Per station and day: silence of a component, of all.
SILENT_COMPONENT, SILENT = 2.0, 2.0
# Simulated hours between two looks, and between two files of results.
LOOK_H, SAVE_H = 0.1, 0.5


def noise(data: Path) -> list[np.ndarray]:
    """Twelve hours of each of two stations, shape (3, samples), in counts."""
    (file,) = (data / "continuous/iquique_cx").glob("*12h.mseed")
    stream, arrays = obspy.read(file), []
    for station in sorted({trace.stats.station for trace in stream}):
        traces = [stream.select(station=station, component=c)[0] for c in "ZNE"]
        length = min(trace.stats.npts for trace in traces)
        arrays.append(np.stack([trace.data[:length] for trace in traces]).astype(np.int32))
    return arrays


def earthquakes(data: Path, most: int = 20) -> list[np.ndarray]:
    """Records of earthquakes with a P that was looked at, of a largest amplitude of one."""
    folder = data / "continuous/ridgecrest_pb"
    stream = obspy.read(folder / "*.mseed").detrend("demean").filter("highpass", freq=1.0)
    picks = pd.read_csv(folder / "picks.csv")
    picks = picks[(picks.status == "refined") & (picks.phase == "P") & (picks.snr > 20)]
    records = []
    for pick in picks.itertuples():
        start = obspy.UTCDateTime(pick.time) - BEFORE_S
        part = stream.select(station=pick.station).slice(start, start + LENGTH_S + 0.1)
        traces = [part.select(component=c) for c in ("Z", "[N1]", "[E2]")]
        if all(len(t) == 1 and t[0].stats.npts >= LENGTH_S * RATE for t in traces):
            record = np.stack([t[0].data[: round(LENGTH_S * RATE)] for t in traces])
            taper = np.minimum(
                1, np.minimum(*(np.arange(record.shape[1])[::s] for s in (1, -1))) / 200
            )
            records.append(record * taper / np.abs(record).max())
    return records[:most]


class Station:
    """
    Packets of one station, with earthquakes and troubles at times that a seed decides.

    :param background: Noise, shape (3, samples).
    :param shapes: Records of earthquakes.
    """

    def __init__(self, name: str, hours: float, seed: int, background, shapes):
        self.name, self.rng = name, np.random.default_rng(seed)
        rng, seconds, days = self.rng, hours * 3600, hours / 24
        self.background, self.shapes = background, shapes
        self.begin = int(rng.integers(background.shape[1]))
        # Seconds that something goes wrong from and to.
        self.troubles: list[tuple[float, float]] = [(-np.inf, 0.0), (seconds - PACKET_S, np.inf)]
        self.silent = [
            (components, at, at + rng.exponential(900))
            for components, number in (((0, 1, 2), SILENT), ((1,), SILENT_COMPONENT))
            for at in rng.uniform(0, seconds, rng.poisson(number * days))
        ]
        self.troubles += [span for _, *span in self.silent]
        waits = LEAST_S + rng.exponential(EVERY_S - LEAST_S, round(2 * seconds / EVERY_S) + 10)
        at = np.cumsum(waits)
        self.first_samples = (at[at < seconds - LENGTH_S] * RATE).astype(int)
        self.kinds = rng.integers(len(shapes), size=len(self.first_samples))
        self.level = RATIO * float(np.median(np.abs(np.diff(background[0, :100_000]))))

    def packets(self, number: int) -> Iterator[tuple[float, obspy.Trace]]:
        """Seconds of arrival and packets of a step of time."""
        first, at = number * SAMPLES, number * PACKET_S
        place = np.arange(self.begin + first, self.begin + first + SAMPLES)
        block = self.background.take(place, axis=1, mode="wrap")
        for begin, kind in zip(self.first_samples, self.kinds, strict=True):
            low, high = max(begin, first), min(begin + LENGTH_S * RATE, first + SAMPLES)
            if low < high:
                part = self.shapes[kind][:, int(low - begin) : int(high - begin)]
                block[:, int(low - first) : int(high - first)] += np.int32(self.level * part)
        for component in range(3):
            lost, late, twice = self.rng.random(3) < (LOST, LATE, TWICE)
            if lost or any(component in of and a <= at < b for of, a, b in self.silent):
                self.troubles.append((at, at + PACKET_S))
                continue
            header = {"network": "XX", "station": self.name, "channel": f"HH{'ZNE'[component]}"}
            header |= {"sampling_rate": RATE, "starttime": START + at}
            trace = obspy.Trace(block[component], header)
            arrival = at + PACKET_S + self.rng.uniform(0, LATEST_S if late else 3)
            yield arrival, trace
            if twice:
                yield arrival + self.rng.uniform(0, LATEST_S), trace

    def undisturbed(self, hours: float) -> list[float]:
        """Times of the P of earthquakes about which nothing went wrong, in seconds."""
        troubles = np.array(self.troubles)
        times = self.first_samples / RATE + BEFORE_S
        near = [((troubles[:, 0] - 120 < at) & (at < troubles[:, 1] + 120)).any() for at in times]
        return [t for t, bad in zip(times, near, strict=True) if not bad and t < hours * 3600 - 120]


class Traffic:
    """
    Packets of all stations in the order of their arrival, as a source of a live picker.

    :param stops: Hours at which the picker is to be stopped.
    """

    name, ended = "simulated stations", False

    def __init__(self, stations: list[Station], hours: float, stops: list[float]):
        self.stations, self.steps = stations, round(hours * 3600 / PACKET_S)
        self._packets = self._in_order()
        self._next = next(self._packets)
        self._now, self.taken, self.stops = 0.0, 0, list(stops)
        self.over = threading.Event()

    def _in_order(self) -> Iterator[tuple[float, int, obspy.Trace]]:
        waiting: list[tuple[float, int, obspy.Trace]] = []
        number = itertools.count()
        for step in range(self.steps):
            for station in self.stations:
                for arrival, trace in station.packets(step):
                    heapq.heappush(waiting, (arrival, next(number), trace))
            while waiting and waiting[0][0] < (step + 2) * PACKET_S:
                yield heapq.heappop(waiting)
        yield from sorted(waiting)

    def is_set(self) -> bool:
        """Whether it is time for a stop; it stands for the event that ends a run."""
        if self.stops and self._now >= self.stops[0] * 3600:
            del self.stops[0]
            return True
        return self.over.is_set()

    def get(self, timeout: float) -> Packet:
        self._now, _, trace = self._next
        self.taken += 1
        self._next = next(self._packets, None)
        self.ended = self._next is None
        return Packet(trace, time.time(), "all", self.taken)

    def more(self) -> bool:
        """Packets of a second are answered together."""
        return not self.ended and int(self._next[0]) == int(self._now)

    def clock(self) -> float:
        return self._now

    def data_now(self) -> float:
        return START.timestamp + self._now

    def resume(self, positions: dict[str, int]) -> None:
        """Go on; nothing was taken that the state does not know."""
        assert positions == {"all": self.taken}

    def received(self) -> Iterator[Packet]:
        return iter(())

    def close(self) -> None:
        pass


class Looks:
    """What is reported, and how long it took; memory and processor time as the hours pass."""

    def __init__(self, traffic: Traffic, what: dict, out: Path, part: str):
        self.traffic, self.what, self.out, self.part = traffic, what, out, part
        self.process, self.began = psutil.Process(), time.process_time()
        self.reports: Counter = Counter()
        self.late: dict[str, list[float]] = defaultdict(list)
        self.batches: list[float] = []
        # Hours, MB, CPU s in all, and of the batches of packets since the last look in ms.
        self.series: list[list[float]] = []
        self._saved = 0.0

    def take(self, pick: LivePick) -> None:
        self.reports[pick.trace_id, pick.phase, round(pick.time.timestamp, 2), pick.status] += 1
        self.late[pick.status].append(pick.data_latency)

    def look(self, seconds: float) -> None:
        """After each batch of packets, which took so many seconds of the processor."""
        self.batches.append(1000 * seconds)
        hours = self.traffic.clock() / 3600
        if self.series and hours < self.series[-1][0] + LOOK_H:
            return
        memory = self.process.memory_info().rss / 1e6
        spent = time.process_time() - self.began
        levels = np.percentile(self.batches, (50, 95, 100))
        self.series.append([round(float(v), 2) for v in (hours, memory, spent, *levels)])
        self.batches.clear()
        if hours >= self._saved + SAVE_H or self.traffic.ended:
            self._saved = hours
            self.save()

    def save(self) -> None:
        """Put the results so far into the file."""
        found = json.loads(self.out.read_text()) if self.out.is_file() else {}
        hours, memory, spent, _, usual, longest = np.array(self.series).T
        quarter = max(len(hours) // 4, 1)
        pace = np.diff(spent) / np.diff(hours) / self.what["stations"]
        found[self.part] = {
            **self.what,
            "simulated_hours": round(float(hours[-1]), 1),
            "packets": self.traffic.taken,
            "cpu_seconds": round(float(spent[-1])),
            "load_average": round(os.getloadavg()[0], 1),
            "memory_MB": {
                "second_quarter": float(np.median(memory[quarter : 2 * quarter + 1])),
                "last_quarter": float(np.median(memory[-quarter:])),
                "peak": float(memory.max()),
            },
            "cpu_seconds_per_station_hour": {
                "first_quarter": round(float(np.median(pace[:quarter])), 3) if len(pace) else None,
                "last_quarter": round(float(np.median(pace[-quarter:])), 3) if len(pace) else None,
            },
            "cpu_ms_per_batch_of_packets": {
                "95 %": float(np.median(usual)),
                "largest": float(longest.max()),
            },
            "seconds_from_pick_to_report": {
                status: np.round(np.percentile(values, (50, 95, 100)), 1).tolist()
                for status, values in self.late.items()
            },
            **self._judged(float(hours[-1])),
            "series": self.series,
        }
        self.out.write_text(json.dumps(found, indent=1) + "\n")

    def _judged(self, hours: float) -> dict:
        """How often the P of earthquakes about which nothing went wrong were confirmed."""
        confirmed = defaultdict(list)
        for name, phase, at, status in self.reports:
            if status == "confirmed" and phase == "P":
                confirmed[name].append(at)
        numbers: Counter = Counter()
        for station in self.traffic.stations:
            for seconds in station.undisturbed(hours):
                times = confirmed[f"XX.{station.name}..HH"]
                near = sum(abs(t - START.timestamp - seconds) < 0.5 for t in times)
                numbers[min(near, 2)] += 1
        return {
            "earthquakes_without_trouble": sum(numbers.values()),
            "of_these_p_confirmed_once": numbers[1],
            "p_confirmed_more_than_once": numbers[2],
            "reports_given_twice": sum(times > 1 for times in self.reports.values()),
        }


def soak(arguments: argparse.Namespace) -> None:
    """Run a part, with a restart in its middle."""
    torch.set_num_threads(1)
    logging.getLogger("seisbench").setLevel(logging.ERROR)
    model = SeisMoLLM.from_pretrained("compact_picking")
    background, shapes = noise(arguments.data), earthquakes(arguments.data)
    hours, number = arguments.hours, arguments.stations
    stations = [
        Station(f"S{i:03d}", hours, arguments.seed * 1000 + i, background[i % 2], shapes)
        for i in range(number)
    ]
    traffic = Traffic(stations, hours, [hours / 2])
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: traffic.over.set())
    what = {
        "stations": number,
        "hours_asked_for": hours,
        "weight": "compact_picking",
        "overlap": OVERLAP,
        "settings": asdict(SETTINGS),
        "seconds_per_packet": PACKET_S,
    }
    looks = Looks(traffic, what, arguments.out, arguments.part)
    with tempfile.TemporaryDirectory() as folder:
        while not (traffic.ended or traffic.over.is_set()):
            with LiveState(Path(folder) / "state.npz", Path(folder) / "picks.jsonl", 60.0) as state:
                live = Live(model, looks.take, SETTINGS, overlap=OVERLAP)
                process = live.process

                def observed(clock, process=process):
                    began = time.process_time()
                    process(clock)
                    looks.look(time.process_time() - began)

                live.process = observed
                feed_from(live, traffic, traffic, state=state)
    looks.save()


def draw(results: Path, figure: Path) -> None:
    """Memory, processor time and latency over the hours, a column for each part."""
    import matplotlib.pyplot as plt

    parts = json.loads(results.read_text())
    drawn, axes = plt.subplots(
        3, len(parts), figsize=(4.2 * len(parts) + 1, 6.5), sharex="col", squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for column, part in zip(axes.T, parts.values(), strict=True):
        hours, memory, spent, middle, usual, _ = np.array(part["series"]).T
        column[0].plot(hours, memory)
        column[0].set(ylabel="memory (MB)", ylim=(0, 1.15 * memory.max()))
        column[0].set_title(f"{part['stations']} stations", loc="left")
        pace = np.diff(spent) / np.diff(hours) / part["stations"]
        column[1].plot(hours[1:], pace)
        column[1].set(ylabel="CPU s / station-hour", ylim=(0, 1.3 * np.percentile(pace, 99)))
        column[2].semilogy(hours, middle, label="median")
        column[2].semilogy(hours, usual, label="95 %")
        column[2].set(ylabel="CPU ms / batch of packets", xlabel="simulated hours")
        column[2].legend(frameon=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    drawn.savefig(figure, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--part", default="day", help="name in the file of results")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "live_soak.json")
    parser.add_argument("--draw", type=Path, help="make the figure from the results, run nothing")
    arguments = parser.parse_args()
    if arguments.draw:
        draw(arguments.out, arguments.draw)
    elif arguments.data is None:
        parser.error("--data is missing")
    else:
        soak(arguments)


if __name__ == "__main__":
    main()
