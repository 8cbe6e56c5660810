"""
Muting of annotations where a component sets in while others run.

No component ever sets in within the windows that models are trained on, so that they take the step
from silence to noise for an onset: on continuous records, false P and S lie within 0.1 s of it,
and none where a component ends or after gaps of half a second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import obspy

from .contiguous import ContiguousRecord
from .spans import union

# Seconds from the start of a component within which a peak is not believed.
REACH_S = 0.15

# Seconds of silence before it that make a start.
SILENCE_S = 1.0

# Seconds before it from which on another component must run.
RUN_UP_S = 0.5

# A lobe ends where the probability rises by this much again, or after so many samples.
RISE = 0.1
LOBE_SAMPLES = 1000


def component_starts(records: Iterable[ContiguousRecord]) -> list[obspy.UTCDateTime]:
    """
    Times at which a component sets in while another one of the instrument runs.

    :param records: Records of one instrument.
    """
    components = defaultdict(list)
    for record in records:
        stats = record.stats
        components[stats.channel].append((stats.starttime, stats.endtime))
    starts = []
    for component, spans in components.items():
        others = [s for other, of in components.items() if other != component for s in of]
        others = union(others, 0.0)
        reached = None
        for start, end in sorted(spans):
            silent = reached is None or start - reached >= SILENCE_S
            if silent:
                run_up = (start - RUN_UP_S).ns
                before = bisect_right(others, run_up, key=lambda span: span[0].ns)
                if before and others[before - 1][1] >= start:
                    starts.append(start)
            reached = end if reached is None else max(reached, end)
    return sorted(starts)


def mute_starts(annotation: obspy.Trace, starts: Iterable[obspy.UTCDateTime]) -> None:
    """Set the lobes of a probability curve that peak where a component sets in to zero."""
    stats = annotation.stats
    places = [(start - stats.starttime) * stats.sampling_rate for start in starts]
    mute_places(annotation.data, places, stats.sampling_rate)


def mute_places(curve: np.ndarray, places: Iterable[float], rate: float) -> None:
    """
    The same as :py:func:`mute_starts`, for samples.

    :param curve: Probabilities, changed in place; NaN where there are none.
    :param places: Samples at which a component sets in, with fractions, sorted. They may lie
        outside of the curve.
    :param rate: Samples per second.
    """
    reach = REACH_S * rate
    for at in places:
        first, last = max(0, round(at - reach)), min(len(curve), round(at + reach) + 1)
        for peak in range(first, last):
            # Comparisons with nan are false.
            beside = curve[max(0, peak - 1) : peak + 2]
            if curve[peak] > 0 and not np.any(beside > curve[peak]):
                begin, end = peak - _slope(curve[:peak][::-1]), peak + 1 + _slope(curve[peak + 1 :])
                lobe = curve[begin:end]
                lobe[np.isfinite(lobe)] = 0


def _slope(curve: np.ndarray) -> int:
    """Number of samples until a curve rises again, or ends."""
    curve = curve[:LOBE_SAMPLES]
    lowest = np.fmin.accumulate(curve)
    rising = np.flatnonzero(curve > lowest + RISE)
    if not len(rising):
        return len(lowest)
    # Back to the bottom between the two lobes.
    return int(np.nanargmin(curve[: rising[0]])) if rising[0] else 0
