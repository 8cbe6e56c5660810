"""What is written, and what is refused."""

import pandas as pd
import pytest
from obspy.core.event import Catalog, Event
from seisbench.util import Pick

from seisbench_llm.export import export, picks_to_dataframe, read_picks
from seisbench_llm.export.formats import FORMATS
from seisbench_llm.export.quakeml import picks_to_catalog
from seisbench_llm.export.tables import COLUMNS
from tests.helpers.picks import T0, located, pick_at


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
        ([pick_at(0, phase="Pn")], "a.pyocto.csv", "only the phases P and S, not .'Pn'"),
        ([pick_at(0, phase="Pn")], "a.gamma.csv", "only the phases P and S"),
        (pd.DataFrame({"trace_id": ["XX.A."]}), "a.csv", "no column phase, time"),
        ([pick_at(0)], "a.doc", "suffix of a.doc is not one of a format.*csv.*nlloc"),
    ],
)
def test_what_a_format_cannot_hold_is_an_error(picks, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(picks, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_unknown_format_and_events_without_room(tmp_path):
    with pytest.raises(ValueError, match=f"Formats: {', '.join(FORMATS)}"):
        export([], tmp_path / "x", format="sac")
    with pytest.raises(ValueError, match="cannot contain events"):
        export([], tmp_path / "x.csv", events=pd.DataFrame())
    with pytest.raises(ValueError, match="its own events"):
        export(Catalog(), tmp_path / "x.xml", events=pd.DataFrame())
    frame = picks_to_dataframe([pick_at(0)]).assign(event_id=3)
    events = pd.DataFrame([{"event_id": 1, "time": "2020-01-01", "latitude": 0, "longitude": 0}])
    with pytest.raises(ValueError, match="no column depth_km"):
        export(frame, tmp_path / "x.xml", events=events)
    with pytest.raises(ValueError, match="do not exist: .'3'"):
        export(frame, tmp_path / "x.xml", events=events.assign(depth_km=1))


def test_nothing_to_export(tmp_path):
    for name in FORMATS:
        if name not in ("hypodd", "growclust"):
            export([], tmp_path / name, format=name)
    assert list(read_picks(export([], tmp_path / "a.csv")).columns) == list(COLUMNS)
    assert len(picks_to_catalog([], "x/1")[0].picks) == 0
    assert len(picks_to_dataframe(Catalog([Event()]))) == 0


def test_picks_that_a_format_cannot_hold_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="only the phases P and S"):
        export([Pick("XX.A.", T0, T0, T0, 1, "Pn")], tmp_path / "b.gamma.csv")
    assert not list(tmp_path.iterdir())
