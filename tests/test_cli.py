import json

import obspy
import pandas as pd
import pytest
import torch
from obspy.io.quakeml.core import _validate as validate_quakeml
from typer.testing import CliRunner

from seisbench_llm import __version__, cli, weights
from seisbench_llm.export import COLUMNS, picks_to_catalog, picks_to_dataframe
from seisbench_llm.plotting import plot_picks
from tests.conftest import make_stream, tiny_model

run = CliRunner().invoke


@pytest.fixture
def files(tmp_path):
    stream = make_stream(9000) + make_stream(9000, components="Z", station="TWO")
    stream.write(tmp_path / "waves.mseed", format="MSEED")
    tiny_model().save(tmp_path / "tiny", version_str=None)
    return [str(tmp_path / "waves.mseed"), "--weights", str(tmp_path / "tiny")]


def expected_picks(files):
    stream = obspy.read(files[0])
    return tiny_model().classify(stream, P_threshold=0.9, S_threshold=0.9).picks


LEVELS = ["--p-threshold", "0.9", "--s-threshold", "0.9"]


def test_pick_writes_table_quakeml_and_figure(files, tmp_path):
    result = run(cli.app, ["pick", *files, *LEVELS, "--out", str(tmp_path / "out"), "--plot"])
    assert result.exit_code == 0, result.output
    picks = expected_picks(files)
    assert len(picks) > 3
    assert f"{len(picks)} picks at 2 stations" in result.output
    table = pd.read_csv(tmp_path / "out" / "picks.csv")
    assert list(table.columns) == list(COLUMNS)
    assert [obspy.UTCDateTime(t) for t in table.time] == [p.peak_time for p in picks]
    catalog = obspy.read_events(tmp_path / "out" / "picks.xml")
    assert [p.time for p in catalog[0].picks] == [p.peak_time for p in picks]
    assert validate_quakeml(tmp_path / "out" / "picks.xml")
    assert (tmp_path / "out" / "picks.png").stat().st_size > 10_000


def test_pick_json_lines(files):
    result = run(cli.app, ["pick", *files, *LEVELS, "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [row["phase"] for row in rows] == [p.phase for p in expected_picks(files)]


def test_pick_formats_and_quiet(files, tmp_path):
    out = tmp_path / "out"
    result = run(cli.app, ["pick", *files, "--out", str(out), "--format", "csv", "--quiet"])
    assert result.exit_code == 0
    assert [f.name for f in out.iterdir()] == ["picks.csv"]
    assert "picks at" not in result.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["pick", "nothing.mseed"], "There is no file nothing.mseed"),
        (["pick", __file__], "no waveform file that ObsPy can read"),
        (["weights", "show", "no_such_weights"], "no_such_weights"),
        (["convert", "nothing.pth", "--task", "dpk", "--out", "x"], "nothing.pth"),
        (["convert", "nothing.pth", "--task", "volcano", "--out", "x"], "Unknown task"),
    ],
)
def test_errors_are_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_wrong_task_is_refused(files, tmp_path, monkeypatch, capsys):
    tiny_model("magnitude").save(tmp_path / "magnitude")
    weights_argument = ["--weights", str(tmp_path / "magnitude")]
    monkeypatch.setattr("sys.argv", ["seisbench-llm", "pick", files[0], *weights_argument])
    with pytest.raises(SystemExit):
        cli.main()
    assert "are for magnitude, not for picking" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["pick"], ["demo"], ["convert"], ["weights", "list"]])
def test_help_has_an_example(command):
    result = run(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: seisbench-llm" in result.output


def test_weights_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    record = weights.WeightRecord("tiny", "picking", "1", 100, 30, data="noise", licence="GPL-3.0")
    weights.save(tiny_model(), tmp_path / "tiny", "a tiny one", record=record, half=True)
    assert "tiny\ta tiny one" in run(cli.app, ["weights", "list"]).stdout
    shown = json.loads(run(cli.app, ["weights", "show", "tiny"]).stdout)
    assert shown["licence"] == "GPL-3.0" and shown["docstring"] == "a tiny one"


def test_convert(shared, tmp_path):
    from tests.test_parity import official

    state = official().official_state_dict("pmp")
    state = {name: torch.tensor(value) for name, value in state.items()}
    torch.save({"model_dict": state}, tmp_path / "best.pth")
    out = tmp_path / "converted"
    arguments = ["convert", str(tmp_path / "best.pth"), "--task", "pmp", "--out", str(out)]
    assert (
        run(cli.app, [*arguments, "--in-samples", "8192", "--sampling-rate", "50"]).exit_code == 0
    )
    metadata = json.loads((tmp_path / "converted.json").read_text())
    assert metadata["model_args"]["task"] == "polarity"
    assert metadata["model_args"]["sampling_rate"] == 50


def test_tables_and_catalogues_without_picks():
    assert list(picks_to_dataframe([]).columns) == list(COLUMNS)
    assert len(picks_to_catalog([], "x/1")[0].picks) == 0


def test_catalogue_keeps_what_matters(tmp_path):
    picks = tiny_model().classify(make_stream(), P_threshold=0.9).picks
    picks[0].polarity, picks[1].trace_id = "U", "XX.STA.00.HN"
    picks_to_catalog(picks, "compact_picking/1").write(tmp_path / "a.xml", "QUAKEML")
    read = obspy.read_events(tmp_path / "a.xml")[0].picks
    assert read[0].polarity == "positive"
    assert read[0].evaluation_mode == "automatic"
    assert str(read[0].method_id) == "smi:local/seisbench_llm/compact_picking/1"
    assert read[1].waveform_id.get_seed_string() == "XX.STA.00.HN"
    assert f"{picks[0].peak_value:.3f}" in read[0].comments[0].text


def test_figure_limits_stations_and_refuses_nothing():
    model, stream = tiny_model(), make_stream(components="Z", station="S0")
    for i in range(1, 5):
        stream += make_stream(components="Z", station=f"S{i}")
    annotations = model.annotate(stream)
    figure = plot_picks(stream, model.classify(stream).picks, annotations, max_stations=3)
    assert len(figure.axes) == 6
    with pytest.raises(ValueError, match="no waveforms"):
        plot_picks(obspy.Stream(), [])


def test_version():
    assert __version__ == "0.1.0"
