"""Coordinates of the stations of picks, and picks that are left out."""

from collections import Counter

import numpy as np
import obspy
import pytest

from seisbench_llm.export import picks_to_dataframe
from seisbench_llm.monitor.sites import (
    NO_EPOCH,
    NO_PHASE,
    NO_STATION,
    Sites,
    first_places,
    one_instrument,
)
from seisbench_llm.stations import Stations
from tests.helpers.monitor import NETWORK, START, make_pick, picks_of


def moved():
    """An inventory of a station that moved in 2010."""
    inventory = obspy.read_inventory().select(station="RJOB")
    late = next(station for station in inventory[0] if station.end_date is None)
    for place in (late, *late):
        place.latitude, place.start_date = 40.0, obspy.UTCDateTime(2010, 1, 1)
    return Stations.read(inventory)


def test_each_epoch_has_its_place():
    stations = moved()
    sites = Sites(stations)
    times = [
        obspy.UTCDateTime(year, month, 1) + shift
        for year in range(1998, 2014)
        for month in (1, 7)
        for shift in (-1e-6, 0, 1e-6, 86400)
    ]
    edges = [e for c in stations.channels["BW.RJOB"] for e in (c.start, c.end)]
    times += [e + s for e in edges if 1000 < e.year < 3000 for s in (-1e-6, 0, 1e-6)]
    for name in ("BW.RJOB..EH", "BW.RJOB."):
        expected = [stations.find(name, time) for time in times]
        assert [sites.find(name, time.ns // 1000) for time in times] == expected
        assert {place and round(place.latitude) for place in expected} == {None, 40, 48}


def test_what_has_no_coordinates_is_counted_by_its_cause():
    picks = [
        make_pick("BW.RJOB.", "P", obspy.UTCDateTime(1980, 1, 1)),
        make_pick("BW.RJOB.", "P", obspy.UTCDateTime(2012, 1, 1)),
        make_pick("BW.RJOB.", "PmP", obspy.UTCDateTime(2012, 1, 1)),
        make_pick("XX.NONE.", "S", obspy.UTCDateTime(2012, 1, 1)),
        make_pick("XX.NONE.", "P", obspy.UTCDateTime(2012, 1, 1)),
    ]
    skipped: dict[str, Counter] = {}
    table = Sites(moved()).prepare(picks_to_dataframe(picks), skipped)
    assert list(table.index) == [1] and list(table["station"]) == ["BW.RJOB"]
    assert skipped == {
        NO_EPOCH: {"BW.RJOB": 1},
        NO_PHASE: {"BW.RJOB": 1},
        NO_STATION: {"XX.NONE": 2},
    }
    assert len(Sites(moved()).prepare(picks_to_dataframe([]))) == 0
    assert len(Sites(moved()).prepare(picks_to_dataframe(picks[3:]))) == 0


def test_names_of_first_onsets_are_p_and_s():
    """Tables with p and s, as GaMMA has them, had no picks."""
    names = ["p", "Pn", "Pg", "IP", "eP*", "s", "Sg", "PmP", "sP", "PP", "SKS", "AML", None]
    picks = [make_pick("BW.RJOB.", name, obspy.UTCDateTime(2012, 1, 1)) for name in names]
    table = Sites(moved()).prepare(picks_to_dataframe(picks))
    assert "".join(table["phase"]) == "PPPPPSS"


def test_places_are_those_of_the_first_picks():
    picks = [make_pick("BW.RJOB.", "P", obspy.UTCDateTime(year, 7, 1)) for year in (2007, 2011)]
    table = Sites(moved()).prepare(picks_to_dataframe(picks))
    assert round(first_places(table)["BW.RJOB"].latitude) == 48
    known = first_places(table.iloc[:1])
    assert first_places(table.iloc[1:], known) == known


@pytest.mark.parametrize("suffix", [".00.HN", ".10"])
def test_an_onset_at_two_instruments_counts_once(suffix):
    picks = picks_of(50, 10, 5, START)
    others = picks_of(50, 10, 5, START + 0.4, suffix=suffix)
    for index, pick in enumerate(others):
        pick.peak_value = 0.5 if index % 2 else 0.95
    frame = picks_to_dataframe([*picks, *others]).sort_values("time", kind="stable")
    table = one_instrument(Sites(Stations.read(NETWORK)).prepare(frame))
    assert len(table) == len(picks)
    assert set(table.index) == {*range(1, 16, 2), *range(16, 32, 2)}
    assert np.all(np.diff(table["us"]) >= 0)
    # Those of one instrument remain.
    alone = Sites(Stations.read(NETWORK)).prepare(picks_to_dataframe([*picks, *picks]))
    assert len(one_instrument(alone)) == 32
