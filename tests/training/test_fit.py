"""Training runs: logs, resuming, several processes, fine-tuning, options."""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import TASKS
from tests.helpers import processes
from tests.helpers.training import fit

pytest.importorskip("lightning")

from seisbench_llm.training import configs
from seisbench_llm.training.module import trained_model
from seisbench_llm.training.run_folder import logged_metrics

CONFIGS = configs.FOLDER


def run_and_wait(last, mark, arguments):
    """A run that waits when it has done so many steps, so that it can be killed there."""
    from seisbench_llm.training.checkpoints import LastCheckpoint

    on_train_batch_end = LastCheckpoint.on_train_batch_end

    def wait(self, trainer, *args):
        on_train_batch_end(self, trainer, *args)
        while trainer.global_step >= last:
            mark.touch()
            time.sleep(1)

    LastCheckpoint.on_train_batch_end = wait
    processes.run_command("fit", *arguments)


def losses(run):
    table = logged_metrics(run)
    return table.dropna(subset="train/loss").set_index("step")["train/loss"]


def test_run_folder_tells_all(config, tmp_path):
    entries = yaml.safe_load(config.read_text())
    further = {"filename": "{step}", "every_n_train_steps": 5, "save_top_k": -1}
    entries["trainer"]["callbacks"] = [
        {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": further}
    ]
    config.write_text(yaml.safe_dump(entries))
    run = fit(config)
    assert (run / "logs" / "version_0" / "checkpoints" / "step=5.ckpt").is_file()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == 1
    assert metrics["steps"] == len(losses(run)) > 10
    assert np.isfinite(metrics["best_val_loss"])
    split = pd.read_csv(run / "split_0.csv.gz")
    assert set(split["split"]) >= {"train", "dev", "test"}
    assert metrics["records"][str(next(iter(metrics["records"])))]["train"] == (
        (split["split"] == "train").sum()
    )
    assert {"torch", "seisbench", "seisbench_llm"} <= set(
        json.loads((run / "versions.json").read_text())
    )
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["batch_size"] == 8
    assert list(run.glob("tensorboard/events*"))
    assert {p.name for p in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_rate_goes_up_and_down(config):
    run = fit(config)
    rate = logged_metrics(run).filter(like="lr-").iloc[:, 0].dropna().to_numpy()
    assert rate[0] == pytest.approx(5e-4, rel=0.3)
    np.testing.assert_allclose(rate[3:5].max(), 1e-3, rtol=0.01)
    assert rate[8] < rate[4]


@pytest.mark.parametrize("steps", [1, 3])
def test_very_short_run_has_a_rate(steps, config):
    run = fit(config, f"--trainer.max_steps={steps}", "--model.schedule=onecycle")
    rate = logged_metrics(run).filter(like="lr-").iloc[:, 0].dropna().to_numpy()
    assert rate.size and (rate > 0).all() and (rate <= 1e-3).all()


def test_other_configuration_in_the_same_folder(config):
    fit(config)
    with pytest.raises(ValueError, match=r"model.learning_rate was 0.001, is 0.002"):
        fit(config, "--model.learning_rate=0.002")
    run = fit(config, "--model.learning_rate=0.002", "--overwrite=true")
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["learning_rate"] == 0.002


def test_finished_run_can_be_prolonged(config):
    first = losses(fit(config))
    run = fit(config, "--trainer.max_epochs=2")
    assert len(losses(run)) == 2 * len(first)


@pytest.mark.timeout(2500)
def test_goes_on_after_a_kill(config, tmp_path):
    config_dict = yaml.safe_load(config.read_text())
    config_dict["trainer"]["max_epochs"] = 3
    config_dict["model"] |= {"schedule": "onecycle"}
    # Averages of weights are part of the state too.
    config_dict["trainer"]["callbacks"] = [
        {"class_path": "lightning.pytorch.callbacks.EMAWeightAveraging"}
    ]
    config.write_text(yaml.safe_dump(config_dict))
    undisturbed = fit(config, f"--run={tmp_path / 'undisturbed'}")

    run = tmp_path / "killed"
    last = run / "checkpoints" / "last.ckpt"
    reached = []
    # The first in the middle of an epoch, the second in another one.
    for least in (4, 14):
        mark, out = tmp_path / f"waits after {least}", tmp_path / "output.txt"
        arguments = ["--config", config, f"--run={run}", "--data.num_workers=1"]
        process = processes.start(run_and_wait, least + 1, mark, arguments, out=out)
        deadline = time.time() + 1000
        try:
            while not mark.exists():
                assert process.is_alive(), out.read_text()
                assert time.time() < deadline
                time.sleep(0.05)
        finally:
            process.kill()
            process.join()
        assert step_of(last) >= least
        reached.append(step_of(last))
    fit(config, f"--run={run}")

    expected, found = losses(undisturbed), losses(run)
    assert reached[0] < reached[1] < expected.index.max()
    assert found.index.max() == expected.index.max()
    # What was logged before the kill may be missing, never what follows.
    tail = expected.loc[reached[1] :]
    np.testing.assert_allclose(found.loc[reached[1] :], tail, rtol=2e-3)
    one, other = (trained_model(r / "checkpoints" / "last.ckpt") for r in (undisturbed, run))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0.02, atol=2e-3)


def step_of(checkpoint):
    return torch.load(checkpoint, weights_only=True, map_location="cpu")["global_step"]


@pytest.mark.timeout(400)
def test_two_processes_share_the_records(config, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "seisbench_llm", "fit", "--config", str(config)]
    command += ["--trainer.devices=2", "--trainer.strategy=ddp"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    run = tmp_path / "run"
    one = losses(fit(config, f"--run={tmp_path / 'one'}", "--data.batch_size=16"))
    steps = json.loads((run / "metrics.json").read_text())["steps"]
    assert abs(steps - len(one)) <= 1
    assert np.isfinite(json.loads((run / "metrics.json").read_text())["best_val_loss"])


def test_bf16_and_accumulation(config):
    run = fit(config, "--trainer.precision=bf16-mixed", "--trainer.accumulate_grad_batches=3")
    metrics = json.loads((run / "metrics.json").read_text())
    batches = metrics["records"][next(iter(metrics["records"]))]["train"] * 2 // 8
    assert metrics["steps"] == -(-batches // 3)
    assert np.isfinite(metrics["best_val_loss"])


def test_finetuning_starts_from_any_weight(config):
    overrides = ["--trainer.fast_dev_run=true", "--model.model_args=null"]
    assert fit(config, "--model.weights=compact_picking", *overrides) is None


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_configuration_with_every_task(name, task, config, records, tmp_path):
    """The committed files, with a tiny network and few records in place of the large ones."""
    small = yaml.safe_load(config.read_text())["model"]["model_args"]
    given = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    small["sampling_rate"] = given["model"].get("model_args", {}).get("sampling_rate", 100)
    overrides = [f"--model.model_args.{key}={json.dumps(value)}" for key, value in small.items()]
    if "weights" in given["model"]:
        SeisMoLLM(task, **small).save(tmp_path / "start")
        overrides = [f"--model.weights={tmp_path / 'start'}"]
    result = fit(
        CONFIGS / f"{name}.yaml",
        *("--task", task, *overrides),
        *(f"--data.dataset={records}", "--data.batch_size=4", "--data.num_workers=0"),
        *("--trainer.devices=1", "--trainer.accelerator=cpu", "--fast-dev-run"),
    )
    assert result is None


@pytest.mark.parametrize(
    "option, named",
    [
        ("--model.language_model=thawed", "language_model is lora, full or frozen"),
        ("--model.lora_rnk=3", "lora_rnk"),
        ("--data.batch_size=many", "batch_size"),
        ("--run={x}", "'{x}'"),
        ("--run={task", "'{task'"),
        ("--trainer.accelerator=abacus", "abacus"),
        ("--config=nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_wrong_options_are_one_line(config, option, named):
    with pytest.raises((ValueError, OSError), match=re.escape(named)) as caught:
        fit(config, option)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("text", ["", "[1]", "model: [", "\x00"])
def test_file_that_is_no_configuration(config, text):
    config.write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml"):
        fit(config)


@pytest.mark.parametrize("form", ["class_path", "shorthand"])
def test_configuration_files_run_nothing_of_others(config, tmp_path, monkeypatch, form):
    (tmp_path / "stranger.py").write_text("raise SystemExit('this was run')")
    monkeypatch.syspath_prepend(tmp_path)
    entries = yaml.safe_load(config.read_text())
    name = "stranger.Callback"
    entries["trainer"]["callbacks"] = [name if form == "shorthand" else {"class_path": name}]
    config.write_text(yaml.safe_dump(entries))
    with pytest.raises(ValueError, match=r"config\.yaml names the class stranger\.Callback"):
        fit(config)


def test_overwrite_removes_runs_only(config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "data.csv").write_text("1")
    with pytest.raises(ValueError, match="mine has no run"):
        fit(config, f"--run={tmp_path / 'mine'}", "--overwrite=true")
    assert (tmp_path / "mine" / "data.csv").read_text() == "1"


@pytest.mark.timeout(400)
def test_sigterm_says_that_the_run_goes_on(config, tmp_path):
    out = tmp_path / "output.txt"
    arguments = ["fit", "--config", config, "--trainer.max_epochs=50"]
    process = processes.start(processes.run_command, *arguments, out=out)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    deadline = time.time() + 200
    while time.time() < deadline and process.is_alive() and not last.is_file():
        time.sleep(0.02)
    process.terminate()
    process.join(timeout=100)
    assert last.is_file(), out.read_text()
    assert process.exitcode == 143, out.read_text()
    assert "The same command continues from the last checkpoint" in out.read_text()
