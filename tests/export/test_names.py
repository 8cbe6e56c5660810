"""Names of events of other programs, which picks and events share, and trace ids of columns."""

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.core.event import Arrival, Catalog, Event, Origin, Pick, WaveformStreamID

from seisbench_llm.export import (
    convert_picks,
    events_to_dataframe,
    export,
    picks_to_dataframe,
    read_events,
    read_picks,
)
from tests.export.test_detect import NORDIC

T0 = obspy.UTCDateTime(2021, 1, 1)


def event(name: str, station: str, latitude: float) -> Event:
    pick = Pick(time=T0 + 3, waveform_id=WaveformStreamID("XX", station))
    origin = Origin(time=T0, latitude=latitude, longitude=13.0, depth=5e3)
    origin.arrivals = [Arrival(pick_id=pick.resource_id, phase="Pg")]
    return Event(resource_id=name, origins=[origin], picks=[pick])


def test_picks_and_events_of_nordic_have_the_same_names(tmp_path):
    """ObsPy names such events at random, at each reading."""
    events = tmp_path / "events.csv"
    convert_picks(NORDIC, tmp_path / "picks.csv", events_out=events)
    picks = read_picks(tmp_path / "picks.csv")
    assert (
        set(picks["event_id"]) == set(read_events(events)["event_id"]) == {"20130901T041115700000"}
    )
    back = convert_picks(tmp_path / "picks.csv", tmp_path / "back.xml", events=events)
    assert back.events == 1 and len(read_picks(back.path)) == back.picks == 17


@pytest.mark.parametrize(
    "names, expected",
    [
        (("smi:a/event/1", "smi:b/event/1"), ["smi:a/event/1", "smi:b/event/1"]),
        (("smi:a/event/1/", "smi:a/event/2/"), ["1", "2"]),
        (("smi:a/1", "smi:a/2"), ["1", "2"]),
        (("smi:a/1", "smi:a/1"), ["smi:a/1", "smi:a/1_2"]),
    ],
)
def test_each_event_has_a_name_of_its_own(names, expected, tmp_path):
    """Events of two agencies with the same number were one event with the picks of both."""
    catalog = Catalog([event(names[0], "A", 40.0), event(names[1], "B", 45.0)])
    picks = picks_to_dataframe(catalog)
    assert list(picks["event_id"]) == expected
    assert list(picks["phase"]) == ["Pg", "Pg"], "of the arrival, as the pick has none"
    catalog.write(str(tmp_path / "a.xml"), "QUAKEML")
    convert_picks(tmp_path / "a.xml", tmp_path / "a.csv", events_out=tmp_path / "events.csv")
    located = read_events(tmp_path / "events.csv").set_index("event_id")["latitude"]
    found = read_picks(tmp_path / "a.csv")
    assert list(located[found["event_id"]]) == [40.0, 45.0]


def test_what_an_event_lacks(tmp_path):
    unlocated = event("smi:a/1", "A", 40.0)
    unlocated.origins[0].latitude = None
    catalog = Catalog([unlocated])
    catalog[0].picks[0].time_errors = catalog[0].origins[0].time_errors = None
    catalog.write(str(tmp_path / "a.xml"), "QUAKEML")
    convert_picks(tmp_path / "a.xml", tmp_path / "a.csv", events_out=tmp_path / "events.csv")
    done = convert_picks(tmp_path / "a.csv", tmp_path / "b.xml", events=tmp_path / "events.csv")
    assert read_events(done.path)["latitude"].isna().all() and len(read_picks(done.path)) == 1
    table = {"time": [T0], "latitude": 1.0, "longitude": 2.0, "depth_km": 3.0}
    with pytest.raises(ValueError, match="Event 0 has no event_id"):
        events_to_dataframe(pd.DataFrame({**table, "event_id": None}))
    with pytest.raises(ValueError, match="Event 7 has no time"):
        frame = pd.DataFrame({**table, "event_id": 7, "time": [pd.NaT]})
        export(picks_to_dataframe([]).assign(event_id=None), tmp_path / "c.xml", events=frame)


def test_picks_without_codes_are_an_error_of_nonlinloc(tmp_path):
    catalog = Catalog([Event(picks=[Pick(time=T0, phase_hint="P")])])
    with pytest.raises(ValueError, match="NonLinLoc cannot read the station code ''"):
        export(catalog, tmp_path / "a.obs")
    assert len(read_picks(export(catalog, tmp_path / "a.xml"))) == 1


def test_columns_of_codes_become_trace_ids():
    """Of a table in memory and of Parquet, as of CSV: the network was lost."""
    codes = {"network": ["AA", "BB"], "station": "ABC", "location": [np.nan, "00"]}
    table = picks_to_dataframe(pd.DataFrame({**codes, "phase": "P", "time": "2021-01-01"}))
    assert list(table["trace_id"]) == ["AA.ABC.", "BB.ABC.00"]
    assert not {"network", "station"} & set(table)


@pytest.mark.parametrize("name", [None, np.nan, ""])
def test_picks_without_a_trace_id_are_an_error(name):
    table = pd.DataFrame({"trace_id": ["XX.A.", name], "phase": "P", "time": "2021-01-01"})
    with pytest.raises(ValueError, match="Pick 1 has no trace id"):
        picks_to_dataframe(table)


def test_unknown_spans_are_those_of_the_picks():
    row = {"trace_id": "XX.A.", "phase": "P", "time": "2021-01-01", "end_time": "2021-01-02"}
    table = picks_to_dataframe(pd.DataFrame([{**row, "start_time": None}]))
    assert str(table["start_time"][0].date()) == "2021-01-01"
    assert str(table["end_time"][0].date()) == "2021-01-02"
