"""
Annotation of long records in bounded memory, chunk by chunk, with the result of the whole.

A segment is what SeisBench's pipeline takes in one piece: one instrument, with gaps shorter than a
window filled. A chunk is a part of a segment. It contains all windows of the segment that
contribute to the kept part of its answer. On either side it has as much data as filters need to
forget where it begins.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import obspy
import seisbench
from obspy.core.trace import Stats
from seisbench.models import WaveformModel

from . import windows
from .arguments import Arguments
from .contiguous import ContiguousRecord, make_trace
from .skipped import Skipped, SkippedList
from .windows import WindowLayout, counted, filter_reach, place_on_grid


@dataclass(frozen=True)
class Chunk:
    """
    Part of a segment.

    :param first: First sample, counted from that of the segment.
    :param samples: Length in samples.
    :param keep: First output to keep, and one after the last, counted in the segment.
    """

    first: int
    samples: int
    keep: tuple[int, int]


class ChunkStream(obspy.Stream):
    """
    The data of a chunk, with margins, on their way through SeisBench's hooks.

    ``stats.position`` of each trace is the position of its first sample in the segment.
    """

    headers: list[Stats]
    chunk: Chunk

    def merge(self, *args, **kwargs) -> ChunkStream:
        """
        SeisBench joins pieces before it filters. These have its rate already: pieces that only now
        touch are apart in the record, and filtered apart.
        """
        return self

    def fill(self) -> obspy.Stream:
        """All components over exactly the chunk, with zeros where there are no data."""
        filled = obspy.Stream()
        for stats in self.headers:
            trace = make_trace(np.zeros(self.chunk.samples), stats)
            trace.stats.starttime += self.chunk.first * stats.delta
            for piece in self.traces:
                if piece.id == trace.id:
                    offset = piece.stats.position - self.chunk.first
                    target = trace.data[max(offset, 0) : max(offset + piece.stats.npts, 0)]
                    target[:] = piece.data[max(-offset, 0) :][: target.size]
            filled.append(trace)
        return filled


class Segment:
    """
    Records of one instrument on one grid of samples, and their division into chunks.

    :param places: Records with the position of their first sample at the model's rate.
    :param headers: Header of each component, with the time of the segment's first sample.
    :param samples: Length in samples that is passed to SeisBench.
    :param margin: Samples that a filter needs before and after a chunk.
    """

    def __init__(
        self,
        places: list[tuple[ContiguousRecord, int]],
        headers: list[Stats],
        samples: int,
        layout: WindowLayout,
        margin: int = 0,
    ):
        self.places, self.headers, self.samples = places, headers, samples
        self.layout, self.margin = layout, margin
        self.rate = headers[0].sampling_rate
        self._stats = [record.resampled_stats(self.rate) for record, _ in places]
        time, self._total = self.grid(0, samples)
        self.start = time + layout.anchor / self.rate
        self.outputs = self._total if layout.curves else layout.count(self._total)

    def grid(self, first: int, samples: int) -> tuple[obspy.UTCDateTime, int]:
        """
        Time of the first sample and number of samples that SeisBench gives to a part.

        SeisBench moves all components to the nearest sample of a grid that starts in 1970. It
        truncates the number of samples. Then it shifts the time back by the mean shift.
        """
        start = self.headers[0].starttime.timestamp + first / self.rate
        nearest = np.round(start * self.rate) / self.rate
        aligned = obspy.UTCDateTime(nearest)
        end = aligned + (samples - 1) / self.rate
        return aligned + (start - nearest), counted(aligned, end, self.rate)

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Chunks whose kept outputs, joined, are the outputs of the whole segment."""
        total, size, hop = self._total, self.layout.size, self.layout.hop
        step = self.layout.hops_per_chunk
        if not self.layout.curves:
            # One sample more, because SeisBench truncates the number of samples. At least two
            # windows, because SeisBench fails with one.
            return [
                Chunk(k * hop, max(end - 1 - k, 1) * hop + size + 1, (k, end))
                for k in range(0, self.outputs, step)
                for end in [min(k + step, self.outputs)]
            ]
        # The last window ends with the data. All outputs that it contributes to belong to the last
        # chunk. A short rest becomes part of the last chunk.
        rest = max(size, step * hop // 2)
        borders = [0, *range(step * hop, total - rest + 1, step * hop)]
        chunks = []
        for begin, end in itertools.pairwise(borders):
            first = self.layout.first_seeing(begin)
            # Two more windows than the one that starts where the kept part ends. The window that
            # SeisBench adds at the end of a chunk must not reach into the kept part.
            chunks.append(Chunk(first, end + size + 2 - first, (begin, end)))
        keep = (borders[-1], total)
        for first in range(self.layout.first_seeing(borders[-1]), 0, -hop):
            for samples in (total - first, total - first + 1):
                if self.grid(first, samples)[1] == total - first:
                    return [*chunks, Chunk(first, samples, keep)]
        return [*chunks, Chunk(0, self.samples, keep)]

    def cut(self, chunk: Chunk) -> ChunkStream:
        """The data of a chunk with margins, at the model's sampling rate."""
        stream = ChunkStream()
        stream.headers, stream.chunk = self.headers, chunk
        begin, end = chunk.first - self.margin, chunk.first + chunk.samples + self.margin
        for (record, position), stats in zip(self.places, self._stats, strict=True):
            first, last = max(0, begin - position), min(stats.npts, end - position)
            if first < last:
                trace = make_trace(record.resampled(first, last, self.rate), stats)
                trace.stats.starttime += first * stats.delta
                trace.stats.position = position + first
                trace.stats.record_peak = record.peak
                stream.append(trace)
        return stream

    def place(self, annotation: obspy.Trace, chunk: Chunk) -> int:
        """Position of the first sample of a chunk's annotation among the segment's outputs."""
        start = self.grid(chunk.first, chunk.samples)[0] + self.layout.anchor / self.rate
        late = round((annotation.stats.starttime - start) * annotation.stats.sampling_rate)
        return late + (chunk.first if self.layout.curves else chunk.first // self.layout.hop)


def divide(
    instruments: Iterable[list[ContiguousRecord]],
    model: WaveformModel,
    arguments: Arguments,
    skipped: SkippedList,
) -> tuple[list[list[ContiguousRecord]], list[Segment]]:
    """
    Divide records into parts that are annotated one after the other.

    :param instruments: Records of one instrument each.
    :param skipped: List to which left-out data are added.
    :return: Groups of records and long segments. A group is for one call of SeisBench's pipeline,
        so that windows of many stations share a batch. Long segments are annotated chunk by chunk.
    """
    layout = WindowLayout.of(model, arguments)
    short, long, filled = [[]], [], 0.0
    for records in instruments:
        for group in _segments(records, layout):
            # SeisBench joins some of the records, and another grid would fit the rest.
            start = place_on_grid([record.stats.starttime for record in group], layout.rate)[1]
            for record in group:
                record.stats.grid_start = start
            duration = max(r.stats.endtime for r in group) - group[0].stats.starttime
            # SeisBench fails with a single estimate, which only padding can prevent.
            if duration > windows.CHUNK_SECONDS or (layout.strict and not layout.curves):
                segments = _long_segments(group, model, arguments, layout, skipped)
                if segments is not None:
                    long.extend(segments)
                    continue
            if short[-1] and filled + duration > windows.CHUNK_SECONDS:
                short.append([])
                filled = 0.0
            short[-1].extend(group)
            filled += duration
    return [group for group in short if group], long


def _segments(
    records: list[ContiguousRecord], layout: WindowLayout
) -> Iterator[list[ContiguousRecord]]:
    """Records of one instrument, grouped where SeisBench's pipeline finds gaps."""
    group: list[ContiguousRecord] = []
    reached = None
    for record in sorted(records, key=lambda record: record.stats.starttime):
        if group and record.stats.starttime - reached > layout.bridge:
            yield group
            group, reached = [], None
        group.append(record)
        end = record.resampled_stats(layout.rate).endtime
        reached = end if reached is None else max(reached, end)
    if group:
        yield group


def _long_segments(
    group: list[ContiguousRecord],
    model: WaveformModel,
    arguments: Arguments,
    layout: WindowLayout,
    skipped: SkippedList,
) -> list[Segment] | None:
    """Segments of a group of records, None if it can only be annotated in one piece."""
    rate, cause, margin = model.sampling_rate, None, None
    others = [record for record in group if record.stats.sampling_rate != rate]
    if any(record.ratio(rate) is None for record in others):
        cause = f"its sampling rate has no ratio of small integers to {rate:g} Hz"
    elif others and not arguments.zerophase_resample:
        cause = "its anti-alias filter is causal"
    else:
        headers = {r.stats.channel: r.resampled_stats(rate) for r in group}
        margin = filter_reach(model, arguments, list(headers.values()))
        if margin is None:
            cause = f"the filter's response lasts longer than {windows.MAX_FILTER_REACH_S:g} s"
    if cause is not None:
        seisbench.logger.debug(f"{group[0].id} is annotated in one piece: {cause}.")
        return None
    if layout.strict:
        return _complete(group, model, layout, margin, skipped)
    return [_padded(group, layout, margin)]


def _header(stats: Stats, start: obspy.UTCDateTime) -> Stats:
    header = deepcopy(stats)
    header.starttime = start
    return header


def _padded(group: list[ContiguousRecord], layout: WindowLayout, margin: int) -> Segment:
    """The whole group, padded as by :py:func:`~seisbench_llm.streams.annotate.fill`."""
    before = layout.padding[0]
    every = [record.resampled_stats(layout.rate) for record in group]
    places, start = place_on_grid([stats.starttime for stats in every], layout.rate)
    samples = max(at + stats.npts for at, stats in zip(places, every, strict=True))
    start -= before / layout.rate
    headers = {stats.channel: _header(stats, start) for stats in reversed(every)}
    placed = [(record, before + at) for record, at in zip(group, places, strict=True)]
    return Segment(placed, list(headers.values()), layout.padded(samples), layout, margin)


def _complete(
    group: list[ContiguousRecord],
    model: WaveformModel,
    layout: WindowLayout,
    margin: int,
    skipped: SkippedList,
) -> list[Segment]:
    """The parts of the group in which all components are present for at least a window."""
    rate, order = layout.rate, model.component_order
    every = [record.resampled_stats(rate) for record in group]
    places, start = place_on_grid([stats.starttime for stats in every], rate)
    components: list[list] = [[] for _ in order]
    for record, stats, first in zip(group, every, places, strict=True):
        index = order.index(stats.channel[-1])
        components[index].append((first, first + stats.npts - 1, record, stats))
    common: list[tuple[int, int, list]] = [(-sys.maxsize, sys.maxsize, [])]
    for pieces in components:
        common = _intersect(common, sorted(pieces, key=lambda piece: piece[0]))
    segments = []
    for first, last, members in common:
        if last - first < layout.size - 1:
            cause = (
                f"it is shorter than a window, {layout.size / rate:g} s, and strict=True does "
                f"not fill gaps"
            )
            span = start + first / rate, start + last / rate
            skipped.append(Skipped(f"{group[0].instrument_id}?", *span, cause))
            continue
        places = [(record, a - first) for a, record, _ in members]
        headers = [_header(stats, start + first / rate) for _, _, stats in members]
        segments.append(Segment(places, headers, last - first + 1, layout, margin))
    return segments


def _intersect(common: list[tuple], pieces: list[tuple]) -> list[tuple[int, int, list]]:
    """
    Intersection of two sorted lists of disjoint ranges. It is fast for thousands of gaps.

    :param common: (first, last, members)
    :param pieces: (first, last, record, header) of one component. Its pieces become members.
    """
    found, i, j = [], 0, 0
    while i < len(common) and j < len(pieces):
        first, last, members = common[i]
        a, b, record, stats = pieces[j]
        if max(first, a) < min(last, b):
            found.append((max(first, a), min(last, b), [*members, (a, record, stats)]))
        if last < b:
            i += 1
        else:
            j += 1
    return found
