"""
Polarity without a network: the sign of the first swing that leaves the noise.

The vertical is taken as it is, without a filter, which would turn the first motion around or put a
swing before it. The first extremum within 0.3 s of P that is larger than the noise decides.
"""

from __future__ import annotations

import numpy as np
import torch

from seisbench_llm.benchmark.estimators import OnsetWindow

# Seconds of noise before P, with a gap, and of the swing after it.
NOISE, GAP, SWING = 2.0, 0.1, 0.3
# The swing has to be larger than so many standard deviations of the noise.
LEVEL = 3.0


class FirstMotion:
    """
    The sign of the first swing, as a model of the benchmark.

    :param rate: Sampling rate in Hz.
    """

    task = "polarity"

    def __init__(self, rate: float = 100.0):
        self.rate = rate

    def get_eval_augmentations(self) -> list:
        """The noise before P, and half a second after it."""
        samples = round((NOISE + GAP + 0.5) * self.rate)
        return [OnsetWindow(samples, round((NOISE + GAP) * self.rate))]

    def predict_step(self, batch: dict, batch_idx: int = 0) -> tuple:
        """
        Probability of up: 0.5 where nothing leaves the noise, nearer to 0 or 1 the more it does.
        """
        return (torch.tensor([self._up(x[0]) for x in batch["X"].numpy().astype(float)]),)

    def _up(self, x: np.ndarray) -> float:
        onset = round((NOISE + GAP) * self.rate)
        noise = x[: round(NOISE * self.rate)]
        x, level = x - noise.mean(), noise.std()
        swing = x[onset : onset + round(SWING * self.rate)]
        if not level or not swing.size:
            return 0.5
        out = np.flatnonzero(np.abs(swing) > LEVEL * level)
        if not out.size:
            return 0.5
        rest = swing[out[0] :]
        turns = np.flatnonzero(np.sign(rest) != np.sign(rest[0]))
        half = rest[: turns[0]] if turns.size else rest
        strength = np.abs(half).max() / level
        return float(0.5 + 0.5 * np.sign(half[0]) * (1 - LEVEL / (LEVEL + strength)))
