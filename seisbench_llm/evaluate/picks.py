"""Matching of picks with labelled onsets, and which picks are judged."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.signal import find_peaks

SEPARATION = 1.0
"""Least time between two picks of a phase in seconds, as published."""

LABELLED_MARGIN = 2.0
"""Seconds before the first and after the last labelled onset within which picks are judged."""

UNSURE_WIDTH = 1.0
"""Seconds around an arrival that may or may not be there within which picks are not judged."""


def picks_of(curve: np.ndarray, threshold: float, sampling_rate: float) -> np.ndarray:
    """
    Sample numbers of the peaks of a curve.

    :param curve: Probabilities, shape (samples,).
    :param threshold: Lowest height of a peak.
    :param sampling_rate: Hz.
    """
    distance = max(1, round(SEPARATION * sampling_rate))
    return find_peaks(curve, height=threshold, distance=distance)[0]


def matched(onsets: Iterable[float], picks: Iterable[float], most: float) -> dict[int, float]:
    """
    Pairs of onsets and picks, the nearest first. Each is in at most one pair.

    :param onsets: Sample numbers.
    :param picks: Sample numbers.
    :param most: Largest distance of a pair in samples.
    :return: Number of the pick -> pick minus onset.
    """
    onsets, picks = np.asarray(list(onsets), float), np.asarray(list(picks), float)
    residual = picks[:, None] - onsets
    found, used = {}, set()
    for flat in np.argsort(np.abs(residual), axis=None, kind="stable"):
        pick, onset = divmod(int(flat), len(onsets))
        if abs(residual[pick, onset]) > most:
            break
        if pick not in found and onset not in used:
            found[pick] = float(residual[pick, onset])
            used.add(onset)
    return found


def judged(
    picks: np.ndarray,
    labelled: np.ndarray,
    unsure: np.ndarray,
    complete: bool,
    unlabelled: bool,
    sampling_rate: float,
) -> np.ndarray:
    """
    Whether picks without a labelled onset count as false.

    If analysts have labelled one event of a record, picks of aftershocks in the same window are
    right but have no label. Unless all onsets are known, only picks between the first and the last
    labelled onset of the window, and shortly before and after them, are therefore judged.

    :param picks: Sample numbers of the picks of one phase.
    :param labelled: Sample numbers of all labelled onsets of the window, of both phases.
    :param unsure: Doubtful arrivals of this phase. Picks near them are not judged.
    :param complete: Whether all onsets of the window are labelled, as in noise.
    :param unlabelled: Whether nobody has looked for this phase.
    :param sampling_rate: Hz.
    """
    margin, width = LABELLED_MARGIN * sampling_rate, UNSURE_WIDTH * sampling_rate
    if unlabelled or not (complete or len(labelled)):
        return np.zeros(len(picks), dtype=bool)
    result = np.ones(len(picks), dtype=bool)
    if not complete:
        result = (picks >= labelled.min() - margin) & (picks <= labelled.max() + margin)
    for at in unsure:
        result &= np.abs(picks - at) >= width
    return result


def format_numbers(values: Iterable[float]) -> str:
    """Numbers as text for a cell of a table, such as ``120 4031.5``."""
    return " ".join(f"{float(value):.10g}" for value in values)


def parse_numbers(cell) -> list[float]:
    """
    Numbers of a cell that :py:func:`format_numbers` wrote, also after reading it from a file.

    >>> parse_numbers("120 4031.5"), parse_numbers(120), parse_numbers(float("nan"))
    ([120.0, 4031.5], [120.0], [])
    """
    if isinstance(cell, str):
        return [float(part) for part in cell.split()]
    return [] if np.isnan(cell) else [float(cell)]
