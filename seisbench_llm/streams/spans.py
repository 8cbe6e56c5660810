"""Spans of time or samples with data."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import obspy

Span = tuple[obspy.UTCDateTime, obspy.UTCDateTime]

# Number of samples that are checked together.
BLOCK = 1 << 20


def union(spans: Iterable[Span], largest_gap: float) -> list[Span]:
    """Sorted time spans, joined where the gap between them is at most ``largest_gap`` seconds."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= largest_gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def data_spans(traces: Iterable, rate: float) -> list[Span]:
    """
    Time spans in which at least one of several traces or records has data.

    :param rate: Samples per second. Spans less than one and a half samples apart are joined.
    """
    return union([(t.stats.starttime, t.stats.endtime) for t in traces], 1.5 / rate)


def missing(spans: list[Span], covered: Iterable[Span], delta: float) -> list[Span]:
    """
    The parts of sorted, disjoint time spans that other spans do not cover.

    :param delta: Sampling interval in s. Shorter parts are left out.
    """
    holes, covered, at = [], union(covered, 1.5 * delta), 0
    for start, end in spans:
        reached = start - delta
        while at < len(covered) and covered[at][1] < start:
            at += 1
        for index in range(at, len(covered)):
            first, last = covered[index]
            if first > end:
                break
            # Answers a hop apart need not begin with the span. Times are rounded to microseconds.
            if first - reached > 2 * delta - 1e-6:
                holes.append((reached + delta, first - delta))
            reached = last
        if end - reached > 1.5 * delta:
            holes.append((reached + delta, end))
    return holes


def ranges(
    data: np.ndarray, good: Callable[[np.ndarray], np.ndarray], gap: int = 0
) -> list[tuple[int, int]]:
    """
    Ranges of samples for which a condition holds: first sample, and one after the last.

    :param good: Says for each of at most :py:data:`BLOCK` samples whether it holds, so that what it
        needs does not grow with the data.
    :param gap: Ranges with at most this many samples between them are joined.
    """
    found: list[tuple[int, int]] = []
    for at in range(0, len(data), BLOCK):
        there = good(data[at : at + BLOCK])
        edges = np.flatnonzero(np.diff(there.astype(np.int8), prepend=0, append=0)) + at
        for first, last in edges.reshape(-1, 2).tolist():
            if found and first - found[-1][1] <= gap:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
    return found


def finite_ranges(data: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of samples that are finite and not masked: first sample, and one after the last."""
    if not np.ma.is_masked(data) and np.issubdtype(data.dtype, np.integer):
        return [(0, len(data))]
    return ranges(data, lambda x: np.isfinite(np.ma.getdata(x)) & ~np.ma.getmaskarray(x))
