"""Each format keeps the fields that kept.py and the page on formats say, and no others."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.export import export, picks_to_dataframe, read_events, read_picks
from seisbench_llm.export.convert import write_events
from seisbench_llm.export.formats import FORMATS
from seisbench_llm.export.kept import (
    EVENTS_KEPT,
    PICK_FIELDS,
    PICKS_KEPT,
    lost_fields,
    pick_fields,
)
from seisbench_llm.export.tables import EVENT_TYPES, typed
from tests.export.test_origins import ROW

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "formats.md"
T = pd.Timestamp("2024-03-01T00:01:00Z")


def whole_picks():
    """Picks that have everything a table of picks can have."""
    times = T + pd.to_timedelta([4.7103, 7.1235], "s")
    return picks_to_dataframe(
        pd.DataFrame(
            {
                "trace_id": ["XX.ABC.00.HHZ", "XX.ABC.00.HHN"],
                "phase": ["P", "S"],
                "time": times,
                "probability": [0.8127, 0.5],
                "start_time": times - pd.Timedelta(0.1, "s"),
                "end_time": times + pd.Timedelta(0.2, "s"),
                "polarity": ["D", "U"],
                "time_uncertainty": [0.03, 0.07],
                "amplitude": [1e-6, 2e-6],
                "event_id": ["7", "7"],
                "reviewer": ["me", "you"],
            }
        )
    )


WHOLE_EVENT = {**ROW, "event_id": "7"}


def events_of(row=WHOLE_EVENT):
    return typed([row], EVENT_TYPES)


def same(found, expected):
    def key(value):
        if isinstance(value, pd.Timestamp):
            # HypoDD and NonLinLoc have 0.1 ms.
            return value.round("100us")
        if isinstance(value, tuple):
            return tuple(map(key, value))
        return value

    if all(isinstance(value, float) for value in expected):
        return found == pytest.approx(expected, abs=1e-6, rel=1e-6)
    return [key(value) for value in found] == [key(value) for value in expected]


def kept_in(name, folder):
    picks, options = whole_picks(), {}
    if FORMATS[name].catalog:
        options["events"] = events_of()
    if name == "nlloc":
        options["uncertainty"] = 0.5
    path = export(picks, folder / "file", name, **options)
    # NonLinLoc's observations are sorted by channel.
    read = read_picks(path, name).sort_values("time", ignore_index=True)
    found, expected = pick_fields(read), pick_fields(picks)
    assert list(expected) == list(PICK_FIELDS)
    return {field for field in found if same(found[field], expected[field])}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_keeps_what_it_says_and_nothing_else(name, tmp_path):
    assert kept_in(name, tmp_path) == set(PICKS_KEPT[name])
    assert lost_fields(whole_picks(), name) == [
        field for field in PICK_FIELDS if field not in PICKS_KEPT[name]
    ]


@pytest.mark.parametrize("name", EVENTS_KEPT)
def test_events_come_back(name, tmp_path):
    suffix = FORMATS[name].suffixes[0]
    row = dict(WHOLE_EVENT)
    expected = events_of(row).iloc[0]
    found = read_events(write_events(events_of(row), tmp_path / f"e{suffix}")).iloc[0]
    kept = set()
    for column in EVENT_TYPES:
        ours, theirs = expected[column], found[column]
        if isinstance(ours, float | np.floating):
            close = theirs == pytest.approx(ours, rel=1e-4)
        else:
            close = theirs == ours
        if close and column not in ("at_edge",):
            kept.add(column)
    # at_edge is false here, and false where it is not known.
    assert kept == set(EVENTS_KEPT[name]) - {"at_edge"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_keep_whole_events(suffix, tmp_path):
    found = read_events(write_events(events_of(), tmp_path / f"e.{suffix}"))
    pd.testing.assert_frame_equal(found, events_of(), check_dtype=False)


def table_of(heading):
    """The rows of a table of the page: first cell -> the others."""
    text = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line] for line in lines]
    head, *rows = [row for row in rows if set(row[0]) != {"-"}]
    return [cell.strip("`") for cell in head[1:]], {row[0].strip("`"): row[1:] for row in rows}


def test_the_page_says_what_is_kept():
    formats, rows = table_of("What is kept of picks")
    formats = [re.findall(r"\w+", names) for names in formats]  # a column may be that of several
    assert {name for names in formats for name in names} == set(FORMATS)
    assert set(rows) == set(PICK_FIELDS)
    for field, cells in rows.items():
        said = {
            name
            for names, cell in zip(formats, cells, strict=True)
            for name in names
            if cell == "x"
        }
        assert said == {name for name, kept in PICKS_KEPT.items() if field in kept}, field
    _, rows = table_of("What is kept of events")
    assert set(rows) == set(EVENTS_KEPT)
    for name, (cell,) in rows.items():
        lost = set(re.findall(r"`(\w+)`", cell.partition("all but")[2]))
        kept = set(EVENT_TYPES) - lost if lost else set(re.findall(r"`(\w+)`", cell))
        assert kept == set(EVENTS_KEPT[name]), name
