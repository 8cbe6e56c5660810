"""The command ``picks convert``."""

import pytest

from seisbench_llm import cli
from seisbench_llm.export import export, read_events, read_picks
from tests.cli.test_main import code_of
from tests.export.test_kept import events_of, whole_picks
from tests.helpers.command_line import run


@pytest.fixture
def catalog(tmp_path):
    return str(export(whole_picks(), tmp_path / "a.xml", events=events_of()))


def test_it_says_what_is_written_and_what_is_lost(catalog, tmp_path):
    out = str(tmp_path / "b.pyocto.csv")
    result = run(cli.app, ["picks", "convert", catalog, out])
    assert result.exit_code == 0
    assert "(quakeml, 2 picks, 1 events)" in result.stdout and "(pyocto)" in result.stdout
    assert "Not kept by pyocto: time_uncertainty, polarity\n" in result.stderr
    assert "--events-out FILE writes the 1 events" in result.stderr
    assert len(read_picks(out)) == 2


def test_formats_and_events_by_options(catalog, tmp_path):
    out, events = str(tmp_path / "what"), str(tmp_path / "e.csv")
    arguments = ["--from", "quakeml", "--to", "csv", "--events-out", events, "--quiet"]
    result = run(cli.app, ["picks", "convert", catalog, out, *arguments])
    assert result.exit_code == 0 and result.stdout == result.stderr == ""
    back = str(tmp_path / "c.pha")
    result = run(cli.app, ["picks", "convert", out, back, "--events", events])
    assert result.exit_code == 0 and len(read_events(back)) == 1


def test_errors_are_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("trace_id,phase,time,station_id,phase_time,phase_type\n")
    arguments = ["picks", "convert", str(tmp_path / "a.csv"), str(tmp_path / "b.xml")]
    assert code_of(arguments, monkeypatch) == 2
    error = capsys.readouterr().err
    assert "a.csv" in error and "phasenet, csv" in error and error.count("\n") == 1
