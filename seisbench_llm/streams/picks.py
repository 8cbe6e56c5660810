"""From probability curves to picks and detections."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import obspy
from scipy.signal import find_peaks
from seisbench.util import ClassifyOutput, DetectionList, Pick, PickList

from ..trace_ids import location_id
from .arguments import argument, threshold

if TYPE_CHECKING:
    from ..models.seismollm import SeisMoLLM


def classify_picks(model: SeisMoLLM, annotations: obspy.Stream, argdict: dict) -> ClassifyOutput:
    """
    Picks and detections of an annotated stream, in the order of their times.

    A pick lies at a peak of at least the phase's threshold; it starts and ends where the curve
    passes half the threshold. The trace id is NET.STA.LOC, as in SeisBench, or NET.STA.LOC.HH
    where several instruments share a location.
    """
    separation = argument(model, argdict, "min_separation")
    names = trace_ids(annotations)
    picks = []
    for phase in ("P", "S"):
        candidates = defaultdict(list)
        for trace in annotations.select(channel=f"{model.name}_{phase}"):
            name = names[location_id(trace), trace.stats.get("instrument", "")]
            level = threshold(model, argdict, phase)
            candidates[name].extend(peaks(trace, name, phase, level, separation))
        for found in candidates.values():
            picks.extend(separate(found, separation))

    detections = DetectionList()
    for trace in annotations.select(channel=f"{model.name}_Detection"):
        name = names[location_id(trace), trace.stats.get("instrument", "")]
        found = model.detections_from_annotations([trace], threshold(model, argdict, "detection"))
        for detection in found:
            detection.trace_id = name
        detections.extend(found)

    # SeisBench's own ordering of picks is not transitive.
    picks.sort(key=lambda pick: (pick.peak_time, pick.trace_id, pick.phase))
    detections.sort(key=lambda found: (found.start_time, found.trace_id))
    return ClassifyOutput(model.name, picks=PickList(picks), detections=detections)


def trace_ids(annotations: obspy.Stream) -> dict[tuple[str, str], str]:
    """(NET.STA.LOC, instrument) -> the shortest id that tells the instruments apart."""
    instruments = defaultdict(set)
    for trace in annotations:
        instruments[location_id(trace)].add(trace.stats.get("instrument", ""))
    return {
        (location, code): f"{location}.{code}" if len(codes) > 1 else location
        for location, codes in instruments.items()
        for code in codes
    }


def peaks(
    trace: obspy.Trace, trace_id: str, phase: str, level: float, separation: float
) -> list[Pick]:
    """Picks of one probability curve."""
    rate, start = trace.stats.sampling_rate, trace.stats.starttime
    # A zero on either side makes a maximum at the very edge a peak, too.
    curve = np.concatenate([[0.0], np.nan_to_num(trace.data), [0.0]])
    distance = max(1, round(separation * rate))
    indices, _ = find_peaks(curve, height=max(level, 1e-6), distance=distance)
    low = np.concatenate([np.flatnonzero(curve < level / 2), [curve.size - 1]])
    picks = []
    for index in indices:
        right = np.searchsorted(low, index)
        first = low[right - 1] + 1 if right else 1
        last = max(low[right] - 1, index)
        picks.append(
            Pick(
                trace_id=trace_id,
                start_time=start + (min(first, index) - 1) / rate,
                end_time=start + (last - 1) / rate,
                peak_time=start + (index - 1) / rate,
                peak_value=float(curve[index]),
                phase=phase,
            )
        )
    return picks


def separate(picks: list[Pick], separation: float) -> list[Pick]:
    """Drop the smaller of two picks that are too close, also across the parts of a trace."""
    kept: list[Pick] = []
    times: list[float] = []
    # Of equal ones the first, however the parts of a trace are ordered.
    for pick in sorted(picks, key=lambda pick: (-pick.peak_value, pick.peak_time.ns)):
        time = pick.peak_time.timestamp
        at = bisect_left(times, time)
        near = times[max(at - 1, 0) : at + 1]
        if all(abs(time - other) >= separation for other in near):
            times.insert(at, time)
            kept.append(pick)
    return kept
