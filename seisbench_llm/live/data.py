"""Live data of one instrument: buffers, their completeness, and windows cut from them."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable

import numpy as np
import obspy

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments
from ..streams.component_starts import component_starts
from ..streams.contiguous import ContiguousRecord, make_trace
from ..streams.selection import one_per_component
from ..streams.skipped import SkippedList
from ..streams.windows import WindowLayout
from ..trace_ids import TraceId, split_channel
from .buffer import TraceBuffer
from .channels import component
from .defects import beginning_gap, goes_on_with_gap, length_of_gap, mark_defects
from .grid import Grid
from .messages import RepeatedWarnings

# Longest wait for late data beyond max_latency, in seconds of data before the newest sample.
BACKLOG_S = 60.0


class InstrumentData:
    """
    Data of one instrument since it began, or since a long gap or a jump of its clock.

    Samples of all components are numbered on one grid, see
    :py:class:`seisbench_llm.live.grid.Grid`.

    :param model: Picker.
    :param arguments: Arguments of ``annotate``.
    :param max_latency: Seconds to wait for late packets and components.
    :param warm_up: Seconds after which the start of the data no longer affects the model's filter,
        see :py:func:`seisbench_llm.live.channels.warm_up`.
    :param counts: Counter to which packets and samples are added.
    :param warnings: Warnings about data that are left out.
    :param orient: Function that rotates a stream of this instrument to Z, N, E. By default streams
        are not rotated.
    """

    def __init__(
        self,
        model: SeisMoLLM,
        arguments: Arguments,
        max_latency: float,
        warm_up: float,
        counts: Counter,
        warnings: RepeatedWarnings,
        orient: Callable[[obspy.Stream], obspy.Stream] | None = None,
    ):
        self.model, self.arguments = model, arguments
        self.counts, self.warnings, self.orient = counts, warnings, orient
        self.max_latency, self.warm_up = max_latency, warm_up
        self.layout = WindowLayout.of(model, arguments)
        self.rate = model.sampling_rate
        self.backlog = round((max_latency + BACKLOG_S) * self.rate)
        self.seconds = (3 * self.layout.size + self.backlog) / self.rate + warm_up
        self.buffers: dict[str, TraceBuffer] = {}
        # Clock at the last packet, and number of the first missing sample, by channel.
        self.heard: dict[str, float] = {}
        self.reached: dict[str, int] = {}
        # (grid number after the newest sample, clock, wall clock) of each packet with newer samples
        # than all before it.
        self.marks: deque[tuple[int, float, float]] = deque()
        self.newest: int | None = None
        self.head: int | None = None
        # The grid moves until the first window of annotate is cut.
        self.grid, self.settled = Grid(self.rate), False

    # Packets

    def fits(self, trace: obspy.Trace) -> bool:
        """Whether a packet belongs to these data, and not to data at another time."""
        buffer = self.buffers.get(trace.stats.channel)
        if buffer and abs(buffer.rate / trace.stats.sampling_rate - 1) > 1e-4:
            return False
        if self.newest is None:
            return True
        start = buffer.number(trace.stats.starttime) if buffer else 0
        if buffer and goes_on_with_gap(buffer, start, trace.data):
            return True
        start, end = trace.stats.starttime, trace.stats.endtime
        if buffer:
            # A packet may begin with the end of a filled gap, which is not data.
            start += length_of_gap(buffer, buffer.number(start), trace.data) / buffer.rate
        first, last = self.grid.number(start), self.grid.number(end)
        bridge = self.layout.bridge * self.rate + 0.5
        if first - (self._newest_data() - 1) > bridge:
            return False
        if self.newest - last >= self.seconds * self.rate:
            return False
        # A packet that ends long before the first sample belongs to data before a long gap.
        return self.newest - last <= bridge or self.start - last <= bridge

    def _newest_data(self) -> int:
        """:py:attr:`newest`, without zeros that may be the beginning of a filled gap."""
        ends = []
        for buffer in self.buffers.values():
            end = buffer.end_without_zeros()
            if end is not None:
                ends.append(self.grid.number(buffer.time(end - 1)) + 1)
                if ends[-1] >= self.newest:
                    return self.newest
        return max(ends, default=self.newest)

    def store(self, trace: obspy.Trace, clock: float, wall: float) -> None:
        """
        Store a packet that fits.

        :param clock: Seconds on the clock with which ``max_latency`` is measured.
        :param wall: Unix time of arrival.
        """
        stats, channel = trace.stats, trace.stats.channel
        if channel not in self.buffers:
            self.buffers[channel] = TraceBuffer(stats.sampling_rate, stats.starttime, self.seconds)
            self.reached[channel] = 0
            self._warn_of_another(trace)
        buffer = self.buffers[channel]
        added = buffer.add(trace)
        self._refer()
        number = buffer.number(stats.starttime)
        late = self.head is not None and self.grid.number(buffer.time(number)) < self.head
        self.counts["packets"] += 1
        self.counts["late packets"] += late and added.new > 0
        self.counts["duplicate samples"] += added.duplicate
        self.counts["samples too late"] += added.late
        self.counts["samples not finite"] += added.invalid
        if added.conflicting:
            self.counts["contradicting samples"] += added.conflicting
            self.warnings.warn(
                ("contradicts",),
                f"{trace.id}: {added.conflicting} samples from {stats.starttime} on contradict "
                f"earlier data and are left out",
            )
        found = mark_defects(buffer, TraceId.of(trace), number, number + stats.npts)
        for entry in found or []:
            self.counts["defects"] += 1
            text = f"{entry.trace_id} is left out from {entry.start} on: {entry.cause}"
            self.warnings.warn((entry.cause,), text)
        self.heard[channel] = clock
        self.reached[channel] = buffer.complete_from(max(self.reached[channel], buffer.first))
        end = self.grid.number(buffer.time(number + stats.npts - 1)) + 1
        if found is not None:
            # Samples with a defect are not data.
            end = min(end, self._good_end())
            self.newest = None if self.newest is None else min(self.newest, self._good_end())
        if self.newest is None or end > self.newest:
            self.newest = end
            self.marks.append((end, clock, wall))
            # Marks are for arrival times, which are only needed for data still in the buffers.
            while self.marks[0][0] < end - self.seconds * self.rate:
                self.marks.popleft()

    def arrival(self, sample: int) -> float:
        """Unix time of arrival of the first packet with this sample or a later one."""
        return next((wall for end, _, wall in self.marks if end > sample), self.marks[-1][2])

    def _warn_of_another(self, trace: obspy.Trace) -> None:
        """Warn if two channels have the same component, and say which one is used."""
        if self.orient is not None:
            return
        row, order = self._row(trace), self.model.component_order
        same = [c for c in self.buffers if component(self.model, self.arguments, c) == row]
        if len(same) > 1:
            same.sort(key=lambda channel: (split_channel(channel)[1] != order[row], channel))
            unused = f"{trace.id.rpartition('.')[0]}.{same[-1]}"
            self.warnings.warn(
                ("another",),
                f"{unused} fills gaps of {same[0]} only: both are of the same component",
            )

    def _good_end(self) -> int:
        """Grid number after the newest sample without a defect."""
        times = [buffer.time(buffer.good_end - 1) for buffer in self.buffers.values()]
        return max(self.grid.number(time) for time in times) + 1

    def _refer(self) -> None:
        """Make the grid begin with the earliest record, as in batch processing."""
        earliest = min(b.time(b.first + b.leading) for b in self.buffers.values())
        if not self.settled and earliest != self.grid.reference:
            self.grid.refer_to(earliest)
            self.newest = None if self.newest is None else self._good_end()

    # Extent

    @property
    def start(self) -> int:
        """Grid number of the first sample without a defect."""
        starts = [buffer.time(buffer.first + buffer.leading) for buffer in self.buffers.values()]
        return min(self.grid.number(time) for time in starts)

    @property
    def end(self) -> int:
        """Grid number after the last sample, with the number of samples after resampling."""
        ends = []
        for buffer in self.buffers.values():
            whole = max(1, round(buffer.rate))
            pieces = buffer.contiguous(-(-buffer.oldest // whole) * whole, buffer.end)
            if pieces and buffer.rate != self.rate:
                at, samples = pieces[-1]
                count = math.ceil(len(samples) * self.rate / buffer.rate - 1e-6)
                ends.append(self.grid.number(buffer.time(at)) + count)
        # For a higher sampling rate, rounding the time of the last sample could give one too many.
        return max(ends, default=self.newest)

    @property
    def offset(self) -> float:
        """Seconds by which the first samples are off the grid, averaged over components."""
        times = [buffer.time(buffer.first) for buffer in self.buffers.values()]
        late = [time - self.grid.time(self.grid.number(time)) for time in times]
        # The same as in place_on_grid.
        mean, half = sum(late) / len(late), 0.5 / self.rate
        return min(max(mean, max(late) - half), min(late) + half)

    @property
    def margin(self) -> int:
        """Number of samples after a window with which resampling gives the same as on all data."""
        native = all(buffer.rate == self.rate for buffer in self.buffers.values())
        return 0 if native else round(self.rate)

    def records(self) -> list[ContiguousRecord]:
        """All pieces of data, of all components."""
        stream = self._stream({name: (b.oldest, b.end) for name, b in self.buffers.items()})
        return [ContiguousRecord.of(trace, 0, trace.stats.npts) for trace in stream]

    def _stream(self, places: dict[str, tuple[int, int]], demean: bool = False) -> obspy.Stream:
        """
        Pieces of data, for components that the model knows.

        :param places: Numbers of the first sample and of the sample after the last, by channel.
        """
        stream = obspy.Stream()
        for channel, (begin, stop) in places.items():
            buffer = self.buffers[channel]
            for number, samples in buffer.contiguous(begin, stop):
                header = {"sampling_rate": buffer.rate, "starttime": buffer.time(number)}
                stream.append(obspy.Trace(samples, {**header, "channel": channel}))
        if self.orient is not None:
            stream = self.orient(stream)
            # A tilted component without the other two cannot be rotated.
            known = [t for t in stream if self._row(t) is not None]
            stream = obspy.Stream(known)
        rows = {trace.stats.channel: self._row(trace) for trace in stream}
        if len(set(rows.values())) < len(rows):
            records = [ContiguousRecord.of(trace, 0, trace.stats.npts) for trace in stream]
            records.sort(key=lambda record: (record.trace_id, record.stats.starttime))
            kept = one_per_component(records, self.model, SkippedList())
            stream = obspy.Stream([make_trace(r.read(0, r.stats.npts), r.stats) for r in kept])
        for trace in stream if demean else ():
            trace.data = trace.data - trace.data.mean()
        return stream

    def _row(self, trace: obspy.Trace) -> int | None:
        return component(self.model, self.arguments, trace.stats.channel)

    def spans(self, records: list[ContiguousRecord]) -> list[tuple[int, int]]:
        """Grid numbers of the first sample and of the one after the last, for each record."""
        stats = [record.stats for record in records]
        return [(self.grid.number(s.starttime), self.grid.number(s.endtime) + 1) for s in stats]

    def component_starts(self, records: list[ContiguousRecord], offset: float) -> list[float]:
        """
        Sorted grid numbers, with fractions, where a component begins while others have data.

        :param offset: Seconds from the grid to the samples of the annotations.
        """
        # At these times the buffer begins, but the data do not.
        edges = {b.time(b.oldest).ns for b in self.buffers.values() if b.first < b.oldest}
        starts = [time - offset for time in component_starts(records) if time.ns not in edges]
        numbers = [self.grid.number(time) for time in starts]
        return [
            number + (time - self.grid.time(number)) * self.rate
            for time, number in zip(starts, numbers, strict=True)
        ]

    def move_head(self, clock: float, closing: bool) -> None:
        """
        Move the head to where all components are complete, or where the waiting time is over.
        """
        wait = self.max_latency
        given_up = [
            end
            for end, since, _ in self.marks
            if closing or since <= clock - wait or end <= self.newest - self.backlog
        ]
        head = given_up[-1] if given_up else self.start
        expected = len(self.model.component_order)
        if (
            given_up
            or len({component(self.model, self.arguments, c) for c in self.buffers}) >= expected
        ):
            # A component without new data must not delay the others for ever.
            heard = [c for c in self.buffers if self.heard[c] > clock - 2 * wait or not given_up]
            ends = [self._reached(channel) for channel in heard]
            head = max(head, min(ends, default=head))
        head = self._last_data(min(head, self.newest))
        self.head = head if self.head is None else max(self.head, head)
        for channel, buffer in self.buffers.items():
            if self._reached(channel) < self.head:
                number = min(buffer.number(self.grid.time(self.head)), buffer.end)
                self.reached[channel] = buffer.complete_from(number)

    def _last_data(self, number: int) -> int:
        """
        Grid number after the last sample before ``number`` that has no defect.

        Data may end in a filled gap. The last window then ends before the gap.
        """
        ends = []
        for buffer in self.buffers.values():
            stop = buffer.number(self.grid.time(number))
            last = buffer.last_good(stop)
            if last == stop:
                return number
            if last is not None:
                ends.append(self.grid.number(buffer.time(last - 1)) + 1)
        return min(number, max(ends, default=number))

    def _reached(self, channel: str) -> int:
        buffer, number = self.buffers[channel], self.reached[channel]
        number -= beginning_gap(buffer, number)
        return self.grid.number(buffer.time(number - 1)) + 1

    # Windows

    def cut(self, starts: list[int]) -> list[np.ndarray]:
        """
        Preprocessed windows. The model's filter is applied once for all windows.

        :param starts: Grid number of the first sample of each window.
        :return: Arrays of shape (components, samples), zero where there are no data.
        """
        if not starts:
            return []
        size, first = self.layout.size, min(starts)
        last = max(starts) + size
        places = {}
        for channel, buffer in self.buffers.items():
            whole = max(1, round(buffer.rate))
            begin = buffer.number(self.grid.time(first) - self.warm_up)
            stop = buffer.number(self.grid.time(last + self.margin)) + 1
            # A whole second, so that resampling always uses the same samples.
            places[channel] = begin // whole * whole, stop
        stream = self._stream(places, demean=True)
        if stream:
            self.model.annotate_stream_pre(stream, self.arguments.argdict)
        data = np.zeros((len(self.model.component_order), last - first), np.float32)
        for trace in stream:
            row = data[self._row(trace)]
            at = self.grid.number(trace.stats.starttime) - first
            samples = trace.data[max(0, -at) : max(0, last - first - at)]
            row[max(0, at) : max(0, at) + len(samples)] = samples
        return [data[:, start - first : start - first + size] for start in starts]

    # Restart

    def state(self) -> dict:
        """The state as numbers and arrays, see :py:meth:`restore`."""
        return {
            "buffers": {channel: buffer.state() for channel, buffer in self.buffers.items()},
            "heard": dict(self.heard),
            "reached": dict(self.reached),
            "marks": [list(mark) for mark in self.marks],
            "newest": self.newest,
            "head": self.head,
            "reference": self.grid.reference.ns,
            "settled": self.settled,
        }

    def restore(self, state: dict, later: float) -> None:
        """
        Continue from a state.

        :param later: Seconds by which the clock has moved since then.
        """
        self.buffers = {c: TraceBuffer.restore(buffer) for c, buffer in state["buffers"].items()}
        self.heard = {channel: clock + later for channel, clock in state["heard"].items()}
        self.reached = dict(state["reached"])
        self.marks.extend((end, clock + later, wall) for end, clock, wall in state["marks"])
        self.newest, self.head = state["newest"], state["head"]
        self.grid.refer_to(obspy.UTCDateTime(ns=state["reference"]))
        self.settled = state["settled"]
