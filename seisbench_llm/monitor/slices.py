"""
Slices of time in which picks are associated, and events at the seams between them.

Slices lie on one grid of times, counted from 1970. The events of a slice depend only on the picks
in its window, which extends into the neighbouring slices. The same event is found in both slices at
a seam, sometimes with other picks. Both slices are compared there, and each event is kept once. A
catalogue is therefore the same wherever picks are cut into blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import pandas as pd
from obspy.geodetics import locations2degrees

from ..stations import Station

# Origin times of the same event in two slices differ by less than this, in s.
SEAM = 15.0

# What is left of the picks of an event may fit a second one. Within 3 s, that one lies no farther
# off than a P travels in this time, with a margin for badly constrained places. In km.
TWIN_KM = 50.0
KM_PER_DEGREE = 111.19

# Lengths in s that divide a day.
LENGTHS = (1800, 3600, 7200, 14400, 21600, 43200, 86400)

MICRO = 1_000_000


class Member(NamedTuple):
    """
    Pick of an event.

    :param row: Which pick it is.
    :param trace_id: Trace id.
    :param phase: P or S.
    :param us: Time in microseconds since 1970.
    :param uncertainty: Uncertainty in s, nan if unknown.
    :param station: NET.STA.
    :param place: Coordinates of the station.
    """

    row: int
    trace_id: str
    phase: str
    us: int
    uncertainty: float
    station: str
    place: Station


@dataclass(frozen=True)
class Candidate:
    """
    An event as PyOcto finds it in a slice.

    :param us: Origin time in microseconds since 1970.
    :param latitude: Latitude in degrees.
    :param longitude: Longitude in degrees.
    :param at_edge: Whether it is at a limit of the search.
    :param picks: Its picks in order of time.
    """

    us: int
    latitude: float
    longitude: float
    at_edge: bool
    picks: tuple[Member, ...]


class Slices:
    """
    A grid of slices.

    :param travel: Longest travel time in the network in s.
    """

    def __init__(self, travel: float):
        # An event is then near one seam only.
        shortest = 4 * (travel + SEAM)
        self.travel = travel
        self.length = next((n for n in LENGTHS if n >= shortest), LENGTHS[-1])
        # Events beside those that count need all their picks. They would lend them otherwise.
        self.before = travel + 2 * SEAM
        self.after = 2 * (travel + SEAM)

    @property
    def span(self) -> float:
        """Length of the window of a slice in s."""
        return self.before + self.length + self.after

    def number(self, us: int) -> int:
        """Number of the slice that holds a time in microseconds since 1970."""
        return us // (self.length * MICRO)

    def window(self, number: int) -> tuple[int, int]:
        """First and last microsecond of the picks that determine a slice."""
        start = number * self.length * MICRO
        return start - round(self.before * MICRO), start + round((self.length + self.after) * MICRO)

    def holds(self, number: int, us: int) -> bool:
        """Whether an origin time is in a slice or near one of its seams."""
        since = us - number * self.length * MICRO
        return -SEAM * MICRO <= since < (self.length + SEAM) * MICRO

    def needed(self, first_us: int, last_us: int) -> range:
        """Slices in which picks from a first to a last time may have their event."""
        earliest = first_us - round((self.travel + SEAM) * MICRO)
        return range(self.number(earliest), self.number(last_us + round(SEAM * MICRO)) + 1)


def window_of(picks: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    """
    Picks from a start to before a stop.

    :param picks: Picks in order of time, with their time in microseconds in ``us``.
    """
    first, last = picks["us"].searchsorted([start, stop])
    return picks.iloc[first:last]


def settled(
    numbers: range, find: Callable[[int], list[Candidate]], slices: Slices, settings: Mapping
) -> Iterator[list[Candidate]]:
    """
    Events of consecutive slices. No pick is in two of them.

    The slice before and the slice after are looked at, too, because they decide about the seams.

    :param numbers: Numbers of the slices.
    :param find: Function that returns the candidates of a slice.
    :param settings: Arguments of PyOcto.
    """
    if not len(numbers):
        return
    earlier = find(numbers[0] - 1)
    for number in range(numbers[0], numbers[-1] + 2):
        earlier, later = settle(earlier, find(number), number, slices, settings)
        if number > numbers[0]:
            yield earlier
        earlier = later


def settle(
    earlier: list[Candidate],
    later: list[Candidate],
    number: int,
    slices: Slices,
    settings: Mapping,
) -> tuple[list[Candidate], list[Candidate]]:
    """
    Candidates of two slices after each pick and each moment has been given to one event.

    Events with more picks come first. An event that shares more than PyOcto's ``max_pick_overlap``
    picks with earlier ones, or is a twin of one, is the same. Otherwise it loses the shared picks
    and is kept if enough remain.

    :param earlier: Candidates of the slice before the seam.
    :param later: Candidates of the slice after it.
    :param number: Number of the later slice.
    """
    seam = number * slices.length * MICRO
    half = slices.length * MICRO // 2
    near = [(c, 0) for c in earlier if c.us >= seam - half]
    near += [(c, 1) for c in later if c.us < seam + half]
    kept = [
        [c for c in earlier if c.us < seam - half],
        [c for c in later if c.us >= seam + half],
    ]
    taken: set[int] = set()
    for candidate, side in sorted(near, key=_first_come):
        own = tuple(pick for pick in candidate.picks if pick.row not in taken)
        shared = len(candidate.picks) - len(own)
        if (
            shared <= settings["max_pick_overlap"]
            and enough(own, settings)
            and not any(_twins(candidate, other, settings) for other in kept[1 - side])
        ):
            kept[side].append(replace(candidate, picks=own))
            taken.update(pick.row for pick in own)
    return sorted(kept[0], key=_in_time), sorted(kept[1], key=_in_time)


def without_twins(candidates: list[Candidate], settings: Mapping) -> list[Candidate]:
    """
    The candidates of a slice without those that are close to one with more picks.

    PyOcto would leave out every event within ``min_interevent_time`` of another, even one at the
    other end of the network.
    """
    kept: list[Candidate] = []
    for candidate, _ in sorted(((c, 0) for c in candidates), key=_first_come):
        if not any(_twins(candidate, other, settings) for other in kept):
            kept.append(candidate)
    return sorted(kept, key=_in_time)


def _twins(one: Candidate, other: Candidate, settings: Mapping) -> bool:
    """Whether two events are closer in time and space than two real ones."""
    if abs(one.us - other.us) > settings["min_interevent_time"] * MICRO:
        return False
    degrees = locations2degrees(one.latitude, one.longitude, other.latitude, other.longitude)
    return degrees * KM_PER_DEGREE < TWIN_KM


def _first_come(entry: tuple[Candidate, int]) -> tuple:
    candidate, side = entry
    return -len(candidate.picks), candidate.us, candidate.picks[0].row, side


def _in_time(candidate: Candidate) -> tuple:
    return candidate.us, candidate.picks[0].row


def enough(picks: tuple[Member, ...], settings: Mapping) -> bool:
    """Whether picks are enough for an event by the arguments of PyOcto."""
    p, s = ({pick.station for pick in picks if pick.phase == phase} for phase in "PS")
    return (
        len(picks) >= settings["n_picks"]
        and len(p) >= settings["n_p_picks"]
        and len(s) >= settings["n_s_picks"]
        and len(p & s) >= settings["n_p_and_s_picks"]
    )
