"""The authors' checkpoints by name, from files of their names and layout that are made here."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
import seisbench
import torch

from seisbench_llm import weights
from seisbench_llm.convert import load_published
from seisbench_llm.models import published
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network.checkpoints import translate
from seisbench_llm.weights import WeightsError
from tests.helpers.checkpoints import published_model, published_state, training_checkpoint
from tests.helpers.hub import Hub, serving
from tests.helpers.parity import official

hub_constants = pytest.importorskip("huggingface_hub.constants")
file_download = pytest.importorskip("huggingface_hub.file_download")

NAMES = {
    "seismollm_dpk_ditingfull": ("picking", 8192, 50),
    "seismollm_dpk_ditinglight": ("picking", 8192, 50),
    "seismollm_dpk_stead": ("picking", 6000, 100),
    "seismollm_pmp_ditinglight": ("polarity", 8192, 50),
    "seismollm_emg_ditinglight": ("magnitude", 8192, 50),
    "seismollm_emg_stead": ("magnitude", 6000, 100),
    "seismollm_dis_ditinglight": ("distance", 8192, 50),
    "seismollm_dis_stead": ("distance", 6000, 100),
    "seismollm_baz_ditinglight": ("back_azimuth", 8192, 50),
    "seismollm_baz_stead": ("back_azimuth", 6000, 100),
}


def packed(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with serving(Hub(published.REPOSITORY, published.REVISION)) as hub:
        monkeypatch.setattr(hub_constants, "ENDPOINT", hub.url)
        # Before 1.0, the module that downloads had a copy of its own.
        for module in (hub_constants, file_download):
            monkeypatch.setattr(
                module,
                "HUGGINGFACE_CO_URL_TEMPLATE",
                hub.url + "/{repo_id}/resolve/{revision}/{filename}",
                raising=False,
            )
        monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield hub


@pytest.fixture
def unreachable(tmp_path, monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return seisbench.cache_model_root / "seismollm"


def test_names(monkeypatch):
    assert published.CHECKPOINTS.keys() == NAMES.keys()
    assert not set(NAMES) & set(SeisMoLLM.list_pretrained())
    monkeypatch.setattr(weights, "repository_answers", lambda warn=True: True)
    listed = SeisMoLLM.list_pretrained(details=True)
    assert all("Wang et al. 2025" in listed[name] for name in NAMES)
    assert not set(NAMES) & set(SeisMoLLM.list_pretrained(remote=False))


@pytest.mark.parametrize("task", ["dpk", "pmp", "emg", "dis", "baz"])
def test_files_of_these_tests_are_laid_out_as_published(shared, task):
    state = published_state(published_model(task, width=768, layers=3, positions=1024))
    manifest = json.loads((official().HERE / f"manifest_{task}.json").read_text())
    assert {k: list(v.shape) for k, v in state.items()} == {k: s for k, (s, _) in manifest.items()}


@pytest.mark.parametrize("name", NAMES)
def test_from_pretrained(hub, name):
    task, samples, rate = NAMES[name]
    model = published_model(task)
    suffix = "" if name.startswith("seismollm_emg") else ".pth"
    # As saved by a training, or the weights alone.
    content = training_checkpoint(model) if "stead" in name else published_state(model)
    file = f"SeisMoLLM/{name.removeprefix('seismollm_')}{suffix}"
    hub.files[file] = data = packed(content)

    loaded = SeisMoLLM.from_pretrained(name)
    assert (loaded.task.name, loaded.in_samples, loaded.sampling_rate) == (task, samples, rate)
    x = torch.randn(2, 3, samples)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), model(x), atol=1e-4, rtol=1e-4)
    record = loaded.record
    assert (record.task, record.window, record.language_model) == (task, samples / rate, "gpt2")
    digest = hashlib.sha256(data).hexdigest()
    assert published.REVISION in record.source and digest in record.source

    folder = seisbench.cache_model_root / "seismollm"
    ledger = folder / f"published-{published.REVISION[:12]}.sha256"
    assert ledger.read_text() == f"{digest}  {name.removeprefix('seismollm_')}\n"
    assert sorted(f.name for f in folder.glob(f"{name}*")) == [
        f"{name}.json.v1",
        f"{name}.safetensors.v1",
    ]


def test_is_fetched_once(hub, monkeypatch):
    hub.files["SeisMoLLM/dpk_stead.pth"] = packed(published_state(published_model("dpk")))
    SeisMoLLM.from_pretrained("seismollm_dpk_stead")
    asked = len(hub.asked)
    assert SeisMoLLM.from_pretrained("seismollm_dpk_stead").sha256
    assert SeisMoLLM.list_versions("seismollm_dpk_stead") == ["1"]
    assert "seismollm_dpk_stead" in SeisMoLLM.list_pretrained(remote=False)
    # Nor is the library needed any more.
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    SeisMoLLM.from_pretrained("seismollm_dpk_stead", version_str="1")
    assert len(hub.asked) == asked
    with pytest.raises(WeightsError, match="only version 1"):
        SeisMoLLM.from_pretrained("seismollm_dpk_stead", version_str="2")


@pytest.mark.parametrize("kind", ["a file in its place", "read-only"])
def test_a_cache_that_cannot_be_written(hub, tmp_path, monkeypatch, kind):
    name = "seismollm_dpk_stead"
    hub.files["SeisMoLLM/dpk_stead.pth"] = packed(published_state(published_model("dpk")))
    if kind == "read-only":
        SeisMoLLM.from_pretrained(name)
        # Root may write everywhere, so that permissions alone change nothing in a container.
        folder = seisbench.cache_model_root / "seismollm"
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: path != folder and access(path, mode))
        assert SeisMoLLM.from_pretrained(name).sha256
        argument = {"force": True}
    else:
        (tmp_path / "file").touch()
        monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "file" / "cache")
        argument = {}
    with pytest.raises(WeightsError, match="is not writable .*Set SEISBENCH_CACHE_ROOT"):
        SeisMoLLM.from_pretrained(name, **argument)


def test_another_file_of_that_name_is_refused(hub, tmp_path):
    name, file = "seismollm_dis_stead", "SeisMoLLM/dis_stead.pth"
    hub.files[file] = packed(published_state(published_model("dis")))
    first = SeisMoLLM.from_pretrained(name)
    hub.files[file] = packed(published_state(published_model("dis", seed=1)))
    # The library takes a file of a revision for unchangeable as long as it has it.
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(
        WeightsError, match="is not the file that seismollm_dis_stead was first made"
    ):
        SeisMoLLM.from_pretrained(name, force=True)
    # What was converted is still there.
    assert SeisMoLLM.from_pretrained(name).sha256 == first.sha256


def test_damage_on_the_way_is_seen(hub):
    content = packed(published_state(published_model("dpk")))
    hub.files["SeisMoLLM/dpk_stead.pth"] = content[:-9] + b"damaged!!"
    hub.etags["SeisMoLLM/dpk_stead.pth"] = hashlib.sha256(content).hexdigest()
    with pytest.raises(WeightsError, match="is damaged.*--force"):
        SeisMoLLM.from_pretrained("seismollm_dpk_stead")
    hub.files["SeisMoLLM/dpk_stead.pth"] = content
    SeisMoLLM.from_pretrained("seismollm_dpk_stead", force=True)


def test_nothing_of_the_file_is_executed(hub, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    hub.files["SeisMoLLM/dpk_stead.pth"] = packed({"model_dict": {}, "loss": Evil()})
    with pytest.raises(WeightsError, match="not a safe and complete weight file"):
        SeisMoLLM.from_pretrained("seismollm_dpk_stead")
    assert not (tmp_path / "executed").exists()


def test_model_of_another_task_is_refused(hub):
    hub.files["SeisMoLLM/dpk_stead.pth"] = packed(published_state(published_model("emg")))
    with pytest.raises(WeightsError, match="not a published picking model"):
        SeisMoLLM.from_pretrained("seismollm_dpk_stead")


@pytest.mark.parametrize("suffix", ["", ".pth"])
def test_without_a_connection(unreachable, suffix):
    with pytest.raises(WeightsError) as error:
        SeisMoLLM.from_pretrained("seismollm_baz_stead")
    message = str(error.value)
    assert "\n" not in message and published.REVISION in message
    assert f"copy it to {unreachable / 'baz_stead.pth'}" in message

    model = published_model("baz")
    torch.save(published_state(model), unreachable / f"baz_stead{suffix}")
    assert SeisMoLLM.from_pretrained("seismollm_baz_stead").task.name == "back_azimuth"
    torch.save(published_state(published_model("baz", seed=1)), unreachable / f"baz_stead{suffix}")
    (unreachable / "seismollm_baz_stead.json.v1").unlink()
    with pytest.raises(WeightsError, match="is not the file"):
        SeisMoLLM.from_pretrained("seismollm_baz_stead")


def test_pull_through_the_command(tmp_path):
    # In a process of its own: the address of the hub is read when its library is imported.
    content = packed(training_checkpoint(published_model("pmp")))
    command = [
        sys.executable,
        "-m",
        "seisbench_llm",
        "weights",
        "pull",
        "seismollm_pmp_ditinglight",
    ]
    with serving(Hub(published.REPOSITORY, published.REVISION)) as hub:
        hub.files["SeisMoLLM/pmp_ditinglight.pth"] = content
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
        env |= {"SEISBENCH_CACHE_ROOT": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "seismollm_pmp_ditinglight, version 1: complete, SHA-256" in done.stdout
    assert ("GET", "SeisMoLLM/pmp_ditinglight.pth") in hub.asked


def test_task_is_recognised(tmp_path):
    torch.save(published_state(published_model("dpk")), tmp_path / "best.pth")
    assert load_published(tmp_path / "best.pth").task.name == "picking"
    for task, name in [("emg", "magnitude"), ("dis", "distance"), ("baz", "back_azimuth")]:
        state = published_state(published_model(task))
        torch.save(state, tmp_path / f"{task}_ditinglight.pth")
        model = load_published(tmp_path / f"{task}_ditinglight.pth", merge_lora=True)
        assert (model.task.name, model.in_samples, model.sampling_rate) == (name, 8192, 50)
    # Two tasks have one layout.
    with pytest.raises(WeightsError, match=r"polarity \(pmp\) or back_azimuth \(baz\)"):
        load_published(state)
    torch.save(state, tmp_path / "dis_stead.pth")
    with pytest.raises(WeightsError, match="named after distance, but holds a model of polarity"):
        load_published(tmp_path / "dis_stead.pth")
    state = {name: value for name, value in state.items() if not name.startswith("out_head")}
    with pytest.raises(WeightsError, match="no head"):
        load_published(state)


def test_language_model_of_a_checkpoint_starts_a_training(unreachable, tmp_path):
    source = published_model("dpk", layers=2)
    unreachable.mkdir(parents=True)
    torch.save(training_checkpoint(source), unreachable / "dpk_stead.pth")
    expected = translate(published_state(source))

    for backbone in ("seismollm_dpk_stead", str(unreachable / "dpk_stead.pth")):
        model = SeisMoLLM("distance", backbone=backbone, backbone_layers=1)
        blocks = model.network.backbone.state_dict()
        assert len(model.network.backbone.blocks) == 1 and model.network.config.width == 48
        for name in ("blocks.0.attn.qkv", "blocks.0.mlp.down"):
            torch.testing.assert_close(
                blocks[f"{name}.weight"], expected[f"backbone.{name}.base_layer.weight"]
            )
        torch.testing.assert_close(blocks["norm.bias"], expected["backbone.norm.bias"])
    with pytest.raises(ValueError, match="has 2 blocks, not 3"):
        SeisMoLLM("distance", backbone="seismollm_dpk_stead")
    # As any model, it is saved with its shape and loaded without the language model.
    model.save(tmp_path / "own")
    assert SeisMoLLM.load(tmp_path / "own").get_model_args()["backbone"] == backbone
