"""Tables of picks and events: their columns and times."""

import datetime
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from seisbench.util import Pick

from seisbench_llm.export import events_to_dataframe, export, picks_to_dataframe, read_picks
from seisbench_llm.export.tables import (
    ARRIVAL_TYPES,
    ESTIMATE_TYPES,
    EVENT_TYPES,
    PICK_TYPES,
    TIME,
    timestamp,
)
from seisbench_llm.live import LivePick
from tests.helpers.picks import T0, TWO

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"


def described(heading: str) -> list[str]:
    """Columns in the first table below a heading of the page on tables."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    table = section.split("| --- |", 1)[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines()[1:]]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(
    "heading, columns",
    [
        # The last two belong to located picks, and to users who add them.
        ("Picks", [*PICK_TYPES, "event_id", "amplitude"]),
        ("Live picks", [field.name for field in fields(LivePick)]),
        ("Events", EVENT_TYPES),
        ("Arrivals", ARRIVAL_TYPES),
        ("Estimates", ESTIMATE_TYPES),
    ],
)
def test_the_page_describes_every_column_and_no_other(heading, columns):
    assert sorted(described(heading)) == sorted(columns)


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
        stamp = picks_to_dataframe(table)["time"][0]
        assert stamp.isoformat() == f"{year}-01-01T00:00:00.500000+00:00"
        assert timestamp(time) == timestamp(time.timestamp) == stamp


@pytest.mark.parametrize(
    "value, message",
    [
        (T0.ns, "'time' contains 1.70925126e.18: numbers are seconds since 1970"),
        (T0.timestamp * 1e3, "seconds since 1970"),
        (20240229, "'time' contains 20240229: numbers are seconds since 1970"),
        (12.3, "'time' contains 12.3: numbers are seconds since 1970"),
        ("yesterday", "'time' contains an invalid time"),
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
    picks = picks_to_dataframe(TWO)
    with pytest.warns(DeprecationWarning, match="'event' of tables of picks is now .* 'event_id'"):
        assert list(picks_to_dataframe(picks.assign(event=[7, -1]))["event_id"]) == ["7", None]
    with pytest.warns(DeprecationWarning, match="tables of events"):
        frame = events_to_dataframe(
            pd.DataFrame([{"event": 7, "time": 0, "latitude": 0, "longitude": 0, "depth": 1}])
        )
    assert list(frame) == ["event_id", "time", "latitude", "longitude", "depth_km"]


def test_event_ids_come_back(tmp_path):
    picks = picks_to_dataframe([*TWO, TWO[0]]).assign(event_id=["7", None, "8"])
    for name in ("a.csv", "a.parquet"):
        assert list(read_picks(export(picks, tmp_path / name))["event_id"]) == ["7", None, "8"]


def test_times_are_rounded_to_the_nearest_microsecond():
    # Those of samples end in nanoseconds, on either side of a whole microsecond.
    for ns, us in ((1_000_000_700, 1_000_001), (1_000_000_300, 1_000_000), (-700, -1)):
        assert timestamp(obspy.UTCDateTime(ns=ns)) == pd.Timestamp(us, unit="us", tz="UTC")


def test_begin_and_end_of_a_pick_are_its_time_where_they_are_not_known():
    whole = Pick("XX.A.", T0, T0 + 2, T0 + 1, 0.5, "P")
    only = Pick("XX.A.", None, None, T0 + 1, 0.5, "P")
    frame = picks_to_dataframe([whole, only])
    times = frame[["start_time", "time", "end_time"]]
    assert times.iloc[0].tolist() == [timestamp(T0 + s) for s in (0, 1, 2)]
    assert times.iloc[1].tolist() == [timestamp(T0 + 1)] * 3
