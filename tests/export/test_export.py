import datetime
import io
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obspy.core.event import Catalog, Event, Origin
from obspy.io.nlloc.core import read_nlloc_hyp
from obspy.io.quakeml.core import _validate as validate_quakeml
from seisbench.util import Pick, PickList

from seisbench_llm.export.formats import FORMATS, picks_to_pyocto
from seisbench_llm.export.quakeml import picks_to_catalog
from seisbench_llm.export.read import read_picks
from seisbench_llm.export.tables import COLUMNS, picks_to_dataframe
from seisbench_llm.export.write import export
from seisbench_llm.stations import stations_to_dataframe

CODE = st.text("ABCNXZ0189-_", min_size=1, max_size=5)
TIME = st.one_of(
    st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2099, 12, 31)),
    st.sampled_from(
        [
            datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
            datetime.datetime(2016, 12, 31, 23, 59, 59, 999960),
            datetime.datetime(1970, 1, 1),
        ]
    ),
)


@st.composite
def one_pick(draw, station=CODE, network=CODE):
    time = obspy.UTCDateTime(draw(TIME))
    location = draw(st.sampled_from(["", "00", ".HN"])).lstrip(".")
    location = f".{location}" if location.startswith("H") else location
    return Pick(
        f"{draw(network)}.{draw(station)}.{location}",
        time - 0.05,
        time + 0.05,
        time,
        draw(st.floats(0.01, 1)),
        draw(st.sampled_from("PS")),
        polarity=draw(st.sampled_from([None, "U", "D", "N"])),
    )


PICKS = st.lists(one_pick(), max_size=6).map(PickList)
FAST = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pick_at(time, trace_id="XX.STA.00", phase="P", probability=0.8):
    time = obspy.UTCDateTime(time)
    return Pick(trace_id, time - 0.1, time + 0.1, time, probability, phase)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@FAST
@given(picks=PICKS)
def test_tables_come_back_as_they_were(picks, suffix, tmp_path):
    path = export(picks, tmp_path / f"picks{suffix}")
    expected = picks_to_dataframe(picks)
    found = read_picks(path)
    pd.testing.assert_frame_equal(found.iloc[:, :6], expected.iloc[:, :6], check_dtype=len(picks))
    assert found["time"].dtype == expected["time"].dtype == "datetime64[us, UTC]"
    assert [obspy.UTCDateTime(t) for t in found["time"]] == [p.peak_time for p in picks]
    assert list(found["polarity"].astype(object).where(found["polarity"].notna(), None)) == [
        p.polarity for p in picks
    ]


def test_parquet_without_picks_has_the_types_of_one_with_picks(tmp_path):
    import pyarrow.parquet

    none = pyarrow.parquet.read_schema(export([], tmp_path / "none.parquet"))
    some = pyarrow.parquet.read_schema(export([pick_at(0)], tmp_path / "some.parquet"))
    assert none.equals(some)
    assert str(some.field("time").type) == "timestamp[us, tz=UTC]"


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xml"])
def test_uncertainties_of_times_are_kept(name, tmp_path):
    sure, unsure = pick_at(0), pick_at(5, phase="S")
    sure.time_uncertainty = 0.03
    found = read_picks(export([sure, unsure], tmp_path / name))["time_uncertainty"]
    # QuakeML is for locators, which need one of each.
    assert found[0] == 0.03 and (found[1] == 0.1 if name == "a.xml" else np.isnan(found[1]))


def test_further_columns_are_kept(tmp_path):
    frame = picks_to_dataframe([pick_at(0), pick_at(1)]).assign(amplitude=[1e-6, 2e-6])
    for name in ("a.csv", "a.parquet"):
        assert list(read_picks(export(frame, tmp_path / name))["amplitude"]) == [1e-6, 2e-6]


@FAST
@given(picks=PICKS)
def test_quakeml_is_valid_and_comes_back(picks, tmp_path):
    path = export(picks, tmp_path / "picks.xml", method="compact picking/1")
    assert validate_quakeml(str(path))
    read = obspy.read_events(path)[0].picks
    assert [p.time for p in read] == [p.peak_time for p in picks]
    assert [p.phase_hint for p in read] == [p.phase for p in picks]
    assert [p.waveform_id.station_code for p in read] == [p.trace_id.split(".")[1] for p in picks]
    table = picks_to_dataframe(obspy.read_events(path))
    assert list(table["trace_id"]) == [p.trace_id for p in picks]
    assert list(table["polarity"].astype(object).where(table["polarity"].notna(), None)) == [
        p.polarity for p in picks
    ]


@FAST
@given(picks=PICKS)
def test_pyocto_takes_its_table(picks, tmp_path):
    pyocto = pytest.importorskip("pyocto")
    path = export(picks, tmp_path / "picks.pyocto.csv")
    table = pd.read_csv(path)
    assert len(table) == len(picks)
    converted = pyocto.OctoAssociator._convert_picks(table)
    for found, pick in zip(converted, picks, strict=True):
        # A double holds a time of today to 0.2 microseconds.
        assert abs(found.time - pick.peak_time.timestamp) < 1e-6
        assert found.station == ".".join(pick.trace_id.split(".")[:3])
        assert found.phase == pick.phase


def network():
    """Eight stations around an earthquake, and its picks in a medium of 6 and 3.5 km/s."""
    rng = np.random.default_rng(0)
    stations = pd.DataFrame(
        {
            "id": [f"XX.S{i}." for i in range(8)],
            "latitude": 46 + rng.uniform(-0.3, 0.3, 8),
            "longitude": 8 + rng.uniform(-0.4, 0.4, 8),
            "elevation": 1000.0,
        }
    )
    table = stations_to_dataframe(stations)
    source = np.array([5.0, -4.0, 8.0])
    distance = np.linalg.norm(table[["x(km)", "y(km)", "z(km)"]].to_numpy() - source, axis=1)
    origin = obspy.UTCDateTime(2024, 2, 29, 23, 59, 58)
    picks = [
        pick_at(origin + far / speed, name, phase)
        for name, far in zip(table["id"], distance, strict=True)
        for phase, speed in (("P", 6.0), ("S", 3.5))
    ]
    return table, picks, origin, source


def associator():
    pyocto = pytest.importorskip("pyocto")
    return pyocto.OctoAssociator(
        xlim=(-50, 50),
        ylim=(-50, 50),
        zlim=(-3, 30),
        velocity_model=pyocto.VelocityModel0D(6.0, 3.5, tolerance=1.0),
        time_before=60,
        n_threads=1,
    )


def test_pyocto_and_gamma_files_give_the_event_back(tmp_path):
    stations, picks, origin, source = network()
    export(picks, tmp_path / "a.pyocto.csv")
    export(picks, tmp_path / "a.gamma.csv")
    local = stations.rename(columns={"x(km)": "x", "y(km)": "y", "z(km)": "z"})
    events, assigned = associator().associate(pd.read_csv(tmp_path / "a.pyocto.csv"), local)
    assert len(events) == 1 and len(assigned) == len(picks)
    assert abs(events["time"][0] - origin.timestamp) < 0.5
    assert np.linalg.norm(events[["x", "y", "z"]].iloc[0] - source) < 3

    gamma = pd.read_csv(tmp_path / "a.gamma.csv", parse_dates=["timestamp"])
    # PyOcto 0.1.4 takes z as elevation, where GaMMA has it as depth.
    flipped = stations.assign(**{"z(km)": -stations["z(km)"]})
    again, _ = associator().associate_gamma(gamma, flipped)
    assert again["time"][0] == pytest.approx(events["time"][0], abs=1e-5)


@FAST
@given(picks=PICKS.filter(len))
def test_gamma_reads_its_file(picks, tmp_path):
    utils = pytest.importorskip("gamma.utils")
    path = export(picks, tmp_path / "picks.gamma.csv")
    # GaMMA 1.2.17 takes times as text with pandas 2 only.
    frame = pd.read_csv(path, parse_dates=["timestamp"])
    stations = pd.DataFrame({"id": frame["id"].unique(), "x(km)": 1.0, "y(km)": 2.0})
    config = {"use_amplitude": False, "dims": ["x(km)", "y(km)"]}
    data, _, kinds, weights, _, _, first = utils.convert_picks_csv(frame, stations, config)[:7]
    times = [pick.peak_time.timestamp for pick in picks]
    assert np.abs(data[:, 0] + first - times).max() < 1e-5
    assert list(kinds) == [pick.phase.lower() for pick in picks]
    assert weights[:, 0] == pytest.approx([pick.peak_value for pick in picks])


def test_gamma_amplitudes(tmp_path):
    frame = picks_to_dataframe([pick_at(0)])
    assert "amp" not in pd.read_csv(export(frame, tmp_path / "a.csv", "gamma"))
    path = export(frame.assign(amplitude=1e-6), tmp_path / "a.csv", "gamma")
    assert pd.read_csv(path)["amp"][0] == 1e-6
    with pytest.raises(ValueError, match="above zero"):
        export(frame.assign(amplitude=np.nan), tmp_path / "a.csv", "gamma")


def test_hypodd_comes_back(tmp_path, warnings_of):
    _, picks, origin, _ = network()
    picks.append(pick_at(origin + 100, "XX.S0."))
    frame = picks_to_dataframe(picks).assign(event_id=[7] * 16 + [-1])
    events = pd.DataFrame(
        {
            "event_id": [7],
            "time": [origin.timestamp],
            "latitude": 46.0,
            "longitude": 8,
            "depth_km": 8,
        }
    )
    events["time"] = pd.to_datetime(events["time"], unit="s", utc=True)
    path = export(frame, tmp_path / "phase.pha", events=events)
    assert "1 picks belong to no event and are not in phase.pha" in warnings_of()
    read = obspy.read_events(path, format="HYPODDPHA")
    assert len(read) == 1 and read[0].origins[0].time == origin
    assert read[0].origins[0].depth == 8000
    times = [pick.peak_time for pick in picks[:16]]
    assert max(abs(p.time - t) for p, t in zip(read[0].picks, times, strict=True)) <= 5.1e-5
    assert [p.waveform_id.station_code for p in read[0].picks[:3]] == ["S0", "S0", "S1"]
    assert read[0].origins[0].arrivals[0].time_weight == 0.8


@FAST
@given(seconds=st.lists(st.floats(0, 200), min_size=1, max_size=5), start=TIME)
def test_hypodd_times(seconds, start, tmp_path):
    start = obspy.UTCDateTime(start)
    picks = [pick_at(start + after, f"XX.S{i}.") for i, after in enumerate(seconds)]
    frame = picks_to_dataframe(picks).assign(event_id=0)
    events = pd.DataFrame([{"event_id": 0, "time": start.datetime, "latitude": 0.00001}])
    events = events.assign(longitude=-179.99999, depth_km=0.0, magnitude=-0.3)
    read = obspy.read_events(export(frame, tmp_path / "a.pha", events=events), "HYPODDPHA")[0]
    assert read.origins[0].time == start and read.magnitudes[0].mag == -0.3
    for found, pick in zip(read.picks, picks, strict=True):
        assert abs(found.time - pick.peak_time) <= 5.2e-5


def read_observations(text):
    """Read observations with ObsPy's reader of NonLinLoc's results, which repeat their columns."""
    example = Path(obspy.io.nlloc.core.__file__).parent / "tests" / "data" / "nlloc.hyp"
    lines = example.read_text().splitlines()
    first, last = (next(i for i, x in enumerate(lines) if x.startswith(k)) for k in KEYS)
    tail = lines[first + 1].partition(">")[2]
    rows = [line for line in text.splitlines() if line and not line.startswith("PUBLIC_ID")]
    lines[first + 1 : last] = [f"{row} > {tail}" for row in rows]
    return read_nlloc_hyp(io.BytesIO("\n".join(lines).encode()))[0].picks


KEYS = ("PHASE ID", "END_PHASE")


@FAST
@given(picks=st.lists(one_pick(network=st.just("XX")), min_size=1, max_size=5))
def test_nlloc_comes_back(picks, tmp_path):
    text = export(picks, tmp_path / "a.obs", uncertainty=0.05).read_text()
    assert " 60.0000 " not in text
    read = read_observations(text)
    found = sorted((p.waveform_id.station_code, p.phase_hint, p.time.ns) for p in read)
    expected = sorted((p.trace_id.split(".")[1], p.phase, p.peak_time.ns) for p in picks)
    assert [f[:2] for f in found] == [e[:2] for e in expected]
    assert max(abs(f[2] - e[2]) for f, e in zip(found, expected, strict=True)) <= 51_000
    assert read[0].time_errors.uncertainty == 0.05


def test_nlloc_separates_events_and_warns_of_unassociated_picks(tmp_path, warnings_of):
    picks = [pick_at(0), pick_at(100)]
    export(picks, tmp_path / "one.obs")
    assert "picks of more than one event" in warnings_of()
    frame = picks_to_dataframe(picks).assign(event_id=[0, 1])
    events = pd.DataFrame({"event_id": [0, 1], "time": [-2.0, 98.0]})
    events["time"] = pd.to_datetime(events["time"], unit="s")
    events = events.assign(latitude=1.0, longitude=2.0, depth_km=3.0)
    blocks = export(frame, tmp_path / "two.obs", events=events).read_text().split("\n\n")
    assert [len(block.split("PUBLIC_ID")) for block in blocks] == [2, 2]
    assert export([], tmp_path / "none.obs").read_text() == ""


def located(trace_id="XX.STA.00", weight=None, **origin):
    catalog = picks_to_catalog([pick_at(0, trace_id), pick_at(3, trace_id, "S")], "x/1")
    values = {"time": obspy.UTCDateTime(-1), "latitude": 1, "longitude": 2, "depth": 0}
    catalog[0].origins = [Origin(**{**values, **origin})]
    return catalog


@pytest.mark.parametrize(
    "picks, name, message",
    [
        ([pick_at(0)], "a.pha", "needs located events"),
        (located(depth=None), "a.pha", "has no depth"),
        (located("XX.LONGCODE."), "a.pha", "room for station codes of 7"),
        (located("XX.A B."), "a.pha", "cannot read the station code 'A B'"),
        (located("XX..00"), "a.pha", "cannot read the station code ''"),
        (located() + located("YY.STA.00"), "a.pha", "STA is in XX and YY"),
        ([pick_at(0), pick_at(0, "YY.STA.")], "a.obs", "STA is in XX and YY"),
        ([pick_at(0, "XX.A B.")], "a.obs", "cannot read the station code"),
        ([pick_at(0, "XX.STATIONCODE.")], "a.xml", "room for codes of 8"),
        ([pick_at(0, "STA")], "a.xml", "'STA' is not NET.STA.LOC"),
        ([pick_at(0, "STA")], "a.pyocto.csv", "'STA' is not NET.STA.LOC"),
        ([pick_at(0, phase="Pn")], "a.pyocto.csv", "phases P and S only, not .'Pn'"),
        ([pick_at(0, phase="Pn")], "a.gamma.csv", "phases P and S only"),
        (pd.DataFrame({"trace_id": ["XX.A."]}), "a.csv", "no column phase, time"),
        ([pick_at(0)], "a.doc", "a.doc stands for no format.*csv.*nlloc"),
    ],
)
def test_what_a_format_cannot_hold_is_an_error(picks, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(picks, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_unknown_format_and_events_without_room(tmp_path):
    with pytest.raises(ValueError, match=f"Formats: {', '.join(FORMATS)}"):
        export([], tmp_path / "x", format="sac")
    with pytest.raises(ValueError, match="no room for events"):
        export([], tmp_path / "x.csv", events=pd.DataFrame())
    with pytest.raises(ValueError, match="events of its own"):
        export(Catalog(), tmp_path / "x.xml", events=pd.DataFrame())
    frame = picks_to_dataframe([pick_at(0)]).assign(event_id=3)
    events = pd.DataFrame([{"event_id": 1, "time": "2020-01-01", "latitude": 0, "longitude": 0}])
    with pytest.raises(ValueError, match="no column depth_km"):
        export(frame, tmp_path / "x.xml", events=events)
    with pytest.raises(ValueError, match="not there: .'3'"):
        export(frame, tmp_path / "x.xml", events=events.assign(depth_km=1))


def test_zero_weight_is_left_out_and_said(tmp_path, warnings_of):
    catalog = located()
    pick = catalog[0].picks[0]
    arrival = obspy.core.event.Arrival(pick_id=pick.resource_id, phase="Pg", time_weight=0.0)
    catalog[0].origins[0].arrivals = [arrival]
    read = obspy.read_events(export(catalog, tmp_path / "a.pha"), "HYPODDPHA")
    assert [p.phase_hint for p in read[0].picks] == ["S"]
    assert "1 picks are not in a.pha" in warnings_of()
    assert "Missing magnitude" not in warnings_of()


def test_tables_of_stations():
    inventory = obspy.read_inventory()
    table = stations_to_dataframe(inventory)
    assert "BW.RJOB." in set(table["id"]) and table["id"].is_unique
    row = table.set_index("id").loc["BW.RJOB."]
    assert row["z(km)"] == -row["elevation"] / 1000
    # 180 degrees apart on paper, 22 km in truth.
    line = pd.DataFrame({"network": "X", "station": ["A", "B"]})
    line = stations_to_dataframe(line.assign(latitude=0.0, longitude=[179.9, -179.9]))
    assert list(line["id"]) == ["X.A.", "X.B."]
    assert np.diff(line["x(km)"])[0] == pytest.approx(22.3, abs=0.1)
    with pytest.raises(ValueError, match="no column latitude"):
        stations_to_dataframe(pd.DataFrame({"id": ["X.A."], "longitude": [1.0]}))
    with pytest.raises(ValueError, match="no stations"):
        stations_to_dataframe(obspy.Inventory([], ""))


def test_instruments_of_a_location_are_one_station_for_pyocto():
    table = picks_to_pyocto(picks_to_dataframe([pick_at(0, "XX.STA.00.HN")]))
    assert table["station"][0] == "XX.STA.00" and table["trace_id"][0] == "XX.STA.00.HN"


def test_nothing_to_export(tmp_path):
    for name in FORMATS:
        if name != "hypodd":
            export([], tmp_path / name, format=name)
    assert list(read_picks(export([], tmp_path / "a.csv")).columns) == list(COLUMNS)
    assert len(picks_to_catalog([], "x/1")[0].picks) == 0
    assert len(picks_to_dataframe(Catalog([Event()]))) == 0
