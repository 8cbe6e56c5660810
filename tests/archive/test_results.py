import errno
import json

import pandas as pd
import pytest

from seisbench_llm.archive import merge, status
from seisbench_llm.archive import store as archive_store
from tests.helpers.archive_stub import (
    EXPECTED,
    FIRST,
    SECOND_DAY,
    merged,
    times,
)

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_every_pick_once_and_on_its_day(undisturbed):
    assert times(merged(undisturbed)) == EXPECTED
    for file in undisturbed.glob("picks/*/*.parquet"):
        table = pd.read_parquet(file, partitioning=None)
        assert len(table) and set(table.time.dt.strftime("day=%Y-%m-%d")) == {file.parent.name}
    assert not list(undisturbed.rglob(".part-*"))


def test_manifest_and_status(undisturbed):
    manifest = json.loads(
        (undisturbed / "manifest/day=2020-01-01/XX.ONE..BH.done.json").read_text()
    )
    assert manifest["coverage"] == 1 and manifest["channels"] == {"BHZ": 1}
    assert manifest["n_picks"] == 4 and manifest["gaps"] == []
    assert manifest["model"]["sha256"] == "0" * 64 and "obspy" in manifest["versions"]
    result = status(undisturbed)
    assert result.counts == {"done": 6, "empty": 0, "failed": 0, "pending": 0}
    assert set(result.stations) == {"XX.ONE..BH", "XX.TWO..BH"} and not result.running
    assert result.per_hour > 0


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_merge(undisturbed, tmp_path, suffix):
    result = merge(undisturbed, tmp_path / f"all{suffix}")
    assert (result.rows, result.pending, result.failed) == (len(EXPECTED), 0, 0)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    table = read(tmp_path / f"all{suffix}")
    assert times(table) == EXPECTED
    assert set(table.instrument) == {"BH"} and list(tmp_path.iterdir()) == [
        tmp_path / f"all{suffix}"
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_merge_on_a_full_disk_leaves_what_was_there(undisturbed, tmp_path, suffix, monkeypatch):
    to = tmp_path / f"all{suffix}"
    to.write_text("before")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive_store.os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            merge(undisturbed, to)
    assert to.read_text() == "before" and list(tmp_path.iterdir()) == [to]


def test_merge_without_picks(tmp_path):
    with pytest.raises(FileNotFoundError, match="archive run"):
        merge(tmp_path, tmp_path / "all.csv")
    archive_store.Store(tmp_path).write_plan({}, ["XX.ONE..BH"], FIRST.date, SECOND_DAY)
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        assert merge(tmp_path, tmp_path / f"all{suffix}").pending == 1
        table = read(tmp_path / f"all{suffix}")
        assert {"trace_id", "time", "instrument"} <= set(table) and not len(table)
    with pytest.raises(ValueError, match="no table 'magnitudes'; it has picks"):
        merge(tmp_path, tmp_path / "other.csv", "magnitudes")
    assert not (tmp_path / "other.csv").exists()
    with pytest.raises(ValueError, match="must end with"):
        merge(tmp_path, tmp_path / "all.txt")
