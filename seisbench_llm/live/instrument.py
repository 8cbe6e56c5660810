"""One instrument, live: its three buffers, the windows that are due, the picks they give."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

import numpy as np
import obspy
import seisbench

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import argument
from .buffer import TraceBuffer
from .final import PHASES, FinalCurves, Found, find, grid

# A packet far from the others is believed once this many follow each other.
JUMP_PACKETS = 3


@dataclass(frozen=True)
class LiveSettings:
    """
    What to wait for, all in seconds.

    :param step: Data time between two windows for preliminary picks.
    :param settle: Data after its peak that a preliminary pick waits for. From a window's length on
        there are no preliminary picks, only confirmed ones.
    :param max_latency: How long to wait for late packets and components, from the first arrival of
        later samples of the same instrument on.
    """

    step: float = 1.0
    settle: float = 2.0
    max_latency: float = 10.0

    def __post_init__(self):
        for name, low in (("step", 0.1), ("settle", 0.0), ("max_latency", 0.0)):
            value = getattr(self, name)
            if not low <= value < 3600:
                raise ValueError(f"{name}={value} is not possible: seconds from {low} to 3600.")


@dataclass(frozen=True)
class Window:
    """
    A window that is due.

    :param instrument: Whose.
    :param start: Grid number of the first sample.
    :param final: Whether it is one of those of ``annotate``.
    :param data: Preprocessed waveforms, shape (components, samples).
    """

    instrument: Instrument
    start: int
    final: bool
    data: np.ndarray


class Instrument:
    """
    Data and windows of one instrument between two long gaps or jumps of the clock.

    :param name: NET.STA.LOC and band and instrument code, as XX.ABC..HH.
    :param model: Picker.
    :param argdict: Arguments of ``annotate``.
    :param settings: What to wait for.
    :param counts: Counter that packets and samples are added to.
    """

    def __init__(
        self, name: str, model: SeisMoLLM, argdict: dict, settings: LiveSettings, counts: Counter
    ):
        self.name, self.model, self.argdict = name, model, argdict
        self.settings, self.counts = settings, counts
        self.rate = model.sampling_rate
        self.step = max(1, round(settings.step * self.rate))
        before, after = argument(model, argdict, "blinding")
        self.settle = max(round(settings.settle * self.rate), after)
        self.quick = self.settle < model.in_samples
        self.warm_up = self._warm_up()
        self.longest_gap = (model.in_samples + before + after) / self.rate
        # Data that may wait for late packets, on whose account no more than this is held back.
        self.backlog = round((settings.max_latency + 60) * self.rate)
        self.seconds = (3 * model.in_samples + self.backlog) / self.rate + self.warm_up
        self.aside: dict[str, list[tuple[obspy.Trace, float, float]]] = {}
        self._begin()

    def _begin(self) -> None:
        self.buffers: dict[str, TraceBuffer] = {}
        self.heard: dict[str, float] = {}
        self.reached: dict[str, int] = {}
        # (grid number after the newest sample, clock, wall clock) of each packet that came first.
        self.marks: deque[tuple[int, float, float]] = deque()
        self.newest: int | None = None
        self.head: int | None = None
        self.next_quick: int | None = None
        self.final: FinalCurves | None = None
        self.shift = 0.0

    def _warm_up(self) -> float:
        """Seconds until the model's filter has forgotten where the data began."""
        filters = self.model.filter_kwargs or {}
        nested = [v for v in filters.values() if isinstance(v, dict)] or [filters]
        corners = [v for f in nested for k, v in f.items() if k in ("freq", "freqmin", "freqmax")]
        return 10 / min(corners) if corners else 5.0

    # Packets

    def add(self, trace: obspy.Trace, clock: float, wall: float) -> list[list] | None:
        """
        Take a packet.

        :param trace: Packet of one of this instrument's channels.
        :param clock: Seconds; what ``max_latency`` is measured with.
        :param wall: Unix time of arrival.
        :return: If the packet tells that the data go on elsewhere in time, all packets from there.
        """
        channel = trace.stats.channel
        if not self._fits(trace):
            run = self.aside.setdefault(channel, [])
            if run and not _continues(run[-1][0], trace):
                self._drop(channel)
                run = self.aside.setdefault(channel, [])
            run.append((trace, clock, wall))
            if len(run) < JUMP_PACKETS:
                return None
            packets = [packet for run in self.aside.values() for packet in run]
            self.aside = {}
            return packets
        self._drop(channel)
        self._store(trace, clock, wall)
        return None

    def _drop(self, channel: str) -> None:
        for trace, _, _ in self.aside.pop(channel, []):
            self.counts["packets out of time"] += 1
            seisbench.logger.warning(
                f"{trace.id}: packet at {trace.stats.starttime} ({trace.stats.npts} samples, "
                f"{trace.stats.sampling_rate:g} Hz) is ignored: too far from the other data, "
                f"or of another sampling rate."
            )

    def _fits(self, trace: obspy.Trace) -> bool:
        buffer = self.buffers.get(trace.stats.channel)
        if buffer and abs(buffer.rate / trace.stats.sampling_rate - 1) > 1e-4:
            return False
        if self.newest is None:
            return True
        ahead = grid(trace.stats.starttime, self.rate) - (self.newest - 1)
        behind = self.newest - grid(trace.stats.endtime, self.rate)
        return ahead <= self.longest_gap * self.rate + 0.5 and behind < self.seconds * self.rate

    def _store(self, trace: obspy.Trace, clock: float, wall: float) -> None:
        channel = trace.stats.channel
        if channel not in self.buffers:
            self.buffers[channel] = TraceBuffer(trace, self.seconds)
            self.reached[channel] = 0
        buffer = self.buffers[channel]
        late = self.head is not None and grid(trace.stats.starttime, self.rate) < self.head
        added = buffer.add(trace)
        self.counts["packets"] += 1
        self.counts["late packets"] += late and added.new > 0
        self.counts["duplicate samples"] += added.duplicate
        self.counts["samples too late"] += added.late
        self.counts["samples not finite"] += added.invalid
        if added.conflicting:
            self.counts["contradicting samples"] += added.conflicting
            seisbench.logger.warning(
                f"{trace.id}: {added.conflicting} samples from {trace.stats.starttime} on "
                f"contradict what came before; they are left out."
            )
        self.heard[channel] = clock
        self.reached[channel] = buffer.complete_from(max(self.reached[channel], buffer.first))
        end = grid(trace.stats.endtime, self.rate) + 1
        if self.newest is None or end > self.newest:
            self.newest = end
            self.marks.append((end, clock, wall))
            # Marks tell arrivals; none older than the data kept is asked for.
            while self.marks[0][0] < end - self.seconds * self.rate:
                self.marks.popleft()

    def arrival(self, sample: int) -> float:
        """Unix time at which the first packet with this sample, or a later one, came."""
        return next((wall for end, _, wall in self.marks if end > sample), self.marks[-1][2])

    # Windows

    def due(self, clock: float, closing: bool = False) -> list[Window]:
        """
        Windows that can be answered now, each once.

        :param clock: Seconds, as in :py:meth:`add`.
        :param closing: Whether nothing will come any more.
        """
        if self.newest is None:
            return []
        self._move_head(clock, closing)
        size = self.model.in_samples
        starts = []
        if self.final is None and (closing or self.head >= self._start() + size):
            self.final = FinalCurves(self.model, self.argdict, self._start())
            self.shift = self._shift()
        if self.final:
            at, margin = self.final.next_window, self._margin()
            while at + size + margin <= self.head:
                starts.append((at, True))
                at += self.final.hop
            if closing:
                done = {start for start, _ in starts}
                starts += [(start, True) for start in self._closing(at) if start not in done]
        if self.quick:
            starts += [(end - size, False) for end in self._quick_ends()]
        return [
            Window(self, start, final, data)
            for (start, final), data in zip(starts, self._cut(starts), strict=True)
        ]

    def _margin(self) -> int:
        """Samples that resampling needs after a window, to be the same as with all data."""
        native = all(buffer.rate == self.rate for buffer in self.buffers.values())
        return 0 if native else round(self.rate)

    def _closing(self, at: int) -> list[int]:
        last = self.final.last_window(self._end())
        regular = []
        while last is not None and at <= last:
            regular.append(at)
            at += self.final.hop
        return regular if last is None or last in regular else [*regular, last]

    def _quick_ends(self) -> range:
        # Half a window of data: less than that tells too little of the noise.
        if self.next_quick is None:
            ready = self._start() + self.model.in_samples // 2
            self.next_quick = -(-ready // self.step) * self.step
        if self.head - self.next_quick > self.model.in_samples:
            skipped = (self.head - self.next_quick) // self.step
            self.counts["preliminary windows skipped"] += skipped
            self.next_quick += skipped * self.step
        ends = range(self.next_quick, self.head + 1, self.step)
        self.next_quick += len(ends) * self.step
        return ends

    def _end(self) -> int:
        """Grid number after the last sample, as resampling counts them."""
        ends = [self.newest]
        for buffer in self.buffers.values():
            whole = max(1, round(buffer.rate))
            runs = buffer.runs(-(-buffer.oldest // whole) * whole, buffer.end)
            if runs and buffer.rate != self.rate:
                at, samples = runs[-1]
                count = math.ceil(len(samples) * self.rate / buffer.rate - 1e-6)
                ends.append(grid(buffer.time(at), self.rate) + count)
        # Of one that is sampled faster, the last sample may round up to one that is not there.
        return max(ends[1:], default=self.newest)

    def _start(self) -> int:
        return min(grid(b.time(b.first), self.rate) for b in self.buffers.values())

    def _shift(self) -> float:
        """Seconds by which the samples are off the grid, averaged over components."""
        times = [buffer.time(buffer.first) for buffer in self.buffers.values()]
        return float(np.mean([(t - _time(grid(t, self.rate), self.rate)) for t in times]))

    def _move_head(self, clock: float, closing: bool) -> None:
        """Move on to where all components are complete, or have been waited for long enough."""
        wait = self.settings.max_latency
        given_up = [
            end
            for end, since, _ in self.marks
            if closing or since <= clock - wait or end <= self.newest - self.backlog
        ]
        head = given_up[-1] if given_up else self._start()
        expected = len(self.model.component_order)
        if given_up or len(self.buffers) >= expected:
            # A component that has fallen silent must not delay the others for ever.
            heard = [c for c in self.buffers if self.heard[c] > clock - 2 * wait or not given_up]
            ends = [self._reached(channel) for channel in heard]
            head = max(head, min(ends, default=head))
        self.head = head if self.head is None else max(self.head, head)
        for channel, buffer in self.buffers.items():
            if self._reached(channel) < self.head:
                number = min(buffer.number(_time(self.head, self.rate)), buffer.end)
                self.reached[channel] = buffer.complete_from(number)

    def _reached(self, channel: str) -> int:
        buffer = self.buffers[channel]
        return grid(buffer.time(self.reached[channel] - 1), self.rate) + 1

    def _cut(self, starts: list[tuple[int, bool]]) -> list[np.ndarray]:
        """Preprocessed windows, from one pass of the model's filter over all of them."""
        if not starts:
            return []
        size = self.model.in_samples
        first = min(start for start, _ in starts)
        last = max(start for start, _ in starts) + size
        stream = obspy.Stream()
        for channel, buffer in self.buffers.items():
            whole = max(1, round(buffer.rate))
            begin = buffer.number(_time(first, self.rate) - self.warm_up)
            # On a whole second, so that resampling meets the same samples every time.
            begin = begin // whole * whole
            stop = buffer.number(_time(last + self._margin(), self.rate)) + 1
            for number, samples in buffer.runs(begin, stop):
                header = {"sampling_rate": buffer.rate, "starttime": buffer.time(number)}
                header["channel"] = channel
                stream.append(obspy.Trace(samples - samples.mean(), header))
        if stream:
            self.model.annotate_stream_pre(stream, self.argdict)
        data = np.zeros((len(self.model.component_order), last - first), np.float32)
        for trace in stream:
            row = data[component(self.model, self.argdict, trace.stats.channel)]
            at = grid(trace.stats.starttime, self.rate) - first
            samples = trace.data[max(0, -at) : max(0, last - first - at)]
            row[max(0, at) : max(0, at) + len(samples)] = samples
        return [data[:, start - first : start - first + size] for start, _ in starts]

    # Picks

    def quick_picks(self, window: Window, answer: np.ndarray) -> list[Found]:
        """
        Peaks of a window that ends with the newest data, old enough and not older than needed.

        :param answer: Probabilities, shape (samples, phases).
        """
        stop = window.start + self.model.in_samples - self.settle
        start = stop - 2 * max(self.step, round(self.rate))
        found = []
        for index, phase in enumerate(PHASES):
            found += find(answer[:, index], window.start, self.model, phase, self.argdict)
        found = [peak for peak in found if start <= peak.sample < stop]
        spans = self.spans() if found else []
        return [p for p in found if any(first <= p.sample < last for first, last in spans)]

    def final_picks(self, closing: bool = False) -> list[Found]:
        """Peaks that no later window changes, each once."""
        stop = self._end() if closing else None
        return self.final.pop(self.spans(), self.head, stop) if self.final else []

    def spans(self) -> list[tuple[int, int]]:
        """Grid numbers (first, after last) of all pieces of data, of all components."""
        return [
            (grid(b.time(at), self.rate), grid(b.time(at + len(run) - 1), self.rate) + 1)
            for b in self.buffers.values()
            for at, run in b.runs(b.oldest, b.end)
        ]

    def time(self, sample: int) -> obspy.UTCDateTime:
        """Time of a sample of the grid, with the data's own fraction of a sample."""
        return _time(sample, self.rate) + (self.shift if self.final else self._shift())


def component(model: SeisMoLLM, argdict: dict, channel: str) -> int | None:
    """Row of a channel in the model's input, None if the model does not know its component."""
    order = model.component_order
    code = channel[-1:]
    if argument(model, argdict, "flexible_horizontal_components") and code not in order:
        code = {"1": "N", "2": "E"}.get(code, code)
    return order.index(code) if code and code in order else None


def _time(sample: int, rate: float) -> obspy.UTCDateTime:
    return obspy.UTCDateTime(ns=round(sample * 1e9 / rate))


def _continues(before: obspy.Trace, after: obspy.Trace) -> bool:
    delta = before.stats.delta
    return abs(after.stats.starttime - before.stats.endtime - delta) <= delta
