"""
Picks matched with those of analysts, and the figures that follow: F1, false picks per hour.

Peaks at least 1 s apart are matched one to one with the analysts' picks. False picks are counted
within 10 s of a pick, as records can hold other events.
"""

from __future__ import annotations

import numpy as np
import obspy
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, logit

from benchmarks.common.records import AnalystRecord

THRESHOLDS = np.round(np.arange(0.02, 0.96, 0.02), 2)
DEFAULT_THRESHOLD = 0.3
# Largest residuals of a hit in seconds.
TOLERANCES = (0.5, 0.1)
# Seconds; a peak that is farther from a pick is not that of the same onset.
SAME_ONSET = 1.0
# Seconds about a pick within which a record is known.
NEAR_PICK_SECONDS = 10.0


def true_picks(record: AnalystRecord, phase: str) -> np.ndarray:
    """Picks of the analyst in seconds from the start of the stream."""
    start = min(trace.stats.starttime for trace in record.stream)
    return np.array([time - start for time in record.picks[phase]])


def match(times: np.ndarray, picks: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Which analysts' picks are missed, and which picks near one of them are false.

    :param times: Seconds, shape (found,).
    :param picks: Seconds, shape (true,).
    :return: Two masks, (true,) and (found,).
    """
    away = np.abs(times[:, None] - picks[None])
    rows, columns = linear_sum_assignment(np.where(away <= tolerance, away, 1e3))
    hit = away[rows, columns] <= tolerance
    missed, false = np.ones(picks.size, bool), (away <= NEAR_PICK_SECONDS).any(axis=1)
    missed[columns[hit]], false[rows[hit]] = False, False
    return missed, false


def count(peaks: np.ndarray, picks: np.ndarray, tolerance: float, level: float) -> np.ndarray:
    """
    Hits, false picks and misses of one record and phase.

    :param peaks: Rows of (seconds, probability).
    :param picks: Seconds.
    :param tolerance: Largest residual of a hit in seconds.
    :param level: Least probability.
    """
    missed, false = match(peaks[peaks[:, 1] >= level, 0], picks, tolerance)
    return np.array([np.sum(~missed), false.sum(), missed.sum()])


def f1(counts: np.ndarray) -> np.ndarray:
    """
    F1 of hits, false picks and misses along the last axis; zero without hits.

    >>> float(f1(np.array([8, 1, 3])))
    0.8
    """
    hits, false, misses = np.moveaxis(np.asarray(counts, float), -1, 0)
    return 2 * hits / np.maximum(2 * hits + false + misses, 1e-9)


def counts_by_threshold(
    found: list[dict], records: list[AnalystRecord], phase: str, tolerance: float
) -> np.ndarray:
    """
    Hits, false picks and misses, shape (thresholds, records, 3).

    :param found: Peaks by phase of each record.
    """
    picks = [true_picks(record, phase) for record in records]
    return np.array(
        [
            [
                count(peaks[phase], truth, tolerance, level)
                for peaks, truth in zip(found, picks, strict=True)
            ]
            for level in THRESHOLDS
        ]
    )


def score(found: list[dict], records: list[AnalystRecord], phase: str, tolerance: float) -> dict:
    """F1 per set at the threshold that is best over all sets, and at 0.3."""
    counts = counts_by_threshold(found, records, phase, tolerance)
    names = np.array([record.dataset for record in records])
    best = int(np.argmax(f1(counts.sum(axis=1))))
    result = {"threshold": float(THRESHOLDS[best])}
    default = int(np.argmin(np.abs(THRESHOLDS - DEFAULT_THRESHOLD)))
    for key, level in (("best", best), ("at 0.3", default)):
        groups = {name: names == name for name in dict.fromkeys(names)}
        groups["all"] = np.ones(len(names), bool)
        result[key] = {
            name: round(float(f1(counts[level, rows].sum(axis=0))), 3)
            for name, rows in groups.items()
        }
    result["picks"] = {
        name: int(counts[0, names == name][:, [0, 2]].sum()) for name in dict.fromkeys(names)
    }
    return result


def mirrored(stream: obspy.Stream, seconds: float = 90.0) -> obspy.Stream:
    """A record followed by its mirror image, repeated to a given length."""
    out = stream.copy()
    for trace in out:
        data = np.concatenate([trace.data, trace.data[::-1]])
        samples = round(seconds * trace.stats.sampling_rate)
        trace.data = np.tile(data, -(-samples // data.size))[:samples]
    return out


def hours(streams: list[obspy.Stream]) -> float:
    """Length of all streams together."""
    return sum(max(t.stats.npts * t.stats.delta for t in stream) for stream in streams) / 3600


def outcomes(found: list[dict], truth: list, phase: str, tolerance: float = 0.5) -> np.ndarray:
    """
    Rows of (probability of a peak, whether there is a pick within the tolerance).

    Only peaks near an analyst's pick count, as records can hold other events.

    :param found: Peaks by phase of each record.
    :param truth: Times of the analyst's picks, of :py:func:`true_picks`.
    """
    rows = []
    for peaks, picks in zip(found, truth, strict=True):
        if picks.size:
            away = np.abs(peaks[phase][:, :1] - picks).min(axis=1)
            rows.append(
                np.stack([peaks[phase][:, 1], away <= tolerance], 1)[away <= NEAR_PICK_SECONDS]
            )
    return np.concatenate(rows) if rows else np.zeros((0, 2))


def residuals(
    found: list[dict], truth: list, phase: str, scale: float = 1.0, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Seconds between peaks and analysts' picks, and the probabilities of the peaks.

    :param scale: Of the logits, with ``shift``: what turns peaks into calibrated probabilities.
    :return: Of the peak next to each pick, if it is that of the same onset and is a pick.
    """
    rows = []
    for peaks, picks in zip(found, truth, strict=True):
        for time in picks if len(peaks[phase]) else ():
            at, height = peaks[phase][np.abs(peaks[phase][:, 0] - time).argmin()]
            rows.append((at - time, height))
    away, height = np.array(rows).reshape(-1, 2).T
    height = expit(scale * logit(np.clip(height, 1e-6, 1 - 1e-6)) + shift)
    kept = (np.abs(away) <= SAME_ONSET) & (height >= DEFAULT_THRESHOLD)
    return away[kept], height[kept]
