"""What a network shall answer, from the metadata of a record."""

import numpy as np


def onset_curves(
    onsets: np.ndarray, samples: int, sigma: float = 10.0, half_width: int = 25
) -> np.ndarray:
    """
    Label curves of a picker: Gaussians around onsets, cut off at a fixed distance.

    :param onsets: Sample number of P and S, shape (records, 2); nan or a number outside the window
        means no onset.
    :param samples: Length of the curves.
    :param sigma: Standard deviation of the Gaussian in samples.
    :param half_width: Samples on either side of an onset beyond which the label is zero; 0.25 s
        at 100 Hz.
    :return: Shape (records, 3, samples): none, P, S, which add to one unless P and S overlap.
    """
    onsets = np.asarray(onsets, dtype=np.float64)[..., None]
    distance = np.arange(samples) - onsets
    inside = (onsets >= 0) & (onsets < samples) & (np.abs(distance) <= half_width)
    phases = np.where(inside, np.exp(-np.square(distance) / (2 * sigma**2)), 0.0)
    none = np.clip(1 - phases.sum(axis=1, keepdims=True), 0, 1)
    return np.concatenate([none, phases], axis=1).astype(np.float32)


def polarity_classes(polarity: list[str]) -> np.ndarray:
    """
    One-hot classes (up, down) of first motions.

    :param polarity: ``U`` or ``D`` per record.
    :return: Shape (records, 2).
    :raises ValueError: For any other letter; select records with a polarity first.
    """
    unknown = sorted(set(polarity) - {"U", "D"})
    if unknown:
        raise ValueError(f"Polarities are U or D, not {', '.join(map(str, unknown))}.")
    return np.array([[p == "U", p == "D"] for p in polarity], dtype=np.float32).reshape(-1, 2)
