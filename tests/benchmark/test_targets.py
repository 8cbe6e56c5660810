"""Targets are those of the original generator, and its columns."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.benchmark import targets
from seisbench_llm.benchmark.datasets import open_for_benchmark, rows_of_targets
from seisbench_llm.benchmark.making import make_targets
from tests.helpers.benchmark import write_records

DATA = Path(__file__).parent / "data"
# What the original harness and SeisLM read.
WINDOW = ["trace_name", "trace_idx", "trace_split", "sampling_rate", "start_sample", "end_sample"]
CONTRACT = {
    "task1": [*WINDOW, "trace_type"],
    "task23": [*WINDOW, "phase_label", "full_phase_label", "phase_onset"],
}


@pytest.mark.parametrize("name", ["task1", "task23"])
def test_the_same_as_the_original_generator(tmp_path, name):
    # Written by generate_eval_targets.py of pick-benchmark (74ba196) from records.json.
    records = [
        (samples, {k: np.nan if v is None else v for k, v in metadata.items()})
        for samples, metadata in json.loads((DATA / "records.json").read_text())
    ]
    make = {"task1": targets.detection_targets, "task23": targets.phase_targets}[name]
    targets.write(tmp_path, {name: make(records)})
    assert (tmp_path / f"{name}.csv").read_text() == (DATA / f"{name}.csv").read_text()
    assert list(pd.read_csv(DATA / f"{name}.csv").columns) == CONTRACT[name]


def test_windows_hold_what_they_say():
    records = [
        (9000, {"trace_name": str(i), "trace_Pg_arrival_sample": 3200 + 20 * i, **more})
        for i in range(100)
        for more in ({}, {"trace_Sn_arrival_sample": 4100 + 20 * i})
    ]
    first = [metadata["trace_Pg_arrival_sample"] for _, metadata in records]
    table = targets.detection_targets(records)
    for row in table[table["trace_type"] == "earthquake"].itertuples():
        assert row.end_sample - row.start_sample == 3000
        assert row.start_sample + 100 <= first[row.trace_idx] <= row.end_sample - 100
    noise = table[table["trace_type"] == "noise"]
    assert all(row.end_sample <= first[row.trace_idx] for row in noise.itertuples())
    assert len(noise) == len(records)
    for row in targets.phase_targets(records).itertuples():
        metadata = records[row.trace_idx][1]
        others = {v for k, v in metadata.items() if k != "trace_name"} - {row.phase_onset}
        assert row.start_sample + 50 <= row.phase_onset <= row.end_sample - 50
        assert all(not row.start_sample - 50 < v < row.end_sample + 50 for v in others), (
            "another arrival within half a second of the window"
        )


def test_targets_of_a_data_set(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    write_records(folder)
    counts = make_targets(str(folder), tmp_path / "targets" / "toy", ["1", "23", "azimuth"])
    assert counts == {"task1": 24 + 2, "task23": counts["task23"], "task_azimuth": 12}
    table = pd.read_csv(tmp_path / "targets/toy/task_azimuth.csv")
    # From coordinates, not the one degree that the data set says.
    assert table["back_azimuth_deg"].between(180, 270).all()
    assert set(table["trace_split"]) == {"dev", "test"}
    metadata = open_for_benchmark(str(folder)).metadata
    rows = rows_of_targets(metadata, table)
    assert (metadata["trace_name"].iloc[rows].to_numpy() == table["trace_name"]).all()
    run = json.loads((tmp_path / "targets/toy/run.json").read_text())
    assert run["seed"] == 42 and run["versions"]["seisbench"]
    with pytest.raises(ValueError, match="Unknown task 4"):
        make_targets(str(folder), tmp_path / "t", ["4"])


def test_estimates_are_split_by_event(tmp_path):
    folder = tmp_path / "records"
    folder.mkdir()
    write_records(folder, events=20, noise=0)
    metadata = pd.read_csv(folder / "metadata.csv")
    # As some published sets are: every third record of an event is of dev.
    metadata["split"] = ["train", "dev", "test"] * 20
    metadata.to_csv(folder / "metadata.csv", index=False)
    make_targets(str(folder), tmp_path / "targets", ["magnitude"])
    table = pd.read_csv(tmp_path / "targets/task_magnitude.csv").merge(metadata, on="trace_name")
    assert set(table["trace_split"]) == {"dev", "test"}
    assert table.groupby("source_id")["trace_split"].nunique().max() == 1


def test_records_are_found():
    metadata = pd.DataFrame(
        {"trace_name": ["a", "b", "a", "c"], "split": ["dev", "train", "test", "test"]}
    )
    found = pd.DataFrame({"trace_name": ["a", "a", "c"], "trace_idx": [0, 1, 2]})
    # Two records share a name, and are told apart by their number.
    assert list(rows_of_targets(metadata, found)) == [0, 2, 3]
    by_name = pd.DataFrame({"trace_name": ["c", "b"], "trace_idx": [0, -1]})
    assert list(rows_of_targets(metadata, by_name)) == [3, 1]
    for name, problem in (("a", "several records"), ("d", "no record")):
        with pytest.raises(ValueError, match=problem):
            rows_of_targets(metadata, pd.DataFrame({"trace_name": [name], "trace_idx": [9]}))
