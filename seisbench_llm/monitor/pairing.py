"""Pairing of P and S picks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


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
