"""Predictions of a model on a data set."""

import numpy as np
import pandas as pd
import pytest
import torch

from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.evaluate.metrics import NO_PICK
from seisbench_llm.evaluate.picks import parse_numbers
from seisbench_llm.evaluate.predict import decode, highest_peak, predict, thresholds_of
from tests.helpers.models import tiny_model


def test_highest_peak_of_at_least_the_threshold():
    curves = np.zeros((4, 3, 100), dtype=np.float32)
    curves[0, 1, [20, 60]] = 0.5, 0.9
    curves[0, 2, 40] = 0.3
    curves[1, 1, 30] = 0.29
    # Neither a rise to the window's end nor a constant is a peak.
    curves[1, 2] = np.linspace(0, 1, 100)
    curves[2, 1] = 0.8
    curves[3, 1, 50:53] = 0.7
    said = decode("picking", torch.from_numpy(curves), threshold=np.float32(0.3))
    assert said.tolist() == [[60, 40], [NO_PICK, NO_PICK], [NO_PICK, NO_PICK], [50, NO_PICK]]
    assert decode("picking", curves, threshold=0.95).max() == NO_PICK
    sample, height = highest_peak(curves[:, 1])
    assert sample.tolist() == [60, 30, NO_PICK, 50]
    np.testing.assert_allclose(height, [0.9, 0.29, 0, 0.7], rtol=1e-6)


def test_decode_other_tasks():
    vectors = torch.tensor([[0.0, 0.2], [-0.5, 0.0], [0.3, -0.3]])
    np.testing.assert_allclose(decode("back_azimuth", vectors), [90, 180, 315], atol=1e-4)
    assert decode("magnitude", torch.tensor([[2.5], [1.0]])).tolist() == [2.5, 1.0]
    assert decode("polarity", torch.tensor([[0.25, 0.75]])).tolist() == [[0.25, 0.75]]
    with pytest.raises(ValueError, match="Unknown task"):
        decode("volcano", vectors)


def test_aftershocks_of_which_nobody_made_a_label(monkeypatch, folder):
    """Every event is found; in a quarter of the records there is another one without a label."""
    dataset, model = open_dataset(folder), tiny_model(in_samples=3008, sampling_rate=50)
    dataset.metadata["trace_completely_labelled"] = False
    alone = [c for c in dataset.metadata if "2_" in c]
    dataset._metadata = dataset.metadata.drop(columns=alone)

    def all_found(self, x, **_):
        curves = torch.zeros(len(x), 3, 3008)
        curves[:, 1:, 2900] = 0.9
        return curves

    monkeypatch.setattr(type(model), "forward", all_found)
    table = predict(model, dataset)
    assert (table["p_picks"] == "2900").all()
    noise = dataset.metadata["trace_category"].str.contains("noise").to_numpy()
    assert (table["p_judged"][noise] == "1").all() and noise.any()
    last = table[["p_onsets", "s_onsets"]].agg(" ".join, axis=1).map(parse_numbers)
    near = np.array([bool(o) and abs(2900 - max(o)) <= 100 for o in last])
    assert ((table["p_judged"] == "1").to_numpy() == (near | noise)).all()
    assert (predict(model, dataset, complete=True)["p_judged"] == "1").all()


def test_device_that_is_not_there(folder):
    model = tiny_model().train()
    for device in ("abacus", "cuda:77"):
        with pytest.raises(ValueError, match=f"Device '{device}'"):
            predict(model, open_dataset(folder), device=device, limit=2)
    assert model.training and model.device.type == "cpu"


@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_it_was(folder, fails, monkeypatch):
    model = tiny_model("magnitude").train()
    # Frozen, as in fine-tuning: a part in evaluation mode, one without gradients.
    model.network.embedder.eval()
    model.network.head.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [parameter.requires_grad for parameter in model.parameters()]
    if fails:
        monkeypatch.setattr(type(model), "forward", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict(model, open_dataset(folder), limit=2)
    else:
        predict(model, open_dataset(folder), limit=2)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == gradients
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_thresholds_of_the_weight():
    model = tiny_model()
    assert thresholds_of(model).tolist() == [0.3, 0.3]
    model.default_args["S_threshold"] = 0.6
    assert thresholds_of(model).tolist() == [0.3, 0.6]
    assert thresholds_of(model, 0.5).tolist() == [0.5, 0.5]


def test_result_depends_neither_on_batches_nor_on_mode(folder):
    dataset, model = open_dataset(folder), tiny_model("magnitude").train()
    first = predict(model, dataset, batch_size=7)
    assert model.training
    pd.testing.assert_frame_equal(first, predict(model.eval(), dataset, batch_size=64), rtol=1e-4)
    few = predict(model, dataset, limit=5, seed=1)
    assert len(few) == 5 and set(few["trace_name"]) < set(first["trace_name"])


def test_phase_that_no_one_labelled_is_unknown(folder):
    dataset = open_dataset(folder)
    columns = [c for c in dataset.metadata if c.startswith("trace_s") and "arrival" in c]
    dataset._metadata = dataset.metadata.drop(columns=columns)
    table = predict(tiny_model(), dataset)
    own = dataset.metadata.set_index("trace_name").loc[table["trace_name"]]
    noise = own["trace_category"].str.contains("noise").to_numpy()
    assert (table["s_true"].isna().to_numpy() == ~noise).all() and noise.any()
