"""Conversion of files, and what it says is lost."""

import itertools

import obspy
import pandas as pd
import pytest

from seisbench_llm.export import (
    convert_picks,
    dataframe_to_picks,
    export,
    picks_to_dataframe,
    read_events,
    read_picks,
    write_events,
)
from seisbench_llm.export.formats import FORMATS
from seisbench_llm.export.kept import EVENTS_KEPT, PICKS_KEPT
from tests.export.test_detect import NORDIC
from tests.export.test_kept import events_of, whole_picks

SUFFIXES = {name: form.suffixes[0] for name, form in FORMATS.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One file of each format, all with the same picks and event."""
    folder = tmp_path_factory.mktemp("formats")
    events = write_events(events_of(), folder / "table.csv")
    for name, suffix in SUFFIXES.items():
        options = {"events": events_of()} if FORMATS[name].catalog else {}
        export(whole_picks(), folder / f"a{suffix}", name, **options)
    return folder, events


@pytest.mark.parametrize("source, target", list(itertools.permutations(SUFFIXES, 2)))
def test_every_format_becomes_every_other(source, target, files, tmp_path):
    folder, events = files
    given = None if source in EVENTS_KEPT else events
    out = tmp_path / f"b{SUFFIXES[target]}"
    done = convert_picks(folder / f"a{SUFFIXES[source]}", out, events=given)
    assert (done.source, done.target, done.events) == (source, target, 1)
    assert done.picks == (0 if source == "growclust" else 2)
    found = read_picks(out)
    # These picks do not say to which event they belong, and HypoDD takes no others.
    alone = source in ("gamma", "phasenet", "eqtransformer") and target == "hypodd"
    assert len(found) == (0 if "growclust" in (source, target) or alone else 2)
    kept = set(PICKS_KEPT[source]) & set(PICKS_KEPT[target])
    if len(found) and "probability" in kept:
        assert sorted(found["probability"]) == pytest.approx([0.5, 0.8127], abs=1e-4)
    if len(found) and "time_uncertainty" in kept:
        assert sorted(found["time_uncertainty"]) == [0.03, 0.07]
    assert not set(done.lost) & kept
    if target in EVENTS_KEPT:
        assert list(read_events(out)["magnitude"]) == [1.3] and not done.events_lost
    else:
        assert done.events_lost


def test_what_is_lost_is_told(files, tmp_path):
    folder, _ = files
    lost = convert_picks(folder / "a.csv", tmp_path / "b.phasenet.csv").lost
    assert lost == ["component", "time_uncertainty", "polarity", "span", "event_id", "further"]
    out = tmp_path / "events.parquet"
    done = convert_picks(folder / "a.xml", tmp_path / "b.csv", events_out=out)
    assert not done.events_lost and read_events(out)["event_id"][0] == "7"


def test_picks_of_no_event_are_kept_in_catalogues(tmp_path):
    picks = whole_picks()
    picks.loc[1, "event_id"] = None
    export(picks, tmp_path / "a.csv")
    write_events(events_of(), tmp_path / "e.csv")
    for name in ("b.xml", "b.scml"):
        convert_picks(tmp_path / "a.csv", tmp_path / name, events=tmp_path / "e.csv")
        found = read_picks(tmp_path / name)
        assert list(found["event_id"]) == ["7", None]


def test_nordic_becomes_quakeml_with_everything(tmp_path):
    convert_picks(NORDIC, tmp_path / "a.xml")
    before, after = obspy.read_events(NORDIC)[0], obspy.read_events(tmp_path / "a.xml")[0]
    assert [p.time for p in after.picks] == [p.time for p in before.picks]
    assert len(after.magnitudes) == len(before.magnitudes) > 0
    assert len(after.amplitudes) == len(before.amplitudes)


def test_errors_name_the_file(files, tmp_path):
    folder, events = files
    with pytest.raises(ValueError, match="table.csv is a table of events. Pass it as --events"):
        convert_picks(events, tmp_path / "b.xml")
    with pytest.raises(FileNotFoundError, match="There is no file .*nowhere"):
        convert_picks(tmp_path / "nowhere", tmp_path / "b.xml")
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty cannot be read .* Name its format: csv"):
        convert_picks(tmp_path / "empty", tmp_path / "b.xml")
    with pytest.raises(ValueError, match="needs? located events"):
        convert_picks(folder / "a.csv", tmp_path / "b.pha")
    with pytest.raises(ValueError, match="holds no events. Formats of events: csv"):
        write_events(events_of(), tmp_path / "a.obs")
    assert {file.name for file in tmp_path.iterdir()} == {"empty"}


def test_a_table_becomes_seisbenchs_list_of_picks():
    table = whole_picks()
    picks = dataframe_to_picks(table)
    assert type(picks).__name__ == "PickList" and picks[0].peak_time == "2024-03-01T00:01:04.7103"
    assert picks[0].instrument == "HH" and picks[0].event_id == "7"
    back = picks_to_dataframe(picks)
    columns = [name for name in table if name != "reviewer"]
    pd.testing.assert_frame_equal(back[columns], table[columns], check_dtype=False)


def test_events_do_not_go_into_the_file_of_the_picks(files, tmp_path):
    """The picks replaced them."""
    out = tmp_path / "a.csv"
    with pytest.raises(ValueError, match="a.csv cannot hold both"):
        convert_picks(files[0] / "a.xml", out, events_out=tmp_path / "." / "a.csv")
    assert not out.exists()
