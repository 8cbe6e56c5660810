"""The commands ``dataset make`` and ``dataset check``."""

import json

import obspy
import pytest

from seisbench_llm import cli
from seisbench_llm.data import open_dataset
from seisbench_llm.data.checks import KINDS
from tests.helpers.command_line import code_of, run
from tests.helpers.own_data import P, picks_table, records, write_bulletin, write_sds


@pytest.fixture
def own(tmp_path):
    obspy.read_inventory().write(str(tmp_path / "s.xml"), format="STATIONXML")
    archive = write_sds(tmp_path / "sds", records())
    picks = write_bulletin(tmp_path / "a.xml", picks_table(time=[str(P), str(P + 100)]))
    options = ["--waveforms", archive, "--picks", picks, "--stations", tmp_path / "s.xml"]
    return [*map(str, options), "--before", "3", "--after", "5"]


def test_make_and_check(own, tmp_path):
    out = str(tmp_path / "set")
    result = run(cli.app, ["dataset", "make", *own, "--out", out])
    assert result.exit_code == 0, result.output
    assert f"Written to {out}: 1 records (1 train) of 2 picks" in result.stdout
    assert "left out: 1 picks: it is off the record" in result.stdout
    assert "No fault was found." in result.stdout and len(open_dataset(out)) == 1
    result = run(cli.app, ["dataset", "check", out, "--sample", "1", "--json"])
    content = json.loads(result.stdout)
    assert result.exit_code == 0 and content["waveforms"] == 1
    assert set(content["checks"]) == set(KINDS)


def test_a_fault_is_exit_code_one(own, tmp_path, monkeypatch, capsys):
    out = tmp_path / "set"
    run(cli.app, ["dataset", "make", *own, "--out", str(out), "--quiet"])
    table = (out / "metadata.csv").read_text()
    (out / "metadata.csv").write_text(table.replace(",trace_npts,", ",trace_n,"))
    assert code_of(["dataset", "check", out], monkeypatch) == 0
    metadata = open_dataset(out).metadata.rename(columns={"trace_n": "trace_npts"})
    metadata.assign(trace_p_arrival_sample=-5.0).to_csv(out / "metadata.csv", index=False)
    assert code_of(["dataset", "check", out], monkeypatch) == 1
    assert "fault off_record: 1, onset outside the record" in capsys.readouterr().out
    assert code_of(["dataset", "check", tmp_path / "none"], monkeypatch) == 2
    assert "There is no data set" in capsys.readouterr().err
    assert code_of(["dataset", "make", *own, "--out", out], monkeypatch) == 2
    assert "set exists. Name a new folder" in capsys.readouterr().err
