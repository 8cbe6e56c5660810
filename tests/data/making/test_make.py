"""A data set of one's own: what is in it, what is left out, and that it is whole or not there."""

import json
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.geodetics import gps2dist_azimuth

from seisbench_llm.data import open_dataset
from seisbench_llm.data.making import MakeSettings, make_dataset
from seisbench_llm.export import export, picks_to_dataframe
from tests.helpers.own_data import (
    START,
    P,
    S,
    events_table,
    picks_table,
    records,
    write_bulletin,
    write_sds,
)

SHORT = MakeSettings(before=3, after=5)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_sds(tmp_path_factory.mktemp("sds"), records())


def made_of(archive, picks, out, **options):
    made = make_dataset(
        [archive], picks, out, stations=obspy.read_inventory(), settings=SHORT, **options
    )
    return made, open_dataset(out)


def test_columns_and_samples(archive, tmp_path):
    made, dataset = made_of(archive, write_bulletin(tmp_path / "a.xml"), tmp_path / "out")
    assert made.picks == 2 and made.left_out == {} and len(dataset) == 1
    row = dataset.metadata.iloc[0]
    assert row["source_id"] == "one" and row["source_magnitude"] == 1.7
    assert row["station_network_code"] == "BW" and row["trace_channel"] == "EH"
    assert row["trace_polarity"] == "U" and row["trace_p_probability"] == 0.9
    assert row["trace_p_uncertainty_s"] == 0.02 and row["trace_p_status"] == "automatic"
    assert row["trace_components_available"] == "ZNE" and row["split"] == "train"
    start = obspy.UTCDateTime(row["trace_start_time"])
    assert start + row["trace_p_arrival_sample"] / 100 == P
    assert abs(start + row["trace_s_arrival_sample"] / 100 - S) < 1e-5
    assert abs(start - (P - 3)) < 0.01 and row["trace_npts"] == 972
    place = obspy.read_inventory().select(station="RJOB")[0][0]
    metres, _, back = gps2dist_azimuth(47.9, 12.9, place.latitude, place.longitude)
    assert row["path_ep_distance_km"] == pytest.approx(metres / 1e3, abs=1e-3)
    assert row["path_back_azimuth_deg"] == pytest.approx(back, abs=1e-2)
    assert row["path_hyp_distance_km"] > row["path_ep_distance_km"]
    expected = records().slice(start, start + 9.71)
    for samples, component in zip(dataset.get_waveforms(0), "ZNE", strict=True):
        np.testing.assert_allclose(samples, expected.select(component=component)[0].data, rtol=1e-6)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["picks"] == 2 and report["records"] == 1


def test_files_give_what_the_archive_gives(archive, tmp_path):
    records().write(str(tmp_path / "w.mseed"), format="MSEED")
    picks = write_bulletin(tmp_path / "a.xml")
    _, ours = made_of(tmp_path / "w.mseed", picks, tmp_path / "files")
    _, theirs = made_of(archive, picks, tmp_path / "sds")
    np.testing.assert_array_equal(ours.get_waveforms(0), theirs.get_waveforms(0))
    pd.testing.assert_frame_equal(ours.metadata, theirs.metadata)


def left_out_of(folder):
    return dict(pd.read_csv(folder / "left_out.csv")[["phase", "cause"]].to_numpy())


def test_each_pick_that_is_left_out_has_its_cause(archive, tmp_path):
    rows = {
        "BW.RJOB..EHZ": ("P", P),
        "BW.RJOB..EHN": ("S", START + 34),
        "BW.RJOB..EHE": ("IAML", S),
        "BW.NONE..EHZ": ("Pn", P),
        ".NONE.": ("Pg", P),
        "BW.RJOB..": ("PmP", START + 500),
    }
    phases, times = zip(*rows.values(), strict=True)
    picks = pd.DataFrame({"trace_id": list(rows), "phase": phases, "time": map(str, times)})
    picks["event_id"] = ["one", "one", "one", "one", "one", "two"]
    out = tmp_path / "out"
    made, dataset = made_of(archive, export(picks_to_dataframe(picks), tmp_path / "p.csv"), out)
    assert left_out_of(out) == {
        "S": "it is off the record",
        "IAML": "its phase is neither P nor S: IAML",
        "Pn": "there are no waveforms at its time",
        "Pg": "there are no waveforms of its station",
        "PmP": "there are no waveforms at its time",
    }
    assert len(dataset) == 1 and made.picks == 6 == 1 + sum(made.left_out.values())


def test_dead_and_missing_data_are_told(tmp_path):
    def break_it(trace):
        trace.data = trace.data.astype("float32")
        at = round(4.7 * 100)
        trace.data[at - 100 : at + 100] = 7.0

    archive = write_sds(tmp_path / "dead", records(break_it))
    made, _ = made_of(archive, write_bulletin(tmp_path / "a.xml"), tmp_path / "out")
    assert made.left_out == {"all components are constant around it": 1}
    stream = records()
    cut = stream.copy().cutout(S - 0.1, S + 0.1)
    archive = write_sds(tmp_path / "gap", cut)
    made, dataset = made_of(archive, tmp_path / "a.xml", tmp_path / "gap_out")
    assert made.left_out == {"it lies in a gap": 1}
    # A straight line across the gap.
    row = dataset.get_waveforms(0)[0]
    assert len(row) == 972 and np.isfinite(row).all()


def test_picks_without_events_and_other_events(archive, tmp_path):
    later = picks_table(time=[str(P + 4), str(S + 4)], event_id=["two", "two"])
    alone = picks_table(time=[str(P + 14), str(S + 14)], event_id=[None, None])
    picks = pd.concat([picks_table(), later, alone], ignore_index=True)
    made, dataset = made_of(archive, export(picks, tmp_path / "p.csv"), tmp_path / "out")
    table = dataset.metadata
    assert len(table) == 3 and made.left_out == {}
    # The second record begins between P and S of the first event.
    assert table["trace_p2_arrival_sample"].notna().tolist() == [True, False, False]
    assert table["trace_s2_arrival_sample"].notna().tolist() == [True, True, False]
    assert table["trace_p2_arrival_sample"][0] == pytest.approx(
        table["trace_p_arrival_sample"][0] + 400, abs=0.01
    )
    assert table["source_id"].isna().tolist() == [False, False, True]
    # The records of the two events share samples.
    assert table["split"][0] == table["split"][1]


def test_no_half_data_set_stays(archive, tmp_path, monkeypatch):
    picks = write_bulletin(tmp_path / "a.xml")
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there exists"):
        made_of(archive, picks, tmp_path / "there")

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("seisbench_llm.data.making.make.check_metadata", fail)
    with pytest.raises(KeyboardInterrupt):
        made_of(archive, picks, tmp_path / "out")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.xml", "there"]


def test_nothing_to_make_is_an_error(archive, tmp_path):
    picks = export(picks_table(trace_id=["BW.NONE..EHZ"] * 2), tmp_path / "p.csv")
    with pytest.raises(ValueError, match="No pick of .*p.csv gets a record: 2 because"):
        made_of(archive, picks, tmp_path / "out")
    (tmp_path / "broken.mseed").write_text("no waveforms")
    with pytest.raises(ValueError, match="1 files cannot be read, the first: .*broken.mseed: "):
        made_of(tmp_path / "broken.mseed", picks, tmp_path / "out")
    with pytest.raises(ValueError, match="p.csv has no picks"):
        made_of(archive, export([], tmp_path / "p.csv"), tmp_path / "out")
    with pytest.raises(ValueError, match="before must be from 0 to 86400"):
        MakeSettings(before=-1)
    with pytest.raises(ValueError, match="split_by is samples or event"):
        MakeSettings(split_by="row")
    assert not (tmp_path / "out").exists()


def test_reversed_verticals_and_missing_stations_are_noted(archive, tmp_path):
    inventory = obspy.read_inventory().select(station="RJOB", channel="EH*")
    for channel in (channel for station in inventory[0] for channel in station):
        if channel.code == "EHZ":
            channel.dip = 90.0
    inventory.write(str(tmp_path / "s.xml"), format="STATIONXML")
    picks = write_bulletin(tmp_path / "a.xml")
    out = tmp_path / "out"
    made = make_dataset([archive], picks, out, stations=tmp_path / "s.xml", settings=SHORT)
    checks = made.to_dict()["checks"]
    assert checks["reversed"]["count"] == 1
    assert "BW.RJOB..EHZ has a dip of +90 degrees" in checks["reversed"]["examples"][0]
    # The vertical of the record is up.
    start = obspy.UTCDateTime(open_dataset(out).metadata["trace_start_time"][0])
    z = records().slice(start, start + 9.71).select(channel="EHZ")[0].data
    np.testing.assert_allclose(open_dataset(out).get_waveforms(0)[0], -z, rtol=1e-6)
    made = make_dataset([archive], picks, tmp_path / "none", settings=SHORT)
    assert made.to_dict()["checks"]["no_station"]["examples"] == ["BW.RJOB: 1 records"]


def test_double_events_are_told(archive, tmp_path):
    events = pd.concat([events_table(), events_table(event_id=["two"], latitude=[47.92])])
    later = picks_table(time=[str(P + 9), str(S + 9)], event_id=["two", "two"])
    picks = pd.concat([picks_table(), later], ignore_index=True)
    bulletin = write_bulletin(tmp_path / "a.xml", picks, events.reset_index(drop=True))
    made, _ = made_of(archive, bulletin, tmp_path / "out")
    (found,) = made.report.faults
    assert found.kind == "double_event" and "0.00 s and 2.2 km from" in found.detail


ICELAND = Path("data/continuous/quakemigrate_iceland")


def test_real_records_train_and_evaluate(shared, tmp_path):
    pytest.importorskip("lightning")
    from seisbench_llm.data.checks import check_dataset
    from seisbench_llm.evaluate import evaluate
    from tests.helpers.models import tiny_model
    from tests.helpers.training import fit, run_config

    folder = shared / ICELAND
    if not folder.is_dir():
        pytest.skip(f"there are no records in {folder}")
    picks = pd.read_csv(folder / "picks.csv", dtype=str).head(60)
    picks.to_csv(tmp_path / "picks.csv", index=False)
    stream = obspy.read(folder / "Z7_20140824_0000.mseed")
    archive = write_sds(tmp_path / "sds", stream.trim(endtime=stream[0].stats.starttime + 240))
    settings = MakeSettings(before=8, after=12, split_by="event", fractions=(0.5, 0.25, 0.25))
    made = make_dataset([archive], tmp_path / "picks.csv", tmp_path / "out", settings=settings)
    assert made.report.records > 20 and not made.report.faults
    assert set(made.sides) == {"train", "dev", "test"}
    assert not check_dataset(open_dataset(tmp_path / "out"), sample=10).faults
    limits = {"limit_train_batches": 2, "limit_val_batches": 1}
    fit(run_config(tmp_path / "config.yaml", tmp_path / "out", trainer=limits))
    assert list((tmp_path / "run").rglob("*.ckpt"))
    dataset = open_dataset(tmp_path / "out", sampling_rate=100)
    assert evaluate(tiny_model(), dataset.test(), resamples=0).measures
