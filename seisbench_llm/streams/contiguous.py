"""
Contiguous records, joined without a copy.

The pieces of a stream stay in place and keep their type. Only the samples that are cut out are
converted to double precision.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from fractions import Fraction
from functools import cached_property
from itertools import count

import numpy as np
import obspy
from obspy.core.trace import Stats

from ..preprocess import resample
from ..trace_ids import TraceId, split_channel
from .skipped import Skipped, SkippedList
from .spans import BLOCK, Span, finite_ranges, union

# Largest distance of pieces from a common grid, as a fraction of a sample, as in ObsPy's merge.
_MISALIGNMENT = 0.01

# Largest shift of a record's end, as a fraction of a sample, if its rate is rounded.
_RATE_DRIFT = 0.25


class ContiguousRecord:
    """
    A record without a gap.

    :param trace_id: Id of the record. ``stats.channel`` ends with the component, as in SEED, also
        for codes of K-NET and KiK-net.
    :param stats: Header with the total length. Entries that the pipeline does not use, such as a
        response, are left out.
    """

    def __init__(self, trace_id: TraceId, stats: Stats, pieces: list[tuple[int, np.ndarray]]):
        self.trace_id, self.stats, self._pieces = trace_id, stats, pieces

    @classmethod
    def of(cls, trace: obspy.Trace, first: int, last: int) -> ContiguousRecord:
        """The samples of a trace from ``first`` up to, but not including, ``last``."""
        trace_id = TraceId.of(trace)
        header = {
            "network": trace_id.network,
            "station": trace_id.station,
            "location": trace_id.location,
            "channel": "".join(split_channel(trace_id.channel)),
            "sampling_rate": trace.stats.sampling_rate,
            "starttime": trace.stats.starttime + first * trace.stats.delta,
            "npts": last - first,
        }
        return cls(trace_id, Stats(header), [(0, np.ma.getdata(trace.data)[first:last])])

    @property
    def id(self) -> str:
        """NET.STA.LOC.CHA"""
        return str(self.trace_id)

    @property
    def instrument_id(self) -> str:
        """NET.STA.LOC and the band and instrument code."""
        return self.trace_id.instrument_id

    def _append(self, data: np.ndarray) -> None:
        self._pieces.append((self.stats.npts, data))
        self.stats.npts += len(data)

    def slice(self, first: int, last: int) -> ContiguousRecord:
        """The samples from ``first`` to the one before ``last``, not copied."""
        stats = deepcopy(self.stats)
        stats.starttime += first * stats.delta
        stats.npts = last - first
        pieces = [
            (max(offset - first, 0), data[max(first - offset, 0) : last - offset])
            for offset, data in self._pieces
            if offset < last and offset + len(data) > first
        ]
        return ContiguousRecord(self.trace_id, stats, pieces)

    def outside(self, spans: list[Span]) -> list[ContiguousRecord]:
        """The parts of the record outside sorted, disjoint time spans."""
        parts, stats = [], self.stats
        begin = 0
        # A file may have thousands of gaps and conflicts, so look only at those within the record.
        at = bisect_left(spans, (stats.starttime - stats.delta).ns, key=lambda span: span[1].ns)
        latest = stats.endtime + stats.delta
        while at < len(spans) and spans[at][0] <= latest:
            start, end = spans[at]
            first = round((start - stats.starttime) / stats.delta)
            last = round((end - stats.starttime) / stats.delta) + 1
            at += 1
            if last <= begin or first >= stats.npts:
                continue
            if first > begin:
                parts.append(self.slice(begin, first))
            begin = last
        if not begin:
            return [self]
        if begin < stats.npts:
            parts.append(self.slice(begin, stats.npts))
        return parts

    @cached_property
    def mean(self) -> float:
        """Mean of all samples. It is exact if all samples are equal."""
        first = self.read(0, 1)[0]
        if all(np.all(data == first) for _, data in self._pieces):
            return float(first)
        with np.errstate(over="ignore", invalid="ignore"):
            total = sum(data.sum(dtype=np.float64) for _, data in self._pieces)
            return float(total / self.stats.npts)

    @cached_property
    def peak(self) -> float:
        """
        Largest distance of a sample from the mean. It is infinite or nan if the sum overflows.
        """
        extremes = [float(limit(data)) for _, data in self._pieces for limit in (np.min, np.max)]
        return max(abs(extreme - self.mean) for extreme in extremes)

    def read(self, first: int, last: int) -> np.ndarray:
        """Samples from ``first`` up to, but not including, ``last``, in double precision."""
        out = np.empty(last - first)
        for offset, data in self._pieces:
            begin, end = max(first, offset), min(last, offset + len(data))
            if begin < end:
                out[begin - first : end - first] = data[begin - offset : end - offset]
        return out

    def trace(self) -> obspy.Trace:
        """The whole record without its mean, as a new trace."""
        trace = make_trace(self.read(0, self.stats.npts) - self.mean, self.stats)
        trace.stats.record_peak = self.peak
        return trace

    def late(self, other: ContiguousRecord) -> float:
        """Number of samples between the end of this record and the start of another one."""
        return (other.stats.starttime - self.stats.endtime) / self.stats.delta - 1

    def join(self, other: ContiguousRecord) -> bool:
        """
        Append a record that continues this one.

        The conditions are those of ``obspy.Stream.merge(-1)``.

        :return: Whether the record was appended. If not, nothing is changed.
        """
        late = self.late(other)
        if other.stats.sampling_rate != self.stats.sampling_rate or abs(late) > _MISALIGNMENT:
            return False
        for _, data in other._pieces:
            self._append(data)
        self.__dict__.pop("mean", None)
        self.__dict__.pop("peak", None)
        return True

    def difference(self, other: ContiguousRecord, first: int, samples: int) -> Span | None:
        """
        First and last of the samples in which another record differs.

        :param first: Sample of this record at which the other one begins.
        :param samples: Number of samples to compare.
        :return: First and last sample, counted from ``first``. None if all samples are equal.
        """
        found = []
        for begin in range(0, samples, BLOCK):
            end = min(begin + BLOCK, samples)
            own = self.read(first + begin, first + end)
            differing = np.flatnonzero(own != other.read(begin, end))
            if len(differing):
                found += [begin + int(differing[0]), begin + int(differing[-1])]
        return (found[0], found[-1]) if found else None

    def ratio(self, rate: float) -> Fraction | None:
        """Samples at another rate per sample of this record, None if the ratio is not rational."""
        ratio = Fraction(rate / self.stats.sampling_rate).limit_denominator(1000)
        close = abs(float(ratio) * self.stats.sampling_rate / rate - 1) < 1e-9
        return ratio if ratio and close else None

    def at_rate(self, rate: float) -> ContiguousRecord:
        """The record at another rate, with its mean."""
        if self.stats.sampling_rate == rate:
            return self
        stats = self.resampled_stats(rate)
        if self.ratio(rate) is None:
            data = self.trace().resample(rate, no_filter=True).data  # as SeisBench does
        else:
            data = self.resampled(0, stats.npts, rate)
        stats.npts = len(data)
        return ContiguousRecord(self.trace_id, stats, [(0, data + self.mean)])

    def resampled_stats(self, rate: float) -> Stats:
        """
        Header of the record at another rate, as after :py:func:`seisbench_llm.preprocess.resample`.
        """
        stats = deepcopy(self.stats)
        ratio = self.ratio(rate) or Fraction(rate / stats.sampling_rate)
        stats.npts = math.ceil(stats.npts * ratio)
        stats.sampling_rate = rate
        return stats

    def resampled(self, first: int, last: int, rate: float) -> np.ndarray:
        """
        Samples of the record at another rate, without its mean, as if the whole record were
        resampled.

        :param first: First sample, counted at the other rate.
        :param last: One after the last sample, counted at the other rate.
        :param rate: Rate for which :py:meth:`ratio` is not None.
        """
        ratio = self.ratio(rate)
        if ratio == 1:
            return self.read(first, last) - self.mean
        up, down, samples = ratio.numerator, ratio.denominator, self.stats.npts
        # The part begins where both grids coincide, beyond the reach of
        # scipy.signal.resample_poly's filter.
        reach = 10 * max(1, -(-down // up)) + 1
        begin = (first * down // up - reach) // down * down
        end = -(-last * down // up) + reach
        inside = np.arange(max(begin, 0), min(end, samples))
        data = np.empty(end - begin)
        data[inside - begin] = self.read(inside[0], inside[-1] + 1) - self.mean
        # scipy continues a signal by the line through its ends. These have to be the ends of the
        # whole record.
        left, right = self.read(0, 1)[0] - self.mean, self.read(samples - 1, samples)[0] - self.mean
        slope = (right - left) / max(samples - 1, 1)
        outside = np.setdiff1d(np.arange(begin, end), inside, assume_unique=True)
        data[outside - begin] = left + slope * outside
        skip = first - begin * up // down
        return resample(data, self.stats.sampling_rate, rate)[skip : skip + last - first]


def make_trace(data: np.ndarray, stats: Stats) -> obspy.Trace:
    """A trace with a new header and the length of the data. ``Trace(data, stats)`` keeps npts."""
    trace = obspy.Trace(header=stats)
    trace.data = data
    return trace


def find_contiguous(
    stream: Iterable[obspy.Trace], skipped: SkippedList | None = None, rate: float | None = None
) -> list[ContiguousRecord]:
    """
    Find records without gaps, masked samples or samples that are not finite, sorted by id and time.

    Each id has one record at a time. If overlapping records contradict each other, the samples from
    the first to the last difference are left out of all of them.

    :param skipped: List to which left-out data are added. By default there is a warning.
    :param rate: Sampling rate for ids that have several sampling rates. By default they keep their
        rates.
    """
    collected = SkippedList() if skipped is None else skipped
    pieces: dict[TraceId, list[ContiguousRecord]] = defaultdict(list)
    for trace in stream:
        spans = finite_ranges(trace.data)
        for first, last in spans:
            pieces[TraceId.of(trace)].append(ContiguousRecord.of(trace, first, last))
        if spans:
            collected += _not_finite(trace, spans)
        else:
            collected.add(trace, "all its samples are masked or not finite")
    records = []
    for trace_id in sorted(pieces):
        of_id = pieces[trace_id]
        if rate is not None:
            of_id = _at_one_rate(of_id, rate)
        records.extend(_disjoint(of_id, collected))
    if skipped is None:
        collected.warn()
    return records


def _not_finite(trace: obspy.Trace, finite: list[tuple[int, int]]) -> list[Skipped]:
    """Samples between finite ones that are not masked."""
    begins, ends = zip(*finite, strict=True)
    mask, stats, entries = np.ma.getmask(trace.data), trace.stats, []
    for first, last in zip((0, *ends), (*begins, stats.npts), strict=True):
        if first < last and not np.all(mask if mask is np.ma.nomask else mask[first:last]):
            span = stats.starttime + first * stats.delta, stats.starttime + (last - 1) * stats.delta
            entries.append(Skipped(trace.id, *span, "its samples are not finite numbers"))
    return entries


def _at_one_rate(records: list[ContiguousRecord], rate: float) -> list[ContiguousRecord]:
    """Bring records of one id to one sampling rate, so that they can be joined."""
    for record in records:
        stats = record.stats
        ratio = Fraction(rate / stats.sampling_rate).limit_denominator(1000)
        # A digitiser that states 99.999992 Hz records at 100 Hz. The rate is rounded unless the
        # record is so long that a sample would move visibly.
        if ratio and abs(rate / ratio / stats.sampling_rate - 1) * stats.npts < _RATE_DRIFT:
            stats.sampling_rate = float(rate / ratio)
    if len({record.stats.sampling_rate for record in records}) == 1:
        return records
    return [record.at_rate(rate) for record in records]


def _disjoint(records: list[ContiguousRecord], skipped: SkippedList) -> list[ContiguousRecord]:
    """Records of one id that do not overlap, joined where they touch."""
    order = count()
    queue = [(r.stats.starttime.ns, r.stats.endtime.ns, next(order), r) for r in records]
    heapq.heapify(queue)
    joined: list[ContiguousRecord] = []
    conflicts: list[Span] = []

    def put_back(record: ContiguousRecord, first: int, last: int) -> None:
        if first < last:
            part = record.slice(first, last)
            begin, end = part.stats.starttime.ns, part.stats.endtime.ns
            heapq.heappush(queue, (begin, end, next(order), part))

    while queue:
        record = heapq.heappop(queue)[-1]
        samples = record.stats.npts
        last = joined[-1] if joined else None
        if last is None or last.stats.sampling_rate != record.stats.sampling_rate:
            joined.append(record)
            continue
        if round(last.late(record)) >= 0:
            if not last.join(record):
                joined.append(record)
            continue
        at = last.stats.npts + round(last.late(record))
        common = min(last.stats.npts - at, samples)
        differing = last.difference(record, at, common)
        if differing is None:
            put_back(record, common, samples)
            continue
        first, stop = differing[0], differing[1] + 1
        start = record.stats.starttime
        delta = record.stats.delta
        conflicts.append((start + first * delta, start + (stop - 1) * delta))
        joined.pop()
        if at + first > 0:
            joined.append(last.slice(0, at + first))
        put_back(last, at + stop, last.stats.npts)
        put_back(record, stop, samples)
    if not conflicts:
        return joined
    delta = joined[0].stats.delta if joined else records[0].stats.delta
    conflicts = union(conflicts, 1.5 * delta)
    for start, end in conflicts:
        cause = "its overlapping records contradict each other; keep one of them"
        skipped.append(Skipped(records[0].id, start, end, cause))
    # If three records overlap, the third must not fill in what the other two disagree about.
    return [part for record in joined for part in record.outside(conflicts)]
