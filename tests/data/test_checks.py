"""Checks of data sets: each finds its fault, and nothing in good data."""

import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from seisbench_llm.data import Synthetic, open_dataset
from seisbench_llm.data.checks import FAULTS, KINDS, check_dataset, check_metadata

GOOD = pd.DataFrame(
    {
        "trace_name": ["a", "b", "c"],
        "trace_npts": 1000,
        "trace_sampling_rate_hz": 100.0,
        "trace_start_time": [
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:00Z",
            "2020-01-02T00:00:00Z",
        ],
        "trace_p_arrival_sample": [100.0, 200.0, np.nan],
        "trace_Sg_arrival_sample": [300.0, np.nan, 5.0],
        "trace_s2_arrival_sample": [50.0, np.nan, np.nan],
        "source_id": ["one", "one", "two"],
        "source_origin_time": ["2020-01-01T00:00:00Z"] * 2 + ["2020-01-02T00:00:00Z"],
        "source_latitude_deg": 10.0,
        "source_longitude_deg": 20.0,
        "station_network_code": "XX",
        "station_code": ["A", "B", "A"],
        "station_latitude_deg": [10.0, 10.5, 10.0],
        "station_longitude_deg": [20.5, 20.0, 20.5],
        "path_ep_distance_km": [54.8, 55.3, 54.8],
        "path_back_azimuth_deg": [270.0, 180.0, 270.0],
        "split": ["train", "train", "test"],
    }
)


def kinds(metadata):
    return {finding.kind for finding in check_metadata(metadata)}


def test_good_metadata_have_no_finding():
    assert kinds(GOOD) == set()
    assert kinds(GOOD[["trace_name"]]) == kinds(GOOD[:0]) == set()


@pytest.mark.parametrize(
    "column, values, kind",
    [
        ("trace_p_arrival_sample", [100.0, 1000.0, np.nan], "off_record"),
        ("trace_Sg_arrival_sample", [300.0, np.nan, -1.0], "off_record"),
        ("trace_Sg_arrival_sample", ["300", np.nan, "five"], "off_record"),
        ("trace_Sg_arrival_sample", [100.0, np.nan, 5.0], "s_before_p"),
        (
            "source_origin_time",
            ["2020-01-01T00:00:00Z"] * 2 + ["2020-01-01T00:00:01"],
            "double_event",
        ),
        ("station_code", ["A", "A", "A"], "double_record"),
        ("split", ["train", "dev", "test"], "split_leak"),
        ("split", ["train", "train", "Test"], "other_split"),
        ("trace_sampling_rate_hz", [100.0, 0.0, 100.0], "no_rate"),
        ("trace_sampling_rate_hz", [100.0, 100.0, np.nan], "no_rate"),
        ("path_ep_distance_km", [54.8, 55.3, 60.0], "distance"),
        ("path_back_azimuth_deg", [90.0, 180.0, 270.0], "back_azimuth"),
        ("trace_sampling_rate_hz", [100.0, 100.0, 50.0], "rates"),
        ("station_latitude_deg", [10.0, np.nan, 10.0], "no_station"),
        ("source_longitude_deg", [20.0, 20.0, np.nan], "no_source"),
    ],
)
def test_each_check_finds_its_fault(column, values, kind):
    # Stations that are moved are at other distances, too.
    assert kinds(GOOD.assign(**{column: values})) - {"distance", "back_azimuth"} | {kind} == {kind}
    assert kind in kinds(GOOD.assign(**{column: values}))


@pytest.fixture
def folder(tmp_path):
    return Synthetic(12, seed=3, seconds=25, noise_only=0.0, faults=False).write(tmp_path / "set")


def test_whole_data_sets_have_no_fault(folder):
    report = check_dataset(open_dataset(folder))
    assert report.records == report.waveforms == 12 and report.faults == []
    assert set(report.to_dict()["checks"]) == set(KINDS)
    assert check_dataset(open_dataset(folder), sample=5).waveforms == 5
    assert check_dataset(open_dataset(folder), sample=0).waveforms == 0
    assert check_dataset(open_dataset(folder), seconds=0).waveforms == 0


def test_waveforms_are_looked_at(folder):
    with h5py.File(folder / "waveforms.hdf5", "r+") as file:
        (block,) = [name for name in file["data"] if name.startswith("bucket")]
        file["data"][block][0] = np.nan
        file["data"][block][1] = 3.0
    found = {finding.kind for finding in check_dataset(open_dataset(folder)).faults}
    assert found == {"not_finite", "dead"} < set(FAULTS)
    metadata = pd.read_csv(folder / "metadata.csv")
    metadata.loc[2, "trace_name"] = "bucket9$0,:3,:10"
    metadata.loc[3, "trace_npts"] = 17
    metadata.to_csv(folder / "metadata.csv", index=False)
    kinds = {finding.kind for finding in check_dataset(open_dataset(folder)).faults}
    assert {"unreadable", "length"} <= kinds


def test_components_that_are_not_read_are_told(folder):
    """North and east of a data set of X, Y and Z were zeros, without a fault."""
    with h5py.File(folder / "waveforms.hdf5", "r+") as file:
        del file["data_format/component_order"]
        file["data_format/component_order"] = "XYZ"
    metadata = pd.read_csv(folder / "metadata.csv")
    metadata.drop(columns="trace_component_order", errors="ignore").to_csv(
        folder / "metadata.csv", index=False
    )
    dataset = open_dataset(folder)
    (fault,) = check_dataset(dataset).faults
    assert (fault.kind, fault.where) == ("components", "order XYZ")
    assert not dataset.get_waveforms(0)[1:].any()


@pytest.mark.parametrize("without", [True, False], ids=["without columns", "empty columns"])
def test_no_onset_at_all_is_told(folder, without):
    """It was a data set without a fault."""
    metadata = pd.read_csv(folder / "metadata.csv")
    columns = [name for name in metadata if name.endswith("_arrival_sample")]
    changed = (
        metadata.drop(columns=columns)
        if without
        else metadata.assign(**dict.fromkeys(columns, np.nan))
    )
    changed.to_csv(folder / "metadata.csv", index=False)
    report = check_dataset(open_dataset(folder), sample=0)
    assert [finding.kind for finding in report.findings] == ["no_onset"] and not report.faults


def test_the_page_lists_the_checks():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "own-data.md"
    rows = re.findall(r"^\| `(\w+)` \| (fault|note) \| (.*?)(?::.*)? \|$", page.read_text(), re.M)
    assert {name: meaning for name, _, meaning in rows} == KINDS
    assert {name for name, kind, _ in rows if kind == "fault"} == set(FAULTS)
