"""Normalisation and resampling of waveforms, the same in training and in ``annotate``."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from scipy.signal import firwin, resample_poly

# The sum of larger amplitudes over a window may overflow in single precision.
_MAX_SUMMED = 2.0**60


def normalize(batch: torch.Tensor, joint: bool = False) -> torch.Tensor:
    """
    Subtract the mean of each component and divide by its standard deviation.

    The result does not depend on the unit of the input: counts, m/s (about 1e-9) or metres (about
    1e-16). No constant is added to the divisor, because a constant would have a unit. Each
    component is first scaled to a peak of one, so that its variance neither underflows nor
    overflows. A component without signal (all samples equal) becomes zero, like a missing
    component.

    :param batch: Waveforms, shape (..., components, samples), finite, floating point.
    :param joint: Whether to divide by the root mean square of all components together. This keeps
        their ratios, which tell the direction of a wave. Missing components count as zero.
    :return: Normalised waveforms of the same shape and type.
    """
    over = (-2, -1) if joint else -1
    low, high = torch.aminmax(batch, dim=-1, keepdim=True)
    # Any centre will do here, because the mean is subtracted again below. The centre of a component
    # without signal has to be exact. Otherwise a rounding error would be scaled up.
    centre = batch.mean(dim=-1, keepdim=True)
    huge = torch.maximum(high, -low) > _MAX_SUMMED
    centre = torch.where(huge | (low == high), low / 2 + high / 2, centre)
    peak = torch.maximum(high - centre, centre - low).amax(dim=over, keepdim=True)
    batch = (batch - centre) / torch.where(peak > 0, peak, 1.0)
    batch = batch - batch.mean(dim=-1, keepdim=True)
    std = batch.square().mean(dim=over, keepdim=True).sqrt()
    return batch / torch.where(std > 0, std, 1.0)


def resample(data: np.ndarray, rate: float, target: float) -> np.ndarray:
    """
    Resample with a zero-phase anti-alias filter. The time of the first sample does not change.

    The filter is that of :py:func:`scipy.signal.resample_poly` with one change, see
    :py:func:`_anti_alias_filter`.

    :param data: Samples along the last axis.
    :param rate: Sampling rate of the data in Hz.
    :param target: New sampling rate in Hz.
    :raises ValueError: If the ratio of the two rates is not one of small integers (up to 1000). A
        polyphase filter needs such a ratio.
    """
    ratio = Fraction(target / rate).limit_denominator(1000)
    # 1e-9 is 0.1 ms a day.
    if ratio == 0 or abs(float(ratio) * rate / target - 1) > 1e-9:
        raise ValueError(
            f"Cannot resample from {rate} Hz to {target} Hz: no ratio of integers up to 1000."
        )
    if ratio == 1:
        return data
    # The record is continued by its edge value instead of zero, so that an offset does not become a
    # step. One sample does not define a line.
    padtype = "line" if data.shape[-1] > 1 else "edge"
    up, down = ratio.numerator, ratio.denominator
    kind = data.dtype if np.issubdtype(data.dtype, np.floating) else np.float64
    # astype copies: scipy scales the array that it is given.
    window = _anti_alias_filter(up, down).astype(kind)
    return resample_poly(data, up, down, axis=-1, window=window, padtype=padtype)


@lru_cache(maxsize=64)
def _anti_alias_filter(up: int, down: int) -> np.ndarray:
    """
    The filter of :py:func:`scipy.signal.resample_poly`, with the same sum for each output sample.

    In scipy's own, new samples get 1.0005 or 0.9995 of an offset by turns. Of a drift, that leaves
    an image at the highest frequencies which no high-pass filter removes later.
    """
    half = 10 * max(up, down)
    taps = firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0))
    for phase in range(up):
        taps[phase::up] /= up * taps[phase::up].sum()
    return taps
