"""Augmentations that add noise."""

from __future__ import annotations

import numpy as np

from .base import Augmentation, draw_record, extend, rate_of, spread


class AddNoise(Augmentation):
    """
    Add recorded or white noise.

    :param dataset: SeisBench data set of noise, of any length; None for white noise.
    :param snr: Smallest and largest signal-to-noise ratio in dB, drawn uniformly.
    :param reference: What the signal is: ``"power"``, the mean square of each component, as
        published, or ``"peak"``, the record's largest amplitude.
    :param prepare: Augmentation that is applied to noise records first, such as a filter.
    """

    def __init__(self, dataset=None, snr=(10, 50), reference="power", prepare=None, key="X"):
        super().__init__(key)
        if reference not in ("power", "peak"):
            raise ValueError(f"reference is 'power' or 'peak', not '{reference}'.")
        self.dataset, self.snr, self.reference = dataset, snr, reference
        self.prepare = prepare

    def apply(self, x, metadata):
        if self.dataset is None:
            noise = np.random.standard_normal(x.shape)
        else:
            noise = extend(draw_record(self.dataset, self.prepare)[0], x.shape[1])
            noise = noise / spread(noise)
        return _add(x, noise, np.random.uniform(*self.snr), self.reference), metadata


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
        return _add(x, noise, np.random.uniform(*self.snr), "peak"), metadata


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


def _add(x: np.ndarray, noise: np.ndarray, snr: float, reference: str) -> np.ndarray:
    """Add noise of unit scatter to the components that are there."""
    signal = np.abs(x).max() if reference == "peak" else np.sqrt((x**2).mean(1, keepdims=True))
    return x + noise * signal * 10 ** (-snr / 20) * x.any(axis=1, keepdims=True)
