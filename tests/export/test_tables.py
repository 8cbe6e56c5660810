import datetime

import numpy as np
import obspy
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seisbench.util import Pick

from seisbench_llm.cli.pick import PickFormat
from seisbench_llm.export import events_to_dataframe, export, picks_to_dataframe, read_picks
from seisbench_llm.export.formats import FORMATS
from seisbench_llm.export.read import READERS
from seisbench_llm.export.tables import TIME

T0 = obspy.UTCDateTime(2024, 3, 1, 0, 1)

PICKS = [
    Pick("XX.ABC.00.HN", T0 + 4.65, T0 + 4.8, T0 + 4.71, 0.8127, "P", polarity="D"),
    Pick("XX.DEF.", T0 + 7, T0 + 8, T0 + 7.1235, 0.5, "S"),
]
# As classify does: the name is NET.STA.LOC for a seismometer.
PICKS[1].instrument = "HH"


@pytest.mark.parametrize(
    "values",
    [
        [T0.timestamp + 0.25],
        [f"{T0.timestamp + 0.25:.6f}"],
        [T0 + 0.25],
        ["2024-03-01T00:01:00.25Z"],
        ["2024-03-01 01:01:00.25+01:00"],
        [datetime.datetime(2024, 3, 1, 0, 1, 0, 250_000)],
        [pd.Timestamp("2024-03-01T00:01:00.25")],
    ],
)
def test_times_of_any_kind(values):
    table = pd.DataFrame({"trace_id": "XX.A.", "phase": "P", "time": values})
    for times in (
        picks_to_dataframe(table)["time"],
        events_to_dataframe(
            pd.DataFrame(
                {"event_id": 0, "time": values, "latitude": 1, "longitude": 2, "depth_km": 3}
            )
        )["time"],
    ):
        assert str(times.dtype) == TIME
        assert obspy.UTCDateTime(times[0].isoformat()) == T0 + 0.25


def test_times_in_years_that_are_rare():
    for year in (1900, 1969, 2300):
        time = obspy.UTCDateTime(year, 1, 1) + 0.5
        table = pd.DataFrame({"trace_id": ["XX.A."], "phase": "P", "time": [time.timestamp]})
        assert (
            picks_to_dataframe(table)["time"][0].isoformat()
            == f"{year}-01-01T00:00:00.500000+00:00"
        )


@pytest.mark.parametrize(
    "value, message",
    [
        (T0.ns, "'time' holds 1.70925126e.18: numbers are seconds since 1970"),
        (T0.timestamp * 1e3, "seconds since 1970"),
        ("yesterday", "'time' holds what is no time"),
        (np.nan, "Pick 0 has no time"),
        (None, "Pick 0 has no time"),
    ],
)
def test_what_is_no_time_is_an_error(value, message):
    table = pd.DataFrame({"trace_id": ["XX.A."], "phase": "P", "time": [value]})
    with pytest.raises(ValueError, match=message):
        picks_to_dataframe(table)


def test_tables_of_pyocto_are_taken_as_they_are(tmp_path):
    """What PyOcto's associate returns, as the problem report had it."""
    times = [T0.timestamp + 4.7, T0.timestamp + 7.7, T0.timestamp + 99]
    assignments = pd.DataFrame(
        {"event_idx": [0, 0, -1], "station": "XX.ABC.", "phase": ["P", "S", "P"], "time": times}
    )
    events = pd.DataFrame(
        {"idx": [0], "time": [T0.timestamp], "latitude": 10.0, "longitude": 20.0, "depth": 9.8}
    )
    text = export(assignments, tmp_path / "a.pha", events=events).read_text()
    assert text.startswith("# 2024  3  1  0  1  0.00")
    read = obspy.read_events(tmp_path / "a.pha", "HYPODDPHA")[0]
    assert read.origins[0].time == T0 and read.origins[0].depth == 9800
    assert [p.time - T0 for p in read.picks] == pytest.approx([4.7, 7.7], abs=1e-4)


def test_old_names_of_columns_are_still_read():
    picks = picks_to_dataframe(PICKS)
    with pytest.warns(DeprecationWarning, match="'event' of tables of picks is now .* 'event_id'"):
        assert list(picks_to_dataframe(picks.assign(event=[7, -1]))["event_id"]) == ["7", None]
    with pytest.warns(DeprecationWarning, match="tables of events"):
        frame = events_to_dataframe(
            pd.DataFrame([{"event": 7, "time": 0, "latitude": 0, "longitude": 0, "depth": 1}])
        )
    assert list(frame) == ["event_id", "time", "latitude", "longitude", "depth_km"]


HELD = {
    "csv": {"network", "location", "probability", "polarity", "instrument", "span", "us"},
    "parquet": {"network", "location", "probability", "polarity", "instrument", "span", "us"},
    "quakeml": {"network", "location", "probability", "polarity", "instrument", "us"},
    "pyocto": {"network", "location", "probability", "us"},
    "gamma": {"network", "probability", "us"},
    "nlloc": {"polarity", "instrument"},
}


@pytest.mark.parametrize("name", HELD)
def test_every_format_is_read_back(name, tmp_path):
    held, expected = HELD[name], picks_to_dataframe(PICKS)
    found = read_picks(export(PICKS, tmp_path / "picks", name), name)
    tolerance = pd.Timedelta(1 if "us" in held else 100, "us")
    assert ((found["time"] - expected["time"]).abs() <= tolerance).all()
    assert list(found["phase"]) == ["P", "S"]
    codes = [trace_id.split(".")[: 2 if "network" in held else 1] for trace_id in found["trace_id"]]
    assert codes == ([["XX", "ABC"], ["XX", "DEF"]] if "network" in held else [[""], [""]])
    if "location" in held:
        assert list(found["trace_id"]) == list(expected["trace_id"])
    if "probability" in held:
        assert list(found["probability"]) == pytest.approx([0.8127, 0.5], abs=1e-6)
    else:
        assert found["probability"].isna().all()
    assert list(found["polarity"]) == (["D", None] if "polarity" in held else [None, None])
    if "instrument" in held:
        assert list(found["instrument"]) == ["HN", "HH"]
    if "span" in held:
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    else:
        assert (found["start_time"] == found["time"]).all()


def test_hypodd_is_read_back(tmp_path):
    picks = picks_to_dataframe(PICKS).assign(event_id="a")
    events = pd.DataFrame({"event_id": ["a"], "time": [T0], "latitude": 1, "longitude": 2})
    found = read_picks(export(picks, tmp_path / "a.pha", events=events.assign(depth_km=3.0)))
    assert list(found["trace_id"]) == [".ABC.", ".DEF."]
    assert list(found["probability"]) == pytest.approx([0.8127, 0.5], abs=1e-4)
    assert found["event_id"].nunique() == 1


def test_probability_goes_from_quakeml_into_other_formats(tmp_path):
    catalog = obspy.read_events(export(PICKS, tmp_path / "a.xml"))
    table = pd.read_csv(export(catalog, tmp_path / "a.gamma.csv"))
    assert list(table["prob"]) == pytest.approx([0.8127, 0.5])
    catalog[0].picks[0].comments = []
    # GaMMA weighs with it: an analyst's pick is sure.
    assert list(pd.read_csv(export(catalog, tmp_path / "b.gamma.csv"))["prob"]) == [1.0, 0.5]


def test_quakeml_has_channel_codes_and_uncertainties(tmp_path):
    picks = obspy.read_events(export(PICKS, tmp_path / "a.xml", uncertainty=0.07))[0].picks
    assert [pick.waveform_id.channel_code for pick in picks] == ["HN", "HH"]
    assert [pick.time_errors.uncertainty for pick in picks] == [0.07, 0.07]


def test_event_ids_come_back(tmp_path):
    picks = picks_to_dataframe([*PICKS, PICKS[0]]).assign(event_id=["7", None, "8"])
    for name in ("a.csv", "a.parquet"):
        assert list(read_picks(export(picks, tmp_path / name))["event_id"]) == ["7", None, "8"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xml", "a.pha", "a.obs", "a.gamma.csv"])
def test_broken_files_are_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x00\xff no picks, whatever\n1,2\n")
    with pytest.raises(ValueError, match=f"{name} is no file of picks that can be read"):
        read_picks(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"There is no file .*x{name}"):
        read_picks(tmp_path / f"x{name}")


def test_picks_that_a_format_cannot_hold_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="phases P and S only"):
        export([Pick("XX.A.", T0, T0, T0, 1, "Pn")], tmp_path / "b.gamma.csv")
    assert not list(tmp_path.iterdir())


def test_all_formats_are_read_and_offered():
    assert set(FORMATS) == set(READERS) == {form.value for form in PickFormat}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["a.csv", "a.obs", "a.gamma.csv", "a.pyocto.csv"]),
    head=st.sampled_from(["", "trace_id,phase,time\n", "id,timestamp,type,prob\n", "PUBLIC_ID "]),
    rest=st.one_of(st.text("XABC.,0129-:TZ \n\"'?", max_size=80), st.binary(max_size=80)),
)
def test_whatever_a_file_holds_it_is_a_table_or_one_error(name, head, rest, tmp_path):
    content = rest if isinstance(rest, bytes) else rest.encode()
    (tmp_path / name).write_bytes(head.encode() + content)
    try:
        table = read_picks(tmp_path / name)
    except ValueError as error:
        assert f"{name} is no file of picks that can be read" in str(error)
    else:
        assert str(table["time"].dtype) == TIME and table["time"].notna().all()
