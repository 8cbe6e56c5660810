"""Pairing of P and S picks, and detections of whole earthquakes from them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import zip_longest

from seisbench.util import Detection, Pick

# End of a detection after S, as a part of S minus P: that of the labels which EQTransformer learns
# (Mousavi and others 2020).
CODA = 1.4


def pair(picks: Sequence, max_sp_time: float = 60.0) -> list[tuple[int, int | None]]:
    """
    Pair each P with an S at the same trace id.

    The S of a P is the first S after it, within ``max_sp_time`` and before the next P. Each S
    therefore has at most one P. The first S is taken rather than the most probable one. If a P was
    missed, the most probable S may belong to the next event. In benchmarks/quality/monitor.py, 7 of
    119 pairs would be wrong with the most probable S; with the first S, one is wrong.

    :param picks: Picks of SeisBench, in any order.
    :param max_sp_time: Largest time between P and S in s.
    :return: Index of each P, in order of time, and index of its S or None.
    """
    groups = defaultdict(list)
    for index, pick in enumerate(picks):
        if pick.phase in ("P", "S"):
            groups[pick.trace_id].append(index)
    partners = {}
    for group in groups.values():
        onset = None
        # An S at the same sample as a P is sorted first, because it is not after the P.
        for index in sorted(group, key=lambda i: (picks[i].peak_time, picks[i].phase != "S")):
            if picks[index].phase == "P":
                onset = index
                partners[onset] = None
            elif onset is not None and partners[onset] is None:
                if picks[index].peak_time - picks[onset].peak_time <= max_sp_time:
                    partners[onset] = index
    return sorted(partners.items(), key=lambda item: (picks[item[0]].peak_time, item[0]))


def to_the_coda(detections: Sequence[Detection], picks: Sequence[Pick]) -> list[Detection]:
    """
    Detections with one for each P and its S, from P to the end of the coda.

    The end is 1.4 times S minus P after S, but not after the next P. Detections of a P or an S
    alone stay as they are.

    :param detections: Detections of a curve that is the larger of P and S: one at each onset.
    :param picks: Picks of the same curves.
    """
    groups: dict[str, list[Detection]] = defaultdict(list)
    for found in sorted(detections, key=lambda found: found.start_time):
        groups[found.trace_id].append(found)
    onsets: dict[str, list[tuple[Pick, Pick | None]]] = defaultdict(list)
    for first, second in pair(picks):
        partner = None if second is None else picks[second]
        onsets[picks[first].trace_id].append((picks[first], partner))
    whole = []
    for name, group in groups.items():
        starts = [found.start_time for found in group]
        replaced: set[int] = set()
        for (p, s), after in zip_longest(onsets[name], onsets[name][1:]):
            if s is None:
                continue
            places = [bisect_right(starts, pick.peak_time) - 1 for pick in (p, s)]
            parts = [
                place
                for place, pick in zip(places, (p, s), strict=True)
                if place >= 0 and pick.peak_time <= group[place].end_time
            ]
            # Neither of them reaches the threshold of detections.
            if not parts:
                continue
            replaced.update(parts)
            begin = group[parts[0]].start_time if parts[0] == places[0] else p.start_time
            end = s.peak_time + CODA * (s.peak_time - p.peak_time)
            end = end if after is None else min(end, after[0].peak_time)
            highest = max(group[place].peak_value for place in parts)
            whole.append(Detection(name, begin, end, peak_value=highest))
        whole += [found for place, found in enumerate(group) if place not in replaced]
    return whole
