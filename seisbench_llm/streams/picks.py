"""Picks and detections from probability curves."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import obspy
from scipy.signal import find_peaks
from seisbench.models import WaveformModel
from seisbench.util import ClassifyOutput, Detection, DetectionList, Pick, PickList

from ..trace_ids import InstrumentId, TraceId
from .arguments import Arguments
from .pairing import to_the_coda
from .skipped import SkippedList
from .spans import ranges


def classify_picks(
    model: WaveformModel, annotations: obspy.Stream, arguments: Arguments
) -> ClassifyOutput:
    """
    Picks and detections of an annotated stream, sorted by time.

    A pick lies at a peak that reaches the phase's threshold. It starts and ends where the curve
    passes half the threshold. ``pick.time_uncertainty`` is the value of
    :py:func:`time_uncertainty`, ``pick.instrument`` is the instrument code, and the trace id is the
    :py:attr:`~seisbench_llm.trace_ids.TraceId.pick_id`.

    A detection of a P and its S is that of
    :py:func:`~seisbench_llm.streams.pairing.to_the_coda`, unless the model has a trained
    curve of detections.

    :return: Output with ``picks``, ``detections`` and ``skipped``, the list of left-out data.
    """
    picks = []
    for phase in ("P", "S"):
        curves = defaultdict(list)
        for trace in annotations.select(channel=f"{model.name}_{phase}"):
            curves[pick_id(trace)].append(trace)
        for name, traces in curves.items():
            level, apart_s = arguments.threshold(phase), arguments.min_separation
            picks.extend(peaks(traces, name, phase, level, apart_s, arguments.calibration))

    detections = DetectionList()
    level = arguments.threshold("detection")
    for trace in annotations.select(channel=f"{model.name}_Detection"):
        detections.extend(_detections(trace, level))

    # SeisBench's ordering of picks is not transitive.
    picks.sort(key=lambda pick: (pick.peak_time, pick.trace_id, pick.phase))
    if "Detection" not in model.labels:
        detections = DetectionList(to_the_coda(detections, picks))
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
    traces: list[obspy.Trace],
    trace_id: str,
    phase: str,
    level: float,
    min_separation: float,
    calibration: Mapping[str, float] | None = None,
) -> list[Pick]:
    """
    Picks of a probability curve.

    :param traces: The curve's parts, one for each piece of data. Peaks of all parts are compared
        with each other at once: a peak that gives way to one of another part displaces nothing.
    :param level: Threshold.
    :param min_separation: Least time between two peaks in seconds.
    :param calibration: See :py:func:`time_uncertainty`.
    """
    found, heights, times = [], [], []
    distance, origin = 0, traces[0].stats.starttime.ns
    # Parts may be centuries apart if a clock was at zero. 64 bits hold 292 years of nanoseconds.
    far = any(abs(trace.stats.starttime.ns - origin) > 2**62 for trace in traces)
    unit = 1000 if far else 1
    for trace in traces:
        rate, start = trace.stats.sampling_rate, (trace.stats.starttime.ns - origin) // unit
        curve = np.asarray(trace.data)
        found.append(_peaks(curve, level))
        indices = found[-1][:, 1]
        heights.append(np.nan_to_num(curve[indices]))
        times.append(start + np.rint(indices * (1e9 / rate / unit)).astype(np.int64))
        # Of whole samples, and to a microsecond, as times of samples are rounded to nanoseconds.
        distance = round(max(1, round(min_separation * rate)) * 1e9 / rate / unit) - 1000 // unit
    kept = apart(np.concatenate(times), np.concatenate(heights), distance)
    at, picks = 0, []
    for trace, of_part, values in zip(traces, found, heights, strict=True):
        keep = kept[at : at + len(of_part)]
        at += len(of_part)
        rate, start = trace.stats.sampling_rate, trace.stats.starttime
        for place, value in zip(of_part[keep].tolist(), values[keep].tolist(), strict=True):
            begin, peak, end = (start + index / rate for index in place)
            pick = Pick(
                trace_id=trace_id,
                start_time=begin,
                end_time=end,
                peak_time=peak,
                peak_value=value,
                phase=phase,
            )
            pick.instrument = trace.stats.get("instrument", "")
            pick.time_uncertainty = time_uncertainty(calibration, phase, value)
            picks.append(pick)
    return picks


def _peaks(curve: np.ndarray, level: float) -> np.ndarray:
    """
    Peaks of a part of a curve.

    What this needs beside the curve grows with the samples above half the threshold, which are few,
    and not with the curve's length.

    :return: One row per peak, ``(peaks, 3)``: the first sample of the range above half the
        threshold, the peak, and the range's last sample.
    """
    rows = [np.empty((0, 3), np.int64)]
    # In double precision, as the level is no number of single precision.
    for first, last in ranges(curve, lambda x: ~(np.nan_to_num(x).astype(float) < level / 2)):
        run = curve[first:last]
        if np.fmax.reduce(run) < level:
            continue
        # A zero on either side makes a maximum at the very edge a peak, too. Elsewhere, what is
        # beside a run is lower than the run as well.
        padded = np.concatenate([[0.0], np.nan_to_num(run), [0.0]])
        peaks = find_peaks(padded, height=max(level, 1e-6))[0] + (first - 1)
        rows.append(np.stack([np.full_like(peaks, first), peaks, np.full_like(peaks, last - 1)], 1))
    return np.concatenate(rows)


def _detections(trace: obspy.Trace, level: float) -> Iterator[Detection]:
    """
    Detections of a curve, from where it reaches the threshold to where it falls below half of it.

    SeisBench's ``detections_from_annotations`` finds the same and needs 40 bytes for each sample.
    """
    rate, start = trace.stats.sampling_rate, trace.stats.starttime
    for first, last in ranges(trace.data, lambda x: x >= level / 2):
        run = trace.data[first:last]
        highest = run.max()
        if highest < level:
            continue
        on = first + int(np.argmax(run >= level))
        yield Detection(
            trace_id=pick_id(trace),
            start_time=start + on / rate,
            end_time=start + (last - 1) / rate,
            peak_value=highest,
        )


def apart(places: np.ndarray, heights: np.ndarray, distance: int) -> np.ndarray:
    """
    Which peaks remain after the smaller of two close peaks is dropped, beginning with the highest.

    :param places: Whole numbers, such as nanoseconds, in any order.
    :param heights: Heights of the peaks. The later of two equal peaks is kept. With the argument
        ``distance`` of :py:func:`scipy.signal.find_peaks` this would depend on the length of the
        curve.
    :param distance: Smallest distance.
    :return: Whether each is kept.
    """
    kept = np.ones(len(places), bool)
    order = np.argsort(places, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(places[order]) >= distance) + 1):
        if len(group) < 2:
            continue
        taken: list[int] = []
        for index in group[np.lexsort((places[group], heights[group]))][::-1].tolist():
            place = int(places[index])
            at = bisect_left(taken, place)
            near = taken[max(at - 1, 0) : at + 1]
            kept[index] = all(abs(place - other) >= distance for other in near)
            if kept[index]:
                taken.insert(at, place)
    return kept


def separate(picks: list[Pick], separation: float) -> list[Pick]:
    """
    Drop the smaller of two close picks.

    :param separation: Smallest distance in seconds.
    """
    # Nanoseconds from the first one, as those of the year 3000 need more than 64 bits.
    times = [pick.peak_time.ns - picks[0].peak_time.ns for pick in picks]
    heights = np.array([pick.peak_value for pick in picks], float)
    # To a microsecond, as times of samples are rounded to nanoseconds.
    kept = apart(np.array(times, np.int64), heights, round(separation * 1e9) - 1000)
    return [pick for pick, keep in zip(picks, kept, strict=True) if keep]
