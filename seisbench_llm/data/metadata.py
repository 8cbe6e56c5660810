"""What a network shall answer, from the metadata of a record."""

import re
from functools import lru_cache

import numpy as np

_POLARITY = {
    **dict.fromkeys(("u", "up", "positive", "c"), "U"),
    **dict.fromkeys(("d", "down", "negative", "r"), "D"),
}


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


def polarity_letter(polarity) -> str | None:
    """
    ``U`` or ``D`` of a first motion, None if it is neither.

    :param polarity: U, up, positive or C (compression) against D, down, negative or R
        (rarefaction), in any case.
    """
    return _POLARITY.get(str(polarity).strip().lower())


def polarity_classes(polarity: list[str]) -> np.ndarray:
    """
    One-hot classes (up, down) of first motions.

    :param polarity: Polarities as :py:func:`polarity_letter` understands them.
    :return: Shape (records, 2).
    :raises ValueError: For anything else; select records with a polarity first.
    """
    letters = [polarity_letter(p) for p in polarity]
    unknown = sorted({str(p) for p, found in zip(polarity, letters, strict=True) if not found})
    if unknown:
        raise ValueError(f"Polarities are U or D, not {', '.join(unknown)}.")
    return np.array([[p == "U", p == "D"] for p in letters], dtype=np.float32).reshape(-1, 2)


@lru_cache(maxsize=1024)
def phase_of(column: str) -> str | None:
    """
    Wave type, ``P`` or ``S``, of a metadata column of onsets; None for any other column.

    Columns are those that SeisBench's labellers find, ``trace_<phase>_arrival_sample``. The wave
    type is that of the last leg: PmP, Pn, sP and p2 are P; SmS, Sg, pS and s are S.
    """
    match = re.fullmatch(r"trace_(.+)_arrival_sample", column)
    if match is None or match[1][0] not in "pPsS":
        return None
    if re.fullmatch(r"[ps][ngb]?\d*", match[1], re.IGNORECASE):
        return match[1][0].upper()
    legs = re.findall("[PS]", match[1])
    return legs[-1] if legs else None


def event_of(column: str) -> int:
    """Number of the event that a column of onsets belongs to: 2 for ``p2``, 1 without a number."""
    digits = re.search(r"(\d+)_arrival_sample$", column)
    return int(digits[1]) if digits else 1


def onsets_of(metadata: dict, phase: str | None = None) -> dict[str, float]:
    """
    Known onsets of a record.

    :param metadata: One record's metadata.
    :param phase: ``P`` or ``S``; both by default.
    :return: Column to sample, without those that are missing.
    """
    wanted = (phase,) if phase else ("P", "S")
    columns = (c for c in metadata if isinstance(c, str) and phase_of(c) in wanted)
    found = {c: sample_number(metadata[c]) for c in columns}
    return {column: onset for column, onset in found.items() if np.isfinite(onset)}


def sample_number(value) -> float:
    """A metadata value as a number, nan if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def is_true(value) -> bool:
    """Whether a metadata value is a yes, be it read as a number, a text or a truth value."""
    return str(value).strip().lower() in ("true", "1", "1.0")
