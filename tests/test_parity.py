"""Agreement with the published research code, on stand-in weights and golden files."""

import numpy as np
import pytest
import torch

from seisbench_llm.convert import load_published
from seisbench_llm.evaluate.metrics import picking_metrics, published_metrics
from seisbench_llm.tasks import TASKS
from seisbench_llm.training.labellers import onset_curves
from seisbench_llm.training.losses import LOSSES
from tests.helpers.parity import golden, official

TOLERANCE = {"distance": 1e-2, "magnitude": 1e-3}


@pytest.fixture
def parity(shared):
    return official()


@pytest.mark.parametrize("task", TASKS)
def test_outputs_and_parameters(parity, task):
    spec = TASKS[task]
    state = parity.official_state_dict(spec.published)
    expected = golden(parity, "golden_outputs.npz")
    plain = load_published(state, task)
    merged = load_published(state, task, merge_lora=True)

    counts = golden(parity, "checksums.json")[f"{spec.published}_parameters"]
    parameters = list(plain.parameters())
    assert sum(p.numel() for p in parameters) == counts["total"]
    assert sum(p.numel() for p in parameters if p.requires_grad) == counts["trainable"]
    for samples in (3001, 6000, 8192):
        x = torch.from_numpy(parity.golden_input(2, samples))
        for model in (plain, merged):
            with torch.no_grad():
                error = np.abs(model(x).numpy() - expected[f"{spec.published}_{samples}"]).max()
            assert error < TOLERANCE.get(task, 1e-4)

    plain.merge_lora()
    with torch.no_grad():
        torch.testing.assert_close(plain(x), merged(x), atol=1e-4, rtol=1e-5)


def test_checkpoint_with_prefixes(parity, tmp_path):
    state = parity.official_state_dict("pmp")
    wrapped = {f"module._orig_mod.{k}": torch.from_numpy(np.array(v)) for k, v in state.items()}
    torch.save({"model_dict": wrapped, "epoch": 3}, tmp_path / "checkpoint.pth")
    model = load_published(tmp_path / "checkpoint.pth", "polarity", merge_lora=True)
    x = torch.from_numpy(parity.golden_input(2, 6000))
    with torch.no_grad():
        error = np.abs(model(x).numpy() - golden(parity, "golden_outputs.npz")["pmp_6000"]).max()
    assert error < 1e-4


def test_two_models_in_one_process(parity):
    # The research code fails here, through a mutable default.
    state = parity.official_state_dict("dpk")
    first, second = load_published(state, "dpk"), load_published(state, "dpk")
    x = torch.from_numpy(parity.golden_input(1, 3001))
    with torch.no_grad():
        torch.testing.assert_close(first(x), second(x))


def test_wrong_task_is_named(parity):
    with pytest.raises(ValueError, match="not a published picking model"):
        load_published(parity.official_state_dict("pmp"), "picking")


def test_labels(parity):
    data = golden(parity, "golden_losses.npz")
    expected = data["picking_label"]
    labels = onset_curves(data["picking_onsets"], expected.shape[-1])
    np.testing.assert_allclose(labels, expected, atol=1e-5)


@pytest.mark.parametrize(
    "task, key, target",
    [
        ("picking", "picking_bce", "picking_label"),
        ("polarity", "polarity_ce", "polarity_target"),
        ("magnitude", "magnitude_huber", "magnitude_target"),
        ("back_azimuth", "azimuth_huber", "azimuth_target_deg"),
    ],
)
def test_losses(parity, task, key, target):
    data = golden(parity, "golden_losses.npz")
    name = {"back_azimuth": "azimuth_pred_cos_sin"}.get(task, f"{task}_pred")
    loss = LOSSES[TASKS[task].loss](torch.from_numpy(data[name]), torch.from_numpy(data[target]))
    assert loss.item() == pytest.approx(golden(parity, "golden_losses.json")[key], abs=1e-5)


@pytest.mark.parametrize("key", ["ppk", "spk", "pmp", "emg", "dis", "baz"])
def test_metrics(parity, key):
    data = golden(parity, "golden_metrics.npz")
    target, predicted = data[f"{key}_target"], data[f"{key}_pred"]
    tasks = {spec.published: name for name, spec in TASKS.items()}
    if key in tasks:
        result = published_metrics(tasks[key], target, predicted)
    else:
        result = picking_metrics(target, predicted)
    expected = golden(parity, "golden_metrics.json")[key]
    assert result.keys() == expected.keys()
    assert set(expected) <= set(TASKS[tasks.get(key, "picking")].metrics)
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-5, abs=1e-5)
