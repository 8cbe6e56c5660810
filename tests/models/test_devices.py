"""Devices by name, with a PyTorch that says it has two GPUs."""

import pytest
import torch

from seisbench_llm.models.devices import find_device
from seisbench_llm.models.seismollm import SeisMoLLM


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_a_gpu_is_taken_if_there_is_one(two_gpus):
    names = {"auto": "cuda", "cuda": "cuda", "cuda:1": "cuda:1", "cpu": "cpu"}
    assert {name: str(find_device(name)) for name in names} == names
    with pytest.raises(ValueError, match="no device cuda:2: of CUDA devices there are cuda:0 to"):
        find_device("cuda:2")


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device() == torch.device("cpu")
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(ValueError, match=f"There is no device {name}"):
            find_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:x", "cuda:-1", "CPU"])
def test_no_devices(name):
    with pytest.raises(ValueError, match="is not possible: auto, cpu, cuda"):
        find_device(name)


def test_all_of_a_model_moves():
    model = SeisMoLLM.from_preset("compact", pretrained=False).to("meta")
    assert model.device == torch.device("meta")
    assert {t.device.type for t in [*model.parameters(), *model.buffers()]} == {"meta"}
