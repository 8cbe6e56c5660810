"""Evaluation of a model on a data set."""

import json

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.evaluate.evaluation import Evaluation, evaluate
from seisbench_llm.evaluate.metrics import NO_PICK
from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import WeightRecord
from tests.helpers.evaluation import FIGURES, pick_table
from tests.helpers.models import tiny_model


def test_records_of_the_training_are_named(folder, warnings_of, monkeypatch):
    dataset, model = open_dataset(folder), tiny_model()
    name = dataset.name

    def trained_on(data):
        record = WeightRecord("tiny", "picking", "1", 100.0, 30.0, data)
        monkeypatch.setattr(type(model), "record", record)

    trained_on(f"{name}2 (3 records)")
    evaluate(model, dataset, limit=3, resamples=0)
    trained_on(f"{name} (3 records)")
    evaluate(model, dataset, limit=3, resamples=0, held_out=True)
    assert "was trained on" not in warnings_of()
    evaluate(model, dataset, limit=3, resamples=0)
    assert f"was trained on {name}" in warnings_of()


@pytest.mark.parametrize("task", TASKS)
def test_data_set(folder, task, tmp_path):
    dataset = open_dataset(folder)
    model = tiny_model(task, in_samples=3008, sampling_rate=50)
    result = evaluate(model, dataset, batch_size=16, resamples=50)
    metadata, table = dataset.metadata.set_index("trace_name"), result.table
    assert dataset.sampling_rate is None and len(dataset) == 40
    own = metadata.loc[table["trace_name"]]
    assert (own["source_id"].to_numpy() == table["source_id"].to_numpy()).all()
    if task == "picking":
        assert len(table) == 40
        for phase in "ps":
            onset = own[f"trace_{phase}_arrival_sample"].to_numpy()
            assert ((table[f"{phase}_true"] == NO_PICK) == np.isnan(onset)).all()
        both = (table[["p_true", "s_true"]] != NO_PICK).all(axis=1).to_numpy()
        gap = (own["trace_s_arrival_sample"] - own["trace_p_arrival_sample"]).to_numpy() / 2
        # Where a second event is in the window, the nearest onset may be that.
        same = np.abs((table["s_true"] - table["p_true"]).to_numpy() - gap) < 2
        alone = own[["trace_p2_arrival_sample", "trace_s2_arrival_sample"]].isna().all(axis=1)
        assert same[both & alone.to_numpy()].all() and both.sum() > 20
        said = np.where(table["p_probability"] >= 0.3, table["p_peak"], NO_PICK)
        assert (table["p_predicted"] == said).all()
    elif task == "polarity":
        assert (table["true"].to_numpy() == own["trace_polarity"].to_numpy()).all()
    else:
        names = {"magnitude": "source_magnitude", "distance": "path_ep_distance_km"}
        truth = own[names.get(task, "path_back_azimuth_deg")]
        np.testing.assert_allclose(table["true"], truth, rtol=1e-5)

    result.write(tmp_path)
    assert {f.stem for f in tmp_path.glob("*.png")} == FIGURES[task]
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["task"] == task and content["settings"]["records"] == len(table)
    assert {"distance", "magnitude", "snr"} <= set(content["breakdown"])
    read = Evaluation.from_predictions(
        task, pd.read_csv(tmp_path / "predictions.csv"), 3008, 50, resamples=50
    )
    assert str(read.summary()) == str(result.summary())


def test_what_is_missing_is_named(folder):
    dataset = open_dataset(folder)
    dataset.metadata["source_magnitude"] = np.nan
    with pytest.raises(ValueError, match=r"None of the 40 records .*'source_magnitude': 0"):
        evaluate(tiny_model("magnitude"), dataset)
    dataset._metadata = dataset.metadata.drop(columns="source_magnitude")
    with pytest.raises(ValueError, match="no column source_magnitude"):
        evaluate(tiny_model("magnitude"), dataset)
    with pytest.raises(ValueError, match="No predictions of picking: s_predicted missing"):
        Evaluation.from_predictions("picking", pick_table([1], [1]).drop(columns="s_predicted"))
