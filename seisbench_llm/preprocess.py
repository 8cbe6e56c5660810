"""Preprocessing of waveforms, the same in training and ``annotate``: normalise and resample."""

from fractions import Fraction

import numpy as np
import torch
from scipy.signal import resample_poly

# Of larger amplitudes, the sum over a window may overflow in single precision.
_MAX_SUMMED = 2.0**60


def normalize(batch: torch.Tensor, joint: bool = False) -> torch.Tensor:
    """
    Each component minus its mean, divided by its standard deviation.

    Scale-free: the result does not depend on the unit of the input, be it counts, m/s (about
    1e-9) or metres (about 1e-16). No constant is added to the divisor, as that would be a unit;
    instead each component is brought to a peak of one first, so that its variance can neither
    underflow nor overflow. A component without signal (all samples equal, whatever their value)
    becomes zero, as a missing one does.

    :param batch: Waveforms, shape (..., components, samples), finite, floating point.
    :param joint: Divide by the root mean square of all components together, which keeps their
        ratios; these tell the direction of a wave. Missing components count as zero.
    :return: Normalised waveforms of the same shape and type.
    """
    over = (-2, -1) if joint else -1
    low, high = torch.aminmax(batch, dim=-1, keepdim=True)
    # Any centre will do here, as the mean is taken once more below. That of a component without
    # signal has to be exact: a rounding error would be all there is to see.
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
    Resample with a zero-phase anti-alias filter; the time of the first sample is kept.

    :param data: Samples along the last axis.
    :param rate: Sampling rate of the data in Hz.
    :param target: Wanted sampling rate in Hz.
    :raises ValueError: If the two rates are not in a ratio of small integers (up to 1000), so
        that no polyphase filter can relate them.
    """
    ratio = Fraction(target / rate).limit_denominator(1000)
    # 1e-9 is 0.1 ms a day.
    if ratio == 0 or abs(float(ratio) * rate / target - 1) > 1e-9:
        raise ValueError(f"Cannot resample from {rate} Hz to {target} Hz by a ratio of integers.")
    if ratio == 1:
        return data
    # A pad of the edge value instead of zero: an offset must not become a step.
    # There is no line through one sample.
    padtype = "line" if data.shape[-1] > 1 else "edge"
    return resample_poly(data, ratio.numerator, ratio.denominator, axis=-1, padtype=padtype)
