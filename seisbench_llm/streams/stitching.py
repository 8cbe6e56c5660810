"""Annotations of a long record, joined from its chunks, as a whole or only around peaks."""

from __future__ import annotations

import numpy as np
import obspy
from obspy.core.trace import Stats
from seisbench.models import WaveformModel

from .arguments import Arguments
from .contiguous import make_trace
from .spans import Span, finite_ranges, ranges

# Number of samples below half the threshold that are kept on either side of an excerpt.
_MARGIN = 2


def trim(
    trace: obspy.Trace, spans: list[Span], rate: float, copy: bool = True
) -> list[obspy.Trace]:
    """
    The parts of an annotation within time spans, to half a sample of the waveforms.

    :param copy: Whether the samples of the parts are copied.
    """
    # Exactly half a sample is within, however the times are rounded to microseconds.
    half = 0.5 / rate + 1e-6
    parts = []
    for start, end in spans:
        if start - half <= trace.stats.endtime and end + half >= trace.stats.starttime:
            part = trace.slice(start - half, end + half, nearest_sample=False)
            if part.stats.npts:
                if copy:
                    part.data = part.data.copy()
                part.stats.pop("processing")
                parts.append(part)
    return parts


def finite_spans(trace: obspy.Trace) -> list[Span]:
    """Time spans in which an annotation is not nan."""
    start, delta = trace.stats.starttime, trace.stats.delta
    return [
        (start + first * delta, start + (last - 1) * delta)
        for first, last in finite_ranges(trace.data)
    ]


class StitchedAnnotation:
    """
    One output of the model over one segment.

    :param stats: Header. Its start is the time of the segment's first output.
    :param samples: Number of outputs.
    :param spans: Time spans that hold data.
    :param rate: The model's sampling rate.
    """

    def __init__(self, stats: Stats, samples: int, spans: list[Span], rate: float):
        self._header, self._spans, self._rate = stats, spans, rate
        # Pages of this array take no memory before they are written to.
        self._data = np.empty(samples, np.float32)
        self._range: tuple[int, int] | None = None

    def take(self, begin: int, end: int, first: int, data: np.ndarray) -> None:
        """
        Add the outputs from ``begin`` up to, but not including, ``end``. Chunks have to come in
        order.

        :param first: Position of the first sample of ``data``, which may extend beyond the range.
        :param data: Outputs of a chunk, nan where it has none.
        """
        end = min(end, len(self._data))
        self._data[begin:end] = np.nan
        low, high = max(begin, first), min(end, first + len(data))
        if low < high:
            self._data[low:high] = data[low - first : high - first]
            self._range = (self._range[0] if self._range else low, high)

    def parts(self) -> list[obspy.Trace]:
        """One trace per time span with data."""
        if self._range is None:
            return []
        first, last = self._range
        trace = make_trace(self._data[first:last], self._header)
        trace.stats.starttime += first * trace.stats.delta
        return trim(trace, self._spans, self._rate, copy=False)

    @property
    def covered(self) -> list[Span]:
        """Time spans with an annotation."""
        return [span for part in self.parts() for span in finite_spans(part)]


class PeakFilter:
    """
    Filter that keeps only those parts of probability curves that matter for picks and detections.

    A pick depends on the curve from where it rises above half the threshold to where it falls below
    it, and on other picks within the smallest separation. Curves can therefore be cut wherever they
    stay below half the threshold for longer than that.
    :py:func:`~seisbench_llm.streams.picks.classify_picks` gives the same picks for the excerpts as
    for the whole.
    """

    def __init__(self, model: WaveformModel, arguments: Arguments):
        distance = max(1, round(arguments.min_separation * model.sampling_rate))
        self.quiet = distance + 2 * _MARGIN + 2
        self._levels = {
            f"{model.name}_{label}": arguments.threshold(name) / 2
            for label, name in (("P", "P"), ("S", "S"), ("Detection", "detection"))
        }

    def excerpts(self, trace: obspy.Trace, closed: bool = True) -> tuple[list[obspy.Trace], int]:
        """
        :param closed: Whether the curve ends here. If not, an excerpt that reaches its end is kept
            back.
        :return: Excerpts, and the number of samples that have been dealt with.
        """
        level = self._levels[trace.stats.channel]
        runs = ranges(trace.data, lambda x: ~(np.nan_to_num(x) < level), self.quiet - 1)
        done = trace.stats.npts if closed else max(0, trace.stats.npts - self.quiet)
        traces = []
        for first, last in runs:
            first = max(first - _MARGIN, 0)
            if not closed and last > done:
                done = min(done, first)
                break
            # The samples are copied, as all of the curve would be kept with a part of it.
            data = trace.data[first : last + _MARGIN].copy()
            excerpt = make_trace(data, trace.stats)
            excerpt.stats.starttime += first * excerpt.stats.delta
            traces.append(excerpt)
        return traces, done


class SparseAnnotation:
    """A :py:class:`StitchedAnnotation` of which only the excerpts of a peak filter are kept."""

    def __init__(
        self, stats: Stats, samples: int, spans: list[Span], rate: float, peak_filter: PeakFilter
    ):
        self._header, self._filter = stats, peak_filter
        self.covered: list[Span] = []
        self._parts: list[obspy.Trace] = []
        # The samples of each part follow the same rule as for a whole curve.
        probe = obspy.Trace(header=stats)
        probe._always_contiguous = False
        probe.data = np.broadcast_to(np.float32(0), samples)
        self._ranges = []
        for part in trim(probe, spans, rate, copy=False):
            first = round((part.stats.starttime - stats.starttime) * part.stats.sampling_rate)
            self._ranges.append((first, first + part.stats.npts))
        self._held: tuple[int, np.ndarray] | None = None

    def take(self, begin: int, end: int, first: int, data: np.ndarray) -> None:
        """See :py:meth:`StitchedAnnotation.take`."""
        whole = np.full(end - begin, np.nan, np.float32)
        low, high = max(begin, first), min(end, first + len(data))
        if low < high:
            whole[low - begin : high - begin] = data[low - first : high - first]
        for start, stop in self._ranges:
            low, high = max(begin, start), min(end, stop)
            if low >= high:
                continue
            piece = whole[low - begin : high - begin]
            at = make_trace(piece, self._header)
            at.stats.starttime += low * at.stats.delta
            self.covered += finite_spans(at)
            if self._held is not None:
                low, piece = self._held[0], np.concatenate([self._held[1], piece])
                self._held = None
            trace = make_trace(piece, self._header)
            trace.stats.starttime += low * trace.stats.delta
            excerpts, done = self._filter.excerpts(trace, closed=stop <= end)
            self._parts.extend(excerpts)
            if stop > end:
                self._held = (low + done, piece[done:].copy())

    def parts(self) -> list[obspy.Trace]:
        """Excerpts, sorted by time."""
        return self._parts
