"""S minus P at P onsets, from picks or by a picker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from functools import lru_cache
from itertools import chain, repeat

import numpy as np
import obspy
from seisbench.models import WaveformModel

from ..trace_ids import station_of
from .onsets import Onset, onsets_of
from .skipped import unsaid
from .spans import union
from .textbook import sp_epicentral_distance

# Longest S minus P in seconds, of S that are given and of those that are picked here, and seconds
# before P that a picker needs for its filter and window.
MAX_SP_S, MAX_PICKED_SP_S, BEFORE_S = 60.0, 120.0, 30.0
# S picks within this time in s after P are ignored, as are further P picks.
MIN_SP_S = 0.1
# Where P is known, an S is likely, so that a lower probability than the usual will do. Distances by
# S minus P are shorter than those by the network by SHORTER, or longer by LONGER (scatter of the
# natural logarithm), and near the source by km, due to the depth. An S of another earthquake is one
# whose probability times the agreement is below LEAST_SCORE. The numbers were chosen on dev_sichuan
# and on held-out events of the training's own regions (benchmarks/quality/s_of_distances.py), but
# for LONGER, which makes no difference there: the network's answers for distant earthquakes are far
# too small.
S_THRESHOLD, SHORTER, LONGER, NEAR_KM, LEAST_SCORE = 0.1, 0.6, 1.0, 3.0, 0.03
# How many times as fast the picker sees the waveforms. Pickers learn mostly from near and small
# earthquakes, and large or distant ones look like these when they are played fast: their waves have
# low frequencies, and S comes late. The speeds were chosen on the same records.
SPEEDS = (1, 2, 4, 8)
# Seconds between S picks at different speeds that are the same S.
SAME_S = 0.5


def sp_times(
    model: WaveformModel,
    stream: obspy.Stream,
    onsets: list[Onset],
    picks: list,
    s_picker: str | None,
    distances: Sequence[float] = (),
) -> list[float | None]:
    """
    S minus P in s for each onset, None where there is no S.

    Candidates for the S of a P lie between it and the next P of its station, and at most a minute
    after it. Of given S, the S is the first candidate that is at least half as probable as the most
    probable one. If S are picked here, the picker sees the waveforms at several speeds, candidates
    lie at most two minutes after P, and the S is the candidate of the highest probability times the
    agreement of its distance with the network's, unless they disagree by far.

    :param model: Model whose class loads the picker.
    :param stream: Waveforms, for the picker; not changed.
    :param onsets: P onsets.
    :param picks: Picks that may contain S. If they do not, S are picked.
    :param s_picker: Name of a weight that picks S, or None.
    :param distances: Epicentral distance of each onset in km by the network, for S that are picked
        here. By default, or where it is nan, only their probabilities count.
    """
    given = onsets_of(picks, "S")
    found, choose, longest = {1: (onsets, given)}, _first_likely, MAX_SP_S
    if not given and s_picker is not None and onsets:
        picker, near = _load(type(model), s_picker), _near(stream, onsets)
        # This thread may already run the event loop of the classify call that needs the S. The
        # other one has the same context, so that its warnings are joined with the others.
        with ThreadPoolExecutor(1) as executor:
            run = copy_context().run
            picked = {k: executor.submit(run, _picked, picker, near, k) for k in SPEEDS}
        results = {k: one.result() for k, one in picked.items()}
        found = {k: ([*onsets, *p], s) for k, (p, s) in results.items()}
        choose, longest = _best, MAX_PICKED_SP_S
    candidates: list[list[tuple[float, float]]] = [[] for _ in onsets]
    for speed, (others, later) in found.items():
        p, s = _by_site(others), _by_site(later)
        for onset, its in zip(onsets, candidates, strict=True):
            its += _after(onset, p[_site(onset)], s[_site(onset)], speed, longest)
    return [
        choose(c, d) for c, d in zip(candidates, chain(distances, repeat(np.nan)), strict=False)
    ]


def _after(
    onset: Onset, p: list[Onset], s: list[Onset], speed: int, longest: float
) -> list[tuple[float, float]]:
    """Seconds after an onset, and probability, of S that may be its own."""
    # The faster, the less certain are times: a P a second later may be the onset itself.
    least = speed * MIN_SP_S
    following = [one.time for one in p if one.time - onset.time > 10 * least]
    earliest, end = onset.time + least, min([*following, onset.time + longest])
    return [(one.time - onset.time, _probability(one)) for one in s if earliest < one.time <= end]


def _picked(
    picker: WaveformModel, stream: obspy.Stream, speed: int
) -> tuple[list[Onset], list[Onset]]:
    """P and S of a picker that sees a stream several times as fast."""
    origin = min((trace.stats.starttime for trace in stream), default=obspy.UTCDateTime(0))
    played = obspy.Stream()
    for trace in stream:
        header = trace.stats.copy()
        header.sampling_rate *= speed
        header.starttime = origin + (header.starttime - origin) / speed
        played += obspy.Trace(trace.data, header)
    # At another speed, messages about left-out data would have wrong times.
    with nullcontext() if speed == 1 else unsaid():
        picks = picker.classify(played, S_threshold=S_THRESHOLD).picks
    p, s = (
        [replace(one, time=origin + (one.time - origin) * speed) for one in onsets_of(picks, phase)]
        for phase in "PS"
    )
    return p, s


def _first_likely(candidates: list[tuple[float, float]], distance: float) -> float | None:
    enough = max((probability for _, probability in candidates), default=0) / 2
    return min((time for time, probability in candidates if probability >= enough), default=None)


def _best(candidates: list[tuple[float, float]], distance: float) -> float | None:
    def score(candidate: tuple[float, float]) -> float:
        time, probability = candidate
        if not np.isfinite(distance):
            return probability
        ratio = (sp_epicentral_distance(time)[0] + NEAR_KM) / (max(distance, 0) + NEAR_KM)
        scatter = LONGER if ratio > 1 else SHORTER
        return probability * np.exp(-np.square(np.log(ratio) / scatter) / 2)

    best = max(candidates, key=score, default=None)
    if best is None or score(best) < LEAST_SCORE:
        return None
    # Candidates are in the order of the speeds. The slowest tells the time best.
    return next(time for time, _ in candidates if abs(time - best[0]) <= SAME_S)


def _probability(onset: Onset) -> float:
    return getattr(onset.pick, "peak_value", None) or 0.0


def _site(onset: Onset) -> str:
    return station_of(onset.trace_id)


def _by_site(onsets: list[Onset]) -> dict[str, list[Onset]]:
    sites = defaultdict(list)
    for onset in onsets:
        sites[_site(onset)].append(onset)
    return sites


def _near(stream: obspy.Stream, onsets: list[Onset]) -> obspy.Stream:
    """The part of a stream around onsets, at their stations. Samples are not copied."""
    spans = defaultdict(list)
    for onset in onsets:
        span = (onset.time - BEFORE_S, onset.time + MAX_PICKED_SP_S + BEFORE_S)
        spans[_site(onset)].append(span)
    near = obspy.Stream()
    for trace in stream:
        for start, end in union(spans.get(station_of(trace.id), []), 0):
            near += obspy.Stream([trace]).slice(start, end)
    return near


@lru_cache(maxsize=4)
def _load(cls: type[WaveformModel], name: str) -> WaveformModel:
    return cls.from_pretrained(name)
