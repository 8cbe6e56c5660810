"""The commands of seisbench-llm benchmark, one after the other on a small data set."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from seisbench_llm.cli import app
from tests.helpers.benchmark import write_records
from tests.helpers.models import tiny_model
from tests.helpers.published_data import write_stead


def run(*arguments):
    result = CliRunner().invoke(app, ["benchmark", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_from_targets_to_a_report(tmp_path):
    (tmp_path / "records").mkdir()
    write_records(tmp_path / "records")
    tiny_model().save(tmp_path / "picker")
    tiny_model("magnitude").save(tmp_path / "size")
    targets, records = tmp_path / "targets" / "toy", tmp_path / "records"
    assert "task23: " in run("targets", "--data", records, targets)
    for weights in ("picker", "size"):
        options = ("--data", records, "--weights", tmp_path / weights, "--out", tmp_path)
        assert "pred_cross" in run("predict", targets, *options)
    run("collect", tmp_path / "pred_cross", tmp_path / "results.csv")
    assert set(pd.read_csv(tmp_path / "results.csv")["target"]) == {"toy"}
    assert "test_magnitude_mae" in pd.read_csv(tmp_path / "results_beside.csv")
    run("report", tmp_path, "-o", tmp_path / "report.html", "--draws", 20)
    assert "Verdict" in (tmp_path / "report.html").read_text()


def test_paper(tmp_path):
    write_stead(tmp_path)
    tiny_model("distance").save(tmp_path / "tiny")
    weights = ("--weights", tmp_path / "tiny", "--out", tmp_path / "paper.csv")
    out = run("paper", "--data", "stead", "--path", tmp_path, *weights)
    assert "distance mae km" in out and len(pd.read_csv(tmp_path / "paper.csv")) == 20


def test_wrong_options(tmp_path):
    with pytest.raises(ValueError, match="either --trained or --weights"):
        run("predict", tmp_path)
    with pytest.raises(ValueError, match="also needs --data"):
        run("predict", tmp_path, "--weights", "compact_picking")
