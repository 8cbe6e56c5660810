"""Picks are written and come back as they were."""

import io
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm.cli.pick import PickFormat
from seisbench_llm.export import export, picks_to_dataframe, read_events, read_picks
from seisbench_llm.export.detect import OBSPY
from seisbench_llm.export.files import write_parquet
from seisbench_llm.export.formats import FORMATS
from seisbench_llm.export.read import READERS
from seisbench_llm.export.tables import TIME
from tests.helpers.picks import FAST, PICKS, T0, TWO, pick_at


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
    held, expected = HELD[name], picks_to_dataframe(TWO)
    found = read_picks(export(TWO, tmp_path / "picks", name), name)
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
    picks = picks_to_dataframe(TWO).assign(event_id="a")
    events = pd.DataFrame({"event_id": ["a"], "time": [T0], "latitude": 1, "longitude": 2})
    found = read_picks(export(picks, tmp_path / "a.pha", events=events.assign(depth_km=3.0)))
    assert list(found["trace_id"]) == [".ABC.", ".DEF."]
    assert list(found["probability"]) == pytest.approx([0.8127, 0.5], abs=1e-4)
    assert found["event_id"].nunique() == 1


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xml", "a.pha", "a.obs", "a.gamma.csv"])
def test_broken_files_are_named(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x00\xff no picks, whatever\n1,2\n")
    with pytest.raises(ValueError, match=f"{name} cannot be read as a file of picks"):
        read_picks(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"There is no file .*x{name}"):
        read_picks(tmp_path / f"x{name}")


def test_all_formats_are_read_and_offered():
    assert set(FORMATS) == set(READERS) - {OBSPY} == {form.value for form in PickFormat}


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
        assert f"{name} cannot be read as a file of picks" in str(error)
    else:
        assert str(table["time"].dtype) == TIME and table["time"].notna().all()


@pytest.mark.parametrize(
    "name, lines",
    [
        ("a.csv", ["trace_id,phase,time,probability", "XX.A.,P,2021-01-02T12:00,0.9,"]),
        ("a.phasenet.csv", ["station_id,phase_time,phase_score,phase_type",
                            "XX.A..HH,2021-01-02T12:00,0.9,P,"]),
        ("a.gamma.csv", ["id,timestamp,prob,type", "XX.A.,2021-01-02T12:00,0.9,p,"]),
    ],
)  # fmt: skip
def test_a_comma_at_the_ends_of_lines_moves_no_column(name, lines, tmp_path):
    """The probability was read as the time, 1970."""
    path = tmp_path / name
    path.write_text("\n".join([*lines, ""]))
    found = read_picks(path).iloc[0]
    assert (found["trace_id"], found["phase"], found["probability"]) == ("XX.A.", "P", 0.9)
    assert found["time"] == pd.Timestamp("2021-01-02T12:00Z")


def test_a_comma_at_the_ends_of_lines_of_events(tmp_path):
    lines = ["event_id,time,latitude,longitude,depth_km", "1,2021-01-02T12:00,40,13,5,"]
    path = tmp_path / "events.csv"
    path.write_text("\n".join([*lines, ""]))
    found = read_events(path).iloc[0]
    assert (found["event_id"], found["latitude"], found["depth_km"]) == ("1", 40, 5)


AGENCY = "time,latitude,longitude,depth_km,magnitude\n"
AGENCY += "2019-07-07T07:47:34.780,35.6,-117.3,5.1,2.1\n2019-07-07T07:50:00,35.9,-117.6,1.1,2\n"
# Columns of a table of USGS, of which some were left out.
USGS = "time,latitude,longitude,depth,mag,magType,id,place,type\n"
USGS += '2019-07-07T07:47:34.780Z,35.6,-117.3,5.1,2.1,ml,ci38,"10km E of Coso, CA",earthquake\n'


def test_tables_of_agencies_are_catalogues(tmp_path):
    path = tmp_path / "agency.csv"
    path.write_text(AGENCY)
    events = read_events(path)
    assert list(events["event_id"]) == ["1", "2"] and list(events["magnitude"]) == [2.1, 2.0]
    path.write_text(USGS)
    row = read_events(path).iloc[0]
    assert (row["event_id"], row["magnitude"], row["depth_km"]) == ("ci38", 2.1, 5.1)
    write_parquet(pd.read_csv(io.StringIO(AGENCY)), tmp_path / "agency.parquet")
    assert list(read_events(tmp_path / "agency.parquet")["event_id"]) == ["1", "2"]


def test_impossible_probabilities_and_uncertainties_are_told(tmp_path, warnings_of):
    frame = picks_to_dataframe([pick_at(0), pick_at(5)])
    path = export(frame.assign(probability=[0.5, 150.0]), tmp_path / "a.csv")
    assert len(read_picks(path)) == 2
    assert "1 picks have a probability that is not from 0 to 1, the first: 150" in warnings_of()
    text = path.read_text().replace("time_uncertainty", "other")
    (tmp_path / "b.csv").write_text(
        "\n".join(
            f"{line},{last}"
            for line, last in zip(text.split(), ["time_uncertainty", 0.1, -0.1], strict=True)
        )
    )
    with pytest.raises(ValueError, match="b.csv .* Pick 1 has a negative time_uncertainty: -0.1 s"):
        read_picks(tmp_path / "b.csv")


def test_fields_beyond_the_header_are_told(tmp_path, warnings_of):
    """They were a ParserWarning of pandas, which named no file."""
    path = export(picks_to_dataframe([pick_at(0), pick_at(5)]), tmp_path / "a.csv")
    first, *lines = path.read_text().split()
    path.write_text("\n".join([first, *(f"{line},," for line in lines)]))
    assert len(read_picks(path)) == 2 and "a.csv" not in warnings_of()
    path.write_text("\n".join([first, f"{lines[0]},,", f"{lines[1]},,x"]))
    assert len(read_picks(path)) == 2
    assert "a.csv: 1 lines have more fields than the header, the first is line 3" in warnings_of()
    path.write_text("\n".join([first, lines[0], f"{lines[1]},x"]))
    with pytest.raises(ValueError, match="a.csv .* in line 3"):
        read_picks(path)


def test_coordinates_of_a_grid_are_no_degrees(tmp_path, warnings_of):
    """The event lay at latitude 5323."""
    file = Path(obspy.__file__).parent / "io/nlloc/tests/data/nlloc_custom.hyp"
    assert len(read_picks(file)) == 8
    assert "nlloc_custom.hyp: an origin at latitude 5323.28" in warnings_of()
    assert not len(read_events(file)) or read_events(file)["latitude"].isna().all()
