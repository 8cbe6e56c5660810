"""Event lists of GrowClust."""

import pandas as pd
import pytest
from obspy.core.event import Catalog, Event

from seisbench_llm.export import export, read_events, read_picks, write_events
from seisbench_llm.export.growclust import is_event_line, numbers_of
from tests.export.test_origins import EVENTS
from tests.helpers.picks import located

# As in GrowClust's example.
OWN = "2011  1  2  0  2  6.9000  39.66200 -119.69300  8.000  2.10  0.300  0.400  0.080  343023\n"


def test_a_list_of_growclust_itself(tmp_path):
    (tmp_path / "evlist.txt").write_text(OWN)
    found = read_events(tmp_path / "evlist.txt").iloc[0]
    assert found["event_id"] == "343023" and found["time"] == pd.Timestamp("2011-01-02T00:02:06.9Z")
    assert [found[n] for n in ("latitude", "longitude", "depth_km", "magnitude")] == [
        39.662,
        -119.693,
        8.0,
        2.1,
    ]
    assert found["uncertainty_km"] == 0.3 and found["rms"] == 0.08
    assert len(read_picks(tmp_path / "evlist.txt")) == 0


def test_events_without_a_depth_are_left_out_and_names_become_numbers(tmp_path, warnings_of):
    path = write_events(EVENTS, tmp_path / "a.evlist")
    found = read_events(path)
    assert list(found["event_id"]) == ["1", "2"] and len(EVENTS) == 3
    assert "1 events without a depth" in warnings_of() and "a.evlist" in warnings_of()
    assert pd.isna(found["rms"][1]) and found["magnitude"][1] == 0
    with pytest.raises(ValueError, match="needs located events"):
        export(located(depth=None), tmp_path / "b.evlist")


def test_numbers_are_kept_if_all_are_numbers():
    def numbers(*names):
        events = [Event(resource_id=f"smi:local/event/{name}") for name in names]
        return numbers_of(Catalog(events))

    assert numbers("7", "343023") == [7, 343023]
    assert numbers("7", "abc") == numbers("7", "07") == numbers("1", "1234567890") == [1, 2]


def test_what_is_no_event(tmp_path):
    assert is_event_line(OWN) and not is_event_line(OWN.replace("2011  1", "2011 13"))
    (tmp_path / "a.evlist").write_text(OWN + "1 2 3\n")
    with pytest.raises(ValueError, match="a.evlist .* line 2 is not an event"):
        read_events(tmp_path / "a.evlist")
