"""Resampling and filtering of a stream before windows are cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import obspy

from ..preprocess import resample

# A filtered or resampled constant is rounding noise, which normalisation would scale up. No
# recorder resolves this fraction of its largest sample.
ROUNDING = 1e-11


def preprocess_stream(
    stream: obspy.Stream, rate: float, zerophase: bool, finish: Callable[[], obspy.Stream]
) -> obspy.Stream:
    """
    Resample and filter a stream in place, and set traces of rounding noise to zero.

    :param rate: The model's sampling rate.
    :param zerophase: Whether the anti-alias filter is zero-phase.
    :param finish: SeisBench's own preprocessing of the stream, which filters it and resamples the
        rest.
    :return: The return value of ``finish``.
    """
    peaks = [_peak(trace) for trace in stream]
    if zerophase:
        resample_stream(stream, rate)
    traces = list(stream)
    finished = finish()
    for trace, peak in zip(traces, peaks, strict=True):
        trace.data[np.abs(trace.data) < ROUNDING * peak] = 0
    return finished


def _peak(trace: obspy.Trace) -> float:
    """Largest sample of the trace or, if its header tells it, of the whole record."""
    peak = trace.stats.get("record_peak")
    if peak is None:
        peak = float(np.max(np.abs(trace.data), initial=0.0))
    return peak


def resample_stream(stream: obspy.Stream, rate: float) -> None:
    """
    Bring all traces to one sampling rate in place.

    Rates without a ratio of small integers are left to SeisBench, which interpolates.
    """
    for trace in stream:
        if trace.stats.sampling_rate == rate:
            continue
        try:
            trace.data = resample(trace.data, trace.stats.sampling_rate, rate)
        except ValueError:
            continue
        trace.stats.sampling_rate = rate
