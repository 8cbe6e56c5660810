"""The command ``evaluate``."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from seisbench_llm import cli
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.evaluate.metrics import NO_PICK
from tests.helpers.evaluation import FIGURES
from tests.helpers.models import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Synthetic(40, seed=3).write(tmp_path_factory.mktemp("synthetic") / "records")


def test_command(folder, tmp_path):
    tiny_model().save(tmp_path / "tiny")
    out = tmp_path / "out"
    arguments = ["evaluate", "--weights", str(tmp_path / "tiny"), "--data", str(folder)]
    run = CliRunner().invoke
    result = run(cli.app, [*arguments, "--split", "all", "--out", str(out), "--threshold", "0.9"])
    assert result.exit_code == 0, result.output
    assert "P measures" in result.stdout and "recall_0.1s" in result.stdout
    assert {f.stem for f in out.glob("*.png")} == FIGURES["picking"]
    assert json.loads((out / "metrics.json").read_text())["settings"]["threshold"] == 0.9
    table = pd.read_csv(out / "predictions.csv")
    assert len(table) == 40
    assert (table["p_predicted"] == NO_PICK).equals(table["p_probability"] < 0.9)

    # By default the data set's own split, which for synthetic records is by event.
    metadata = open_dataset(folder).metadata
    own = run(cli.app, [*arguments, "--split", "train", "--json"])
    content = json.loads(own.stdout)
    assert content["settings"]["records"] == (metadata["split"] == "train").sum()
    by_row = run(cli.app, [*arguments, "--split-by", "row", "--limit", "3", "--quiet"])
    assert by_row.exit_code == 0 and not by_row.stdout


def test_command_errors_are_one_line(folder, tmp_path, monkeypatch, capsys):
    tiny_model().save(tmp_path / "tiny")
    arguments = ["evaluate", "--weights", str(tmp_path / "tiny"), "--data"]
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *arguments, "nowhere"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "no data set 'nowhere'" in capsys.readouterr().err
    monkeypatch.setattr(
        "seisbench_llm.data.splits.split_by_event", lambda m, seed: m["split"] + "?"
    )
    monkeypatch.setattr(
        "sys.argv", ["seisbench-llm", *arguments, str(folder), "--split-by", "event"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert "No record is in the split 'test'" in capsys.readouterr().err
    assert "Example: seisbench-llm" in CliRunner().invoke(cli.app, ["evaluate", "--help"]).stdout
