"""Runs that are stopped at any moment."""

import numpy as np
import pytest
import torch
import yaml

from seisbench_llm.training import checkpoints
from seisbench_llm.training.checkpoints import LastCheckpoint, load_checkpoint
from seisbench_llm.training.fit import fit
from seisbench_llm.training.module import trained_model
from seisbench_llm.training.run_folder import RunFolder, logged_metrics
from tests.helpers.training import run_config, synthetic_records


class Killed(BaseException):
    """What nothing catches, as nothing catches SIGKILL."""


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return synthetic_records(tmp_path_factory.mktemp("records"), 40)


def test_stopped_after_every_checkpoint(records, tmp_path, monkeypatch):
    """A run that is stopped 8 times, also at the end of an epoch, is the undisturbed one."""
    config = run_config(
        tmp_path / "config.yaml",
        records,
        model={"schedule": "onecycle"},
        data={"plain_copies": 0},
        trainer={"max_epochs": 2},
        checkpoint={"every_n_train_steps": 1},
    )
    undisturbed = fit(["--config", str(config), f"--run={tmp_path / 'undisturbed'}"])
    steps = len(logged_metrics(undisturbed).dropna(subset="train/loss"))
    run, save, saved = tmp_path / "stopped", LastCheckpoint._save, []

    def save_and_stop(self, trainer):
        save(self, trainer)
        saved.append(trainer.global_step)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LastCheckpoint, "_save", save_and_stop)
        for _ in range(steps):
            with pytest.raises(Killed):
                fit(["--config", str(config), f"--run={run}"])
    fit(["--config", str(config), f"--run={run}"])
    assert saved == list(range(1, steps + 1)) and steps % 2 == 0
    one, other = (load_checkpoint(r / "checkpoints" / "last.ckpt") for r in (undisturbed, run))
    assert one["global_step"] == other["global_step"] == steps
    assert one["lr_schedulers"][0]["last_epoch"] == other["lr_schedulers"][0]["last_epoch"]
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(other["state_dict"][name], value, rtol=1e-4, atol=1e-6)
    losses = [logged_metrics(r).dropna(subset="val/loss")["val/loss"] for r in (undisturbed, run)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Killed()])
def test_checkpoint_before_is_kept(tmp_path, monkeypatch, fault):
    path = tmp_path / "last.ckpt"
    io = checkpoints.SafeCheckpointIO()
    io.save_checkpoint({"state_dict": {"a": torch.ones(3)}}, path)
    before = path.read_bytes()

    def half(content, file):
        file.write(before[: len(before) // 2])
        raise fault

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(type(fault)):
        io.save_checkpoint({"state_dict": {"a": torch.zeros(3)}}, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x80\x02cos\nsystem\n."])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "odd.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.ckpt is not a checkpoint"):
        trained_model(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(ValueError, match=r"odd\.ckpt is not a checkpoint of a training run"):
        trained_model(path)


class TestRunFolder:
    def test_clear_removes_a_run_only(self, tmp_path):
        folder = RunFolder(tmp_path)
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(ValueError, match="has no run"):
            folder.clear()
        folder.config.write_text(yaml.safe_dump({"name": "of something else"}))
        with pytest.raises(ValueError, match="is not the configuration of a run"):
            folder.clear()
        folder.write_config({"model": {}, "data": {}, "trainer": {}})
        (tmp_path / "checkpoints").mkdir()
        folder.clear()
        assert [f.name for f in tmp_path.iterdir()] == ["thesis.tex"]

    @pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "just text"])
    def test_damaged_configuration_is_named(self, tmp_path, text):
        RunFolder(tmp_path).config.write_text(text)
        with pytest.raises(ValueError, match=r"config\.yaml"):
            RunFolder(tmp_path).check_config({"model": {}, "data": {}, "trainer": {}})

    def test_nothing_logged_yet(self, tmp_path):
        (tmp_path / "logs" / "version_0").mkdir(parents=True)
        (tmp_path / "logs" / "version_0" / "metrics.csv").touch()
        assert logged_metrics(tmp_path).empty


def test_the_order_of_metrics_is_that_of_their_names(tmp_path):
    """A start that is stopped at once has logged learning rates only, and those come first."""
    for version, text in enumerate(("lr,step\n0.1,0\n", "epoch,lr,step,loss\n,0.1,0,\n0,,0,2.0\n")):
        folder = tmp_path / "logs" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(text)
    found = logged_metrics(tmp_path)
    assert list(found) == ["step", "epoch", "loss", "lr"]
    assert found.iloc[0].tolist() == [0, 0, 2.0, 0.1]
