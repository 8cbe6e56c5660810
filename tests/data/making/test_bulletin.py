"""Bulletins are read, and their picks grouped."""

import obspy
import pandas as pd
import pytest

from seisbench_llm.data.making.bulletin import LeftOut, column_of, group_picks, read_bulletin
from seisbench_llm.export import export
from tests.export.test_detect import NORDIC
from tests.helpers.own_data import events_table, picks_table, write_bulletin


def groups_of(table, networks=("BW",)):
    left_out = LeftOut()
    return group_picks(table, lambda station: set(networks), left_out), left_out.causes()


def test_seisan_is_read_with_the_same_names_each_time():
    picks, events = read_bulletin(NORDIC)
    again, events_again = read_bulletin(NORDIC)
    assert events["event_id"].tolist() == events_again["event_id"].tolist() != []
    assert picks["event_id"].tolist() == again["event_id"].tolist()
    assert events["magnitude_type"].notna().all() and len(picks) > 10
    groups, causes = groups_of(picks)
    assert len(groups) > 3 and all(group.station.startswith("BW.") for group in groups)
    assert set(causes) <= {"its phase is neither P nor S"}


def test_status_of_picks_and_rejected_ones(tmp_path):
    catalog = obspy.read_events(write_bulletin(tmp_path / "a.xml"))
    catalog[0].picks[0].evaluation_mode = "manual"
    catalog[0].picks[1].evaluation_status = "rejected"
    catalog.write(str(tmp_path / "b.xml"), format="QUAKEML")
    picks, _ = read_bulletin(tmp_path / "b.xml")
    assert picks["status"].tolist() == ["manual", "rejected"]
    groups, causes = groups_of(picks)
    assert len(groups) == 1 and causes == {"its bulletin rejects it": 1}


def test_events_of_one_name_and_picks_without_a_phase(tmp_path):
    catalog = obspy.read_events(write_bulletin(tmp_path / "a.xml"))
    catalog += obspy.read_events(write_bulletin(tmp_path / "a.xml"))
    for number, event in enumerate(catalog):
        event.resource_id = f"smi:agency/{number}/event"
        event.origins[0].time += number
        event.origins[0].arrivals[0].phase = "Pg"
        for pick in event.picks:
            pick.phase_hint = None

    catalog.write(str(tmp_path / "b.xml"), format="QUAKEML")
    picks, events = read_bulletin(tmp_path / "b.xml")
    assert events["event_id"].nunique() == picks["event_id"].nunique() == 2
    assert picks["phase"].tolist()[:2] == ["Pg", "S"]


def test_tables_take_their_events_from_a_file(tmp_path):
    events_table().to_csv(tmp_path / "e.csv", index=False)
    picks, events = read_bulletin(export(picks_table(), tmp_path / "p.csv"), tmp_path / "e.csv")
    assert picks["event_id"].tolist() == ["one", "one"] and events["magnitude"].tolist() == [1.7]


def test_missing_networks_come_from_the_waveforms():
    table = picks_table(trace_id=[".RJOB..EHZ", ".RJOB..EHN"])
    assert groups_of(table)[0][0].station == "BW.RJOB"
    assert groups_of(table, ())[1] == {"there are no waveforms of its station": 2}
    assert groups_of(table, ("BW", "XX"))[1] == {"several networks have its station": 2}


def test_picks_without_an_event_are_paired():
    table = picks_table(event_id=[None, None], phase=["Pn", "Sg"])
    (group,) = groups_of(table)[0]
    assert group.event is None and [pick.phase for pick in group.picks] == ["Pn", "Sg"]
    assert column_of("Pn") == "trace_Pn_arrival_sample"


def test_a_pick_that_is_there_twice_counts_once():
    """Its second S became an event of its own, with another record."""
    table = picks_table().drop(columns="event_id", errors="ignore").assign(event_id=None)
    groups, causes = groups_of(pd.concat([table, table], ignore_index=True))
    assert [len(group.picks) for group in groups] == [len(g.picks) for g in groups_of(table)[0]]
    assert causes["it is there twice"] == len(table)


def test_errors_name_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*nowhere"):
        read_bulletin(tmp_path / "nowhere")
    (tmp_path / "bad.xml").write_text("<quakeml")
    with pytest.raises(ValueError, match="bad.xml cannot be read as a file of picks"):
        read_bulletin(tmp_path / "bad.xml")
