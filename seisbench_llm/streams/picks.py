"""Picks and detections from probability curves."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import obspy
from scipy.signal import find_peaks
from seisbench.models import WaveformModel
from seisbench.util import ClassifyOutput, DetectionList, Pick, PickList

from ..trace_ids import InstrumentId, TraceId
from .arguments import Arguments
from .skipped import SkippedList


def classify_picks(
    model: WaveformModel, annotations: obspy.Stream, arguments: Arguments
) -> ClassifyOutput:
    """
    Picks and detections of an annotated stream, in the order of their times.

    A pick lies at a peak of at least the phase's threshold; it starts and ends where the curve
    passes half the threshold. ``pick.time_uncertainty`` is that of :py:func:`time_uncertainty`,
    ``pick.instrument`` the code of the instrument, and the trace id its
    :py:attr:`seisbench_llm.trace_ids.TraceId.pick_id`.

    :return: ``picks``, ``detections`` and ``skipped``, what was left out of the stream.
    """
    separation, calibration = arguments.min_separation, arguments.calibration
    picks = []
    for phase in ("P", "S"):
        candidates = defaultdict(list)
        level = arguments.threshold(phase)
        for trace in annotations.select(channel=f"{model.name}_{phase}"):
            name = pick_id(trace)
            found = peaks(trace, name, phase, level, separation)
            for pick in found:
                pick.instrument = trace.stats.get("instrument", "")
                pick.time_uncertainty = time_uncertainty(calibration, phase, pick.peak_value)
            candidates[name].extend(found)
        for of_name in candidates.values():
            picks.extend(separate(of_name, separation))

    detections = DetectionList()
    level = arguments.threshold("detection")
    for trace in annotations.select(channel=f"{model.name}_Detection"):
        found = model.detections_from_annotations([trace], level)
        for detection in found:
            detection.trace_id = pick_id(trace)
        detections.extend(found)

    # SeisBench's own ordering of picks is not transitive.
    picks.sort(key=lambda pick: (pick.peak_time, pick.trace_id, pick.phase))
    detections.sort(key=lambda found: (found.start_time, found.trace_id))
    return ClassifyOutput(
        model.name,
        picks=PickList(picks),
        detections=detections,
        skipped=getattr(annotations, "skipped", SkippedList()),
    )


def time_uncertainty(
    calibration: Mapping[str, float] | None, phase: str, probability: float
) -> float | None:
    """
    How wrong the time of a pick may be, from how probable it is.

    On records like those that the calibration was fitted to, 68 % of the errors against analysts'
    picks are within it and 95 % within two, as near as could be.

    :param calibration: ``P`` and ``S``, the uncertainty in seconds at a probability of one, and
        ``P_power`` and ``S_power``: it is that value over the probability to this power. The
        argument ``calibration`` of ``classify``.
    :param phase: P or S.
    :param probability: Height of the peak.
    :return: Seconds, None without a calibration for the phase.

    >>> time_uncertainty({"P": 0.05, "P_power": 1}, "P", 0.5)
    0.1
    """
    if not calibration or phase not in calibration:
        return None
    return calibration[phase] * probability ** -calibration.get(f"{phase}_power", 0)


def pick_id(annotation: obspy.Trace) -> str:
    """Name of the picks of an annotation."""
    place = TraceId.of(annotation)[:3]
    return InstrumentId(*place, annotation.stats.get("instrument", "")).pick_id


def peaks(
    trace: obspy.Trace, trace_id: str, phase: str, level: float, separation: float
) -> list[Pick]:
    """Picks of one probability curve."""
    rate, start = trace.stats.sampling_rate, trace.stats.starttime
    # A zero on either side makes a maximum at the very edge a peak, too.
    curve = np.concatenate([[0.0], np.nan_to_num(trace.data), [0.0]])
    indices, _ = find_peaks(curve, height=max(level, 1e-6))
    indices = apart(indices, curve[indices], max(1, round(separation * rate)))
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


def apart(indices: np.ndarray, heights: np.ndarray, distance: int) -> np.ndarray:
    """
    The peaks that are left if of two that are too close the smaller is dropped.

    :param indices: Samples of the peaks, sorted, none beside another.
    :param heights: Their heights; of equal ones the later peak is kept. The argument ``distance``
        of :py:func:`scipy.signal.find_peaks` itself leaves that to the length of the curve.
    :param distance: Smallest distance in samples.
    """
    if not len(indices):
        return indices
    # With a zero on either side, as the first and the last sample are no peaks.
    ranks = np.zeros(indices[-1] + 3)
    ranks[1 + indices[np.lexsort((indices, heights))]] = np.arange(1, len(indices) + 1)
    return find_peaks(ranks, height=0.5, distance=distance)[0] - 1


def separate(picks: list[Pick], separation: float) -> list[Pick]:
    """Drop the smaller of two picks that are too close, also across the parts of a trace."""
    kept: list[Pick] = []
    times: list[int] = []
    # To a microsecond, as times of samples are rounded to nanoseconds.
    closest = round(separation * 1e9) - 1000
    # Of equal ones the later, however the parts of a trace are ordered.
    for pick in sorted(picks, key=lambda pick: (-pick.peak_value, -pick.peak_time.ns)):
        time = pick.peak_time.ns
        at = bisect_left(times, time)
        near = times[max(at - 1, 0) : at + 1]
        if all(abs(time - other) >= closest for other in near):
            times.insert(at, time)
            kept.append(pick)
    return kept
