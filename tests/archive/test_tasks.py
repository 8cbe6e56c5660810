"""Estimates and amplitudes at the picks of an archive run: those of one run over all of it."""

import json

import numpy as np
import obspy
import pandas as pd
import pytest
import torch

from seisbench_llm import archive
from seisbench_llm.amplitudes import measure
from seisbench_llm.archive import ConfigurationError, Picker
from seisbench_llm.archive import store as archive_store
from seisbench_llm.archive.days import DayData
from seisbench_llm.archive.picker import task_weights
from seisbench_llm.export import read_picks
from seisbench_llm.export.at_picks import (
    COUNTS,
    ESTIMATES,
    PHYSICAL,
    amplitudes_of,
    estimates_of,
    further_types,
)
from seisbench_llm.models.estimators import ESTIMATED, estimate_columns
from seisbench_llm.monitor import SeismicMonitor
from seisbench_llm.stations import Stations
from seisbench_llm.streams.onsets import as_picks, onsets_of
from seisbench_llm.streams.s_minus_p import sp_times
from seisbench_llm.streams.skipped import SkippedList
from tests.archive.test_days import MIDNIGHT, away_from, continuous
from tests.helpers.archive_stub import contents, write_sds
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")

LEVELS = {"P_threshold": 0.8, "S_threshold": 0.8, "min_separation": 2.0}
# Whole windows around a midnight that lies between a P and its S.
START, END = MIDNIGHT - 300, MIDNIGHT + 285
STATIONS = pd.DataFrame(
    {
        "id": [f"XX.ONE.00.HH{code}" for code in "ZNE"],
        "latitude": 50.0,
        "longitude": 10.0,
        "azimuth": [0.0, 0.0, 90.0],
        "dip": [-90.0, 0.0, 0.0],
        "gain": 1e8,
        "units": "M/S",
    }
)


@pytest.fixture(scope="module")
def models():
    """All five; distance and back-azimuth also use textbook methods, as the packaged ones do."""
    filters = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0}}
    made = {"picking": tiny_model(**filters)}
    with torch.no_grad():
        # Peaks of 1 all over would be chosen among by the last digit.
        made["picking"].network.head.out.weight.mul_(0.2)
    for task in ESTIMATED:
        arguments = {"windows_per_pick": 2, "textbook": task in ("distance", "back_azimuth")}
        made[task] = tiny_model(task, **filters, default_args=arguments)
    return made


@pytest.fixture(scope="module")
def weights(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for task, model in models.items():
        model.save(folder / f"tiny_{task}")
    return {task: str(folder / f"tiny_{task}") for task in models}


@pytest.fixture(scope="module")
def sds(tmp_path_factory):
    """Ten minutes of a station, and some of one with a vertical only."""
    root = tmp_path_factory.mktemp("sds")
    stream = continuous(100 * 600, 100.0, MIDNIGHT - 307).trim(START, END)
    write_sds(stream, root)
    alone = stream.select(component="Z").copy().trim(MIDNIGHT - 200, MIDNIGHT - 100)
    alone[0].stats.station = "TWO"
    write_sds(alone, root)
    return root


@pytest.fixture(scope="module")
def run(sds, weights, scheduler):
    """A run with all of it; arguments change it."""
    tasks = {task: weights[task] for task in ESTIMATED}

    def run(out, station="*", **changes):
        asked = {"tasks": tasks, "amplitudes": True, "inventory": STATIONS, **changes}
        return archive.run(
            str(sds), out, (MIDNIGHT - 86400).date, (MIDNIGHT + 86400).date, [f"XX.{station}"],
            weights["picking"], LEVELS, scheduler=scheduler, **asked,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def done(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("done")
    assert run(out).failed == 0
    return out


@pytest.fixture(scope="module")
def picks(done):
    archive.merge(done, done / "all.parquet")
    return read_picks(done / "all.parquet")


@pytest.fixture(scope="module")
def inside(picks):
    """Picks of the station with three components, but near the ends of the data."""
    table = picks[picks["trace_id"] == "XX.ONE.00"]
    return away_from(table, START, END)


@pytest.fixture(scope="module")
def whole(sds):
    return obspy.read(str(sds / "*/XX/ONE/*/*")).merge(-1)


def test_estimates_are_those_of_classify(picks, inside, whole, models):
    """At the same picks, also where P and S are on two days."""
    own = picks[picks["trace_id"] == "XX.ONE.00"]
    near = [abs(obspy.UTCDateTime(time) - MIDNIGHT) < 5 for time in own["time"]]
    assert set(own[near]["time"].dt.day) == {31, 1}
    given = as_picks(own)
    for task in ESTIMATED:
        found = models[task].classify(whole, picks=given, s_picker=None).estimates
        columns = ESTIMATES[task][:1] if task == "polarity" else ESTIMATES[task]
        expected = {pd.Timestamp(e.time.ns, tz="UTC"): (e.value, e.spread) for e in found}
        at = inside[inside["phase"] == "P"]
        assert len(at) > 50 and at[list(columns)].notna().all(axis=None)
        values = np.array([expected[time] for time in at["time"]])
        if task == "polarity":
            values = np.maximum(values, 1 - values)
            assert set(at["polarity"]) == {"U", "D"}
        for name, value in zip(columns, values.T, strict=False):
            assert list(at[name]) == pytest.approx(list(value), rel=1e-3, abs=1e-3), name
    onsets = onsets_of(given)
    sp = sp_times(None, whole, onsets, given, None)
    last = max(index for index, onset in enumerate(onsets) if onset.time < MIDNIGHT)
    assert sp[last] is not None and onsets[last].time + sp[last] > MIDNIGHT
    others = picks.loc[picks["phase"] == "S", list(further_types(ESTIMATED, False, False))]
    assert len(others) and others.isna().all(axis=None)


def test_estimates_are_those_of_the_monitor(inside, whole, models):
    pytest.importorskip("pyproj")  # of the extra monitor
    named = dict(models)
    monitor = SeismicMonitor(named.pop("picking"), **named)
    result = monitor.classify(whole, Stations.read(STATIONS), associate=False, **LEVELS)
    both = estimates_of(inside).merge(result.table, on=["trace_id", "p_time"])
    # Picks may be a sample or two off, as windows begin elsewhere.
    assert len(both) > 0.5 * (inside["phase"] == "P").sum()
    for task, names in ESTIMATES.items():
        # Where another P or S makes another S minus P.
        for name in names:
            same = np.isclose(both[f"{name}_x"], both[f"{name}_y"], rtol=1e-3, atol=1e-3)
            assert same.mean() > (0.9 if task == "distance" else 0.99), name


def test_amplitudes_are_those_of_one_record(picks, inside, whole):
    own = picks[picks["trace_id"] == "XX.ONE.00"].reset_index(drop=True)
    known = measure(whole, as_picks(own), Stations.read(STATIONS))
    ours = amplitudes_of(own)
    ours, known = (table[table["time"].isin(inside["time"])] for table in (ours, known))
    assert len(ours) == len(inside) and ours["phase"].nunique() == 2
    pd.testing.assert_frame_equal(ours, known, rtol=1e-6, check_dtype=False)
    assert inside["amplitude"].equals(inside["velocity_m_s"]) and (inside["amplitude"] > 0).all()


def test_one_component_has_no_back_azimuth(picks, done):
    two = picks[(picks["trace_id"] == "XX.TWO.00") & (picks["phase"] == "P")][:-2]
    assert len(two) and two["back_azimuth"].isna().all() and two["magnitude"].notna().all()
    assert (two["amplitude_trace_id"] == "XX.TWO.00.HHZ").all() and two["amplitude"].isna().all()
    manifest = archive_store.Store(done).manifest("2019-12-31", "XX.TWO.00.HH", "done")
    needs, response = sorted(manifest["skipped_causes"])
    assert needs.startswith("back_azimuth needs three components") and "no response" in response


def test_tables_are_read_back(picks, done):
    types = further_types(ESTIMATED, True, True)
    assert list(types) == [*(n for names in ESTIMATES.values() for n in names), *COUNTS, *PHYSICAL]
    assert list(picks)[-len(types) :] == list(types)
    archive.merge(done, done / "all.csv")
    pd.testing.assert_frame_equal(read_picks(done / "all.csv"), picks, check_dtype=False)
    row = estimate_columns(as_picks(picks)[0], {})
    assert set(row) == {"polarity", *(name for names in ESTIMATES.values() for name in names)}
    status = archive.status(done)
    assert status.methods == {t: f"tiny_{t}/1" for t in ("picking", *ESTIMATED)}


def test_a_stopped_run_goes_on_to_the_same(done, run, tmp_path, monkeypatch):
    left, rename = iter(range(5)), archive_store.os.replace

    def replace(*files):
        if next(left, None) is None:
            raise OSError("power cut")
        rename(*files)

    with monkeypatch.context() as patch:
        patch.setattr(archive_store.os, "replace", replace)
        with pytest.raises(OSError, match="power cut"):
            run(tmp_path)
    assert 0 < run(tmp_path).new < 4
    assert contents(tmp_path) == contents(done)


def test_other_tasks_are_refused(done, run, weights, models, tmp_path):
    two = {task: weights[task] for task in ("polarity", "magnitude")}
    with pytest.raises(ConfigurationError) as caught:
        run(done, tasks=two, amplitudes=False)
    told = str(caught.value)
    for task in ("distance", "back_azimuth"):
        assert f"tasks.{task} was 'tiny_{task}/1 (SHA-256 " in told and "and is None" in told
    assert "tasks.polarity" not in told and "amplitudes was True and is None" in told
    models["polarity"].save(tmp_path / "other")
    other = {task: weights[task] for task in ESTIMATED} | {"polarity": str(tmp_path / "other")}
    with pytest.raises(ConfigurationError, match=r"tasks.polarity was 'tiny.*is 'other/1"):
        run(done, tasks=other)
    # A run of picks only is as it was.
    plain = {"tasks": None, "amplitudes": False, "inventory": None}
    run(tmp_path / "plain", "TWO", **plain)
    config = json.loads((tmp_path / "plain" / "config.json").read_text())
    assert not {"tasks", "amplitudes"} & set(config)
    assert run(tmp_path / "plain", "TWO", **plain).new == 0
    with pytest.raises(ConfigurationError, match="tasks.polarity was None and is"):
        run(tmp_path / "plain", "TWO", **{**plain, "tasks": two})


def test_without_p_there_is_no_estimate(weights):
    tasks = {task: weights[task] for task in ("polarity", "distance")}
    picker = Picker(weights["picking"], tasks=tasks, P_threshold=1.0, S_threshold=0.6)
    stream = make_stream(6000, components="Z")
    data = DayData(stream, stream, None, SkippedList())
    table = picker(stream, data)["picks"]
    assert set(table["phase"]) == {"S"}
    assert table[list(further_types(tasks, False, False))].isna().all(axis=None)
    nothing = Picker(weights["picking"], tasks=tasks, P_threshold=1.0, S_threshold=1.0)
    assert list(nothing(stream, data)["picks"]) == list(table)


def test_names_of_tasks_and_their_weights(weights):
    assert task_weights("all") == {task: f"compact_{task}" for task in ESTIMATED}
    assert task_weights(None) == task_weights("") == {}
    assert task_weights("magnitude=/a/b, polarity") == {
        "polarity": "compact_polarity",
        "magnitude": "/a/b",
    }
    with pytest.raises(ValueError, match="Unknown task 'volcano'. Known tasks: all, polarity"):
        task_weights("polarity,volcano")
    with pytest.raises(ValueError, match="are for polarity, not for magnitude"):
        Picker(weights["picking"], tasks={"magnitude": weights["polarity"]})
    with pytest.raises(ValueError, match="polarity_threshold=2"):
        Picker(weights["picking"], tasks={"polarity": weights["polarity"]}, polarity_threshold=2)
