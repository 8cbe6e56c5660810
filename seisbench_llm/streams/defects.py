"""Defects of a record that would suppress nearby picks: filled gaps and corrupt samples."""

from __future__ import annotations

import numpy as np

from .contiguous import ContiguousRecord
from .skipped import Skipped, SkippedList
from .spans import BLOCK, union

# Zeros for at least this many seconds are a filled gap, if the data beside them are not near zero.
FILLED_S = 0.5

# A filled gap is at least this many standard deviations (of one second beside it) away from the
# data.
_FILLED_STEP = 5.0

# No recorder writes counts as large as this. Only records that exceed it are searched for corrupt
# samples, which are this many times larger than the median.
_SUSPICIOUS_PEAK = 1e10
_CORRUPT_RATIO = 1e6

# The network computes in single precision, and normalisation squares the samples.
_MAX_AMPLITUDE = 1e34


def without_defects(record: ContiguousRecord, skipped: SkippedList) -> list[ContiguousRecord]:
    """The parts of a record between filled gaps and corrupt samples."""
    stats = record.stats
    spans = []
    for first, last in _zero_runs(record, max(2, round(FILLED_S * stats.sampling_rate))):
        second = max(2, round(stats.sampling_rate))
        beside = [record.read(max(0, first - second), first)]
        beside.append(record.read(last, min(stats.npts, last + second)))
        if is_filled(beside):
            spans.append((first, last, "a gap was filled with zeros, far from the data beside it"))
    if record.peak > _SUSPICIOUS_PEAK:
        data = np.abs(record.read(0, stats.npts))
        typical = np.median(data[data > 0]) if data.any() else 0.0
        corrupt = np.flatnonzero(data / _CORRUPT_RATIO > typical)
        if len(corrupt):
            cause = f"its samples are more than {_CORRUPT_RATIO:g} times as large as the others"
            groups = np.split(corrupt, np.flatnonzero(np.diff(corrupt) > 1) + 1)
            spans += [(int(group[0]), int(group[-1]) + 1, cause) for group in groups]
    times = []
    for first, last, cause in spans:
        start = stats.starttime + first * stats.delta
        times.append((start, start + (last - first - 1) * stats.delta))
        skipped.append(Skipped(record.id, *times[-1], cause))
    kept = []
    for part in record.outside(union(times, 1.5 * stats.delta)):
        # This also holds if the peak is nan.
        if not part.peak <= _MAX_AMPLITUDE:
            skipped.add(
                part, f"its samples exceed {_MAX_AMPLITUDE:g}, which single precision cannot hold"
            )
        else:
            kept.append(part)
    return kept


def is_filled(beside: list[np.ndarray]) -> bool:
    """
    Whether zeros are a filled gap.

    :param beside: Samples of one second before and after the zeros, as far as there are any.
    """
    # Of the largest sample, as squares of large ones may overflow.
    beside = [data / (np.abs(data).max() or 1) for data in beside if len(data) > 1]
    return bool(beside) and all(abs(d.mean()) > _FILLED_STEP * d.std() > 0 for d in beside)


def may_have_defects(data: np.ndarray, rate: float) -> bool:
    """
    Whether a record may have defects. This check is cheap.

    :param data: Samples, finite.
    :param rate: Samples per second.
    """
    zeros = len(data) - np.count_nonzero(data)
    largest = max(abs(float(data.min())), abs(float(data.max())))
    return zeros >= max(2, round(FILLED_S * rate)) or largest > _SUSPICIOUS_PEAK / 2


def _zero_runs(record: ContiguousRecord, shortest: int) -> list[tuple[int, int]]:
    """Runs of zeros: first sample, and one after the last."""
    runs: list[tuple[int, int]] = []
    for offset, data in record._pieces:
        for at in range(0, len(data), BLOCK):
            zero = data[at : at + BLOCK] == 0
            # This is cheap, because most records have few zeros or none.
            if not zero.any():
                continue
            edges = np.flatnonzero(np.diff(zero.astype(np.int8), prepend=0, append=0))
            for first, last in (edges.reshape(-1, 2) + offset + at).tolist():
                if runs and runs[-1][1] == first:
                    runs[-1] = (runs[-1][0], last)
                else:
                    runs.append((first, last))
    return [(first, last) for first, last in runs if last - first >= shortest]
