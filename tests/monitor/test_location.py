import sys

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.geodetics import gps2dist_azimuth

from seisbench_llm.export.quakeml import identifier
from seisbench_llm.export.tables import ARRIVAL_TYPES, EVENT_TYPES
from seisbench_llm.monitor.association import associate
from seisbench_llm.monitor.location import REGION, distance_azimuth, epicenter, sp_distance
from seisbench_llm.monitor.tables import standard_error
from seisbench_llm.stations import Station, Stations
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

CLEAR = {"layers": MEDIUM, "errors": NO_ERRORS}
SOURCES = [(50.1, 10.1, 8.0, START + 10), (49.95, 9.8, 15.0, START + 60)]


def all_picks():
    return [pick for source in SOURCES for pick in picks_of(*source)]


def test_sp_distance():
    for distance in (3.0, 40.0, 300.0):
        assert sp_distance(distance / VP * VP_VS - distance / VP, VP, VP_VS) == pytest.approx(
            distance
        )


@pytest.mark.parametrize("latitude, longitude", [(0, 0), (64.7, -17), (-45, 179.9), (89.5, 20)])
@pytest.mark.parametrize("distance, back_azimuth", [(0.5, 10), (80, 123), (400, 271)])
def test_epicenter_is_where_it_says(latitude, longitude, distance, back_azimuth):
    station = Station(latitude, longitude)
    found = epicenter(station, distance, back_azimuth, 0.1 * distance, 10)
    metres, azimuth, _ = gps2dist_azimuth(latitude, longitude, found.latitude, found.longitude)
    assert metres / 1e3 == pytest.approx(distance, rel=1e-4)
    assert (azimuth - back_azimuth + 180) % 360 - 180 == pytest.approx(0, abs=0.01)
    assert -180 <= found.longitude <= 180
    back, towards = distance_azimuth(station, found.latitude, found.longitude)
    assert back == pytest.approx(distance, rel=1e-6) and 0 <= towards < 360
    assert found.region.shape == (37, 2) and (found.region[0] == found.region[-1]).all()
    if abs(latitude) < 80:
        assert np.abs(np.diff(found.region[:, 0])).max() < 10


def test_region_holds_68_percent():
    rng = np.random.default_rng(0)
    station, found = Station(47.7, 12.8), epicenter(Station(47.7, 12.8), 60, 200, 6, 25)
    from matplotlib.path import Path

    truth = [
        epicenter(station, d, b)
        for d, b in zip(rng.normal(60, 6, 2000), rng.normal(200, 25, 2000), strict=True)
    ]
    inside = Path(found.region).contains_points([(t.longitude, t.latitude) for t in truth])
    assert inside.mean() == pytest.approx(0.68, abs=0.04)
    # The banana's ends are farther away than the ellipse's.
    assert found.major_km == pytest.approx(60 * np.sin(np.radians(REGION * 25)))
    assert found.minor_km == pytest.approx(REGION * 6)
    assert found.azimuth == pytest.approx((200 + 90) % 180)
    assert found.uncertainty_km == pytest.approx(2 * 60 * np.sin(np.radians(REGION * 25) / 2), 0.02)


def test_region_needs_both_errors_and_wkt_is_longitude_first():
    bare = epicenter(Station(50, 10), 100, 90, 5)
    assert bare.region is None and bare.to_wkt() is None and np.isnan(bare.uncertainty_km)
    text = epicenter(Station(50, 10), 100, 90, 5, 5).to_wkt()
    assert text.startswith("POLYGON ((11.") and text.endswith("))")
    # Any direction is possible: all around the station.
    assert epicenter(Station(50, 10), 100, 90, 5, 500).uncertainty_km > 195


def test_standard_error():
    assert standard_error(3.0, 4.0) == 5
    assert standard_error(np.nan, 4.0) == 4 and standard_error(3.0, None) == 3
    assert np.isnan(standard_error(np.nan, None))


def test_identifiers_are_stable_across_machines():
    assert identifier("a", 1) == "4f395a2e9ea1c068" != identifier("a", 2)


def test_events_are_found_where_they_were():
    rng = np.random.default_rng(1)
    picks = all_picks()
    noise = [make_pick(f"XX.S{rng.integers(8)}.00", "P", START + rng.uniform(0, 90)) for _ in "123"]
    picks += noise + [make_pick("YY.UNKNOWN.", "P", START + 11)]
    picks = [picks[i] for i in rng.permutation(len(picks))]
    events, arrivals = associate(picks, Stations.read(NETWORK), VP, VP_VS, **CLEAR)
    assert {name: str(kind) for name, kind in events.dtypes.items()} == EVENT_TYPES
    assert list(arrivals) == list(ARRIVAL_TYPES)
    assert len(events) == 2
    for event, (latitude, longitude, depth, time) in zip(events.itertuples(), SOURCES, strict=True):
        metres, _, _ = gps2dist_azimuth(event.latitude, event.longitude, latitude, longitude)
        assert metres < 2000 and abs(event.depth_km - depth) < 4
        assert abs(obspy.UTCDateTime(ns=event.time.value) - time) < 0.5
        assert event.stations == 8 and 16 <= event.picks <= 17 and not event.at_edge
        assert event.azimuthal_gap < 120 and 0 < event.uncertainty_km < 3
        own = arrivals[arrivals.event_id == event.event_id]
        assert len(own) == event.picks
        for one in own.itertuples():
            station = Stations.read(NETWORK).find(picks[one.pick].trace_id, START)
            metres, azimuth, _ = gps2dist_azimuth(
                event.latitude, event.longitude, station.latitude, station.longitude
            )
            assert one.distance_km == pytest.approx(metres / 1e3, rel=1e-4)
            assert one.azimuth == pytest.approx(azimuth, abs=0.1)
    again, _ = associate(picks[::-1], Stations.read(NETWORK), VP, VP_VS)
    assert list(again.event_id) == list(events.event_id)


def test_residual_is_observed_minus_predicted():
    picks = all_picks()
    late = make_pick(picks[0].trace_id, "P", picks[0].peak_time + 0.8)
    _, arrivals = associate([late, *picks[1:]], Stations.read(NETWORK), VP, VP_VS)
    residuals, weights = (arrivals.set_index("pick")[name] for name in ("residual", "weight"))
    assert weights[0] < 0.5 and weights.drop(0).min() > 0.5
    assert residuals[0] > 0.5 > residuals.drop(0).abs().max()


def test_too_few_stations_or_picks_are_no_events():
    stations = Stations.read(NETWORK.iloc[:2])
    for picks in (all_picks(), [], all_picks()[:3]):
        events, arrivals = associate(picks, stations)
        assert len(events) == len(arrivals) == 0
        assert list(events) == list(EVENT_TYPES) and list(arrivals) == list(ARRIVAL_TYPES)
    # Enough stations, but nothing that belongs together.
    lone = [make_pick(f"XX.S{i}.00", "P", START + 100 * i) for i in range(8)]
    assert len(associate(lone, Stations.read(NETWORK))[0]) == 0


def test_several_instruments_of_a_station_count_once():
    picks = picks_of(*SOURCES[0]) + picks_of(*SOURCES[0], suffix=".00.HN")
    for pick in picks[16:]:
        pick.peak_value = 0.5
    events, arrivals = associate(picks, Stations.read(NETWORK), VP, VP_VS)
    assert len(events) == 1 and events.picks[0] == 16 and events.stations[0] == 8
    assert arrivals.pick.max() < 16
    # Three instruments at one place are no network.
    place = NETWORK.iloc[:1]
    alone = [p for code in ("HH", "HN", "BH") for p in picks_of(*SOURCES[0], place, f".00.{code}")]
    assert len(associate(alone, Stations.read(place))[0]) == 0


def test_layered_model(tmp_path):
    import struct

    import pyocto

    delta, nx, nz = 1.0, 300, 60
    x, z = np.meshgrid(np.arange(nx) * delta, np.arange(nz) * delta, indexing="ij")
    with open(tmp_path / "model", "wb") as file:
        file.write(struct.pack("iid", nx, nz, delta))
        for speed in (VP, VP / VP_VS):
            file.write((np.hypot(x, z) / speed).tobytes())
    model = pyocto.VelocityModel1D(tmp_path / "model", tolerance=1.0)
    flat = NETWORK.assign(elevation=0.0)
    picks = [p for source in SOURCES for p in picks_of(*source, stations=flat)]
    events, _ = associate(picks, Stations.read(flat), VP, VP_VS, velocity_model=model)
    assert len(events) == 2
    metres, _, _ = gps2dist_azimuth(events.latitude[0], events.longitude[0], *SOURCES[0][:2])
    assert metres < 3000


def test_events_outside_the_search_are_marked():
    events, _ = associate(picks_of(52.0, 10.0, 5.0, START), Stations.read(NETWORK), VP, VP_VS)
    assert len(events) == 0 or events.at_edge.all()
    events, _ = associate(
        picks_of(52.0, 10.0, 5.0, START), Stations.read(NETWORK), VP, VP_VS, margin_km=300
    )
    assert len(events) == 1 and not events.at_edge[0]


def test_picks_own_uncertainty_counts():
    exact, vague = all_picks(), all_picks()
    for pick in vague:
        pick.time_uncertainty = 1.0
    sizes = [
        associate(picks, Stations.read(NETWORK), VP, VP_VS, **CLEAR)[0].uncertainty_km.max()
        for picks in (exact, vague)
    ]
    assert sizes[1] > 4 * sizes[0]


def test_elevations_count():
    """Stations high above the sea are farther from the source, which is as deep as it was."""
    high = NETWORK.assign(elevation=3000.0)
    picks = picks_of(*SOURCES[0], stations=high)
    depths = [
        associate(picks, Stations.read(table), VP, VP_VS, **CLEAR)[0].depth_km[0]
        for table in (high, NETWORK.assign(elevation=0.0))
    ]
    assert depths[0] == pytest.approx(8.0, abs=1.0) and depths[1] > depths[0] + 2


def test_coordinates_of_an_inventory():
    stations = Stations.read(obspy.read_inventory())
    place = stations.find("BW.RJOB..EH", obspy.UTCDateTime(2009, 8, 24))
    assert (place.latitude, place.longitude) == pytest.approx((47.737167, 12.795714))
    assert stations.find("BW.RJOB.", obspy.UTCDateTime(1990, 1, 1)) is None
    assert stations.find("BW.NONE.", obspy.UTCDateTime(2009, 8, 24)) is None


def test_a_station_that_moved():
    inventory = obspy.read_inventory().select(station="RJOB")
    late = next(station for station in inventory[0] if station.end_date is None)
    for place in (late, *late):
        place.latitude, place.start_date = 40.0, obspy.UTCDateTime(2010, 1, 1)
    stations = Stations.read(inventory)
    assert stations.find("BW.RJOB.", obspy.UTCDateTime(2011, 1, 1)).latitude == 40
    assert stations.find("BW.RJOB.", obspy.UTCDateTime(2007, 6, 1)).latitude != 40


def test_location_codes_of_a_table():
    table = pd.DataFrame(
        {"id": ["A.B.", "A.B.10", "A.C.20"], "latitude": [1, 2, 3], "longitude": [4, 5, 6]}
    )
    stations = Stations.read(table)
    found = {code: stations.find(code, START) for code in ("A.B.", "A.B.10.HH", "A.B.99", "A.C.")}
    assert [place.latitude for place in found.values()] == [1, 2, 1, 3]
    assert found["A.C."].elevation == 0


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"id": ["A.B", "A.B"]}, "occurs twice"),
        ({"id": ["A", "B"]}, "neither NET.STA nor"),
        ({"latitude": [91.0, 0.0]}, "impossible coordinates"),
        ({"longitude": [np.nan, 0.0]}, "impossible coordinates"),
    ],
)
def test_bad_tables_name_the_station(changes, message):
    table = pd.DataFrame({"id": ["A.B", "A.C"], "latitude": [1.0, 2.0], "longitude": [1.0, 2.0]})
    with pytest.raises(ValueError, match=message):
        Stations.read(table.assign(**changes))
    with pytest.raises(ValueError, match="no column longitude"):
        Stations.read(table.drop(columns="longitude"))
    with pytest.raises(TypeError, match="not list"):
        Stations.read([])
    with pytest.raises(FileNotFoundError, match=r"stations\.xml"):
        Stations.read("stations.xml")


@pytest.mark.parametrize("module, call", [("pyproj", "epicenter"), ("pyocto", "associate")])
def test_missing_packages_say_how_to_install(monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install .*'pyocto"):
        if call == "epicenter":
            epicenter(Station(0, 0), 1, 1)
        else:
            associate(all_picks(), Stations.read(NETWORK))
