"""Base class and helpers of augmentations."""

from __future__ import annotations

import numpy as np
import seisbench.generate as sbg

from ...data.metadata import samples_in


class Augmentation:
    """
    Base class that reads and writes the state dict. Subclasses change copies.

    :param key: Key in the state dict, or a tuple of the keys to read from and to write to.
    """

    def __init__(self, key: str | tuple[str, str] = "X"):
        self.key = (key, key) if isinstance(key, str) else tuple(key)

    def __call__(self, state_dict: dict) -> None:
        x, metadata = state_dict[self.key[0]]
        x = np.array(x, dtype=np.float64)
        state_dict[self.key[1]] = self.apply(x, dict(metadata)) if x.size else (x, dict(metadata))

    def apply(self, x: np.ndarray, metadata: dict) -> tuple[np.ndarray, dict]:
        """New waveforms and metadata from copies of the old."""
        raise NotImplementedError

    def __str__(self):
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__} ({settings})"


def draw_record(dataset, prepare) -> tuple[np.ndarray, dict]:
    """A random record as float64, finite and without offset."""
    state = {"X": dataset.get_sample(np.random.randint(len(dataset)))}
    if prepare is not None:
        prepare(state)
    x, metadata = state["X"]
    x = np.nan_to_num(np.asarray(x, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return x - x.mean(axis=1, keepdims=True), metadata


def extend(x: np.ndarray, samples: int) -> np.ndarray:
    """A random part of a record that is continued by its mirror images."""
    if x.shape[1] < samples:
        x = np.concatenate([x, x[:, ::-1]], axis=1)
        x = np.tile(x, -(-2 * samples // x.shape[1]))
    start = np.random.randint(x.shape[1] - samples + 1)
    return x[:, start : start + samples]


def shift_record(x: np.ndarray, shift: int, samples: int | None = None) -> np.ndarray:
    """The record, shifted within a window and padded with zeros."""
    window = np.zeros((len(x), x.shape[1] if samples is None else samples))
    low, high = max(shift, 0), min(shift + x.shape[1], window.shape[1])
    if low < high:
        window[:, low:high] = x[:, low - shift : high - shift]
    return window


def samples_of(metadata: dict) -> dict[str, float]:
    """All known positions in a record, by column."""
    return samples_in(metadata, lambda column: column.endswith("_sample"))


def rate_of(metadata: dict) -> float:
    return float(metadata["trace_sampling_rate_hz"])


def spread(x: np.ndarray) -> float:
    return float(x.std()) or 1.0


class Chain:
    """
    Several augmentations as one, for use in :py:class:`seisbench.generate.OneOf`.

    :param augmentations: In the order in which they are applied.
    """

    def __init__(self, augmentations: list):
        self.augmentations = list(augmentations)

    def __call__(self, state_dict: dict) -> None:
        for augmentation in self.augmentations:
            augmentation(state_dict)

    def __str__(self):
        return f"Chain ({', '.join(map(str, self.augmentations))})"


def sometimes(augmentation, probability: float) -> sbg.OneOf:
    """The augmentation with a probability, else nothing."""
    return sbg.OneOf([augmentation, sbg.NullAugmentation()], [probability, 1 - probability])
