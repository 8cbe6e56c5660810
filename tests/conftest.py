"""Shared fixtures: where the data that do not ship with the package are, and tiny models."""

import os
from pathlib import Path

import numpy as np
import obspy
import pytest
import seisbench
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.preprocess import normalize

# No test may reach for the network, whatever the machine offers.
os.environ["HF_HUB_OFFLINE"] = "1"

# Tiny models gain nothing from threads, and lose much when several processes fight for cores.
torch.set_num_threads(1)

SHARED = Path(__file__).parents[2] / "shared"

TINY_SHAPE = {
    "width": 32,
    "layers": 1,
    "heads": 2,
    "mlp_width": 64,
    "positions": 128,
    "causal": True,
    "norm_first": True,
    "tanh_gelu": True,
    "norm_eps": 1e-5,
}
TINY = {
    "backbone": "tiny",
    "pretrained": False,
    "backbone_layers": 1,
    "backbone_config": TINY_SHAPE,
    "in_samples": 3000,
    "pred_sample": 500,
    "embedder_channels": (4, 4, 4),
    "embedder_branches": 2,
    "head_channels": (8, 8, 8, 4),
    "pooled_kernel": 4,
}


def tiny_model(task="picking", **kwargs):
    """A model of the published structure that runs in milliseconds and whose output varies."""
    torch.manual_seed(0)
    model = SeisMoLLM(task=task, **{**TINY, **kwargs})
    # A fresh network answers nearly the same to everything, which would let any test of its
    # answers pass: calibrate BatchNorm, and scale the last layer to answers all over the range.
    x = varied_windows(model.in_samples)
    with torch.no_grad():
        for _ in range(30):
            model(x)
        logits = model.eval()(x, logits=True).transpose(0, 1).flatten(1)
        head = model.network.head
        last = head.out if task == "picking" else head.linear
        scale = 1.5 / logits.std(dim=1)
        last.bias.sub_(logits.mean(dim=1)).mul_(scale)
        last.weight.mul_(scale.reshape(-1, *[1] * (last.weight.ndim - 1)))
    return model


def varied_windows(samples):
    """Normalised noise of many colours, each component on its own, with a pulse somewhere."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.linspace(0.02, 1, samples // 2 + 1)
    x = torch.fft.rfft(torch.randn(16, 3, samples, generator=generator))
    x = torch.fft.irfft(
        x * frequency ** (2 * torch.rand(16, 3, 1, generator=generator) - 2), samples
    )
    x = normalize(x)
    for i in range(16):
        onset = samples * i // 17
        x[i, :, onset : onset + 100] += 10 * torch.randn(3, 1, generator=generator)
    return normalize(x)


@pytest.fixture
def shared():
    """Folder of parity data, peers' weights and real records."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared evaluation data beside the repository")
    return SHARED


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path, monkeypatch):
    """An empty SeisBench cache, and a repository that cannot be reached."""
    monkeypatch.setattr(seisbench, "cache_root", tmp_path / "cache")
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "cache" / "models" / "v3")
    monkeypatch.setattr(seisbench, "remote_model_root", "http://127.0.0.1:9/models/")


@pytest.fixture
def warnings_of(caplog):
    """What SeisBench's logger, which does not propagate, has warned of."""
    seisbench.logger.addHandler(caplog.handler)
    yield lambda: caplog.text
    seisbench.logger.removeHandler(caplog.handler)


@pytest.fixture(scope="module")
def scheduler():
    """Address of a scheduler with two threads in this process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


def make_stream(samples=6000, rate=100.0, components="ZNE", code="HH", station="STA", seed=0):
    """Noise with a decaying arrival on each component."""
    rng = np.random.default_rng(seed)
    stream = obspy.Stream()
    for component in components:
        data = rng.standard_normal(samples)
        onset = samples // 2
        data[onset:] += 20 * np.exp(-np.arange(samples - onset) / (2 * rate))
        header = {
            "network": "XX",
            "station": station,
            "location": "00",
            "channel": code + component,
            "sampling_rate": rate,
            "starttime": obspy.UTCDateTime(2020, 1, 1),
        }
        stream.append(obspy.Trace(data, header))
    return stream
