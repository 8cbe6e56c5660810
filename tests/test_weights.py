import json
import os
import pickle
import shutil
import time

import numpy as np
import pytest
import seisbench
import torch
from seisbench.models import WaveformModel

from seisbench_llm import weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.seisbench_private import cache_folder
from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import WeightRecord, WeightsError
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

RECORD = WeightRecord("tiny", "picking", "3", 100, 30, data="noise", figures={"F1": 0.5})


@pytest.fixture(autouse=True)
def no_packaged_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "packaged")


@pytest.fixture
def cache():
    folder = cache_folder(SeisMoLLM)
    folder.mkdir(parents=True)
    return folder


def assert_equal_outputs(one, other, tolerance=1e-6):
    x = torch.randn(1, 3, one.in_samples)
    with torch.no_grad():
        torch.testing.assert_close(one(x), other.eval()(x), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("task", TASKS)
def test_round_trip(task, tmp_path):
    model = tiny_model(task, filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    model.default_args["overlap"] = 0.25
    model.save(tmp_path / "a", weights_docstring="text", version_str="3", record=RECORD)
    loaded = SeisMoLLM.load(tmp_path / "a", version_str="3")
    assert_equal_outputs(model, loaded)
    assert loaded.weights_version == "3"
    assert loaded.weights_docstring == "text"
    assert loaded.record == RECORD
    assert loaded.default_args == model.default_args
    assert loaded.filter_kwargs == {"freq": 1.0}
    assert loaded.get_model_args() == model.get_model_args()

    loaded.save(tmp_path / "b")
    again = SeisMoLLM.load(tmp_path / "b")
    assert (again.weights_version, again.weights_docstring, again.record) == ("3", "text", RECORD)


def test_plain_seisbench_reads_the_file(tmp_path):
    model = tiny_model()
    model.save(tmp_path / "a", weights_docstring="text")
    loaded = WaveformModel.load.__func__(SeisMoLLM, tmp_path / "a")
    assert_equal_outputs(model, loaded)
    assert loaded.weights_docstring == "text"


def test_saving_a_model_under_lora_training(tmp_path):
    pytest.importorskip("peft")
    model = tiny_model()
    model.add_lora(rank=2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    model.eval().save(tmp_path / "a")
    assert_equal_outputs(model, SeisMoLLM.load(tmp_path / "a"), 1e-5)
    assert any("lora_A" in name for name in model.state_dict())


def test_half_precision_safetensors(tmp_path):
    model = tiny_model()
    model.save(tmp_path / "a", half=True)
    assert not (tmp_path / "a.pt").exists()
    loaded = SeisMoLLM.load(tmp_path / "a")
    assert loaded.dtype == torch.float32
    assert_equal_outputs(model, loaded, 0.05)


def test_order_packaged_cached_path(cache, tmp_path):
    packaged, cached = tiny_model(), tiny_model("magnitude")
    weights.PACKAGED.mkdir()
    packaged.save(weights.PACKAGED / "a", "packaged", half=False)
    cached.save(cache / "a", "cached", "1")
    cached.save(cache / "b", "cached", "1")
    cached.save(cache / "b", "cached, newer", "2")
    assert SeisMoLLM.from_pretrained("a").weights_docstring == "packaged"
    assert SeisMoLLM.from_pretrained("b").weights_docstring == "cached, newer"
    assert SeisMoLLM.from_pretrained("b", version_str="1").weights_docstring == "cached"
    packaged.save(tmp_path / "c", "a path")
    assert SeisMoLLM.from_pretrained(str(tmp_path / "c")).weights_docstring == "a path"
    packaged.save(tmp_path / "d", "versioned path", "10")
    packaged.save(tmp_path / "d", "versioned path, old", "9")
    loaded = SeisMoLLM.from_pretrained(str(tmp_path / "d"))
    assert loaded.weights_docstring == "versioned path"


def test_hugging_face_repository_in_the_cache(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--org--name" / "snapshots" / "abc"
    tiny_model().save(snapshot / "weights", "from the hub", half=False)
    (tmp_path / "models--org--name" / "refs").mkdir()
    (tmp_path / "models--org--name" / "refs" / "main").write_text("abc")
    assert SeisMoLLM.from_pretrained("org/name").weights_docstring == "from the hub"
    with pytest.raises(
        WeightsError, match="'org/other' is neither a local path nor a Hugging Face"
    ):
        SeisMoLLM.from_pretrained("org/other")


def test_offline_lists_and_fails_quickly(cache, warnings_of):
    tiny_model().save(cache / "cached", "text", "1")
    weights.PACKAGED.mkdir()
    tiny_model().save(weights.PACKAGED / "packaged", "packed", half=True)
    start = time.monotonic()
    assert SeisMoLLM.list_pretrained() == ["cached", "packaged"]
    assert SeisMoLLM.list_pretrained(details=True) == {"cached": "text", "packaged": "packed"}
    assert "cannot be reached" in warnings_of()
    with pytest.raises(WeightsError, match="cannot be reached. Available.*: cached, packaged"):
        SeisMoLLM.from_pretrained("nothing")
    with pytest.raises(WeightsError, match="cannot be reached"):
        SeisMoLLM.from_pretrained("cached", version_str="7")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize("in_cache", [False, True])
def test_cache_and_update(cache, monkeypatch, update, in_cache):
    """SeisBench asks its repository if the cache is empty or an update is wanted."""
    # The two files are made one at a time here, so that their digests cannot agree.
    monkeypatch.setattr(weights, "sha256", lambda path: "same")
    if in_cache:
        tiny_model().save(cache / "a", "old", "1")
    asked = []

    def listing(url, **kwargs):
        asked.append(url)
        return ["a.pt.v1", "a.json.v1", "a.pt.v2", "a.json.v2"]

    def download(url, target, **kwargs):
        folder = target.parent / "remote"
        folder.mkdir(exist_ok=True)
        tiny_model().save(folder / "a", "new", "2")
        os.replace(folder / url.rpartition("/")[2], target)

    monkeypatch.setattr(weights, "reachable", lambda url: True)
    monkeypatch.setattr(seisbench.util, "ls_webdav", listing)
    monkeypatch.setattr(seisbench.util, "download_http", download)
    model = SeisMoLLM.from_pretrained("a", update=update)
    assert model.weights_docstring == ("old" if in_cache and not update else "new")
    assert bool(asked) == (update or not in_cache)
    assert (cache / "a.json.v1").exists() == in_cache


@pytest.mark.parametrize(
    "left", [["a.pt.v1.partial"], ["a.pt.v1.partial", "a.json.v1.partial"], ["a.json.v1"]]
)
@pytest.mark.parametrize("fails", [False, True])
def test_downloads_that_were_cut_short(cache, monkeypatch, fails, left):
    """What was half fetched is fetched anew; what is to be fetched again is kept if that fails."""
    remote = cache / "remote"
    tiny_model().save(remote / "a", "remote", "1")

    def download(url, target, **kwargs):
        if fails:
            target.write_bytes(b"half")
            raise ValueError("the connection was lost")
        shutil.copy(remote / url.rpartition("/")[2], target)

    monkeypatch.setattr(weights, "reachable", lambda url: True)
    monkeypatch.setattr(seisbench.util, "ls_webdav", lambda url, **_: ["a.pt.v1", "a.json.v1"])
    monkeypatch.setattr(seisbench.util, "download_http", download)
    for name in left:
        (cache / name).write_text("{")
    if fails:
        with pytest.raises(WeightsError, match="the connection was lost"):
            SeisMoLLM.from_pretrained("a")
        tiny_model().save(cache / "a", "before", "1")
        with pytest.raises(WeightsError, match="the connection was lost"):
            SeisMoLLM.from_pretrained("a", force=True)
        assert SeisMoLLM.from_pretrained("a").weights_docstring == "before"
    else:
        assert SeisMoLLM.from_pretrained("a").weights_docstring == "remote"
        (cache / "a.pt.v1").write_bytes(b"damaged")
        with pytest.raises(WeightsError, match="Download it again"):
            SeisMoLLM.from_pretrained("a")
        assert SeisMoLLM.from_pretrained("a", force=True).weights_docstring == "remote"
    names = {file.name for file in cache.iterdir() if file.is_file()}
    assert {name for name in names if not name.endswith(".partial")} == {
        ".a.lock",
        "a.pt.v1",
        "a.json.v1",
    }


def test_versions(cache):
    for version in ("9", "10"):
        tiny_model().save(cache / "a", "text", version)
    assert SeisMoLLM.list_versions("a") == ["9", "10"]
    weights.PACKAGED.mkdir()
    tiny_model().save(weights.PACKAGED / "a", "packed", record=RECORD, half=True)
    assert SeisMoLLM.list_versions("a", remote=False) == ["3", "9", "10"]
    assert SeisMoLLM.list_versions("b") == []


def test_unknown_name_lists_known_ones(cache, monkeypatch):
    tiny_model().save(cache / "cached", "text", "1")
    monkeypatch.setattr(weights, "reachable", lambda url: True)
    monkeypatch.setattr(seisbench.util, "ls_webdav", lambda url, **kwargs: ["remote.json.v1"])
    with pytest.raises(WeightsError, match="no weights 'a'.*Known weights: cached, remote"):
        SeisMoLLM.from_pretrained("a")


def test_weight_warning(cache, monkeypatch, warnings_of):
    tiny_model().save(cache / "a", "text", "1")
    monkeypatch.setattr(SeisMoLLM, "_weight_warnings", [("a|b", "1", "do not use")])
    SeisMoLLM.from_pretrained("a")
    assert "do not use" in warnings_of()


def test_changed_file_is_refused(tmp_path):
    tiny_model().save(tmp_path / "a")
    with open(tmp_path / "a.pt", "r+b") as file:
        file.seek(5000)
        file.write(b"x")
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        SeisMoLLM.load(tmp_path / "a")


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_hostile_and_broken_files_are_refused(tmp_path, suffix):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    model = tiny_model()
    model.save(tmp_path / "a")
    metadata = json.loads((tmp_path / "a.json").read_text())
    del metadata["sha256"]
    (tmp_path / "a.json").write_text(json.dumps(metadata))
    (tmp_path / "a.pt").unlink()
    for content in (pickle.dumps(Evil()), b"", b"\x00" * 1000):
        (tmp_path / f"a.{suffix}").write_bytes(content)
        with pytest.raises(WeightsError, match="not a safe and complete weight file"):
            SeisMoLLM.load(tmp_path / "a")
    assert not (tmp_path / "executed").exists()


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"no weight file .*a\.json"):
        SeisMoLLM.load(tmp_path / "a")
    tiny_model().save(tmp_path / "a")
    (tmp_path / "a.pt").unlink()
    with pytest.raises(WeightsError, match=r"has no a\.safetensors or a\.pt"):
        SeisMoLLM.load(tmp_path / "a")


@pytest.mark.parametrize(
    "name, message", [("", "name of the weight is empty"), (".", "no weight file weights.json")]
)
def test_names_that_are_none(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=message):
        SeisMoLLM.from_pretrained(name)


def test_weights_of_another_size_are_refused(tmp_path):
    tiny_model().save(tmp_path / "a")
    metadata = json.loads((tmp_path / "a.json").read_text())
    metadata["model_args"]["head_channels"] = [9, 9, 9, 9]
    (tmp_path / "a.json").write_text(json.dumps(metadata))
    with pytest.raises(WeightsError, match="does not fit its own description"):
        SeisMoLLM.load(tmp_path / "a")


def test_newer_seisbench_is_asked_for(tmp_path):
    tiny_model().save(tmp_path / "a")
    metadata = json.loads((tmp_path / "a.json").read_text())
    metadata["seisbench_requirement"] = "99.0"
    (tmp_path / "a.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="require seisbench version at least 99.0"):
        SeisMoLLM.load(tmp_path / "a")


def test_loading_needs_no_language_model(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    import transformers

    model = tiny_model(backbone="nobody/nothing")
    model.save(tmp_path / "a")

    def fail(*args, **kwargs):
        raise AssertionError("reached for the language model")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", fail)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", fail)
    loaded = SeisMoLLM.load(tmp_path / "a")
    picks = loaded.classify(make_stream(), P_threshold=0.01).picks
    assert len(picks) == len(model.classify(make_stream(), P_threshold=0.01).picks)
    assert np.isfinite(loaded.annotate(make_stream())[0].data).all()


def test_damaged_cache_is_no_hindrance(cache, warnings_of):
    (cache / "bad.json.v1").write_text("{")
    (cache / "bad.json.vbad").write_text("[]")
    for version in ("1", "bad"):
        (cache / f"bad.pt.v{version}").write_text("")
    (cache / "notes.txt").write_text("")
    tiny_model().save(cache / "good", "text", "1")
    assert SeisMoLLM.list_pretrained(details=True, remote=False) == {"bad": None, "good": "text"}
    assert SeisMoLLM.list_versions("bad", remote=False) == ["1"]
    assert SeisMoLLM.from_pretrained("good").weights_docstring == "text"
    with pytest.raises(WeightsError, match="bad"):
        SeisMoLLM.from_pretrained("bad")


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(seisbench, "cache_root", tmp_path / "file" / "cache")
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "file" / "cache" / "v3")
    weights.PACKAGED.mkdir()
    tiny_model().save(weights.PACKAGED / "packaged", "packed", half=True)
    assert SeisMoLLM.from_pretrained("packaged").weights_docstring == "packed"
    assert SeisMoLLM.list_pretrained() == ["packaged"]
    assert SeisMoLLM.list_versions("packaged") == ["1"]
    monkeypatch.setattr(weights, "reachable", lambda url: True)
    monkeypatch.setattr(seisbench.util, "ls_webdav", lambda url, **kwargs: ["a.json.v1"])
    assert SeisMoLLM.list_versions("a") == ["1"]
    assert "packaged" in SeisMoLLM.list_pretrained()
    with pytest.raises(WeightsError, match="is not writable .*SEISBENCH_CACHE_ROOT"):
        SeisMoLLM.from_pretrained("a")
