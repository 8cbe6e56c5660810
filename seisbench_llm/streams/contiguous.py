"""
Contiguous records, joined without a copy.

The pieces of a stream stay where they are, in the type they came in; samples in double precision
are made only of what is cut out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from functools import cached_property

import numpy as np
import obspy
import seisbench
from obspy.core.trace import Stats

from ..preprocess import resample

# Samples that are looked at together.
_BLOCK = 1 << 20


# Fraction of a sample by which pieces may be off a common grid, as in ObsPy's merge.
_MISALIGNMENT = 0.01


class Run:
    """
    A record without a gap.

    :param stats: Header of its first piece; :py:attr:`stats` is a copy with the total length.
    :param data: Samples of the first piece.
    """

    def __init__(self, stats: Stats, data: np.ndarray):
        self.stats = deepcopy(stats)
        self._pieces: list[tuple[int, np.ndarray]] = []
        self._append(data)

    @property
    def id(self) -> str:
        """NET.STA.LOC.CHA"""
        s = self.stats
        return f"{s.network}.{s.station}.{s.location}.{s.channel}"

    def _append(self, data: np.ndarray) -> None:
        self._pieces.append((self.stats.npts if self._pieces else 0, data))
        self.stats.npts = self._pieces[-1][0] + len(data)

    @cached_property
    def mean(self) -> float:
        """Mean of all samples."""
        total = sum(data.sum(dtype=np.float64) for _, data in self._pieces)
        return float(total) / self.stats.npts

    def read(self, first: int, last: int) -> np.ndarray:
        """Samples from ``first`` to the one before ``last``, in double precision."""
        out = np.empty(last - first)
        for offset, data in self._pieces:
            begin, end = max(first, offset), min(last, offset + len(data))
            if begin < end:
                out[begin - first : end - first] = data[begin - offset : end - offset]
        return out

    def trace(self) -> obspy.Trace:
        """The whole record, without its mean, as a trace of its own."""
        return make_trace(self.read(0, self.stats.npts) - self.mean, self.stats)

    def join(self, other: Run) -> bool:
        """
        Append a record that goes on where this one ends, or repeats samples of it.

        These are the conditions of ``obspy.Stream.merge(-1)``.

        :return: Whether it fitted. If not, nothing is changed.
        """
        delta = self.stats.delta
        late = (other.stats.starttime - self.stats.endtime) / delta - 1
        if (
            other.stats.sampling_rate != self.stats.sampling_rate
            or abs(late - round(late)) > _MISALIGNMENT
            or round(late) > 0
        ):
            return False
        common = min(-round(late), other.stats.npts)
        at = self.stats.npts + round(late)
        for first in range(0, common, _BLOCK):
            last = min(first + _BLOCK, common)
            if not np.array_equal(self.read(at + first, at + last), other.read(first, last)):
                return False
        for offset, data in other._pieces:
            if offset + len(data) > common:
                self._append(data[max(common - offset, 0) :])
        return True

    def ratio(self, rate: float) -> Fraction | None:
        """Samples at another rate per sample of this record, None if that is not rational."""
        ratio = Fraction(rate / self.stats.sampling_rate).limit_denominator(1000)
        close = abs(float(ratio) * self.stats.sampling_rate / rate - 1) < 1e-9
        return ratio if ratio and close else None

    def resampled_stats(self, rate: float) -> Stats:
        """Header of the record at another rate, as :py:func:`seisbench_llm.preprocess.resample`."""
        stats = deepcopy(self.stats)
        ratio = self.ratio(rate) or Fraction(rate / stats.sampling_rate)
        stats.npts = math.ceil(stats.npts * ratio)
        stats.sampling_rate = rate
        return stats

    def resampled(self, first: int, last: int, rate: float) -> np.ndarray:
        """
        Samples of the record without its mean at another rate, as if the whole were resampled.

        :param first: First sample, counted at the other rate.
        :param last: One after the last sample.
        :param rate: One that :py:meth:`ratio` knows.
        """
        ratio = self.ratio(rate)
        if ratio == 1:
            return self.read(first, last) - self.mean
        up, down, samples = ratio.numerator, ratio.denominator, self.stats.npts
        # Reach of the filter of scipy.signal.resample_poly, and where both grids coincide.
        reach = 10 * max(1, -(-down // up)) + 1
        begin = (first * down // up - reach) // down * down
        end = -(-last * down // up) + reach
        inside = np.arange(max(begin, 0), min(end, samples))
        data = np.empty(end - begin)
        data[inside - begin] = self.read(inside[0], inside[-1] + 1) - self.mean
        # scipy continues a signal by the line through its ends, which are those of the whole.
        left, right = self.read(0, 1)[0] - self.mean, self.read(samples - 1, samples)[0] - self.mean
        slope = (right - left) / max(samples - 1, 1)
        outside = np.setdiff1d(np.arange(begin, end), inside, assume_unique=True)
        data[outside - begin] = left + slope * outside
        skip = first - begin * up // down
        return resample(data, self.stats.sampling_rate, rate)[skip : skip + last - first]


def make_trace(data: np.ndarray, stats: Stats) -> obspy.Trace:
    """A trace of its own header, with the length of the data; ``Trace(data, stats)`` keeps npts."""
    trace = obspy.Trace(header=stats)
    trace.data = data
    return trace


def find_runs(stream: obspy.Stream) -> list[Run]:
    """
    Records without gaps, masked or not finite samples, in the order of ids and times.

    Whatever is left out is named in a warning.
    """
    pieces = defaultdict(list)
    for trace in stream:
        data = np.ma.getdata(trace.data)
        found = False
        for first, last in _finite_spans(trace.data):
            found = True
            piece = Run(trace.stats, data[first:last])
            piece.stats.starttime += first * trace.stats.delta
            pieces[trace.id].append(piece)
        if not found:
            warn(trace, "all its samples are masked or not finite")
    runs = []
    for trace_id in sorted(pieces):
        joined: list[Run] = []
        for piece in sorted(pieces[trace_id], key=lambda r: (r.stats.starttime, r.stats.endtime)):
            if not (joined and joined[-1].join(piece)):
                joined.append(piece)
        runs.extend(_without_contradictions(joined))
    return runs


def warn(trace: obspy.Trace, cause: str) -> None:
    """Warn that a trace is left out."""
    seisbench.logger.warning(f"{trace.id} at {trace.stats.starttime} is ignored: {cause}.")


def _finite_spans(data: np.ndarray) -> list[tuple[int, int]]:
    if not np.ma.is_masked(data) and np.issubdtype(data.dtype, np.integer):
        return [(0, len(data))]
    spans: list[tuple[int, int]] = []
    for at in range(0, len(data), _BLOCK):
        block = data[at : at + _BLOCK]
        good = np.isfinite(np.ma.getdata(block)) & ~np.ma.getmaskarray(block)
        edges = np.flatnonzero(np.diff(good.astype(np.int8), prepend=0, append=0)) + at
        for first, last in edges.reshape(-1, 2).tolist():
            if spans and spans[-1][1] == first:
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))
    return spans


def _without_contradictions(runs: list[Run]) -> Iterator[Run]:
    """All records of one id but those that overlap, as they do not agree; SeisBench's rule."""
    clusters: list[list[Run]] = []
    reached = None
    for run in runs:
        if reached is not None and run.stats.starttime < reached:
            clusters[-1].append(run)
            reached = max(reached, run.stats.endtime)
        else:
            clusters.append([run])
            reached = run.stats.endtime
    for cluster in clusters:
        if len(cluster) == 1:
            yield cluster[0]
            continue
        seisbench.logger.warning(
            f"{cluster[0].id} is ignored: its overlapping records contradict each other between "
            f"{cluster[0].stats.starttime} and {max(r.stats.endtime for r in cluster)}. "
            f"Keep one of them."
        )
