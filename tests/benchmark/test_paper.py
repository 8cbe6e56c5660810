"""The paper's tables on files of the published layouts."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from seisbench_llm.benchmark import paper
from seisbench_llm.data import open_dataset
from seisbench_llm.data.splits import split_by_row
from tests.helpers.models import tiny_model
from tests.helpers.paths import SHARED
from tests.helpers.published_data import write_diting, write_stead


@pytest.fixture(scope="module")
def stead(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stead")
    write_stead(folder)
    return folder


def test_published_values():
    tables = [paper.expected(data) for data in paper.DATA]
    # As the paper counts them.
    assert sum(len(table) for table in tables) == 43
    row = tables[0].set_index(["group", "metric"]).loc[("phase_p", "f1")]
    assert (row["SeisMoLLM"], row["PhaseNet"], row["unit"]) == (98.08, 97.79, "%")
    row = tables[1].set_index(["group", "metric"]).loc[("back_azimuth", "mae")]
    assert (row["SeisMoLLM"], row["BAZ network"], row["unit"]) == (33.551, 46.484, "degrees")
    few = paper.expected("stead", few_shot=True).set_index(["group", "metric"])
    assert few.loc[("magnitude", "mae"), "SeisMoLLM"] == 0.228 and len(few) == 5
    for data in paper.DATA:
        names = paper.default_weights(data)
        assert f"seismollm_dpk_{'stead' if data == 'stead' else 'ditinglight'}" in names


def test_shipped_values_are_those_of_the_paper(shared):
    assert paper.published() == json.loads((SHARED / "paper_results.json").read_text())


def test_stead_as_published(stead):
    dataset = open_dataset(f"stead:{stead}")
    waveforms, metadata = dataset.get_sample(3)
    with h5py.File(stead / "merge.hdf5") as file:
        published = file[f"data/{metadata['trace_name']}"][()]
    np.testing.assert_array_equal(waveforms, published.T[::-1])
    # From coordinates; the file says 1 km and 1 degree.
    assert metadata["path_ep_distance_km"] > 40
    assert metadata["path_back_azimuth_deg_published"] == 1
    assert len(dataset) == 48
    assert len(paper.open_paper_data("stead", stead, 100)) == 40


def test_stead_of_another_layout(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no merge\.csv and merge\.hdf5"):
        open_dataset(f"stead:{tmp_path}")
    write_stead(tmp_path, 4, 0)
    table = pd.read_csv(tmp_path / "merge.csv")
    table.drop(columns="p_status").to_csv(tmp_path / "merge.csv", index=False)
    with pytest.raises(ValueError, match="not STEAD's: it has no p_status"):
        open_dataset(f"stead:{tmp_path}")


@pytest.mark.parametrize("task, column", [("picking", "phase_p"), ("magnitude", "magnitude")])
def test_stead(stead, tmp_path, task, column):
    tiny_model(task).save(tmp_path / "tiny")
    name = str(tmp_path / "tiny")
    table = paper.compare("stead", stead, [name])
    rows = table[table["group"] == column].set_index("metric")
    of_type_ml = 30 if task == "magnitude" else 40
    assert (rows[f"{name} records"] == of_type_ml // 10).all()
    assert np.isfinite(rows[name]).all() and table[name].isna().any()
    difference = rows[name] - rows["SeisMoLLM"]
    pd.testing.assert_series_equal(rows[f"{name} - SeisMoLLM"], difference, check_names=False)
    text = paper.to_text(table)
    assert len(text.splitlines()) == 21 and f"{rows['SeisMoLLM'].iloc[0]:.3f}" in text

    few = paper.compare("stead", stead, [name], few_shot=True).set_index(["group", "metric"])
    tested = of_type_ml - int(0.1 * of_type_ml) - int(0.05 * of_type_ml)
    assert few.loc[column, f"{name} records"].max() == tested


def test_diting(tmp_path):
    write_diting(tmp_path)
    tiny_model("polarity", sampling_rate=50, in_samples=4096).save(tmp_path / "tiny")
    # The light subset, found in the published files.
    dataset = paper.open_paper_data("diting", tmp_path, 50)
    assert len(dataset) == 56
    found, count = paper.measure(
        paper.SeisMoLLM.from_pretrained(str(tmp_path / "tiny")), "diting", tmp_path
    )
    assert count == 7 and set(found) == {"first_motion"}
    assert 0 <= found["first_motion"]["f1"] <= 100
    side = paper.test_side(dataset, "polarity", "diting")
    split = split_by_row(dataset.metadata)
    expected = dataset.metadata["trace_name"][split == "test"]
    assert list(side.metadata["trace_name"]) == list(expected)


def test_a_perfect_picker_has_perfect_metrics(stead, monkeypatch):
    def perfect(model, dataset, **kwargs):
        p, s = (dataset.metadata[f"trace_{phase}_arrival_sample"].to_numpy(float) for phase in "ps")
        # A sample late, as the paper counts it: target minus prediction.
        table = {"p_true": p, "p_predicted": p + 1, "s_true": s, "s_predicted": s + 20}
        table |= {
            f"{w}_{c}": [str(v) for v in x]
            for w, x in (("p", p), ("s", s))
            for c in ("onsets", "picks")
        }
        table |= {f"{w}_judged": ["1"] * len(p) for w in "ps"}
        return pd.DataFrame({"source_id": dataset.metadata["source_id"].to_numpy(), **table})

    monkeypatch.setattr(paper, "predict", perfect)
    found, _ = paper.measure(tiny_model(), "stead", stead)
    assert found["phase_p"]["f1"] == 100 and found["phase_p"]["mae"] == 1
    assert found["phase_s"]["f1"] == 0


def test_wrong_options(stead):
    with pytest.raises(ValueError, match="not of etna"):
        paper.open_paper_data("etna", stead, 100)
    with pytest.raises(ValueError, match="not of etna"):
        paper.compare("etna", stead)
    with pytest.raises(ValueError, match="--path"):
        paper.open_paper_data("diting", None, 50)
    with pytest.raises(ValueError, match="not published"):
        paper.compare("stead", stead, few_shot=True)
