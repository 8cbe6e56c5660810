"""The index of DiTing: built once, moved, shared, and of files that are broken."""

import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest
from seisbench.data import WaveformDataset

from seisbench_llm.data import diting_index
from seisbench_llm.data.diting import DiTing
from tests.helpers.diting import (
    SAMPLES,
    faulty,
    published_keys,
    published_rows,
    waveform,
    write_part,
)


def test_index_is_plain_seisbench_and_survives_a_move(published, dataset, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(published, moved)
    plain = WaveformDataset(moved / "seisbench_index", component_order="ZNE")
    np.testing.assert_array_equal(plain.get_waveforms(600), dataset.get_waveforms(600))
    written = (moved / "seisbench_index" / "metadata_part_00.csv").stat().st_mtime_ns
    assert len(DiTing(moved, parts=[0, 1], progress=False)) == 1000
    assert (moved / "seisbench_index" / "metadata_part_00.csv").stat().st_mtime_ns == written


def test_index_elsewhere_follows_the_data(published, dataset, tmp_path):
    data, index = tmp_path / "data", tmp_path / "index"
    shutil.copytree(published, data, ignore=shutil.ignore_patterns("seisbench_index"))
    DiTing(data, index=index, parts=[0, 1], progress=False)
    assert not (data / "seisbench_index").exists()
    data.rename(tmp_path / "elsewhere")
    again = DiTing(tmp_path / "elsewhere", index=index, parts=[0, 1], progress=False)
    np.testing.assert_array_equal(again.get_waveforms(999), dataset.get_waveforms(999))


def test_some_parts_of_an_index(published, dataset):
    assert len(DiTing(published, parts=[1], progress=False)) == 500


def test_missing_files_are_all_named(published, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        DiTing(published, progress=False)
    assert "part_2.csv" in str(error.value) and "part_27.hdf5" in str(error.value)
    (tmp_path / "DiTing330km_part_0.csv").write_text("key\n")
    with pytest.raises(FileNotFoundError, match="part_0.hdf5"):
        DiTing(tmp_path, parts=[0])
    with pytest.raises(ValueError, match="28"):
        DiTing(published, parts=[28])


def test_other_files_want_another_index(tmp_path):
    faulty(tmp_path, lambda rows: None)
    write_part(tmp_path, published_rows(0, 20), 0)
    write_part(tmp_path, published_rows(1, 20, 500), 1)
    with pytest.raises(ValueError, match="part_0.csv.*rebuild=True"):
        DiTing(tmp_path, parts=[0])
    with pytest.raises(ValueError, match="no part 1"):
        DiTing(tmp_path, parts=[1])
    assert len(DiTing(tmp_path, parts=[0, 1], rebuild=True, progress=False)) == 40


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    write_part(tmp_path, published_rows(0, 4), 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty"):
        DiTing(tmp_path, index=tmp_path / "mine", parts=[0])
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_a_failed_build_leaves_nothing_behind(tmp_path):
    rows = published_rows(0, 40)
    write_part(tmp_path, rows, 0)
    rows.drop(columns="baz").to_csv(tmp_path / "DiTing330km_part_0.csv")
    with pytest.raises(ValueError, match="part_0.csv has no column baz"):
        DiTing(tmp_path, parts=[0], progress=False)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".csv", ".hdf5"]


def test_another_process_may_be_faster(tmp_path, monkeypatch):
    write_part(tmp_path, published_rows(0, 8), 0)
    index_part = diting_index._index_part

    def others_first(*args):
        monkeypatch.setattr(diting_index, "_index_part", index_part)
        diting_index.build_index(tmp_path, tmp_path / "seisbench_index", [0], progress=False)
        return index_part(*args)

    monkeypatch.setattr(diting_index, "_index_part", others_first)
    assert len(DiTing(tmp_path, parts=[0], progress=False)) == 8
    assert sum(file.is_dir() for file in tmp_path.iterdir()) == 1


def test_waveforms_missing_or_of_wrong_shape(tmp_path):
    shapes = {"000003.0001": (3, SAMPLES), "000003.0002": (3 * SAMPLES,)}
    dataset = faulty(tmp_path, lambda rows: None, skip=("000002.0004",), shapes=shapes)
    assert len(dataset) == 37
    assert dataset.problems["row without a waveform"]["examples"] == [
        "DiTing330km_part_0.csv line 9 (key 000002.0004)"
    ]
    assert dataset.problems["waveform not of shape (samples, 3)"]["count"] == 2
    for i in range(len(dataset)):
        assert dataset.get_waveforms(i).shape == (3, SAMPLES)


def test_a_key_of_an_earlier_part_is_a_duplicate(tmp_path):
    write_part(tmp_path, published_rows(0, 8), 0)
    write_part(tmp_path, published_rows(1, 8), 1)
    dataset = DiTing(tmp_path, parts=[0, 1], progress=False, shapes="some")
    assert dataset.problems["key that was there before"]["count"] == 8
    assert "part_1.csv line 2" in dataset.problems["key that was there before"]["examples"][0]


def test_strict_stops_at_the_first_problem(tmp_path):
    rows = published_rows(0, 8)
    rows.loc[2, "mag_type"] = "Mw"
    write_part(tmp_path, rows, 0)
    with pytest.raises(ValueError, match="unknown mag_type.*line 4"):
        DiTing(tmp_path, parts=[0], strict=True, progress=False)


def test_broken_files_are_named(tmp_path):
    write_part(tmp_path, published_rows(0, 8), 0)
    csv, hdf5 = diting_index.published_files(tmp_path, 0)
    whole = hdf5.read_bytes()
    hdf5.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="part_0.hdf5 is not a complete"):
        DiTing(tmp_path, parts=[0], progress=False)
    with h5py.File(hdf5, "w") as file:
        file.create_group("noise")
    with pytest.raises(ValueError, match="part_0.hdf5 has no group"):
        DiTing(tmp_path, parts=[0], progress=False)
    hdf5.write_bytes(whole)
    csv.write_bytes(b"\xff\xfe" + csv.read_bytes())
    with pytest.raises(ValueError, match="part_0.csv cannot be read"):
        DiTing(tmp_path, parts=[0], progress=False)
    csv.write_text("")
    with pytest.raises(ValueError, match="part_0.csv cannot be read"):
        DiTing(tmp_path, parts=[0], progress=False)
    with pytest.raises(ValueError, match="shapes"):
        DiTing(tmp_path, parts=[0], shapes="few")


MEASURE = """
import json, re, resource, sys, time
from pathlib import Path
from seisbench_llm.data.diting import DiTing

def peak():
    if sys.platform == "linux":
        # Of this process alone: ru_maxrss is at least that of the one that started it.
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30

base = peak()
dataset = DiTing(sys.argv[1], parts=range(3), progress=False)
built = peak()
start = time.perf_counter()
dataset = DiTing(sys.argv[1], parts=range(3))
seconds = time.perf_counter() - start
shape = dataset.get_waveforms(len(dataset) - 1).shape
print(json.dumps([len(dataset), built - base, seconds, shape, dataset.problems]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_scale(tmp_path):
    """100,000 rows; a process of its own, so that its memory can be measured."""
    count = 34_000
    rows = published_rows(0, count)
    for part in range(3):
        first = 1 + 40_000 * part
        rows[["part", "key", "ev_id"]] = published_keys(part, count, first)
        rows.to_csv(tmp_path / f"DiTing330km_part_{part}.csv")
        with h5py.File(tmp_path / f"DiTing330km_part_{part}.hdf5", "w", libver="latest") as file:
            group = file.create_group("earthquake")
            keys = rows["key"].tolist()
            group[keys[0]] = waveform(keys[0])
            # One record under all names: as many records would be 10 GB.
            for key in keys[1:]:
                group.id.link(keys[0].encode(), key.encode())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    rows, gigabytes, seconds, shape, problems = json.loads(done.stdout.splitlines()[-1])
    assert (rows, shape, problems) == (3 * count, [3, SAMPLES], {})
    # Building and opening; 2.7 million rows are to stay under 4 GiB.
    assert gigabytes < 0.2
    assert seconds < 5
