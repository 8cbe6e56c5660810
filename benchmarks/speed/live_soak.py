"""
Does live picking keep its memory and its pace over a day of many stations?

Time is simulated: packets come as fast as they are taken, and the clock is that of the data.
Packets get lost, come late or twice, gaps are filled with zeros, components and stations fall
silent, clocks step, and every few hours the picker is stopped and goes on from its state. The
network was not trained: P is where the vertical component stands out, S where east does. So the
cost is that of everything around a network, and which picks there have to be is known.

    python -m benchmarks.speed.live_soak [--hours 24] [--stations 50] [--out FILE --figure FILE]
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import logging
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import obspy
import psutil
import torch

from seisbench_llm.live import Live, LivePick, LiveSettings, LiveState, feed_from
from seisbench_llm.live.sources import Packet
from seisbench_llm.models.seismollm import SeisMoLLM

START = obspy.UTCDateTime(2024, 1, 1)
RATE, WINDOW_S, PACKET_S = 20.0, 150.0, 15.0
SETTINGS = LiveSettings(step=60.0, settle=5.0, max_latency=60.0)
# Counts: noise, and pulses above it.
NOISE, PULSE = 100.0, 20_000
# Seconds between two pulses at a station, on average, and the least.
PULSES_S, LEAST_S = 300.0, 20.0
# Per packet.
LOST, LATE, TWICE, ZEROS = 5e-4, 5e-3, 5e-3, 2e-4
# Seconds by which packets come late at the most.
LATEST_S = 40.0
# Per station and day: silence of a component, of all, steps of the clock.
SILENT_COMPONENT, SILENT, STEPS = 2.0, 2.0, 0.2


class Pulses(torch.nn.Module):
    """P where the first component stands out, S where the last one does."""

    def forward(self, x, logits=False):
        p, s = (x[:, [0]] / 25).clamp(0, 1), (x[:, [2]] / 25).clamp(0, 1)
        return torch.cat([torch.maximum(p, s), p, s], dim=1)


def picker_model() -> SeisMoLLM:
    """A picker with :py:class:`Pulses` for a network."""
    model = SeisMoLLM(
        task="picking", backbone=None, width=32, embedder_channels=(4, 4, 4), embedder_branches=2,
        head_channels=(8, 8, 8, 4), pooled_kernel=4, in_samples=round(WINDOW_S * RATE),
        sampling_rate=RATE, default_args={"overlap": 0.5},
    )  # fmt: skip
    model.network = Pulses()
    return model.eval()


class Station:
    """
    Packets of one station, with pulses and troubles at times that a seed decides.

    :param hours: Hours of data.
    """

    def __init__(self, name: str, hours: float, seed: int):
        self.name, self.rng = name, np.random.default_rng(seed)
        rng, seconds, days = self.rng, hours * 3600, hours / 24
        self.samples = round(PACKET_S * RATE)
        self.noise = np.round(rng.normal(0, NOISE, (3, 100_000))).astype(np.int32)
        # Seconds that something goes wrong from and to.
        self.troubles: list[tuple[float, float]] = [(-np.inf, 0.0), (seconds - PACKET_S, np.inf)]
        self.silent = [
            (components, *self._span(seconds, 900))
            for components, number in (((0, 1, 2), SILENT), ((1,), SILENT_COMPONENT))
            for _ in range(rng.poisson(number * days))
        ]
        self.steps = np.sort(rng.uniform(0, seconds, rng.poisson(STEPS * days)))
        sign = rng.choice((-1, 1), len(self.steps))
        self.step_sizes = sign * rng.uniform(500, 5000, len(self.steps))
        self.troubles += [span for _, *span in self.silent] + [(t, t) for t in self.steps]
        gaps = LEAST_S + rng.exponential(PULSES_S - LEAST_S, round(2 * seconds / PULSES_S) + 10)
        at = np.cumsum(gaps)
        self.pulses = (at[at < seconds] * RATE).astype(int)
        self.components = rng.choice((0, 2), len(self.pulses))

    def _span(self, seconds: float, mean: float) -> tuple[float, float]:
        start = self.rng.uniform(0, seconds)
        return start, start + self.rng.exponential(mean)

    def packets(self, number: int) -> Iterator[tuple[float, obspy.Trace]]:
        """Seconds of arrival and packets of a step of time."""
        first, at = number * self.samples, number * PACKET_S
        start = START + at + self._step(at)
        low, high = np.searchsorted(self.pulses, (first, first + self.samples))
        for component in range(3):
            lost, late, twice, zeros = self.rng.random(4) < (LOST, LATE, TWICE, ZEROS)
            if lost or any(component in of and a <= at < b for of, a, b in self.silent):
                self.troubles.append((at, at + PACKET_S))
                continue
            begin = int(self.rng.integers(self.noise.shape[1] - self.samples))
            data = self.noise[component, begin : begin + self.samples].copy()
            of_component = self.components[low:high] == component
            data[self.pulses[low:high][of_component] - first] += PULSE
            if zeros:
                data[:] = 0
                self.troubles.append((at, at + PACKET_S))
            header = {"network": "XX", "station": self.name, "channel": f"HH{'ZNE'[component]}"}
            trace = obspy.Trace(data, {**header, "sampling_rate": RATE, "starttime": start})
            arrival = at + PACKET_S + self.rng.uniform(0, LATEST_S if late else 3)
            yield arrival, trace
            if twice:
                yield arrival + self.rng.uniform(0, LATEST_S), trace

    def _step(self, at: float) -> float:
        """Seconds by which the clock has stepped."""
        return float(self.step_sizes[: np.searchsorted(self.steps, at)].sum())

    def undisturbed(self) -> list[tuple[str, float]]:
        """Phase and time in seconds of the pulses that must be picked."""
        troubles = np.array(self.troubles)
        found = []
        for sample, component in zip(self.pulses, self.components, strict=True):
            at = sample / RATE
            reach = 2 * WINDOW_S
            if not ((troubles[:, 0] - reach < at) & (at < troubles[:, 1] + reach)).any():
                found.append(("P" if component == 0 else "S", at + self._step(at)))
        return found


class Traffic:
    """
    Packets of all stations in the order of their arrival, as a source of a live picker.

    :param stops: Hours at which the picker is to be stopped.
    """

    name, ended = "simulated stations", False

    def __init__(self, stations: int, hours: float, stops: list[float], seed: int):
        self.stations = [Station(f"S{i:03d}", hours, seed * 1000 + i) for i in range(stations)]
        self.steps = round(hours * 3600 / PACKET_S)
        self._packets = self._in_order()
        self._next = next(self._packets)
        self._now, self._taken, self.stops = 0.0, 0, list(stops)

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
        return False

    def get(self, timeout: float) -> Packet:
        self._now, _, trace = self._next
        self._taken += 1
        self._next = next(self._packets, None)
        self.ended = self._next is None
        return Packet(trace, time.time(), "all", self._taken)

    def more(self) -> bool:
        """Packets of a second are answered together."""
        return not self.ended and int(self._next[0]) == int(self._now)

    def clock(self) -> float:
        return self._now

    def data_now(self) -> float:
        return START.timestamp + self._now

    def resume(self, positions: dict[str, int]) -> None:
        """Go on; nothing was taken that the state does not know."""
        assert positions == {"all": self._taken}

    def received(self) -> Iterator[Packet]:
        return iter(())

    def close(self) -> None:
        pass


class Observer:
    """What is reported, and how long it took; memory and computing time as the hours pass."""

    def __init__(self, traffic: Traffic):
        self.traffic, self.process = traffic, psutil.Process()
        self.reports: Counter = Counter()
        self.late: list[tuple[float, str, float]] = []
        self.series: list[tuple[float, float, float]] = []
        self._due = 0.0

    def take(self, pick: LivePick) -> None:
        hours = self.traffic.clock() / 3600
        self.reports[pick.trace_id, pick.phase, round(pick.time.timestamp, 2), pick.status] += 1
        self.late.append((hours, pick.status, pick.data_latency))

    def look(self) -> None:
        """Every few minutes of simulated time."""
        hours = self.traffic.clock() / 3600
        if hours >= self._due:
            self._due = hours + 0.1
            memory = self.process.memory_info().rss / 1e6
            self.series.append((hours, memory, time.process_time()))


def soak(stations: int, hours: float, restarts: int, seed: int) -> tuple[dict, Observer]:
    """Run it all; results, and what was observed."""
    torch.set_num_threads(1)
    stops = [hours * (i + 1) / (restarts + 1) for i in range(restarts)]
    traffic = Traffic(stations, hours, stops, seed)
    observer, counts = Observer(traffic), Counter()
    model, began = picker_model(), time.process_time()
    logging.getLogger("seisbench").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(restarts + 1):
            with LiveState(Path(folder) / "state.npz", Path(folder) / "picks.jsonl", 30.0) as state:
                live = Live(model, observer.take, SETTINGS, min_separation=1.0)
                process = live.process

                def observed(clock, process=process):
                    process(clock)
                    observer.look()

                live.process = observed
                feed_from(live, traffic, traffic, state=state)
                counts = live.counts
    return {
        "stations": stations,
        "simulated_hours": hours,
        "restarts": restarts,
        "packets": traffic._taken,
        "samples_per_packet": round(PACKET_S * RATE),
        "sampling_rate_Hz": RATE,
        "window_s": WINDOW_S,
        "settings": asdict(SETTINGS),
        "cpu_seconds": round(time.process_time() - began, 1),
        "counts": {name: number for name, number in sorted(counts.items()) if number},
        **judged(traffic, observer),
        **memory_and_pace(observer, stations),
    }, observer


def judged(traffic: Traffic, observer: Observer) -> dict:
    """How often the pulses without any trouble about them were confirmed, and what else was."""
    confirmed = defaultdict(list)
    doubled = 0
    for (name, phase, at, status), times in observer.reports.items():
        if status == "confirmed":
            confirmed[name, phase].append(at)
        doubled += times > 1
    once = missed = more = 0
    for station in traffic.stations:
        for phase, seconds in station.undisturbed():
            at = START.timestamp + seconds
            near = [t for t in confirmed[f"XX.{station.name}..HH", phase] if abs(t - at) < 0.5]
            once, missed, more = (
                once + (len(near) == 1),
                missed + (not near),
                more + (len(near) > 1),
            )
    return {
        "pulses_without_trouble": once + missed + more,
        "confirmed_once": once,
        "missed": missed,
        "confirmed_more_than_once": more,
        "reports_given_twice": doubled,
    }


def memory_and_pace(observer: Observer, stations: int) -> dict:
    """Of memory and computing time, the first and the last quarter; latency in simulated time."""
    hours, memory, seconds = np.array(observer.series).T
    quarter = max(len(hours) // 4, 1)
    pace = np.diff(seconds) / np.diff(hours) / stations
    late = {
        status: np.array([s for _, of, s in observer.late if of == status])
        for status in ("preliminary", "confirmed")
    }
    return {
        "memory_MB": {
            "second_quarter_median": round(float(np.median(memory[quarter : 2 * quarter])), 1),
            "last_quarter_median": round(float(np.median(memory[-quarter:])), 1),
            "peak": round(float(memory.max()), 1),
        },
        "cpu_seconds_per_station_hour": {
            "first_quarter": round(float(np.median(pace[:quarter])), 3),
            "last_quarter": round(float(np.median(pace[-quarter:])), 3),
        },
        "seconds_from_pick_to_report": {
            status: dict(
                zip(
                    ("median", "95 %", "largest"),
                    np.round(np.percentile(values, (50, 95, 100)), 1).tolist(),
                    strict=True,
                )
            )
            for status, values in late.items()
            if len(values)
        },
    }


def draw(observer: Observer, stations: int, file: Path) -> None:
    """Memory, computing time and latency over the hours."""
    import matplotlib.pyplot as plt

    hours, memory, seconds = np.array(observer.series).T
    figure, axes = plt.subplots(3, 1, figsize=(8, 7), sharex=True, layout="constrained")
    axes[0].plot(hours, memory, color="C0")
    axes[0].set(ylabel="memory (MB)", ylim=(0, 1.1 * memory.max()))
    pace = np.diff(seconds) / np.diff(hours) / stations
    axes[1].plot(hours[1:], pace, color="C0")
    axes[1].set(ylabel="CPU s per station and hour", ylim=(0, 1.1 * np.percentile(pace, 99)))
    for color, status in zip(("C1", "C0"), ("preliminary", "confirmed"), strict=True):
        values = np.array([(h, s) for h, of, s in observer.late if of == status])
        axes[2].plot(*values.T, ".", color=color, markersize=1.5, label=status)
    axes[2].set(xlabel="simulated hours", ylabel="pick to report (s)", yscale="log")
    axes[2].legend(markerscale=6)
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--stations", type=int, default=50)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/live_soak.json"))
    parser.add_argument("--figure", type=Path, default=Path("docs/figures/live_soak.png"))
    arguments = parser.parse_args()
    results, observer = soak(
        arguments.stations, arguments.hours, arguments.restarts, arguments.seed
    )
    results = {
        "what": __doc__.strip().splitlines()[0],
        "network": "none that was trained, see the script; CPU time is that of all around it",
        "load_average": os.getloadavg()[0],
        **results,
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    draw(observer, arguments.stations, arguments.figure)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
