"""
Window layout: where SeisBench places the windows of a model on a record.

Batch, live and archive processing give the same picks only if their windows lie alike, so all of
them use :py:class:`WindowLayout`. Its numbers are samples at the model's sampling rate unless a
name says otherwise. *Grid numbers* count samples from 1970, as SeisBench aligns records. ::

    arguments = Arguments.of(model, {"overlap": 0.5})
    layout = WindowLayout.of(model, arguments)
    layout.hop / layout.rate              # seconds from window to window
    layout.bridge                         # longest gap in seconds that is filled
    layout.padding                        # samples added before and after the data
    layout.last(first, stop)              # start of the window that ends with the data
    filter_reach(model, arguments, [stats])  # samples that the filter needs on either side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import obspy
from obspy.core.trace import Stats
from seisbench.models import WaveformModel

from .arguments import Arguments
from .contiguous import make_trace

# Seconds of a segment that pass the pipeline at a time. Two hours are about 20 batches of windows.
# A copy of three components in double precision takes 17 MB, and SeisBench holds a few copies.
CHUNK_SECONDS = 7200.0

# Each window's annotation is kept until the chunk is done, 48 kB for a minute of P and S.
MAX_WINDOWS_PER_CHUNK = 1500

# Seconds within which the response of a filter must have decayed.
MAX_FILTER_REACH_S = 1800.0

# Largest part of a filter's response beyond its reach, as a fraction of its sum.
FILTER_REMAINDER = 1e-10


@dataclass(frozen=True)
class WindowLayout:
    """
    Layout of a model's windows on a record, see :py:meth:`of`.

    :param size: Number of samples of a window.
    :param hop: Samples from the start of one window to the start of the next.
    :param rate: The model's sampling rate in Hz.
    :param curves: Whether a window gives a curve (output type ``array``) instead of one estimate
        (``point``). Curves get a last window that ends with the data.
    :param batch: Number of windows that pass the network at a time.
    :param anchor: Sample of a window to which its first output belongs.
    :param blinding: Outputs that are discarded at the start and at the end of each window.
    :param padding: Number of zeros to add before the first and after the last sample of the data,
        so that each sample lies within the outputs of a window.
    :param strict: Whether gaps and missing components stay as they are.
    """

    size: int
    hop: int
    rate: float
    curves: bool
    batch: int
    anchor: int
    blinding: tuple[int, int]
    padding: tuple[int, int]
    strict: bool

    @classmethod
    def of(cls, model: WaveformModel, arguments: Arguments) -> WindowLayout:
        """
        The layout of ``model.annotate``.

        :param arguments: Arguments of ``annotate``. Live processing, which always pads, sets
            ``strict=False``.
        """
        size, curves = model.in_samples, model.output_type == "array"
        blinding, strict = tuple(arguments.blinding), bool(arguments.strict)
        if strict:
            padding = (0, 0)
        elif curves:
            padding = blinding
        else:
            padding = (model.pred_sample, size - model.pred_sample)
        return cls(
            size=size,
            hop=size - arguments.overlap_samples(size) if curves else arguments.stride,
            rate=model.sampling_rate,
            curves=curves,
            batch=arguments.batch_size,
            anchor=0 if curves else model.pred_sample,
            blinding=blinding,
            padding=padding,
            strict=strict,
        )

    @property
    def bridge(self) -> float:
        """Longest gap in seconds that is filled. After a longer gap the windows start anew."""
        return (self.size + sum(self.padding)) / self.rate

    @property
    def covers(self) -> bool:
        """Whether each sample of a record lies within the outputs of a window."""
        overlap = self.size - self.hop
        return not self.strict and (not self.curves or sum(self.blinding) <= overlap)

    def padded(self, samples: int) -> int:
        """Number of samples to pass to SeisBench for a record of ``samples`` samples."""
        padded = max(samples + sum(self.padding), self.size)
        if not self.curves:  # SeisBench fails at a single estimate
            padded = max(padded, self.size + self.hop)
        return padded + 1  # as SeisBench truncates when it counts, see counted

    def count(self, samples: int) -> int:
        """Number of windows on ``samples`` samples, see :py:func:`counted`."""
        if samples < self.size:
            return 0
        regular, rest = divmod(samples - self.size, self.hop)
        return regular + 1 + bool(self.curves and rest)

    def first_seeing(self, sample: int) -> int:
        """
        Start of the first window that contains a sample.

        :param sample: Sample, counted from the start of the first window, like the result.
        """
        return max(0, (sample - self.size) // self.hop + 1) * self.hop

    def last(self, first: int, stop: int) -> int:
        """
        Start of the window that ends with the data. It may be one of the regular windows.

        :param first: Grid number of the data's first sample.
        :param stop: Grid number of the sample after the data's last one.
        :return: Grid number of the start.
        """
        before = first - self.padding[0]
        begin = obspy.UTCDateTime(0) + before / self.rate
        end = begin + (self.padded(stop - first) - 1) / self.rate
        return before + counted(begin, end, self.rate) - self.size

    @property
    def hops_per_chunk(self) -> int:
        """
        Number of hops per chunk of a long record, so that the windows of a chunk fill whole
        batches.
        """
        wanted = min(CHUNK_SECONDS * self.rate / self.hop, MAX_WINDOWS_PER_CHUNK)
        shared = -(-self.size // self.hop) + 1 if self.curves else 0
        batches = max(1, round((wanted + shared) / self.batch))
        return max(1, batches * self.batch - shared)


def counted(start: obspy.UTCDateTime, end: obspy.UTCDateTime, rate: float) -> int:
    """
    Samples from ``start`` to ``end`` as SeisBench's ``stream_to_array`` counts them.

    SeisBench truncates, so that rounding of the times may cost a sample.
    """
    return int((end - start) * rate) + 1


def place_on_grid(
    times: Sequence[obspy.UTCDateTime], rate: float
) -> tuple[list[int], obspy.UTCDateTime]:
    """
    Positions on one grid of samples for records that are fractions of a sample apart.

    SeisBench moves each component to the nearest sample of a grid that starts in 1970, and shifts
    the time of all by the mean shift. Components halfway between two samples are then decided by
    rounding errors. Here the grid starts with the earliest record, and the mean shift is limited so
    that no record is off by more than half a sample.

    :param times: Times of the first samples of records of one instrument.
    :return: Sample number of each record, where the earliest has 0, and the time of sample 0.
    """
    earliest = min(times)
    places = [round((time - earliest) * rate) for time in times]
    late = [time - earliest - at / rate for time, at in zip(times, places, strict=True)]
    mean, half = sum(late) / len(late), 0.5 / rate
    start = earliest + min(max(mean, max(late) - half), min(late) + half)
    # Whole microseconds, because SeisBench's arithmetic rounds times to some tenths of a
    # microsecond.
    return places, obspy.UTCDateTime(ns=round(start.ns, -3))


def part_padding(model: WaveformModel, arguments: Arguments) -> float:
    """
    Seconds before and after a part of a record on which the picks in it depend.

    A pick depends on one window to either side and, beyond it, on the reach of the filter. The
    smaller of two close picks is dropped, so a pick also depends on a larger one nearby, and that
    one on a still larger one.
    """
    layout = WindowLayout.of(model, arguments)
    header = Stats({"sampling_rate": layout.rate, "channel": model.component_order})
    reach = filter_reach(model, arguments, [header]) or 0
    around = max(layout.bridge, reach / layout.rate)
    return layout.bridge + around + 4 * arguments.min_separation


def filter_reach(
    model: WaveformModel, arguments: Arguments, headers: Sequence[Stats]
) -> int | None:
    """
    Reach of the model's filter: number of samples to either side that influence a sample.

    It is measured from the impulse response of ``annotate_stream_pre``, so that it holds for any
    filter.

    :param headers: One header per channel, at the model's sampling rate.
    :return: Number of samples. None if the response lasts longer than
        :py:data:`MAX_FILTER_REACH_S`, or if its samples differ from those of the impulse.
    """
    half = int(MAX_FILTER_REACH_S * headers[0].sampling_rate)
    impulse = np.zeros(2 * half + 1)
    impulse[half] = 1.0
    stream = obspy.Stream([make_trace(impulse.copy(), stats) for stats in headers])
    model.annotate_stream_pre(stream, arguments.argdict)
    if len(stream) != len(headers):
        return None
    reach = 0
    for trace in stream:
        response = np.abs(trace.data)
        if response.size != impulse.size or not np.isfinite(response).all():
            return None
        remainder = FILTER_REMAINDER * response.sum()
        significant = np.cumsum(response) > remainder
        significant &= np.cumsum(response[::-1])[::-1] > remainder
        for at in np.flatnonzero(significant)[[0, -1]] if significant.any() else []:
            reach = max(reach, abs(int(at) - half) + 1)
    return reach if reach < 0.9 * half else None
