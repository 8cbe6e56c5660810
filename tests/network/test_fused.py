"""The fused network gives what the network gives, and follows its weights."""

import copy

import numpy as np
import obspy
import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network import fused
from seisbench_llm.network.fused import FusedCache
from seisbench_llm.preprocess import normalize
from seisbench_llm.tasks import TASKS
from tests.helpers.models import tiny_model

SHAPES = {
    # All that the compact preset has; its own window lengths.
    "compact": {},
    "convolutional": {"preset": "convolutional"},
    "compressed": {"preset": "convolutional", "compressed": True},
    # As in the paper: no skip signals, even kernels, few channels at the end.
    "paper": {
        "in_samples": 3000,
        "embedder_channels": (8, 12, 16),
        "embedder_kernels": (16, 8, 6, 1),
        "embedder_kernel_steps": (8, 6, 4, 2),
        "embedder_branches": 4,
        "head_channels": (20, 24, 28, 6),
        "head_kernels": (1, 6, 8, 16),
        "head_skips": False,
    },
    # Nothing divides, kernels grow by odd steps.
    "odd": {
        "in_samples": 1013,
        "patch": 4,
        "pred_sample": 100,
        "embedder_kernel_steps": (3, 5, 1, 2),
        "embedder_strides": (2, 3, 1, 2),
        "pooled_kernel": 4,
    },
    "no backbone": {"backbone": None, "width": 64},
}


def calibrated(task, **arguments) -> SeisMoLLM:
    """A model whose BatchNorms have seen data, so that folding them is put to the test."""
    torch.manual_seed(0)
    arguments = {"preset": "compact", "backbone_layers": 1, "pretrained": False, **arguments}
    model = SeisMoLLM.from_preset(task=task, **arguments)
    # The statistics that 20 steps with such windows would leave.
    for module in model.train().modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1 - (1 - module.momentum) ** 20
    with torch.no_grad():
        model(normalize(torch.randn(8, 3, model.in_samples)))
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.uniform_(0.5, 2)
                module.bias.uniform_(-0.5, 0.5)
    return model.eval()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_same_answers(task, shape):
    model = calibrated(task, **SHAPES[shape])
    x = normalize(torch.randn(3, 3, model.in_samples))
    with torch.no_grad():
        expected = model(x)
    assert expected.std() > 1e-3 or task in ("magnitude", "distance")
    torch.testing.assert_close(model.predict(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("merge", [0, 10**6])
@pytest.mark.parametrize("widest", [0, 10**6])
def test_either_way(monkeypatch, merge, widest):
    monkeypatch.setattr(fused, "MERGE_MAX_CHANNELS", merge)
    monkeypatch.setitem(fused.PRODUCTS_FIRST_MAX_CHANNELS, "float32", widest)
    model = calibrated("picking", **SHAPES["paper"])
    x = normalize(torch.randn(2, 3, model.in_samples))
    with torch.no_grad():
        torch.testing.assert_close(model.predict(x), model(x), atol=1e-5, rtol=1e-5)


def test_adapters():
    pytest.importorskip("peft")
    model = calibrated("picking", in_samples=1024)
    model.add_lora()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.eval()
    x = normalize(torch.randn(2, 3, 1024))
    with torch.no_grad():
        expected = model(x)
    torch.testing.assert_close(model.predict(x), expected, atol=1e-5, rtol=1e-5)
    assert any("lora" in name for name, _ in model.named_parameters())


@pytest.fixture
def made(monkeypatch):
    """Length and precision of the fused copies that are made."""
    made, fuse = [], fused.FusedNetwork

    def noted(network, samples, precision):
        made.append((samples, precision))
        return fuse(network, samples, precision)

    monkeypatch.setattr(fused, "FusedNetwork", noted)
    return made


def test_follows_the_weights(made):
    model, x = calibrated("picking", in_samples=1024), torch.randn(2, 3, 1024)
    network, cache = model.network, FusedCache()
    first = cache.predict(network, x)
    assert torch.equal(cache.predict(network, x), first)
    cache.refresh(network)
    assert torch.equal(cache.predict(network, x), first)
    assert made == [(1024, "float32")]
    other = calibrated("picking", in_samples=1024, embedder_branches=3).network
    for change in (
        lambda: network.head.out.weight.data.mul_(2),
        lambda: network.embedder[0].norm.running_mean.add_(1),
        lambda: network.load_state_dict({k: v * 0.9 for k, v in other.state_dict().items()}),
        lambda: setattr(
            network.head.out, "bias", torch.nn.Parameter(network.head.out.bias.detach() + 1)
        ),
        lambda: train_step(network, x),
    ):
        before = cache.predict(network, x)
        change()
        cache.refresh(network)
        with torch.no_grad():
            expected = network(x)
        assert not torch.allclose(before, expected, atol=1e-4)
        torch.testing.assert_close(cache.predict(network, x), expected, atol=1e-5, rtol=1e-5)


def train_step(model, x):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(x).square().mean().backward()
    optimizer.step()


def test_is_neither_saved_nor_trained(tmp_path):
    model = calibrated("picking", in_samples=1024)
    names, count = list(model.state_dict()), sum(1 for _ in model.parameters())
    stream = obspy.read()
    model.annotate(stream)
    assert list(model.state_dict()) == names
    assert sum(1 for _ in model.parameters()) == count
    model.save(tmp_path / "saved")
    assert list(SeisMoLLM.load(tmp_path / "saved").state_dict()) == names
    twin = copy.deepcopy(model)
    twin.network.head.out.bias.data.add_(1)
    assert twin.annotate(stream)[0].data.max() != model.annotate(stream)[0].data.max()


def test_annotate_uses_it_and_leaves_forward_alone(monkeypatch):
    model, calls = calibrated("picking", in_samples=1024), []
    network = model.network.register_forward_hook(lambda *args: calls.append("network"))
    monkeypatch.setattr(
        FusedCache,
        "predict",
        lambda *args, f=FusedCache.predict, **k: calls.append("fused") or f(*args, **k),
    )
    model.annotate(obspy.read())
    assert set(calls) == {"fused"}
    calls.clear()
    with torch.no_grad():
        model(torch.randn(1, 3, 1024))
    assert calls == ["network"]
    network.remove()


def test_gradients_after_annotate():
    model = calibrated("picking", in_samples=1024)
    model.annotate(obspy.read())
    model(torch.randn(1, 3, 1024)).sum().backward()
    assert model.network.head.out.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_precision(precision):
    model, stream = SeisMoLLM.from_pretrained("compact_picking"), obspy.read()
    exact, short = model.annotate(stream), model.annotate(stream, precision=precision)
    for one, other in zip(exact, short, strict=True):
        assert other.data.dtype == np.float32
        np.testing.assert_allclose(one.data, other.data, atol=0.08)
        assert not np.array_equal(one.data, other.data)
    picks = [model.classify(stream, precision=p).picks for p in ("float32", precision)]
    assert len(picks[0]) == len(picks[1])
    for one, other in zip(*picks, strict=True):
        assert abs(one.peak_time - other.peak_time) < 0.03


def test_unknown_precision():
    with pytest.raises(ValueError, match="precision='half' is not possible: .* float16"):
        tiny_model().annotate(obspy.read(), precision="half")
