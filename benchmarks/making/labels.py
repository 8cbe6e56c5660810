"""
Labels of a record: the analyst's picks, completed by those of a published picker.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import obspy

from benchmarks.common.pickers import Picker
from benchmarks.common.records import AnalystRecord

RATE = 100.0
# Probabilities of the teacher from which a pick is one, may be one, and below which is silence.
ADDED_FROM, UNSURE_FROM, SILENT_BELOW = 0.6, 0.15, 0.1
# Half width in seconds of what trace_p_unsure_sample stands for.
UNSURE_SECONDS = 1.0
Pick = tuple[float, str]  # sample at RATE, phase
Teacher = Callable[[obspy.Stream, float], list[tuple[obspy.UTCDateTime, str, float]]]


def load_teacher(weights: Path) -> Teacher:
    """PhaseNet as a function from stream and threshold to (time, phase, probability)."""
    picker = Picker.load("phasenet/original", weights)

    def find(stream: obspy.Stream, threshold: float):
        found = picker.classify(stream, P_threshold=threshold, S_threshold=threshold)
        return [(pick.peak_time, pick.phase, pick.peak_value) for pick in found]

    return find


def time_span(stream: obspy.Stream) -> tuple[obspy.UTCDateTime, obspy.UTCDateTime]:
    """First and last time of a stream."""
    times = [(trace.stats.starttime, trace.stats.endtime) for trace in stream]
    return min(start for start, _ in times), max(end for _, end in times)


def picks_of(record: AnalystRecord, teacher: Teacher) -> tuple[list[Pick], list[Pick], list[Pick]]:
    """Picks of the analyst and of the teacher, and places where there may be a pick."""
    start = time_span(record.stream)[0]
    own = [((t - start) * RATE, phase) for phase in "PS" for t in record.picks[phase]]
    unsure = []
    for phase, entries in record.doubtful.items():
        for time, width in entries:
            spare = max(width - UNSURE_SECONDS, 0)
            for mark in np.linspace(-spare, spare, 1 + int(np.ceil(spare / UNSURE_SECONDS))):
                unsure.append(((time - start + mark) * RATE, phase))
    added: list[Pick] = []
    for time, phase, value in [] if record.split == "test" else teacher(record.stream, UNSURE_FROM):
        at = (time - start) * RATE
        # The teacher and the analyst may differ about one and the same onset.
        if any(phase == other and abs(at - sample) < 50 for sample, other in own + added):
            continue
        (added if value >= ADDED_FROM else unsure).append((at, phase))
    return own, added, unsure


def events_of(picks: list[Pick]) -> list[dict[str, float]]:
    """Picks by event: an S belongs to the last P before it that has none, if within a minute."""
    events: list[dict[str, float]] = []
    for at, phase in sorted(picks):
        free = [e for e in events if "S" not in e and at - e["P"] < 60 * RATE]
        if phase == "S" and free:
            free[-1]["S"] = at
        else:
            events.append({phase: at})
    return events


def adopt(event: dict[str, float], added: list[Pick], origin: float) -> list[Pick]:
    """
    Complete the analyst's event by a pick of the teacher that belongs to it.

    Records can hold further events, so only a pick counts whose travel time is to that of the
    analyst's pick as speeds of P and S are. Changes ``event``.

    :param origin: Sample of the origin time, nan if not known. Returns the other picks.
    """
    for phase, other in ("PS", "SP"):
        if phase in event or other not in event:
            continue
        for pick in added:
            at = {other: event[other], phase: pick[0]}
            ratio = (at["S"] - origin) / (at["P"] - origin)
            if pick[1] == phase and at["P"] > origin and 1.6 < ratio < 1.9:
                event[phase] = pick[0]
                return [p for p in added if p is not pick]
    return added


def label_columns(events: list[dict], unsure: list[Pick], samples: int) -> dict[str, float]:
    """Metadata columns of the picks that lie within the record; the first event has no number."""
    columns = {}
    for number, event in enumerate(events, start=1):
        for phase, at in event.items():
            if 0 <= at < samples:
                columns[_column(phase, number, "arrival")] = round(at, 2)
    for phase in "PS":
        inside = sorted(at for at, other in unsure if other == phase and 0 <= at < samples)
        for number, at in enumerate(inside, start=1):
            columns[_column(phase, number, "unsure")] = round(at, 2)
    return columns


def _column(phase: str, number: int, kind: str) -> str:
    return f"trace_{phase.lower()}{number if number > 1 else ''}_{kind}_sample"
