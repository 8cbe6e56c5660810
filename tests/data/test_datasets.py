"""Data sets by name."""

import pytest
import seisbench
import seisbench.data as sbd

from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.synthetic.records import Synthetic


@pytest.fixture(autouse=True)
def data_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(seisbench, "cache_data_root", tmp_path / "datasets")


def test_folder(tmp_path):
    Synthetic(3, seed=1, seconds=10).write(tmp_path / "mine")
    dataset = open_dataset(tmp_path / "mine", sampling_rate=50)
    assert len(dataset) == 3
    assert dataset.get_waveforms(0).shape == (3, 500)


def test_folder_in_chunks(tmp_path):
    Synthetic(3, seed=1, seconds=10).write(tmp_path / "mine")
    for kind in ("metadata.csv", "waveforms.hdf5"):
        stem, _, ending = kind.partition(".")
        (tmp_path / "mine" / kind).rename(tmp_path / "mine" / f"{stem}_a.{ending}")
    (tmp_path / "mine" / "chunks").write_text("_a\n")
    assert len(open_dataset(tmp_path / "mine")) == 3


def test_synthetic_is_made_once(warnings_of):
    first = open_dataset("synthetic:4:7")
    assert "Making 4 synthetic records" in warnings_of()
    times = [path.stat().st_mtime_ns for path in first.path.iterdir()]
    again = open_dataset("synthetic:4:7")
    assert [path.stat().st_mtime_ns for path in again.path.iterdir()] == times
    assert first.metadata["source_id"].str.startswith("synthetic_7_").all()
    assert not list(first.path.parent.glob("*.partial"))


@pytest.mark.parametrize(
    "name", ["synthetic:many", "synthetic:4:5:6", "synthetic:0", "synthetic:-3", "synthetic:3:-1"]
)
def test_wrong_numbers(name):
    with pytest.raises(ValueError, match="is not synthetic:N"):
        open_dataset(name)


def test_seisbench_data_sets_by_name(monkeypatch):
    opened = []
    monkeypatch.setattr(
        sbd,
        "DummyDataset",
        type(
            "DummyDataset",
            (sbd.DummyDataset,),
            {
                "__init__": lambda self, **kwargs: opened.append(kwargs),
            },
        ),
    )
    open_dataset("dummydataset", sampling_rate=20)
    assert opened == [{"sampling_rate": 20, "component_order": "ZNE"}]


@pytest.mark.parametrize("name", ["nowhere", "STAED", "diting:", "synthetic:"])
def test_unknown_name_lists_what_there_is(name):
    with pytest.raises(ValueError, match=r"There is no data set .*STEAD"):
        open_dataset(name)
