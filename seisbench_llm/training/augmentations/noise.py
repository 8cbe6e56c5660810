"""Augmentations that add noise."""

from __future__ import annotations

import numpy as np

from ...data.metadata import onsets_of
from .base import Augmentation, draw_record, extend, rate_of, spread

ONSET_SECONDS = 0.7
"""How long a signal is measured from its onset."""


class AddNoise(Augmentation):
    """
    Add recorded or white noise.

    :param dataset: SeisBench data set of noise, of any length; None for white noise.
    :param snr: Smallest and largest signal-to-noise ratio in dB, drawn uniformly.
    :param reference: What the signal is: ``"power"``, the mean square of each component, as
        published; ``"peak"``, the record's largest amplitude; or ``"onset"``, the mean square of
        the 0.7 s after one of the onsets, drawn at random, on the component where it is largest,
        and the record's largest amplitude if there is no onset.
    :param prepare: Augmentation that is applied to noise records first, such as a filter.
    """

    def __init__(self, dataset=None, snr=(10, 50), reference="power", prepare=None, key="X"):
        super().__init__(key)
        if reference not in ("power", "peak", "onset"):
            raise ValueError(f"reference is 'power', 'peak' or 'onset', not '{reference}'.")
        self.dataset, self.snr, self.reference = dataset, snr, reference
        self.prepare = prepare

    def apply(self, x, metadata):
        if self.dataset is None:
            noise = np.random.standard_normal(x.shape)
        else:
            noise = extend(draw_record(self.dataset, self.prepare)[0], x.shape[1])
            noise = noise / spread(noise)
        signal = _signal(x, metadata, self.reference)
        return _add(x, noise, np.random.uniform(*self.snr), signal), metadata


class ColouredNoise(Augmentation):
    """
    Add noise with a power-law spectrum, flat below 0.5 Hz.

    :param snr: Peak amplitude over standard deviation of the noise in dB, drawn uniformly.
    :param exponent: Range of the exponent a of the amplitude spectrum f^-a.
    """

    def __init__(self, snr=(12, 46), exponent=(0.0, 1.5), key="X"):
        super().__init__(key)
        self.snr, self.exponent = snr, exponent

    def apply(self, x, metadata):
        corner = 0.5 / rate_of(metadata)
        noise = coloured_noise(*x.shape, np.random.uniform(*self.exponent), corner)
        signal = _signal(x, metadata, "peak")
        return _add(x, noise, np.random.uniform(*self.snr), signal), metadata


def coloured_noise(
    components: int, samples: int, exponent: float, corner: float = 0.005
) -> np.ndarray:
    """
    Gaussian noise with an amplitude spectrum f^-exponent and unit scatter.

    :param corner: Frequency in cycles per sample below which the spectrum is flat.
    :return: Shape (components, samples).
    """
    # Longer by half and cut, so that the end does not continue in the beginning.
    size = samples + samples // 2 + 2
    size += size % 2
    spectrum = np.fft.rfft(np.random.standard_normal((components, size)))
    spectrum *= np.maximum(np.fft.rfftfreq(size), corner) ** -exponent
    noise = np.fft.irfft(spectrum, size)[:, :samples]
    return noise / spread(noise)


def _signal(x: np.ndarray, metadata: dict, reference: str) -> np.ndarray | float:
    """Amplitude that noise is compared with, for all components or of shape (components, 1)."""
    if reference == "power":
        return np.sqrt((x**2).mean(1, keepdims=True))
    inside = [int(at) for at in onsets_of(metadata).values() if 0 <= at < x.shape[1]]
    if reference == "onset" and inside:
        at = inside[np.random.randint(len(inside))]
        after = x[:, at : at + round(ONSET_SECONDS * rate_of(metadata))]
        return np.sqrt(after.var(axis=1).max())
    return np.abs(x).max()


def _add(x: np.ndarray, noise: np.ndarray, snr: float, signal: np.ndarray | float) -> np.ndarray:
    """Add noise of unit scatter to the components that are there."""
    return x + noise * signal * 10 ** (-snr / 20) * x.any(axis=1, keepdims=True)
