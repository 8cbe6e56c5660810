"""
Disturbances of a stream: late components, steps, calibration pulses, and onsets that they hide.
"""

from __future__ import annotations

import numpy as np

from ...data.metadata import onsets_of, phase_of, probability_column
from .base import Augmentation, rate_of, spread
from .windows import Prepare

SURE_PAST, NO_PAST = 1.2, 0.4
"""
Seconds of data before an onset for it to be one, and from which on nobody can tell. With less than
the latter there is none: where data begin is no onset.
"""


class ChangeLevel(Augmentation):
    """
    Scale the record smoothly after a random time.

    :param factor: Largest factor.
    """

    def __init__(self, factor: float = 10.0, key="X"):
        super().__init__(key)
        self.factor = factor

    def apply(self, x, metadata):
        samples = x.shape[1]
        width = rate_of(metadata) * 10 ** np.random.uniform(-1, 0.7)
        away = (np.arange(samples) - np.random.uniform(0, samples)) / width
        step = 1 / (1 + np.exp(-np.clip(away, -50, 50)))
        return x * self.factor ** (np.random.uniform(-1, 1) * step), metadata


class LateComponents(Augmentation):
    """
    Let components begin later or end earlier than the others. Missing samples become nan.

    :param early_end: Probability that they end earlier instead.
    """

    def __init__(self, early_end: float = 0.3, key="X"):
        super().__init__(key)
        self.early_end = early_end

    def apply(self, x, metadata):
        samples, common = x.shape[1], np.random.randint(x.shape[1])
        ends = np.random.uniform() < self.early_end
        for component in _some_components():
            at = common if np.random.uniform() < 0.5 else np.random.randint(samples)
            x[component, at:] = np.nan if ends else x[component, at:]
            x[component, :at] = x[component, :at] if ends else np.nan
        return x, metadata


class Step(Augmentation):
    """
    Change the offset of components at a random sample.

    :param size: Smallest and largest step over the standard deviation of the record.
    """

    def __init__(self, size=(0.2, 20.0), key="X"):
        super().__init__(key)
        self.size = size

    def apply(self, x, metadata):
        size = np.exp(np.random.uniform(*np.log(self.size))) * _spread(x)
        at = np.random.randint(x.shape[1])
        for component in _some_components():
            x[component, at:] += size * np.random.choice([-1, 1])
        return x, metadata


class CalibrationPulse(Augmentation):
    """
    Add a calibration pulse: decaying, ringing, a boxcar, or a sine that is switched on.

    :param size: Smallest and largest peak over the standard deviation of the record.
    """

    def __init__(self, size=(0.5, 20.0), key="X"):
        super().__init__(key)
        self.size = size

    def apply(self, x, metadata):
        rate, samples = rate_of(metadata), x.shape[1]
        first = np.random.randint(samples)
        time = np.arange(samples - first) / rate
        decay, length = 10 ** np.random.uniform(-1, 1), 10 ** np.random.uniform(-0.3, 1.3)
        tone = np.sin(2 * np.pi * 10 ** np.random.uniform(-0.5, np.log10(0.3 * rate)) * time)
        shape = (
            np.exp(-time / decay),
            np.exp(-time / decay) * tone,
            (time < length).astype(float),
            tone * (time < length),
        )[np.random.randint(4)]
        size = np.exp(np.random.uniform(*np.log(self.size))) * _spread(x)
        for component in _some_components():
            x[component, first:] += size * shape * np.random.choice([-1, 1])
        return x, metadata


class Disturb(Augmentation):
    """
    Disturb a record with known onsets, filter it as ``annotate`` does, and adapt the onsets.

    Each contiguous piece of a component loses its mean and is filtered from its own start, like the
    pieces of a stream. nan becomes zero afterwards. An onset without data before it is removed, and
    one with few data before it is unsure. If noise or a pulse hides an onset, its probability
    decreases with its signal-to-noise ratio.

    :param steps: Augmentations that do not move onsets.
    :param prepare: Filter of the model.
    """

    def __init__(self, steps: list, prepare: Prepare, key="X"):
        super().__init__(key)
        self.steps, self.prepare = list(steps), prepare

    def apply(self, x, metadata):
        state = {"X": (x.copy(), dict(metadata))}
        for step in self.steps:
            step(state)
        disturbed, metadata = state["X"]
        # What was missing before is still: whole components, and zeros at either end.
        for component, data in enumerate(x):
            first, last = self.prepare.span(data)
            for part in (x, disturbed):
                part[component, :first] = part[component, last:] = np.nan
        there, rate = np.isfinite(disturbed), rate_of(metadata)
        before, after = self._filter(x), self._filter(disturbed)
        for column, at in onsets_of(metadata).items():
            if not 0 <= at < x.shape[1]:
                continue
            past = _past(there, int(at)) / rate
            if past < SURE_PAST:
                metadata[column] = np.nan
                if past >= NO_PAST:
                    phase = phase_of(column).lower()
                    metadata[f"trace_{phase}8{int(at)}_unsure_sample"] = at
                continue
            hidden = _seen(after, int(at), rate) / max(_seen(before, int(at), rate), 1e-3)
            name = probability_column(column)
            metadata[name] = float(metadata.get(name, 1.0)) * min(hidden, 1.0)
        return after, metadata

    def _filter(self, x: np.ndarray) -> np.ndarray:
        out = np.zeros_like(x)
        for component, name in enumerate("ZNE"):
            there = np.isfinite(x[component]).astype(np.int8)
            edges = np.flatnonzero(np.diff(there, prepend=0, append=0)).reshape(-1, 2)
            for first, last in edges:
                piece = x[component, first:last]
                out[component, first:last] = self.prepare.filter_piece(piece, f"HH{name}")
        return out

    def __str__(self):
        return f"Disturb ({', '.join(map(str, self.steps))})"


def _some_components() -> np.ndarray:
    return np.random.choice(3, np.random.randint(1, 4), replace=False)


def _spread(x: np.ndarray) -> float:
    return spread(x[np.isfinite(x)]) if np.isfinite(x).any() else 1.0


def _past(there: np.ndarray, at: int) -> int:
    """Samples of data before an onset, on the component with most that goes on after it."""
    goes_on = there[:, at : at + 30].all(axis=1)
    if not goes_on.any():
        return 0
    gaps = np.where(there[goes_on, :at], -1, np.arange(at))
    return int(at - 1 - gaps.max(axis=1, initial=-1).min())


def _seen(x: np.ndarray, at: int, rate: float) -> float:
    """How likely an onset is seen, by its signal-to-noise ratio on the clearest component."""
    early, late = x[:, max(0, at - round(1.5 * rate)) : at], x[:, at : at + round(0.7 * rate)]
    if not early.shape[1]:
        return 0.0
    noise, signal = (np.square(part).mean(axis=1) for part in (early, late))
    known = (noise > 0) & (signal > 0)
    if not known.any():
        return 0.0
    level = 10 * np.log10(signal[known] / noise[known]).max()
    # Half of the onsets at 3.5 dB, nearly all from 8 dB.
    return float(1 / (1 + np.exp(-(level - 3.5) / 1.5)))
