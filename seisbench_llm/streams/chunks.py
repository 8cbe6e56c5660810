"""
Long records in bounded memory: chunk by chunk, with the results of the whole.

A segment is what SeisBench's pipeline takes in one piece: one instrument, gaps shorter than a
window filled. A chunk of it has the windows of the whole that see the part of the answer which is
kept of it, and in front and behind as much data as filters need to forget where it begins.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import obspy
import seisbench
from obspy.core.trace import Stats

from .arguments import argument
from .contiguous import Run, make_trace

if TYPE_CHECKING:
    from ..models.seismollm import SeisMoLLM

# Data of a segment that pass the pipeline at a time: two hours are some 20 batches of windows, and
# 17 MB per three-component copy in double precision, of which SeisBench holds a few.
CHUNK_SECONDS = 7200.0


# Each window's curve is kept until the chunk is done, 48 kB for a minute of P and S.
_MOST_WINDOWS = 1500


# A filter must forget within this time.
_LONGEST_MEMORY = 1800.0


# What is left of a filter's response beyond its memory, as a fraction of its sum.
_FORGOTTEN = 1e-10


@dataclass(frozen=True)
class Windows:
    """
    How SeisBench lays windows over a segment.

    :param size: Samples of a window.
    :param hop: Samples from window to window.
    :param curves: Whether each window gives a curve, else one estimate; and whether, then, a last
        window ends with the data.
    :param batch: Windows that pass the network at a time.
    :param anchor: Sample of a window that its first output belongs to.
    :param padding: Samples to add before the first and after the last of the data.
    :param strict: Whether gaps and missing components stay as they are.
    """

    size: int
    hop: int
    curves: bool
    batch: int
    anchor: int
    padding: tuple[int, int]
    strict: bool

    @classmethod
    def of(cls, model: SeisMoLLM, argdict: dict) -> Windows:
        """The windows of a model with the arguments of ``annotate``."""
        size, curves = model.in_samples, model.output_type == "array"
        overlap = argument(model, argdict, "overlap")
        overlap = int(overlap * size if overlap < 1 else overlap)
        strict = bool(argument(model, argdict, "strict"))
        if strict:
            padding = (0, 0)
        elif curves:
            padding = tuple(argument(model, argdict, "blinding"))
        else:
            padding = (model.pred_sample, size - model.pred_sample)
        return cls(
            size=size,
            hop=size - overlap if curves else argument(model, argdict, "stride"),
            curves=curves,
            batch=argument(model, argdict, "batch_size"),
            anchor=0 if curves else model.pred_sample,
            padding=padding,
            strict=strict,
        )

    def hops(self, rate: float) -> int:
        """Hops per chunk, so that the windows of a chunk fill whole batches."""
        wanted = min(CHUNK_SECONDS * rate / self.hop, _MOST_WINDOWS)
        shared = -(-self.size // self.hop) + 1 if self.curves else 0
        batches = max(1, round((wanted + shared) / self.batch))
        return max(1, batches * self.batch - shared)


@dataclass(frozen=True)
class Chunk:
    """
    Part of a segment.

    :param first: Its first sample, counted from that of the segment.
    :param samples: Its length.
    :param keep: First and one after the last of the outputs to keep, counted in the segment.
    """

    first: int
    samples: int
    keep: tuple[int, int]


class ChunkStream(obspy.Stream):
    """
    The data of a chunk on their way through SeisBench's hooks, with what lies around them.

    ``stats.position`` of each trace is the place of its first sample in the segment.
    """

    headers: list[Stats]
    chunk: Chunk

    def fill(self) -> obspy.Stream:
        """All components over exactly the chunk, zero where there are no data."""
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
    Records of one instrument on one grid of samples, and its division into chunks.

    :param places: Records with the place of their first sample at the model's rate.
    :param headers: Header per component: time of the segment's first sample, model's rate.
    :param samples: Length that is handed to SeisBench.
    :param margin: Samples that a filter needs in front of and behind a chunk.
    """

    def __init__(
        self,
        places: list[tuple[Run, int]],
        headers: list[Stats],
        samples: int,
        windows: Windows,
        margin: int = 0,
    ):
        self.places, self.headers, self.samples = places, headers, samples
        self.windows, self.margin = windows, margin
        self.rate = headers[0].sampling_rate
        self._stats = [run.resampled_stats(self.rate) for run, _ in places]
        time, self._total = self.grid(0, samples)
        self.start = time + windows.anchor / self.rate
        count = max(0, (self._total - windows.size) // windows.hop + 1)
        self.outputs = self._total if windows.curves else count

    def grid(self, first: int, samples: int) -> tuple[obspy.UTCDateTime, int]:
        """
        SeisBench's time of the first sample, and its number of samples, of a part.

        SeisBench moves each component to the nearest sample of a grid that starts in 1970,
        truncates when it counts, and shifts the time back by the mean of what it moved.
        """
        starts = [(stats.starttime + first * stats.delta).timestamp for stats in self.headers]
        nearest = [np.round(start * self.rate) / self.rate for start in starts]
        aligned = [obspy.UTCDateTime(time) for time in nearest]
        end = max(aligned) + (samples - 1) / self.rate
        shift = np.mean([start - time for start, time in zip(starts, nearest, strict=True)])
        return min(aligned) + shift, int((end - min(aligned)) * self.rate) + 1

    @cached_property
    def chunks(self) -> list[Chunk]:
        """Chunks whose kept outputs, one after the other, are those of the whole segment."""
        total, size, hop = self._total, self.windows.size, self.windows.hop
        step = self.windows.hops(self.rate)
        if not self.windows.curves:
            # One sample more, as SeisBench truncates when it counts; and at least two windows, as
            # it fails at one.
            return [
                Chunk(k * hop, max(end - 1 - k, 1) * hop + size + 1, (k, end))
                for k in range(0, self.outputs, step)
                for end in [min(k + step, self.outputs)]
            ]
        # The last window ends with the data: all that it sees belongs to the last chunk.
        # A short rest is done with it.
        rest = max(size, step * hop // 2)
        borders = [0, *range(step * hop, total - rest + 1, step * hop)]
        chunks = []
        for begin, end in zip(borders, borders[1:], strict=False):
            first = self._first_window(begin)
            # Two more than the window that starts where the kept part ends: the window that
            # SeisBench adds at the end of a chunk must not reach into it.
            chunks.append(Chunk(first, end + size + 2 - first, (begin, end)))
        keep = (borders[-1], total)
        for first in range(self._first_window(borders[-1]), 0, -hop):
            for samples in (total - first, total - first + 1):
                if self.grid(first, samples)[1] == total - first:
                    return [*chunks, Chunk(first, samples, keep)]
        return [*chunks, Chunk(0, self.samples, keep)]

    def _first_window(self, sample: int) -> int:
        """Start of the first window that sees a sample."""
        return max(0, (sample - self.windows.size) // self.windows.hop + 1) * self.windows.hop

    def cut(self, chunk: Chunk) -> ChunkStream:
        """The data of a chunk, with the margin, at the model's sampling rate."""
        stream = ChunkStream()
        stream.headers, stream.chunk = self.headers, chunk
        begin, end = chunk.first - self.margin, chunk.first + chunk.samples + self.margin
        for (run, position), stats in zip(self.places, self._stats, strict=True):
            first, last = max(0, begin - position), min(stats.npts, end - position)
            if first < last:
                trace = make_trace(run.resampled(first, last, self.rate), stats)
                trace.stats.starttime += first * stats.delta
                trace.stats.position = position + first
                stream.append(trace)
        return stream

    def place(self, annotation: obspy.Trace, chunk: Chunk) -> int:
        """Place of the first sample of a chunk's annotation among the segment's outputs."""
        start = self.grid(chunk.first, chunk.samples)[0] + self.windows.anchor / self.rate
        late = round((annotation.stats.starttime - start) * annotation.stats.sampling_rate)
        return late + (chunk.first if self.windows.curves else chunk.first // self.windows.hop)


def memory(model: SeisMoLLM, argdict: dict, headers: list[Stats]) -> int | None:
    """
    Samples after which the model's filter has forgotten a sample, to either side.

    It is the response of ``annotate_stream_pre`` to an impulse, so that it holds for any filter.

    :return: None if it takes too long, or if the response has other samples than the impulse.
    """
    half = int(_LONGEST_MEMORY * headers[0].sampling_rate)
    impulse = np.zeros(2 * half + 1)
    impulse[half] = 1.0
    stream = obspy.Stream([make_trace(impulse.copy(), stats) for stats in headers])
    model.annotate_stream_pre(stream, argdict)
    if len(stream) != len(headers):
        return None
    longest = 0
    for trace in stream:
        response = np.abs(trace.data)
        if response.size != impulse.size or not np.isfinite(response).all():
            return None
        forgotten = _FORGOTTEN * response.sum()
        heard = np.cumsum(response) > forgotten
        heard &= np.cumsum(response[::-1])[::-1] > forgotten
        for at in np.flatnonzero(heard)[[0, -1]] if heard.any() else []:
            longest = max(longest, abs(int(at) - half) + 1)
    return longest if longest < 0.9 * half else None


def divide(
    runs: list[Run], model: SeisMoLLM, argdict: dict
) -> tuple[list[list[Run]], list[Segment]]:
    """
    What to annotate at a time.

    :param runs: Records of at most one instrument per location.
    :return: Records, in groups for one call of SeisBench's pipeline each, so that windows of many
        stations share a batch; and long segments, chunk by chunk.
    """
    windows = Windows.of(model, argdict)
    locations: dict[str, list[Run]] = {}
    for run in runs:
        locations.setdefault(run.id.rpartition(".")[0], []).append(run)
    short, long, filled = [[]], [], 0.0
    for records in locations.values():
        for group in _segments(records, model.sampling_rate, windows):
            duration = max(r.stats.endtime for r in group) - group[0].stats.starttime
            # SeisBench fails at a single estimate, which only padding can prevent.
            if duration > CHUNK_SECONDS or (windows.strict and not windows.curves):
                segments = _long_segments(group, model, argdict, windows)
                if segments is not None:
                    long.extend(segments)
                    continue
            if short[-1] and filled + duration > CHUNK_SECONDS:
                short.append([])
                filled = 0.0
            short[-1].extend(group)
            filled += duration
    return [group for group in short if group], long


def _segments(runs: list[Run], rate: float, windows: Windows) -> Iterator[list[Run]]:
    """Records of one instrument, in groups between which SeisBench's pipeline finds gaps."""
    longest_gap = (windows.size + sum(windows.padding)) / rate
    group: list[Run] = []
    reached = None
    for run in sorted(runs, key=lambda run: run.stats.starttime):
        if group and run.stats.starttime - reached > longest_gap:
            yield group
            group, reached = [], None
        group.append(run)
        end = run.resampled_stats(rate).endtime
        reached = end if reached is None else max(reached, end)
    if group:
        yield group


def _long_segments(
    group: list[Run], model: SeisMoLLM, argdict: dict, windows: Windows
) -> list[Segment] | None:
    """Segments of a group of records, None if it can only be annotated in one piece."""
    rate, cause, margin = model.sampling_rate, None, None
    others = [run for run in group if run.stats.sampling_rate != rate]
    if any(run.ratio(rate) is None for run in others):
        cause = f"its sampling rate has no ratio of small integers to {rate:g} Hz"
    elif others and not argument(model, argdict, "zerophase_resample"):
        cause = "its anti-alias filter is causal"
    else:
        headers = {run.id: run.resampled_stats(rate) for run in group}
        margin = memory(model, argdict, list(headers.values()))
        if margin is None:
            cause = f"the filter's response lasts longer than {_LONGEST_MEMORY:g} s"
    if cause is not None:
        seisbench.logger.debug(f"{group[0].id} is annotated in one piece: {cause}.")
        return None
    if windows.strict:
        return _complete(group, model, windows, margin)
    return [_padded(group, model, windows, margin)]


def _header(stats: Stats, start: obspy.UTCDateTime) -> Stats:
    header = deepcopy(stats)
    header.starttime = start
    return header


def _padded(group: list[Run], model: SeisMoLLM, windows: Windows, margin: int) -> Segment:
    """All of the group, as :py:func:`~seisbench_llm.models.streams.fill`."""
    rate = model.sampling_rate
    before, after = windows.padding
    headers = [run.resampled_stats(rate) for run in group]
    start = min(stats.starttime for stats in headers)
    end = max(stats.endtime for stats in headers)
    samples = max(round((end - start) * rate) + 1 + before + after, windows.size) + 1
    start -= before / rate
    places, components = [], {}
    for run, stats in zip(group, headers, strict=True):
        offset = round((stats.starttime - start) * rate)
        places.append((run, offset))
        components.setdefault(run.id, _header(stats, stats.starttime - offset / rate))
    # SeisBench's rounding may set components a sample apart. A window in the middle sees data
    # there, so that all components of a chunk must begin at the same sample.
    nearest = {name: _nearest(stats.starttime, rate) for name, stats in components.items()}
    shifts = {name: sample - min(nearest.values()) for name, sample in nearest.items()}
    for name, stats in components.items():
        stats.starttime -= shifts[name] / rate
    places = [(run, position + shifts[run.id]) for run, position in places]
    samples += max(shifts.values())
    return Segment(places, list(components.values()), samples, windows, margin)


def _nearest(time: obspy.UTCDateTime, rate: float) -> int:
    """Sample of a grid that starts in 1970, with SeisBench's own rounding."""
    return int(np.round(time.timestamp * rate))


def _complete(group: list[Run], model: SeisMoLLM, windows: Windows, margin: int) -> list[Segment]:
    """The parts of the group in which all components are there, at least for a window."""
    rate = model.sampling_rate
    other = {"1": "N", "2": "E", "N": "1", "E": "2"}
    components: dict[str, list] = {code: [] for code in model.component_order}
    for run in group:
        stats = run.resampled_stats(rate)
        first = _nearest(stats.starttime, rate)
        code = run.id[-1] if run.id[-1] in components else other[run.id[-1]]
        components[code].append((first, first + stats.npts - 1, run, stats))
    common: list[tuple[int, int, list]] = [(-sys.maxsize, sys.maxsize, [])]
    for records in components.values():
        common = [
            (max(first, a), min(last, b), [*members, (a, run, stats)])
            for first, last, members in common
            for a, b, run, stats in records
            if max(first, a) < min(last, b)
        ]
    segments = []
    for first, last, members in common:
        if last - first < windows.size - 1:
            seisbench.logger.warning(
                f"{group[0].id[:-1]}: {(last - first) / rate:g} s are left out, as they are "
                f"shorter than a window and strict=True fills no gaps."
            )
            continue
        places = [(run, a - first) for a, run, _ in members]
        headers = [_header(stats, stats.starttime + (first - a) / rate) for a, _, stats in members]
        segments.append(Segment(places, headers, last - first + 1, windows, margin))
    return segments
