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
    Picks and detections of an annotated stream, sorted by time.

    A pick lies at a peak that reaches the phase's threshold. It starts and ends where the curve
    passes half the threshold. ``pick.time_uncertainty`` is the value of
    :py:func:`time_uncertainty`, ``pick.instrument`` is the instrument code, and the trace id is the
    :py:attr:`~seisbench_llm.trace_ids.TraceId.pick_id`.

    :return: Output with ``picks``, ``detections`` and ``skipped``, the list of left-out data.
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

    # SeisBench's ordering of picks is not transitive.
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
    Uncertainty of a pick's time as a function of its probability.

    On records like those of the calibration, about 68 % of the errors against analysts' picks are
    within it and 95 % within twice this value.

    :param calibration: The argument ``calibration`` of ``classify``. ``P`` and ``S`` are the
        uncertainties in seconds at a probability of one. They are divided by the probability to the
        power ``P_power`` or ``S_power``.
    :param phase: P or S.
    :param probability: Height of the peak.
    :return: Uncertainty in seconds, None without a calibration for the phase.

    >>> time_uncertainty({"P": 0.05, "P_power": 1}, "P", 0.5)
    0.1
    """
    if not calibration or phase not in calibration:
        return None
    return calibration[phase] * probability ** -calibration.get(f"{phase}_power", 0)


def pick_id(annotation: obspy.Trace) -> str:
    """Trace id of the picks of an annotation."""
    place = TraceId.of(annotation)[:3]
    return InstrumentId(*place, annotation.stats.get("instrument", "")).pick_id


def peaks(
    trace: obspy.Trace, trace_id: str, phase: str, level: float, separation: float
) -> list[Pick]:
    """Peaks of one probability curve as picks."""
    rate, start = trace.stats.sampling_rate, trace.stats.starttime
    # With a zero on either side, a maximum at the edge is a peak.
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
    Peaks that remain after the smaller of two close peaks is dropped.

    :param indices: Sorted samples of the peaks. Neighbouring samples are not allowed.
    :param heights: Heights of the peaks. The later of two equal peaks is kept. With the argument
        ``distance`` of :py:func:`scipy.signal.find_peaks` this would depend on the length of the
        curve.
    :param distance: Smallest distance in samples.
    """
    if not len(indices):
        return indices
    # A zero is added on either side, because find_peaks does not find peaks at the first and last
    # sample.
    ranks = np.zeros(indices[-1] + 3)
    ranks[1 + indices[np.lexsort((indices, heights))]] = np.arange(1, len(indices) + 1)
    return find_peaks(ranks, height=0.5, distance=distance)[0] - 1


def separate(picks: list[Pick], separation: float) -> list[Pick]:
    """Drop the smaller of two close picks, also across the parts of a trace."""
    kept: list[Pick] = []
    times: list[int] = []
    # Times are compared to a microsecond, because times of samples are rounded to nanoseconds.
    closest = round(separation * 1e9) - 1000
    # The later of two equal picks is kept, whatever the order of the parts of a trace.
    for pick in sorted(picks, key=lambda pick: (-pick.peak_value, -pick.peak_time.ns)):
        time = pick.peak_time.ns
        at = bisect_left(times, time)
        near = times[max(at - 1, 0) : at + 1]
        if all(abs(time - other) >= closest for other in near):
            times.insert(at, time)
            kept.append(pick)
    return kept
