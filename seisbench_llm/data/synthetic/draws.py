"""Random numbers by seed and record number, for batches of records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri


class Draws:
    """
    Independent random streams, one per key, which are read in step.

    A record must not depend on the chunk in which it is generated, but the parameters of all
    records of a chunk are computed in one array. Each key therefore has its own generator. Every
    call draws one value, or ``size`` values, from each generator.

    :param keys: Integers >= 0 that identify the streams, shape (records, words), for example (seed,
        kind, record).
    """

    _BLOCK = 64

    def __init__(self, keys: Sequence[Sequence[int]] | np.ndarray):
        self._generators = [np.random.default_rng([int(word) for word in key]) for key in keys]
        self._buffer = np.empty((len(self._generators), 0))
        self._used = 0

    def __len__(self) -> int:
        return len(self._generators)

    def uniform(self, low=0.0, high=1.0, size: int | None = None) -> np.ndarray:
        """Uniform in (low, high), shape (records,) or (records, size)."""
        width = 1 if size is None else size
        if self._used + width > self._buffer.shape[1]:
            block = max(self._BLOCK, width)
            self._buffer = np.empty((len(self), block))
            for row, generator in zip(self._buffer, self._generators, strict=True):
                generator.random(out=row)
            self._used = 0
        # Exclude 0 and 1, where the normal quantile is infinite.
        values = np.clip(self._buffer[:, self._used : self._used + width], 1e-9, 1 - 1e-9)
        self._used += width
        values = values[:, 0] if size is None else values
        return low + (high - low) * values

    def log_uniform(self, low, high, size: int | None = None) -> np.ndarray:
        """Log-uniform between two positive bounds."""
        return np.exp(self.uniform(np.log(low), np.log(high), size))

    def normal(self, mean=0.0, std=1.0, size: int | None = None) -> np.ndarray:
        """Normal distribution."""
        return mean + std * ndtri(self.uniform(size=size))

    def log_normal(self, median, std, size: int | None = None) -> np.ndarray:
        """Log-normal with standard deviation ``std`` of the natural logarithm."""
        return median * np.exp(self.normal(0.0, std, size))

    def chance(self, probability) -> np.ndarray:
        """True with the given probability, shape (records,)."""
        return self.uniform() < probability

    def choice(self, weights: Sequence[float]) -> np.ndarray:
        """Index into ``weights``, with probabilities proportional to the weights."""
        edges = np.cumsum(weights) / np.sum(weights)
        return np.minimum(np.searchsorted(edges, self.uniform()), len(weights) - 1)

    def white(self, components: int, samples: int) -> np.ndarray:
        """White Gaussian noise of unit variance, float32, (records, components, samples)."""
        out = np.empty((len(self), components, samples), np.float32)
        for row, generator in zip(out, self._generators, strict=True):
            generator.standard_normal(out=row, dtype=np.float32)
        return out
