"""Association slice by slice: wherever picks are cut, the events are the same."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.monitor.association import DEFAULTS, Associator, associate
from seisbench_llm.monitor.sites import Sites, first_places
from seisbench_llm.monitor.slices import MICRO, SEAM, Candidate, Member, Slices, settle, window_of
from seisbench_llm.stations import Station, Stations
from tests.helpers.catalogue import DAY, make_catalogue, match
from tests.helpers.monitor import (
    MEDIUM,
    NETWORK,
    NO_ERRORS,
    START,
    VP,
    VP_VS,
    make_pick,
    picks_of,
)

pytest.importorskip("pyocto")

DAYS = 0.25


@pytest.fixture(scope="module")
def whole():
    """Associator, picks, numbers of the slices, and the candidates of one pass."""
    # Events all over, every half an hour at a seam, and swarms that overlap there.
    at = [1800 * k + shift for k in range(1, 11) for shift in (-4.0, 0.0, 5.0)[: 1 + k % 3]]
    at += list(np.random.default_rng(2).uniform(0, DAYS * DAY, 15))
    _, table = make_catalogue(0, DAYS, noise=150, seed=3, at=at)
    prepared = Sites(Stations.read(NETWORK)).prepare(table)
    associator = Associator(first_places(prepared), VP, VP_VS)
    us = prepared["us"]
    numbers = associator.slices.needed(us.iloc[0], us.iloc[-1])
    return associator, prepared, numbers, find(associator, prepared, numbers)


def find(associator, picks, numbers):
    windows = associator.find(numbers, lambda start, stop: window_of(picks, start, stop))
    return [candidate for of_slice in windows for candidate in of_slice]


@pytest.mark.parametrize("seed", range(3))
def test_the_events_are_the_same_wherever_the_cuts_are(whole, seed):
    associator, picks, numbers, expected = whole
    assert len(expected) > 25
    rng = np.random.default_rng(seed)
    edges = sorted(rng.choice(numbers[1:], 2 + 3 * seed, replace=False))
    found = []
    for first, stop in pairwise([numbers[0], *map(int, edges), numbers[-1] + 1]):
        # Only the picks near the block are there.
        start, end = associator.slices.window(first - 1)[0], associator.slices.window(stop)[1]
        found += find(associator, window_of(picks, start, end), range(first, stop))
    # Unknown uncertainties are nan.
    assert list(map(repr, found)) == list(map(repr, expected))


def test_no_pick_has_two_events(whole):
    rows = [pick.row for candidate in whole[3] for pick in candidate.picks]
    assert len(rows) == len(set(rows))


def test_events_at_seams_are_found_once():
    """Origins at all distances from a seam, and with their picks on both sides of it."""
    at = [1800 * (k + 3) + shift for k, shift in enumerate(np.arange(-40, 40, 5.0))]
    sources, table = make_catalogue(0, noise=0, at=at)
    errors = {"layers": MEDIUM, "errors": NO_ERRORS}
    events, _ = associate(table, Stations.read(NETWORK), VP, VP_VS, **errors)
    assert match(events, sources) == (len(sources), 0)


def test_events_at_one_time_far_from_each_other():
    """PyOcto alone keeps one of them; what is left of the picks of one event is no second one."""
    east = NETWORK.assign(id=NETWORK["id"] + "E", longitude=NETWORK["longitude"] + 2)
    both = pd.concat([NETWORK, east], ignore_index=True)
    west = (50.05, 10.1, 8.0, START + 600)
    picks = picks_of(*west, stations=NETWORK)
    picks += picks_of(49.95, 12.0, 10.0, START + 601, stations=east)
    events, _ = associate(picks, Stations.read(both), VP, VP_VS)
    assert list(events["longitude"].round(1)) == [10.1, 12.0]
    # A reflection: a second onset of each phase 2 s after the first one.
    late = [make_pick(p.trace_id, p.phase, p.peak_time + 2, 0.5) for p in picks_of(*west)]
    events, _ = associate(picks_of(*west) + late, Stations.read(NETWORK), VP, VP_VS)
    assert len(events) == 1


def test_days_apart_are_as_one():
    """A day of picks alone has the events that it has among others, but for those at its ends."""
    _, table = make_catalogue(12, days=0.2, seed=5)
    stations = Stations.read(NETWORK)
    both, _ = associate(table, stations, VP, VP_VS)
    cut = pd.Timestamp(START.datetime, tz="UTC") + pd.Timedelta(hours=3)
    alone, _ = associate(table[table["time"] < cut], stations, VP, VP_VS)
    inside = both[both["time"] < cut - pd.Timedelta(minutes=10)]
    assert len(inside) > 5
    assert list(inside["event_id"]) == list(alone["event_id"][: len(inside)])


def candidate(us, rows, shift=0, degrees=0.0):
    """An event with P and S at a station per two rows."""
    place = Station(50, 10)
    picks = tuple(
        Member(r, f"XX.S{r // 2}.", "PS"[r % 2], us + r, 0.1, f"XX.S{r // 2}", place) for r in rows
    )
    return Candidate(us + shift, 50.0 + degrees, 10.0, False, picks)


GRID = Slices(60.0)
EDGE = 5 * GRID.length * MICRO


@pytest.mark.parametrize(
    "later, kept, why",
    [
        (candidate(EDGE + MICRO, range(12)), (0, 12), "the same with more picks"),
        (candidate(EDGE + MICRO, range(8)), (10, 0), "the same with fewer picks"),
        (candidate(EDGE + 9 * MICRO, range(5, 14)), (10, 0), "too much in common"),
        (candidate(EDGE + 9 * MICRO, range(8, 17)), (10, 7), "two picks in common"),
        (candidate(EDGE + 9 * MICRO, range(8, 14)), (10, 0), "too little of its own"),
        (candidate(EDGE + 9 * MICRO, range(20, 29)), (10, 9), "nothing in common"),
        (candidate(EDGE + 2 * MICRO, range(20, 29)), (10, 0), "at the same time"),
        (candidate(EDGE + 2 * MICRO, range(20, 29), degrees=0.3), (10, 0), "not far away"),
        (candidate(EDGE + 2 * MICRO, range(20, 29), degrees=1.0), (10, 9), "far away"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_event_at_a_seam_is_kept_once(later, kept, why):
    earlier = candidate(EDGE - MICRO, range(10))
    first, second = settle([earlier], [later], 5, GRID, DEFAULTS)
    assert tuple(sum(len(c.picks) for c in side) for side in (first, second)) == kept
    # Far from the seam nothing is touched.
    away = replace(earlier, us=EDGE - GRID.length * MICRO * 3 // 4)
    assert settle([away], [later], 5, GRID, DEFAULTS) == ([away], [later])


def test_grid():
    for travel, length in ((30.0, 1800), (500.0, 3600), (1e5, 86400)):
        slices = Slices(travel)
        assert slices.length == length and DAY % length == 0
        start, stop = slices.window(7)
        assert start < 7 * length * MICRO and stop > 8 * length * MICRO
        assert (stop - start) / MICRO == pytest.approx(slices.span)
        assert slices.number(7 * length * MICRO) == 7 and slices.number(-1) == -1
        assert slices.holds(7, round((7 * length - SEAM) * MICRO))
        assert not slices.holds(7, round((8 * length + SEAM) * MICRO))
        first = 7 * length * MICRO
        assert slices.needed(first, first)[0] < 7 <= slices.needed(first, first)[-1]


def test_pyocto_does_not_cut_slices_itself():
    with pytest.raises(ValueError, match="time_slicing cannot be set"):
        associate(picks_of(50, 10, 5, START), Stations.read(NETWORK), time_slicing=600)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"margin_km": -10.0}, "margin_km=-10.0 are not possible"),
        ({"margin_km": np.nan}, "margin_km=nan are not possible"),
        ({"vp": 0.0}, "vp=0.0, "),
        ({"vp_vs": 1.0}, "vp_vs=1.0 and"),
        ({"n_picks": -3}, "n_picks=-3 is not possible"),
        ({"n_p_and_s_picks": 2.5}, "n_p_and_s_picks=2.5 is not possible"),
        ({"n_pickz": 3}, "PyOcto does not take n_pickz=3"),
    ],
)
def test_impossible_arguments_are_named(wrong, message):
    """There was no event, or an error of PyOcto's in C++."""
    places = {f"XX.{n}": Station(40 + n / 10, 13.0) for n in range(3)}
    with pytest.raises(ValueError, match=message):
        Associator(places, **wrong)
