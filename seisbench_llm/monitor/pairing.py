"""Pairing of P and S picks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def pair(picks: Sequence, max_sp_time: float = 60.0) -> list[tuple[int, int | None]]:
    """
    Pair each P with an S at the same trace id.

    The S of a P is the first one that comes after it, within ``max_sp_time`` and before the next
    P. So each S has at most one P, and one that follows no P has none. The first, not the most
    probable one: where a P was missed, that would be of the next event (in
    benchmarks/quality/monitor.py, 7 of 119 pairs would be wrong, and one is).

    :param picks: Picks of SeisBench, in any order.
    :return: Index of each P, in the order of time, and of its S or None.
    """
    groups = defaultdict(list)
    for index, pick in enumerate(picks):
        if pick.phase in ("P", "S"):
            groups[pick.trace_id].append(index)
    partners = {}
    for group in groups.values():
        onset = None
        # S before P of the same sample, which is not after it.
        for index in sorted(group, key=lambda i: (picks[i].peak_time, picks[i].phase != "S")):
            if picks[index].phase == "P":
                onset = index
                partners[onset] = None
            elif onset is not None and partners[onset] is None:
                if picks[index].peak_time - picks[onset].peak_time <= max_sp_time:
                    partners[onset] = index
    return sorted(partners.items(), key=lambda item: (picks[item[0]].peak_time, item[0]))
