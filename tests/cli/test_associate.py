"""The command ``seisbench-llm associate``."""

import json

import pytest
from typer.testing import CliRunner

from seisbench_llm.cli import app
from seisbench_llm.export import read_events
from seisbench_llm.export.files import write_csv
from tests.helpers.catalogue import make_catalogue
from tests.helpers.monitor import NETWORK

pytest.importorskip("pyocto")
yaml = pytest.importorskip("yaml")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    root = tmp_path_factory.mktemp("picks")
    _, table = make_catalogue(0, days=0.1, noise=0, at=[1000.0, 4000.0])
    write_csv(table, root / "picks.csv")
    write_csv(NETWORK, root / "stations.csv")
    return ["associate", str(root / "picks.csv"), "--stations", str(root / "stations.csv")]


def test_a_catalogue_is_written_and_told(command, tmp_path):
    invoke = CliRunner().invoke
    result = invoke(app, [*command, "--out", str(tmp_path), "--format", "csv"])
    assert result.exit_code == 0, result.output
    assert "2 events with" in result.stdout and "days associated in this run" in result.stdout
    assert "arrivals.csv, events.csv, picks.csv" in result.stdout
    assert len(read_events(tmp_path / "events.csv")) == 2
    result = invoke(app, [*command, "--out", str(tmp_path), "--format", "csv", "--json"])
    told = json.loads(result.stdout)
    assert (told["events"], told["new"]) == (2, 0) and told["blocks"] > 1
    result = invoke(app, [*command, "--out", str(tmp_path), "--format", "csv", "--quiet"])
    assert result.stdout == ""


def test_its_yaml_does_the_same(command, tmp_path):
    invoke, out = CliRunner().invoke, tmp_path / "out"
    options = ["--n-picks", "20", "--n-p-and-s-picks", "1", "--margin", "60", "--keep-poor"]
    result = invoke(app, [*command, "--out", str(out), "--format", "csv", *options])
    assert result.exit_code == 0, result.output
    written = yaml.safe_load((out / "catalogue.yaml").read_text())
    assert written["association"] == {
        "n_picks": 20,
        "n_p_and_s_picks": 1,
        "margin": 60.0,
        "keep_poor": True,
        "magnitude_scale": "iaspei",
    }
    assert written["picks"] == command[1] and written["output"]["formats"] == ["csv"]
    result = invoke(app, ["run", str(out / "catalogue.yaml"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["new"] == 0


def test_other_settings_need_another_folder(command, tmp_path):
    invoke = CliRunner().invoke
    base = [*command, "--out", str(tmp_path), "--format", "csv", "--quiet"]
    assert invoke(app, base).exit_code == 0
    failed = invoke(app, [*base, "--n-picks", "30"])
    assert "association.n_picks was None and is 30" in str(failed.exception)
    assert invoke(app, [*base, "--n-picks", "30", "--overwrite"]).exit_code == 0
    assert len(read_events(tmp_path / "events.csv")) == 0
