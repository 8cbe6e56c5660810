"""
First-motion polarity by a published network, pnsn (cangyeone/pnsn, GPL-3.0), as ONNX.

It wants 1024 samples of the vertical at 100 Hz, P in the middle, the largest sample 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy

RATE, SAMPLES = 100.0, 1024


class PnsnPolarity:
    """
    The network.

    :param path: Of ``pnsn_polar.onnx``.
    """

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options)

    def probability_up(self, stream: obspy.Stream, time: obspy.UTCDateTime) -> float:
        """Probability of an upward first motion at P; nan without a vertical."""
        window = window_at(stream.select(component="Z"), time, RATE, SAMPLES, SAMPLES // 2)
        if not window.any():
            return np.nan
        return self.probabilities(window[0])[0]

    def probabilities(self, wave: np.ndarray) -> tuple[float, float]:
        """
        Probabilities of an upward and of a downward first motion.

        :param wave: SAMPLES samples of the vertical, P in the middle, without their mean.
        """
        wave = (wave / np.abs(wave).max()).astype(np.float32)
        up, down = self._session.run(["prob"], {"wave": wave})[0].ravel()
        return float(up), float(down)


def window_at(
    stream: obspy.Stream, time: obspy.UTCDateTime, rate: float, samples: int, before: int
) -> np.ndarray:
    """
    A window about a time, shape (traces, samples), each without its mean, zeros where no data are.

    :param rate: Hz, to which the traces are resampled.
    :param before: Samples before the time.
    """
    window = np.zeros((max(len(stream), 1), samples))
    for row, trace in zip(window, stream, strict=False):
        trace = trace.copy().detrend("constant")
        if trace.stats.sampling_rate != rate:
            trace.interpolate(rate, method="lanczos", a=12) if (
                trace.stats.sampling_rate < rate
            ) else trace.resample(rate)
        first = round((time - trace.stats.starttime) * rate) - before
        low, high = max(first, 0), min(first + samples, trace.stats.npts)
        if high > low:
            part = trace.data[low:high]
            row[low - first : high - first] = part - part.mean()
    return window
