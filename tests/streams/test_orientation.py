"""Components that point anywhere become Z, N and E before anything else."""

from pathlib import Path

import numpy as np
import obspy
import pytest

from seisbench_llm.pick_files import pick_files
from seisbench_llm.stations import Stations
from seisbench_llm.streams.orientation import Rotation, rotate_to_zne
from tests.helpers.models import soft_model
from tests.helpers.orientation import BOREHOLE, GALPERIN, SKEWED, at, table_of, turned
from tests.helpers.streams import make_stream

OBSPY_DATA = Path(obspy.__file__).parent / "core" / "tests" / "data"
LOW = {"P_threshold": 0.5, "S_threshold": 0.5}


@pytest.fixture(scope="module")
def model():
    return soft_model()


def components(stream):
    return {trace.stats.channel: trace.data for trace in stream}


@pytest.mark.parametrize("directions", [BOREHOLE, SKEWED, GALPERIN])
def test_ground_motion_comes_back(directions):
    motion = make_stream(500)
    recorded = turned(motion, directions)
    before = recorded.copy()
    found = components(rotate_to_zne(recorded, table_of(recorded, directions)))
    assert sorted(found) == ["HHE", "HHN", "HHZ"]
    for trace in motion:
        np.testing.assert_allclose(found[trace.stats.channel], trace.data, atol=1e-9)
    assert recorded == before


@pytest.mark.parametrize("name", ["ffbx.stationxml", "ffbx.dataless"])
def test_as_obspy_rotates(name):
    """Boreholes of Fuerstenfeldbruck, with gaps; what ObsPy's own rotation makes of them."""
    stream = obspy.read(OBSPY_DATA / "ffbx_unrotated_gaps.mseed")
    rotated = rotate_to_zne(stream, Stations.read(OBSPY_DATA / name))
    compared = 0
    for one in obspy.read(OBSPY_DATA / "ffbx_rotated.slist"):
        stats = one.stats
        for own in rotated.select(id=one.id):
            part = own.slice(stats.starttime, stats.endtime)
            if part.stats.npts == stats.npts:
                compared += 1
                scale = np.abs(one.data).max()
                np.testing.assert_allclose(part.data, one.data, atol=1e-8 * scale)
    assert compared > 20


def test_what_points_right_is_not_copied(caplog):
    stream = make_stream()
    known = table_of(stream, {"Z": (0, -90), "N": (0, 0), "E": (90, 0)})
    unknown = known.drop(columns=["azimuth", "dip"])
    unknown["id"] = "XX.STA"
    for table in (known, unknown):
        assert all(a is b for a, b in zip(rotate_to_zne(stream, table), stream, strict=True))
    # A table that knows the horizontals only: codes Z, N and E mean what they say.
    odd = known[1:].assign(azimuth=[10.0, 100.0])
    assert components(rotate_to_zne(stream, odd))["HHZ"] is stream[0].data
    assert not caplog.messages


def test_a_vertical_that_points_down():
    stream = make_stream(100, components="Z")
    stream[0].data = np.full(100, -128, np.int8)
    (trace,) = rotate_to_zne(stream, table_of(stream, {"Z": (0, 90)}))
    assert trace.id == stream[0].id and set(trace.data) == {128}


def test_times_without_all_components_stay_as_they_are(caplog):
    motion = make_stream(6000)
    recorded = turned(motion, BOREHOLE)
    first, second = recorded[1], recorded[2]
    parts = [recorded[0], first, second.slice(None, at(20)), second.slice(at(40), None)]
    rotation = Rotation(Stations.read(table_of(recorded, BOREHOLE)))
    for _ in range(2):
        rotated = rotation(obspy.Stream(parts))
    assert rotated.select(component="Z")[0].stats.npts == 6000
    for component, trace in (("N", motion[1]), ("E", motion[2])):
        for part in rotated.select(component=component):
            same = trace.slice(part.stats.starttime, part.stats.endtime)
            np.testing.assert_allclose(part.data, same.data, atol=1e-9)
        assert sum(t.stats.npts for t in rotated.select(component=component)) == 4001
    (alone,) = rotated.select(component="1")
    assert (alone.stats.starttime, alone.stats.endtime) == (at(20.01), at(39.99))
    assert not rotated.select(component="2")
    told = {text for text in caplog.messages if "components" in text}
    assert len(told) == 1 and "XX.STA.00.HH1" in told.pop()


def test_one_warning_for_all_that_nothing_is_known_of(caplog):
    stream = obspy.Stream()
    for number in range(8):
        stream += turned(make_stream(10, station=f"S{number}"), BOREHOLE)
    rotated = rotate_to_zne(stream, table_of(make_stream(10), dict.fromkeys("ZNE", (0, 0))))
    assert len(rotated) == 24
    told = {text for text in caplog.messages if "azimuth and dip are unknown" in text}
    assert len(told) == 1 and "and 11 more" in told.pop()


def test_epochs(caplog):
    """A sensor that was turned, in the middle of a record."""
    motion = make_stream(6000)
    recorded = turned(motion, BOREHOLE)
    later = turned(motion, {**BOREHOLE, "1": (40, 0), "2": (130, 0)})
    for trace, other in zip(recorded, later, strict=True):
        trace.data[3000:] = other.data[3000:]
    inventory = inventory_of(recorded, [(None, at(30), (137, 227)), (at(30), None, (40, 130))])
    rotated = rotate_to_zne(recorded, inventory)
    rotated.merge()
    for trace in motion:
        (own,) = rotated.select(id=trace.id)
        np.testing.assert_allclose(own.data, trace.data, atol=1e-9)


def inventory_of(stream, epochs):
    from obspy.core.inventory import Channel, Inventory, Network, Station

    channels = []
    for start, end, azimuths in epochs:
        turns = {"Z": (0, -90), "1": (azimuths[0], 0), "2": (azimuths[1], 0)}
        for trace in stream:
            azimuth, dip = turns[trace.stats.channel[-1]]
            place = {"latitude": 50, "longitude": 9, "elevation": 0, "depth": 0}
            turn = {"azimuth": azimuth, "dip": dip, "start_date": start, "end_date": end}
            channels.append(Channel(trace.stats.channel, trace.stats.location, **place, **turn))
    station = Station(stream[0].stats.station, 50, 9, 0, channels=channels)
    return Inventory([Network("XX", stations=[station])])


@pytest.mark.parametrize("largest", [10**9, 1])
def test_picks_are_those_of_the_motion(model, tmp_path, largest):
    motion = make_stream(12_000)
    expected = model.classify(motion, **LOW).picks
    for name, directions in (("borehole", SKEWED), ("ocean", GALPERIN)):
        recorded = turned(motion, directions)
        recorded.write(tmp_path / f"{name}.mseed", format="MSEED", encoding="FLOAT64")
        table = table_of(recorded, directions)
        files = [tmp_path / f"{name}.mseed"]
        found = pick_files(model, files, largest=largest, stations=table, **LOW)
        assert [str(p) for p in found.picks] == [str(p) for p in expected] != []
        assert not found.skipped
