"""
Muting of annotations where a component begins while others are already running.

In training windows, no component begins later than others. Models therefore take the step from
silence to noise for an onset. On continuous records, such false P and S lie within 0.1 s of the
step. There are none where a component ends, or after gaps of half a second.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import obspy

from .contiguous import ContiguousRecord
from .spans import union

# Peaks within this many seconds of the start of a component are not believed.
REACH_S = 0.15

# A start follows at least this many seconds of silence.
SILENCE_S = 1.0

# Another component has to run since at least this many seconds before the start.
RUN_UP_S = 0.5

# A lobe ends where the probability rises by this much again, or after this number of samples.
RISE = 0.1
LOBE_SAMPLES = 1000


def component_starts(records: Iterable[ContiguousRecord]) -> list[obspy.UTCDateTime]:
    """
    Times at which a component begins while another component of the instrument is running.

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
    """Set lobes of a probability curve to zero if they peak where a component begins."""
    stats = annotation.stats
    places = [(start - stats.starttime) * stats.sampling_rate for start in starts]
    mute_places(annotation.data, places, stats.sampling_rate)


def mute_places(curve: np.ndarray, places: Iterable[float], rate: float) -> None:
    """
    :py:func:`mute_starts` for samples.

    :param curve: Probabilities, nan where there are none. They are changed in place.
    :param places: Sorted samples, with fractions, at which a component begins. They may lie outside
        the curve.
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
    # Go back to the minimum between the two lobes.
    return int(np.nanargmin(curve[: rising[0]])) if rising[0] else 0
