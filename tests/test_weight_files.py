"""Weight files that are damaged, odd or hostile: our error, in one line, with the file's name."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network import language
from seisbench_llm.weights import WeightsError
from tests.helpers.models import tiny_model


def edit(file, **entries):
    """Change entries of a weight's JSON file; None removes one."""
    metadata = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({k: v for k, v in metadata.items() if v is not None}))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tiny_model().save(folder / "a", half=False)
    return folder


@pytest.fixture
def weight(saved, tmp_path):
    for file in saved.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / "a"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"model_args": []}',
        b'{"model_args": null}',
        b'{"docstring": {}}',
        b'{"default_args": "x"}',
        b'{"version": 3}',
        b'{"sha256": ["a"]}',
        b'{"record": "x"}',
        b'{"model_args": {"width": ' + b"9" * 5000 + b"}}",
    ],
)
def test_odd_descriptions_are_named(weight, content):
    weight.with_suffix(".json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.json does not describe a weight: ") as error:
        SeisMoLLM.load(weight)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_descriptions_are_named(weight, share):
    text = weight.with_suffix(".json").read_text().strip()
    weight.with_suffix(".json").write_text(text[: int(share * len(text))])
    with pytest.raises(WeightsError, match=r"a\.json does not describe a weight: "):
        SeisMoLLM.load(weight)


@pytest.mark.parametrize(
    "change",
    [
        {"task": "volcano"},
        {"task": ["picking"]},
        {"width": "wide"},
        {"width": 10**12},
        {"in_samples": None},
        {"in_samples": 10**15},
        {"in_samples": True},
        {"sampling_rate": None},
        {"sampling_rate": -100},
        {"backbone_config": {"width": 32}},
        {"backbone_config": "gpt2"},
        {"backbone_layers": "many"},
        {"patch": 0},
        {"patch": -8},
        {"embedder_channels": 4},
        {"embedder_channels": [4, 4, -4]},
        {"embedder_channels": [4] * 10_000},
        {"embedder_kernels": []},
        {"embedder_strides": [0, 0, 0, 0]},
        {"head_channels": [10**9] * 4},
        {"head_channels": [10**6] * 4},
        {"head_channels": [10**5] * 4},
        {"embedder_branches": 10**5},
        {"embedder_kernels": [10**7] * 4, "embedder_branches": 90},
        {"component_order": 7},
        {"unknown": 1},
        {"filter_kwargs": 3, "filter_args": None, "default_args": []},
    ],
)
def test_odd_sizes_are_named(weight, change):
    arguments = json.loads(weight.with_suffix(".json").read_text())["model_args"]
    edit(weight.with_suffix(".json"), model_args={**arguments, **change})
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"/a\.(json|safetensors) ") as error:
        SeisMoLLM.load(weight)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"task": "picking"},
        {"backbone": "gpt2", "pretrained": True},
        {"backbone": "nobody/nothing", "pretrained": True},
        {"backbone": "nobody/nothing", "pretrained": False},
        {"backbone": "nobody/nothing", "backbone_config": {}, "backbone_layers": 1},
    ],
)
def test_no_description_makes_us_look_for_a_language_model(weight, arguments, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("reached for the language model")

    monkeypatch.setattr(language, "_fetch", fail)
    edit(weight.with_suffix(".json"), model_args=arguments)
    with pytest.raises(WeightsError, match=r"/a\.(json|safetensors) "):
        SeisMoLLM.load(weight)


@pytest.mark.parametrize("picker", ["nobody/nothing", "../../a", 7, ["a"]])
def test_no_description_makes_us_fetch_another_weight(weight, picker):
    edit(weight.with_suffix(".json"), default_args={"s_picker": picker})
    with pytest.raises(WeightsError, match=r"a\.json names the picker"):
        SeisMoLLM.load(weight)


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("record", [True, False])
def test_damaged_tensors_are_named(weight, suffix, record):
    """Truncated at any place, or with any bit flipped: our error, or the model, never another."""
    if suffix == "pt":
        model = SeisMoLLM.load(weight)
        weight.with_suffix(".safetensors").unlink()
        model.save(weight)
    file = weight.with_suffix(f".{suffix}")
    if not record:
        edit(weight.with_suffix(".json"), sha256=None)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[: int(share * len(whole))] for share in (0.0, 0.01, 0.5, 0.99)]
    for place in [*rng.integers(0, 2000, 8), *rng.integers(0, len(whole), 8)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.integers(8)
        damaged.append(bytes(flipped))
    loaded = 0
    for content in damaged:
        file.write_bytes(content)
        try:
            SeisMoLLM.load(weight)
            loaded += 1
        except WeightsError as error:
            assert f"/a.{suffix} " in str(error) and "\n" not in str(error)
    assert loaded == 0 if record else loaded < len(damaged) - 4


def test_a_view_of_one_value_does_not_fill_the_memory(tmp_path):
    tiny_model().save(tmp_path / "a")
    arguments = json.loads((tmp_path / "a.json").read_text())["model_args"]
    edit(tmp_path / "a.json", sha256=None, model_args={**arguments, "head_channels": [10**4] * 4})
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    state["network.head.stages.0.conv.weight"] = torch.zeros(1).expand(10**4, 10**4, 10**4)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"a\.pt: 'network.head.stages.0.* than the file holds"):
        SeisMoLLM.load(tmp_path / "a")


def test_values_that_are_not_finite_are_refused(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.network.head.out.bias[1] = torch.nan
    model.save(tmp_path / "a")
    with pytest.raises(WeightsError, match=r"a\.pt: 'network.head.out.bias' holds .* not finite"):
        SeisMoLLM.load(tmp_path / "a")


def test_a_loaded_model_does_not_depend_on_its_file(weight):
    model = SeisMoLLM.load(weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with open(weight.with_suffix(".safetensors"), "r+b") as file:
        file.write(b"\x00" * file.seek(0, os.SEEK_END))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
