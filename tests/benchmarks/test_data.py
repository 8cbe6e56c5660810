"""The script that writes the data sets of the packaged weights."""

import dataclasses

import numpy as np
import obspy
import pandas as pd
import pytest
import seisbench.data as sbd

from benchmarks.common.records import AnalystRecord
from benchmarks.making import data, labels


def test_an_s_belongs_to_the_last_p_without_one():
    picks = [(100.0, "P"), (900.0, "S"), (500.0, "P"), (700.0, "S"), (9000.0, "S")]
    expected = [{"P": 100.0, "S": 900.0}, {"P": 500.0, "S": 700.0}, {"S": 9000.0}]
    assert labels.events_of(picks) == expected


def test_a_pick_is_adopted_only_at_the_travel_time_of_the_event():
    event = {"S": 1730.0}
    added = [(300.0, "P"), (1000.0, "P"), (1000.0, "S")]
    assert labels.adopt(event, added, origin=0.0) == [(300.0, "P"), (1000.0, "S")]
    assert event == {"S": 1730.0, "P": 1000.0}
    assert labels.adopt({"S": 1730.0}, added, origin=np.nan) == added


def test_unsure_marks_cover_a_doubtful_time():
    start = obspy.UTCDateTime(0)
    stream = obspy.Stream([obspy.Trace(np.zeros(9000), {"sampling_rate": 100})])
    doubtful = {"P": [(start + 20, 1.5)], "S": [(start + 40, 0.5)]}
    picks = {"P": [], "S": []}
    record = AnalystRecord("x", "x", "x", "x", stream, picks, doubtful=doubtful, split="test")
    _, _, unsure = labels.picks_of(record, None)
    assert unsure == [(1950.0, "P"), (2050.0, "P"), (4000.0, "S")]


def test_labels_outside_the_record_are_left_out():
    columns = labels.label_columns([{}, {"P": 5.0, "S": 2000.0}], [(-1.0, "S"), (7.0, "S")], 1000)
    assert columns == {"trace_p2_arrival_sample": 5.0, "trace_s_unsure_sample": 7.0}


def test_numbered_horizontals_are_not_oriented():
    row = {"trace_components_available": "ZNE", "trace_source": "a"}
    for channels, oriented in (("EHZ,EH1,EH2", False), ("HHZ,HHE,HHN", True), ("HH", True)):
        assert data.oriented(pd.Series({**row, "trace_channel": channels})) == oriented
    row |= {"trace_source": "x/raw/BK.VALB.40.HN3__2019.mseed", "trace_channel": "HN"}
    assert not data.oriented(pd.Series(row))
    # Not every 2 is that of a component.
    row |= {"trace_source": "x/raw/UW.SP2..ENZ.mseed"}
    assert data.oriented(pd.Series(row))


def test_one_scale_for_all_components():
    noise = np.random.default_rng(0).standard_normal((2, 500))
    stream = obspy.Stream(
        obspy.Trace(1e-9 * scale * part + 1, {"channel": f"EH{name}", "sampling_rate": 50})
        for part, name, scale in zip(noise, "Z1", (1, 5), strict=True)
    )
    waveforms = data.waveforms_of(stream)
    assert waveforms.shape == (3, 999)
    assert 3 < waveforms[1].std() / waveforms[0].std() < 7
    assert not waveforms[2].any()


def test_an_event_that_is_listed_twice_is_one():
    times = ["2013-09-18T23:50:07.7Z", "2013-09-18T23:50:07.5Z", "2013-09-18T23:51:00Z", None]
    columns = {"trace_parent_dataset": "nz", "source_id": list("abcd")}
    metadata = pd.DataFrame({**columns, "source_origin_time": times})
    data.merge_events(metadata)
    assert metadata["source_id"].tolist() == ["b", "b", "c", "d"]


def test_records_are_written_with_picks_of_the_teacher(shared, tmp_path, monkeypatch):
    def teacher(stream, threshold):
        start = min(trace.stats.starttime for trace in stream)
        return [(start + 1, "P", 0.9), (start + 2, "P", 0.3), (start + 30.2, "P", 0.9)]

    monkeypatch.setattr(data, "SETS", ("phasenet_ncedc154",))
    whole = data.load_continuous(shared / "data")
    monkeypatch.setattr(data, "load_continuous", lambda folder: [_minutes(whole[-1])])
    data.make(tmp_path / "real", data.make_real, shared / "data", teacher)
    records = tmp_path / "real" / "records"
    metadata = sbd.WaveformDataset(records, component_order="ZNE").metadata
    assert set(metadata["split"]) == {"train", "dev", "test"}
    assert (metadata["trace_p_arrival_sample"] == 3000).all()
    test = metadata["split"] == "test"
    # 0.2 s from the analyst's P at 30 s there is no other.
    assert (metadata.loc[~test, "trace_p2_arrival_sample"] == 100).all()
    assert (metadata.loc[~test, "trace_p_unsure_sample"] == 200).all()
    added = ["trace_p2_arrival_sample", "trace_p_unsure_sample"]
    assert metadata.loc[test, added].isna().all(axis=None)
    assert "trace_p3_arrival_sample" not in metadata
    counts = data.table(records)
    assert counts["picking"].sum() == len(metadata) == 154
    pieces = sbd.WaveformDataset(records.with_name("unlabelled"), component_order="ZNE").metadata
    assert set(pieces["trace_parent_dataset"]) == {data.UNLABELLED} and len(pieces) == 2


def _minutes(record, minutes=5):
    """The first minutes of a continuous record."""
    start = record.stream[0].stats.starttime
    return dataclasses.replace(record, stream=record.stream.slice(start, start + 60 * minutes))


def test_unseen_regions_are_never_written_for_training(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "SETS", ("dev_sichuan",))
    with pytest.raises(ValueError, match="dev_sichuan is never trained on"):
        data.make_real(tmp_path / "out", tmp_path, None)


def test_one_station_in_ten_is_for_development(tmp_path):
    rows = [
        ({"trace_name_original": str(i), "station_code": f"S{i % 20}"}, np.full((3, 40), i))
        for i in range(60)
    ]
    metadata = data.write_by_station(tmp_path / "out", rows)
    sides = metadata.groupby("station_code")["split"].unique()
    assert all(len(side) == 1 for side in sides)
    assert sum(side[0] == "dev" for side in sides) == 2
    dataset = sbd.WaveformDataset(tmp_path / "out")
    assert list(dataset["split"]) == list(metadata["split"])
    assert dataset.get_waveforms(7).tolist() == [[7.0] * 40] * 3
