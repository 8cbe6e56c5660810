"""Formats of other programs, as those programs read them."""

import io
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obspy.io.nlloc.core import read_nlloc_hyp

from seisbench_llm.export.formats import picks_to_pyocto
from seisbench_llm.export.tables import picks_to_dataframe
from seisbench_llm.export.write import export
from seisbench_llm.stations import stations_to_dataframe
from tests.helpers.picks import ANY_TIME, FAST, PICKS, located, one_pick, pick_at


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
        export(frame.assign(amplitude=0.0), tmp_path / "a.csv", "gamma")
    path = export(frame.assign(amplitude=np.nan), tmp_path / "a.csv", "gamma")
    assert "amp" not in pd.read_csv(path)


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
    assert "1 picks do not belong to an event and are not in phase.pha" in warnings_of()
    read = obspy.read_events(path, format="HYPODDPHA")
    assert len(read) == 1 and read[0].origins[0].time == origin
    assert read[0].origins[0].depth == 8000
    times = [pick.peak_time for pick in picks[:16]]
    assert max(abs(p.time - t) for p, t in zip(read[0].picks, times, strict=True)) <= 5.1e-5
    assert [p.waveform_id.station_code for p in read[0].picks[:3]] == ["S0", "S0", "S1"]
    assert read[0].origins[0].arrivals[0].time_weight == 0.8


@FAST
@given(seconds=st.lists(st.floats(0, 200), min_size=1, max_size=5), start=ANY_TIME)
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


def test_zero_weight_is_left_out_and_said(tmp_path, warnings_of):
    catalog = located()
    pick = catalog[0].picks[0]
    arrival = obspy.core.event.Arrival(pick_id=pick.resource_id, phase="Pg", time_weight=0.0)
    catalog[0].origins[0].arrivals = [arrival]
    read = obspy.read_events(export(catalog, tmp_path / "a.pha"), "HYPODDPHA")
    assert [p.phase_hint for p in read[0].picks] == ["S"]
    assert "1 picks are not in a.pha" in warnings_of()
    assert "Missing magnitude" not in warnings_of()


def test_instruments_of_a_location_are_one_station_for_pyocto():
    table = picks_to_pyocto(picks_to_dataframe([pick_at(0, "XX.STA.00.HN")]))
    assert table["station"][0] == "XX.STA.00" and table["trace_id"][0] == "XX.STA.00.HN"
