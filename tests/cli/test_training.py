"""Commands of training as a user gives them: fit, export, evaluate on the run's own test events."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from seisbench_llm import cli
from seisbench_llm.data.synthetic.records import Synthetic
from tests.helpers.training import fit, run_config, synthetic_records

pytest.importorskip("lightning")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return synthetic_records(tmp_path_factory.mktemp("records"))


@pytest.fixture
def config(records, tmp_path):
    return run_config(tmp_path / "config.yaml", records)


run = CliRunner().invoke


def test_from_records_to_figures(config, records, tmp_path):
    result = run(cli.app, ["fit", "--config", str(config), "--run", str(tmp_path / "r")])
    assert result.exit_code == 0, result.output
    weight = tmp_path / "weights" / "mine"
    result = run(cli.app, ["export", str(tmp_path / "r"), "--out", str(weight), "--half"])
    assert result.exit_code == 0, result.output
    assert f"{weight}.safetensors" in result.output
    command = ["evaluate", "--weights", str(weight), "--data", str(records), "--json"]
    result = run(cli.app, [*command, "--run", str(tmp_path / "r")])
    assert result.exit_code == 0, result.output
    split = pd.read_csv(tmp_path / "r" / "split_0.csv.gz")["split"]
    assert json.loads(result.stdout)["settings"]["records"] == (split == "test").sum()


def test_run_of_other_data(config, records, tmp_path):
    fit(config)
    Synthetic(5, seed=1, seconds=25).write(tmp_path / "other")
    command = ["evaluate", "--weights", "compact_picking", "--run", str(tmp_path / "run")]
    result = run(cli.app, [*command, "--data", str(tmp_path / "other")])
    assert isinstance(result.exception, ValueError)
    assert f"was not trained on {tmp_path / 'other'} but on {records}" in str(result.exception)


def test_help_lists_the_options():
    result = run(cli.app, ["fit", "--help"])
    assert result.exit_code == 0
    for option in ("--model.lora_rank", "--data.recipe", "--trainer.devices", "--run"):
        assert option in result.output
