"""Distance and back-azimuth from coordinates."""

import numpy as np
import pandas as pd
import pytest
import seisbench
from seisbench.data import WaveformDataset, WaveformDataWriter

from seisbench_llm.data.stead import STEAD, complete_geometry


def located(**columns):
    """A source at the equator with stations 1 degree north, east, south and west of it."""
    return pd.DataFrame(
        {
            "trace_name": ["north", "east", "south", "west"],
            "source_latitude_deg": 0.0,
            "source_longitude_deg": 10.0,
            "station_latitude_deg": [1.0, 0.0, -1.0, 0.0],
            "station_longitude_deg": [10.0, 11.0, 10.0, 9.0],
            **columns,
        }
    )


def test_columns_are_computed():
    metadata = located()
    report = complete_geometry(metadata)
    # WGS84: a degree along a meridian near the equator, and along the equator.
    expected = [110.574, 111.319, 110.574, 111.319]
    np.testing.assert_allclose(metadata["path_ep_distance_km"], expected, atol=1e-3)
    np.testing.assert_allclose(metadata["path_back_azimuth_deg"], [180, 270, 0, 90], atol=1e-9)
    assert report.located == 4 and report.distances == report.back_azimuths == 0
    assert report.wrong_distances == report.wrong_back_azimuths == 0


def test_disagreements_are_reported_and_published_values_kept():
    published = [180.5, 90.0, 359.0, 100.0]
    metadata = located(path_back_azimuth_deg=published, source_distance_km=[110, 111, 250, np.nan])
    report = complete_geometry(metadata)
    # East: the azimuth; west: merely wrong.
    assert (report.back_azimuths, report.wrong_back_azimuths, report.azimuths) == (4, 2, 1)
    assert report.examples == ("east", "west")
    assert (report.distances, report.wrong_distances) == (3, 1)
    assert report.worst_distance == pytest.approx(250 - 110.574, abs=1e-3)
    assert "1 of them are the azimuth" in str(report)
    assert metadata["path_back_azimuth_deg_published"].tolist() == published
    np.testing.assert_allclose(metadata["path_back_azimuth_deg"], [180, 270, 0, 90], atol=1e-9)
    assert complete_geometry(metadata) == report


def test_rows_without_coordinates_keep_what_they_have():
    metadata = located(
        path_back_azimuth_deg=[1.0, 2.0, 3.0, np.nan], path_ep_distance_km=[5.0, 6.0, 7.0, np.nan]
    )
    metadata.loc[[0, 3], "source_latitude_deg"] = [np.nan, 91]
    report = complete_geometry(metadata)
    assert (report.rows, report.located) == (4, 2)
    assert metadata["path_back_azimuth_deg"].iloc[0] == 1
    assert metadata["path_ep_distance_km"].iloc[0] == 5
    assert np.isnan(metadata["path_ep_distance_km"].iloc[3])
    nowhere = located(source_latitude_deg=np.nan)
    assert complete_geometry(nowhere).located == 0


def test_direction_means_nothing_at_the_source():
    metadata = located(station_latitude_deg=0.001, station_longitude_deg=10.0)
    metadata["path_back_azimuth_deg"] = 77.0
    assert complete_geometry(metadata).back_azimuths == 0


def test_columns_are_required():
    with pytest.raises(ValueError, match="station_longitude_deg"):
        complete_geometry(located().drop(columns="station_longitude_deg"))


def write(folder, metadata):
    folder.mkdir(parents=True)
    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {
            "dimension_order": "CW",
            "component_order": "ZNE",
            "sampling_rate": 100,
        }
        for row in metadata.to_dict("records"):
            writer.add_trace(row, np.zeros((3, 60)))


def test_any_seisbench_folder(tmp_path):
    write(tmp_path / "set", located())
    dataset = WaveformDataset(tmp_path / "set", component_order="ZNE")
    complete_geometry(dataset.metadata)
    assert dataset.get_sample(1)[1]["path_back_azimuth_deg"] == pytest.approx(270)


@pytest.mark.parametrize("metadata_cache", [False, True])
def test_stead_is_complete_when_opened(tmp_path, monkeypatch, caplog, metadata_cache):
    monkeypatch.setattr(seisbench, "cache_root", tmp_path)
    monkeypatch.setattr(seisbench, "cache_data_root", tmp_path / "datasets")
    write(tmp_path / "datasets" / "stead", located(path_back_azimuth_deg=[180, 90, 0, 90]))
    dataset = STEAD(component_order="ZNE", metadata_cache=metadata_cache)
    assert isinstance(dataset, seisbench.data.STEAD) and dataset.name == "STEAD"
    assert dataset.geometry_report.azimuths == 1
    assert "1 of them are the azimuth" in caplog.text
    _, sample = dataset.get_sample(1)
    assert sample["path_back_azimuth_deg"] == pytest.approx(270)
    assert sample["path_ep_distance_km"] == pytest.approx(111.319, abs=1e-3)
