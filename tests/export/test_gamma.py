"""What GaMMA's examples write: events, and picks with the event of each."""

import json

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm import cli
from seisbench_llm.catalogue import open_picks
from seisbench_llm.export import (
    convert_picks,
    events_to_dataframe,
    export,
    picks_to_dataframe,
    read_events,
    read_picks,
    with_assignments,
)
from seisbench_llm.export.detect import detect_format
from tests.helpers.command_line import run
from tests.helpers.picks import TWO

# Columns and formats of numbers of docs/example_phasenet.ipynb of GaMMA 1.2.
EVENTS = """\
time,magnitude,sigma_time,sigma_amp,cov_time_amp,gamma_score,number_picks,number_p_picks,\
number_s_picks,event_index,x(km),y(km),z(km),longitude,latitude,depth_km
2019-07-04T17:02:54.523,4.422,0.467,0.414,0.015,31.870,3,2,1,7,-1.801,0.512,16.411,-117.523,35.710,16.411
2019-07-04T17:04:01.922,999.000,0.486,0.000,0.000,22.001,1,1,0,8,-2.400,-0.700,15.688,-117.530,35.699,15.688
"""
PICKS = """\
station_id,phase_time,phase_score,phase_type,phase_amplitude,event_index,gamma_score
CI.CCC..BH,2019-07-04T17:02:59.998,0.938,p,4.4e-06,7,2.5
CI.CCC..BH,2019-07-04T17:03:04.100,0.81,s,9.1e-05,7,1.5
NA.CLC.00.HH,2019-07-04T17:02:56.250,0.702,P,-1.0,7,1.75
NA.CLC.00.HH,2019-07-04T17:04:03.000,0.5,P,2e-06,8,0.5
NA.CLC.00.HH,2019-07-04T17:10:00.000,0.31,s,3e-06,-1,-1.0
"""
# Its first versions, as in tests/catalog_gamma.csv of its repository: tabs, and depths in m.
FIRST_EVENTS = """\
time	magnitude	longitude	latitude	depth(m)	covariance	event_idx
2019-07-04T17:02:54.523	4.422	-117.523	35.710	16411.347	0.218,0.171,0.015	7
"""
FIRST_PICKS = """\
id	timestamp	type	prob	amp	event_idx	gamma_score
CI.CCC..BH	2019-07-04T17:02:59.998	p	0.938	4.4e-06	7	2.5
CI.CCC..BH	2019-07-04T17:10:00.000	s	0.31	-1	-1	-1
"""


@pytest.fixture
def files(tmp_path):
    """The four files, by the names that the examples give them."""
    texts = {
        "gamma_events.csv": EVENTS,
        "gamma_picks.csv": PICKS,
        "first_events.csv": FIRST_EVENTS,
        "first_picks.csv": FIRST_PICKS,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_picks_have_their_events(files):
    table = read_picks(files / "gamma_picks.csv")
    assert list(table["trace_id"]) == ["CI.CCC."] * 2 + ["NA.CLC.00"] * 3
    assert list(table["instrument"]) == ["BH"] * 2 + ["HH"] * 3
    assert list(table["phase"]) == ["P", "S", "P", "P", "S"]
    assert table["time"][0] == pd.Timestamp("2019-07-04T17:02:59.998Z")
    assert list(table["probability"]) == [0.938, 0.81, 0.702, 0.5, 0.31]
    assert list(table["event_id"]) == ["7", "7", "7", "8", None]
    known = pytest.approx([4.4e-6, 9.1e-5, np.nan, 2e-6, 3e-6], nan_ok=True)
    assert list(table["amplitude"]) == known
    assert list(table["gamma_score"]) == pytest.approx([2.5, 1.5, 1.75, 0.5, np.nan], nan_ok=True)


def test_the_content_tells_the_format(files):
    for name in ("gamma_picks.csv", "first_picks.csv"):
        assert detect_format(files / name) == "gamma"
        (files / name).rename(files / "any")
        assert detect_format(files / "any") == "gamma"
    # What is written for GaMMA to read has no events yet.
    assert detect_format(export(TWO, files / "picks.txt", "gamma")) == "csv"


def test_events_have_our_units(files):
    events = read_events(files / "gamma_events.csv")
    assert list(events["event_id"]) == ["7", "8"] and list(events["depth_km"]) == [16.411, 15.688]
    assert list(events["magnitude"]) == pytest.approx([4.422, np.nan], nan_ok=True)
    assert list(events["picks"]) == [3, 1] and list(events["rms"]) == [0.467, 0.486]
    # What gamma.utils.association returns, before it is a file.
    raw = pd.read_csv(files / "gamma_events.csv").drop(columns="depth_km")
    assert events_to_dataframe(raw)["depth_km"].equals(events["depth_km"])


def test_the_first_versions_are_read(files):
    events, picks = read_events(files / "first_events.csv"), read_picks(files / "first_picks.csv")
    row = events.iloc[0]
    assert (row["event_id"], row["magnitude"]) == ("7", 4.422)
    assert row["depth_km"] == pytest.approx(16.411347) and "depth(m)" not in events
    assert list(picks["event_id"]) == ["7", None] and list(picks["phase"]) == ["P", "S"]
    assert picks["probability"][1] == 0.31 and np.isnan(picks["amplitude"][1])


@pytest.mark.parametrize("kind", ["gamma", "first"])
def test_picks_and_events_become_a_catalogue(kind, files):
    out = files / "out.xml"
    done = convert_picks(files / f"{kind}_picks.csv", out, events=files / f"{kind}_events.csv")
    assert done.source == "gamma" and done.lost == ["amplitude", "further"]
    catalog = obspy.read_events(out)
    located = [event for event in catalog if event.origins]
    assert located[0].origins[0].depth == pytest.approx(16411, abs=1)
    assert located[0].magnitudes[0].mag == 4.422
    assert len(located[0].picks) == (3 if kind == "gamma" else 1)
    assert sum(len(event.picks) for event in catalog) == done.picks
    if kind == "gamma":
        assert not located[1].magnitudes
    with pytest.raises(ValueError, match="is a table of events. Pass it as --events"):
        convert_picks(files / f"{kind}_events.csv", out)


def test_compare_and_associate_take_them(files):
    ours, theirs = str(files / "gamma_events.csv"), str(files / "first_events.csv")
    found = json.loads(run(cli.app, ["compare", ours, theirs, "--json"]).stdout)
    assert (found["matched"], found["new"], found["missed"]) == (1, 1, 0)
    source = open_picks(files / "gamma_picks.csv")
    assert source.days() == ["2019-07-04"]


# What gamma.utils.association returns for the picks above, with the names of its README.
ASSIGNED = [(0, 7, 2.5), (2, 7, 1.75), (1, 7, 1.5), (3, 8, 0.5)]


@pytest.fixture
def bare(files):
    """The picks without their events."""
    table = read_picks(files / "gamma_picks.csv").drop(columns=["event_id", "gamma_score"])
    return table, export(table, files / "picks.parquet")


@pytest.mark.parametrize("names", [("pick_index", "event_index"), ("pick_idx", "event_idx")])
def test_assignments_are_joined_with_their_picks(files, bare, names):
    table, _ = bare
    assigned = pd.DataFrame(ASSIGNED, columns=[*names, "gamma_score"])
    joined = with_assignments(table, assigned)
    whole = read_picks(files / "gamma_picks.csv")
    pd.testing.assert_frame_equal(picks_to_dataframe(joined)[list(whole)], whole)
    # Numbers with a fraction come from columns with empty entries.
    again = with_assignments(table, assigned.astype({names[1]: float}))
    assert list(again["event_id"]) == list(joined["event_id"])
    # Arrivals of this package have the same two columns under its names.
    arrivals = pd.DataFrame({"event_id": ["a"], "pick": [3], "residual": [0.1]})
    assert list(with_assignments(table, arrivals)["event_id"]) == [None] * 3 + ["a", None]


def test_the_command_joins_assignments(files, bare):
    _, picks = bare
    pd.DataFrame(ASSIGNED, columns=["pick_index", "event_index", "gamma_score"]).to_csv(
        files / "assignments.csv", index=False
    )
    options = ["--assignments", files / "assignments.csv", "--events", files / "gamma_events.csv"]
    out = files / "out.xml"
    result = run(cli.app, ["picks", "convert", str(picks), str(out), *map(str, options)])
    assert result.exit_code == 0, result.output
    with_events = files / "whole.xml"
    convert_picks(files / "gamma_picks.csv", with_events, events=files / "gamma_events.csv")
    one, other = (read_picks(path) for path in (out, with_events))
    pd.testing.assert_frame_equal(one, other)
    assert list(one["event_id"].value_counts()) == [3, 1]
    # Of a catalogue, too, whose picks then have other events.
    convert_picks(with_events, files / "b.csv", assignments=files / "assignments.csv")
    assert read_picks(files / "b.csv")["event_id"].notna().sum() == 4
    with pytest.raises(ValueError, match="is a table of assignments. Pass it as --assignments"):
        convert_picks(files / "assignments.csv", out)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(5, 7)], "have the pick 5, but there are 5 picks, counted from 0"),
        ([(0.5, 7)], "have the pick 0.5"),
        ([(1, 7), (1, 8)], "two events of the pick 1"),
    ],
)
def test_assignments_of_other_picks_are_an_error(files, bare, rows, told):
    path = files / "wrong.csv"
    pd.DataFrame(rows, columns=["pick_index", "event_index"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=told):
        convert_picks(bare[1], files / "out.csv", assignments=path)
    with pytest.raises(ValueError, match="needs the columns pick_index and event_index"):
        with_assignments(bare[0], pd.DataFrame({"pick_index": [1]}))
    with pytest.raises(ValueError, match=r"gamma_events.csv is no table of assignments"):
        convert_picks(bare[1], files / "out.csv", assignments=files / "gamma_events.csv")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        convert_picks(bare[1], files / "out.csv", assignments=files / "nothing.csv")
