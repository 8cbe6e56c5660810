"""Shared fixtures: where the data that do not ship with the package are, and tiny models."""

import os
from pathlib import Path

import numpy as np
import obspy
import pytest
import seisbench
import torch

from seisbench_llm import SeisMoLLM

# No test may reach for the network, whatever the machine offers.
os.environ["HF_HUB_OFFLINE"] = "1"

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
    """A model of the published structure that runs in milliseconds."""
    torch.manual_seed(0)
    return SeisMoLLM(task=task, **{**TINY, **kwargs}).eval()


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
