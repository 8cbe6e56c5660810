"""S minus P at P onsets, from picks or by a picker."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache

import obspy
from seisbench.models import WaveformModel

from ..trace_ids import station_of
from .onsets import Onset, onsets_of
from .spans import union

# Longest S minus P in seconds, and seconds before P that a picker needs for its filter and window.
MAX_SP_S, BEFORE_S = 60.0, 30.0
# S picks within this time in s after P are ignored, as are further P picks.
MIN_SP_S = 0.1


def sp_times(
    model: WaveformModel,
    stream: obspy.Stream,
    onsets: list[Onset],
    picks: list,
    s_picker: str | None,
) -> list[float | None]:
    """
    S minus P in s for each onset, None where there is no S.

    Candidates for the S of a P lie within a minute after it and before the next P of its station.
    The S is the first candidate that is at least half as probable as the most probable one.

    :param model: Model whose class loads the picker.
    :param stream: Waveforms, for the picker; not changed.
    :param onsets: P onsets.
    :param picks: Picks that may contain S. If they do not, S are picked.
    :param s_picker: Name of a weight that picks S, or None.
    """
    given = onsets_of(picks, "S")
    others = onsets
    if not given and s_picker is not None and onsets:
        picker = _load(type(model), s_picker)
        # This thread may already run the event loop of the classify call that needs the S.
        with ThreadPoolExecutor(1) as executor:
            # It runs in the same context, so that its warnings are joined with the others.
            run, near = copy_context().run, _near(stream, onsets)
            found = executor.submit(run, picker.classify, near).result().picks
        given = onsets_of(found, "S")
        others = [*onsets, *onsets_of(found, "P")]
    p_times, s_picks = defaultdict(list), defaultdict(list)
    for onset in others:
        p_times[_site(onset)].append(onset.time)
    for onset in given:
        s_picks[_site(onset)].append(onset)
    times = []
    for onset in onsets:
        later = [t for t in p_times[_site(onset)] if t - onset.time > 10 * MIN_SP_S]
        end = min([*later, onset.time + MAX_SP_S])
        earliest = onset.time + MIN_SP_S
        fit = [s for s in s_picks[_site(onset)] if earliest < s.time <= end]
        enough = max(map(_probability, fit), default=0) / 2
        likely = (s.time - onset.time for s in fit if _probability(s) >= enough)
        times.append(min(likely, default=None))
    return times


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
