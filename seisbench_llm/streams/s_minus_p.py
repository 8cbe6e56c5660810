"""S minus P at P onsets, from picks or by a picker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, partial
from itertools import chain, repeat

import numpy as np
import obspy
from seisbench.models import WaveformModel

from ..trace_ids import station_of
from .onsets import Onset, onsets_of
from .spans import union
from .textbook import sp_epicentral_distance

# Longest S minus P in seconds, and seconds before P that a picker needs for its filter and window.
MAX_SP_S, BEFORE_S = 60.0, 30.0
# S picks within this time in s after P are ignored, as are further P picks.
MIN_SP_S = 0.1
# Where P is known, an S is likely, so that a lower probability than the usual will do. Distances by
# S minus P and by the network scatter about each other by SCATTER (natural logarithm), and near the
# source by km, due to the depth. An S of another earthquake is one whose probability times the
# agreement is below LEAST_SCORE. The numbers were chosen on dev_sichuan and on held-out events of
# the training's own regions (benchmarks/quality/s_of_distances.py).
S_THRESHOLD, SCATTER, NEAR_KM, LEAST_SCORE = 0.1, 0.6, 3.0, 0.03


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

    Candidates for the S of a P lie within a minute after it and before the next P of its station.
    Of given S, the S is the first candidate that is at least half as probable as the most probable
    one. If S are picked here, it is the candidate of the highest probability times the agreement
    of its distance with the network's, unless they disagree by far.

    :param model: Model whose class loads the picker.
    :param stream: Waveforms, for the picker; not changed.
    :param onsets: P onsets.
    :param picks: Picks that may contain S. If they do not, S are picked.
    :param s_picker: Name of a weight that picks S, or None.
    :param distances: Epicentral distance of each onset in km by the network, for S that are picked
        here. By default, or where it is nan, only their probabilities count.
    """
    given = onsets_of(picks, "S")
    others, choose = onsets, _first_likely
    if not given and s_picker is not None and onsets:
        picker = _load(type(model), s_picker)
        # This thread may already run the event loop of the classify call that needs the S.
        with ThreadPoolExecutor(1) as executor:
            # It runs in the same context, so that its warnings are joined with the others.
            run, near = copy_context().run, _near(stream, onsets)
            pick = partial(picker.classify, near, S_threshold=S_THRESHOLD)
            found = executor.submit(run, pick).result().picks
        choose = _best
        given = onsets_of(found, "S")
        others = [*onsets, *onsets_of(found, "P")]
    p_times, s_picks = defaultdict(list), defaultdict(list)
    for onset in others:
        p_times[_site(onset)].append(onset.time)
    for onset in given:
        s_picks[_site(onset)].append(onset)
    times = []
    for onset, distance in zip(onsets, chain(distances, repeat(np.nan)), strict=False):
        later = [t for t in p_times[_site(onset)] if t - onset.time > 10 * MIN_SP_S]
        end = min([*later, onset.time + MAX_SP_S])
        earliest = onset.time + MIN_SP_S
        fit = [s for s in s_picks[_site(onset)] if earliest < s.time <= end]
        times.append(choose([(s.time - onset.time, _probability(s)) for s in fit], distance))
    return times


def _first_likely(candidates: list[tuple[float, float]], distance: float) -> float | None:
    enough = max((probability for _, probability in candidates), default=0) / 2
    return min((time for time, probability in candidates if probability >= enough), default=None)


def _best(candidates: list[tuple[float, float]], distance: float) -> float | None:
    def score(candidate: tuple[float, float]) -> float:
        time, probability = candidate
        if not np.isfinite(distance):
            return probability
        ratio = (sp_epicentral_distance(time)[0] + NEAR_KM) / (max(distance, 0) + NEAR_KM)
        return probability * np.exp(-np.square(np.log(ratio) / SCATTER) / 2)

    best = max(candidates, key=score, default=None)
    return None if best is None or score(best) < LEAST_SCORE else best[0]


def _probability(onset: Onset) -> float:
    return getattr(onset.pick, "peak_value", None) or 0.0


def _site(onset: Onset) -> str:
    return station_of(onset.trace_id)


def _near(stream: obspy.Stream, onsets: list[Onset]) -> obspy.Stream:
    """The part of a stream around onsets, at their stations. Samples are not copied."""
    spans = defaultdict(list)
    for onset in onsets:
        spans[_site(onset)].append((onset.time - BEFORE_S, onset.time + MAX_SP_S + BEFORE_S))
    near = obspy.Stream()
    for trace in stream:
        for start, end in union(spans.get(station_of(trace.id), []), 0):
            near += obspy.Stream([trace]).slice(start, end)
    return near


@lru_cache(maxsize=4)
def _load(cls: type[WaveformModel], name: str) -> WaveformModel:
    return cls.from_pretrained(name)
