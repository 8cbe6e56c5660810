import configparser
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import obspy
import pandas as pd
import pytest
import torch
from obspy.io.quakeml.core import _validate as validate_quakeml
from typer.testing import CliRunner

from seisbench_llm import __version__, cli, weights
from seisbench_llm.cli.common import echo_json_lines
from seisbench_llm.export.quakeml import picks_to_catalog
from seisbench_llm.export.read import read_picks
from seisbench_llm.export.tables import COLUMNS, picks_to_dataframe
from seisbench_llm.pick_files import pick_files
from seisbench_llm.plotting.picks import plot_picks
from seisbench_llm.waveform_files import find_files
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

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


def code_of(arguments, monkeypatch):
    """Exit code of the command as the shell sees it."""
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0


def test_weights_rule_their_thresholds(files, tmp_path):
    model = tiny_model()
    model.default_args["P_threshold"] = model.default_args["S_threshold"] = 0.9
    model.save(tmp_path / "mine")
    weights = ["--weights", str(tmp_path / "mine"), "--json"]
    counts = [
        run(cli.app, ["pick", files[0], *weights, *more]).stdout.count("{")
        for more in ([], ["--p-threshold", "0.5"])
    ]
    assert counts[0] == len(expected_picks(files)) < counts[1]


def test_no_picks_print_nothing(capsys):
    echo_json_lines(picks_to_dataframe([]))
    assert capsys.readouterr().out == ""


def test_results_below_the_data_are_no_input(files, tmp_path):
    (tmp_path / "stations.csv").write_text("id,latitude,longitude\nXX.STA.,64.0,-17.0\n")
    data = tmp_path / "data"
    data.mkdir()
    shutil.move(files[0], data)
    out = ["--out", str(data / "out"), "--stations", str(tmp_path / "stations.csv")]
    for _ in range(2):
        result = run(cli.app, ["pick", str(data), *files[1:], *LEVELS, *out])
        assert result.exit_code == 0, result.exception
    pattern = str(data / "out" / "picks.csv")
    assert "picks.csv is no waveform file" in str(run(cli.app, ["pick", pattern, *out]).exception)


def test_closed_standard_error_does_no_harm(files, tmp_path):
    command = [sys.executable, "-m", "seisbench_llm", "pick", *files, *LEVELS]
    line = f"{shlex.join(command)} --out {tmp_path / 'out'} --json 2>&-"
    done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.count("{") == len(read_picks(tmp_path / "out" / "picks.csv")) > 3


def test_pick_all_formats(files, tmp_path):
    out = tmp_path / "out"
    names = ("csv", "parquet", "quakeml", "pyocto", "gamma", "nlloc")
    formats = [f"--format={name}" for name in names]
    assert run(cli.app, ["pick", *files, *LEVELS, "--out", str(out), *formats]).exit_code == 0
    ends = ("csv", "gamma.csv", "obs", "parquet", "pyocto.csv", "xml")
    assert sorted(f.name for f in out.iterdir()) == [f"picks.{end}" for end in ends]
    for name in ("csv", "parquet"):
        table = read_picks(out / f"picks.{name}")
        pd.testing.assert_frame_equal(table, picks_to_dataframe(expected_picks(files)))
    assert len(pd.read_csv(out / "picks.gamma.csv")) == len(table)


def test_json_keeps_microseconds(files):
    result = run(cli.app, ["pick", *files, *LEVELS, "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    picks = expected_picks(files)
    assert [obspy.UTCDateTime(row["time"]) for row in rows] == [p.peak_time for p in picks]


def test_python_and_command_line_agree(files, tmp_path):
    found = pick_files(tiny_model(), files[:1], P_threshold=0.9, S_threshold=0.9)
    assert found.stations == ["XX.STA", "XX.TWO"] and not found.failed
    assert [str(p) for p in found.picks] == [str(p) for p in expected_picks(files)]


def test_what_is_left_out_is_told_once(files, tmp_path):
    stream = obspy.read(files[0]) + make_stream(9000, rate=0.5, station="SLOW")
    stream.write(tmp_path / "more.mseed", format="MSEED")
    found = pick_files(tiny_model(), [tmp_path / "more.mseed"], P_threshold=0.9, S_threshold=0.9)
    assert len(found.picks) == len(expected_picks(files))
    assert {entry.trace_id[:8] for entry in found.skipped} == {"XX.SLOW."}
    result = run(cli.app, ["pick", str(tmp_path / "more.mseed"), *files[1:], *LEVELS, "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    told = [row for row in rows if "skipped" in row]
    assert len(rows) - len(told) == len(found.picks)
    assert [(row["skipped"], row["cause"]) for row in told] == [
        (entry.trace_id, entry.cause) for entry in found.skipped
    ]


def test_of_many_parts_each_cause_is_said_once(tmp_path, warnings_of):
    midnight = obspy.UTCDateTime(2020, 1, 2)
    for number in range(4):
        stream = make_stream(9000, station=f"S{number}")
        stream += make_stream(90, rate=1.0, components="Z", code="LH", station=f"S{number}")
        for trace in stream:
            trace.stats.starttime = midnight - 45
            trace.data = trace.data.astype("float32")
        stream.write(tmp_path / f"{number}.mseed", format="MSEED")
    levels = {"P_threshold": 0.9, "S_threshold": 0.9}
    whole = pick_files(tiny_model(), [tmp_path], **levels)
    # Stations one by one, and their days.
    parts = pick_files(tiny_model(), [tmp_path], largest=20_000, **levels)
    assert [str(p) for p in parts.picks] == [str(p) for p in whole.picks] != []
    assert parts.skipped == whole.skipped and len(whole.skipped) == 4
    said = [line for line in warnings_of().splitlines() if "at least 10 Hz are needed" in line]
    assert len(set(said)) == 1 and "4 traces with 4 ids" in said[0]


def test_folders_and_patterns_are_read_once(files, tmp_path):
    folder = tmp_path / "data" / "[2020]"
    folder.mkdir(parents=True)
    (folder / "a.mseed").write_bytes(Path(files[0]).read_bytes())
    (folder / ".hidden").write_text("no waveforms")
    pattern = str(tmp_path / "d*" / "**" / "*.mseed")
    assert find_files([folder, pattern, folder / "a.mseed"]) == [folder / "a.mseed"]
    result = run(cli.app, ["pick", str(tmp_path / "data"), *files[1:], *LEVELS, "--json"])
    assert result.exit_code == 0
    assert result.stdout.count("{") == len(expected_picks(files))
    for nothing in (tmp_path / "*.sac", tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            find_files([nothing])


def test_broken_file_stops_or_is_skipped(files, tmp_path, monkeypatch, capsys):
    broken = tmp_path / "broken.mseed"
    broken.write_text("not waveforms at all")
    arguments = ["pick", files[0], broken, *files[1:], *LEVELS]
    assert code_of([*arguments, "--json"], monkeypatch) == 2
    streams = capsys.readouterr()
    assert "broken.mseed" in streams.err and "--keep-going" in streams.err
    assert not streams.out
    assert code_of([*arguments, "--json", "--keep-going"], monkeypatch) == 3
    streams = capsys.readouterr()
    assert f"skipped {broken}" in streams.err
    *picks, skipped = map(json.loads, streams.out.splitlines())
    assert len(picks) == len(expected_picks(files))
    assert skipped["skipped"] == str(broken) and not skipped["used"] and skipped["cause"]
    assert code_of(["pick", broken, *files[1:], "--keep-going"], monkeypatch) == 2
    assert "None of 1 files can be read" in capsys.readouterr().err


def test_wrong_use_is_2_and_help_0(files, monkeypatch, capsys):
    assert code_of(["pick", files[0], "--no-such-option"], monkeypatch) == 2
    assert code_of(["pick", files[0], "--format", "sac"], monkeypatch) == 2
    assert code_of(["pick", "--help"], monkeypatch) == 0
    assert code_of(["pick", files[0], "--plot"], monkeypatch) == 2
    assert "--out" in capsys.readouterr().err
    out = ["--out", "nowhere"]
    assert code_of(["pick", files[0], "--format", "hypodd", *out], monkeypatch) == 2
    assert "needs located events" in capsys.readouterr().err


def test_no_progress_in_a_pipe(files, capsys):
    run(cli.app, ["pick", *files, *LEVELS, "--json"])
    assert "reading" not in capsys.readouterr().err


def test_days_are_picked_one_by_one_without_loss_at_midnight(tmp_path):
    model = tiny_model()
    stream = make_stream(60_000) + make_stream(3000, station="TWO")
    for trace in stream:
        trace.stats.starttime = obspy.UTCDateTime(2020, 1, 2) - 300
    stream.write(tmp_path / "a.mseed", format="MSEED")
    levels = {"P_threshold": 0.6, "S_threshold": 0.6}
    whole = pick_files(model, [tmp_path], **levels).picks
    parts = []
    found = pick_files(
        model, [tmp_path], largest=100_000, watch=lambda s, *_: parts.append(s), **levels
    ).picks
    # A day of one station at a time: never all of it, and nothing twice.
    assert [sum(t.stats.npts for t in part) for part in parts] == [90_000, 90_000, 9000]
    places = [(p.trace_id, p.phase, p.peak_time.ns // 10**7) for p in found]
    assert len(set(places)) == len(places)
    near = [p for p in whole if abs(p.peak_time - obspy.UTCDateTime(2020, 1, 2)) < 20]
    assert near
    for pick in near:
        same = [p for p in found if (p.trace_id, p.phase) == (pick.trace_id, pick.phase)]
        assert sum(abs(p.peak_time - pick.peak_time) < 0.5 for p in same) == 1
    assert len(found) == pytest.approx(len(whole), rel=0.05)


def test_long_records_are_drawn_as_days(files, tmp_path):
    stream = make_stream(250_000, rate=20.0, components="Z")
    stream.write(tmp_path / "long.mseed", format="MSEED")
    inventory = "id,latitude,longitude\nXX.STA.,64.0,-17.0\n"
    (tmp_path / "stations.csv").write_text(inventory)
    out = tmp_path / "out"
    more = ["--out", str(out), "--plot", "--stations", str(tmp_path / "stations.csv")]
    result = run(cli.app, ["pick", str(tmp_path / "long.mseed"), *files[1:], *LEVELS, *more])
    assert result.exit_code == 0, result.output
    names = {f.name for f in out.iterdir()}
    assert names == {
        "picks.csv",
        "picks.xml",
        "picks_XX.STA.00.HH_2020-01-01.png",
        "map.png",
        "stations.csv",
    }


def test_pull_checks_what_there_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    tiny_model().save(tmp_path / "tiny", half=True)
    result = run(cli.app, ["weights", "pull", "tiny"])
    assert f"complete, SHA-256 {weights.sha256(tmp_path / 'tiny.safetensors')}" in result.stdout
    assert not run(cli.app, ["weights", "pull", "tiny", "--quiet"]).stdout
    (tmp_path / "tiny.safetensors").write_bytes(b"changed")
    assert code_of(["weights", "pull", "tiny"], monkeypatch) == 2
    assert "SHA-256 differs" in capsys.readouterr().err
    assert code_of(["weights", "pull", "elsewhere"], monkeypatch) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_shell_completion():
    environment = {"COMP_WORDS": "seisbench-llm wei", "COMP_CWORD": "1"}
    environment["_SEISBENCH_LLM_COMPLETE"] = "complete_bash"
    result = run(cli.app, [], prog_name="seisbench-llm", env=environment)
    assert result.stdout.split() == ["weights"]


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
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_wrong_task_is_refused(files, tmp_path, monkeypatch, capsys):
    tiny_model("magnitude").save(tmp_path / "magnitude")
    weights_argument = ["--weights", str(tmp_path / "magnitude")]
    monkeypatch.setattr("sys.argv", ["seisbench-llm", "pick", files[0], *weights_argument])
    with pytest.raises(SystemExit):
        cli.main()
    assert "are for magnitude, not for picking" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["pick"],
        ["demo"],
        ["convert"],
        ["evaluate"],
        ["export"],
        *(["weights", name] for name in ("list", "show", "pull")),
    ],
)
def test_help_has_an_example(command):
    result = run(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: seisbench-llm" in result.output


def test_weights_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    record = weights.WeightRecord("tiny", "picking", "1", 100, 30, data="noise", licence="GPL-3.0")
    tiny_model().save(tmp_path / "tiny", "a tiny one", record=record, half=True)
    assert "tiny\ta tiny one" in run(cli.app, ["weights", "list"]).stdout
    shown = json.loads(run(cli.app, ["weights", "show", "tiny"]).stdout)
    assert shown["licence"] == "GPL-3.0" and shown["docstring"] == "a tiny one"


def test_convert(shared, tmp_path):
    from tests.helpers.parity import official

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
    assert read[0].comments[0].text == f"probability {picks[0].peak_value:.6f}"


def test_figure_limits_stations_and_refuses_nothing(warnings_of):
    model, stream = tiny_model(), make_stream(components="Z", station="S0")
    for i in range(1, 5):
        stream += make_stream(components="Z", station=f"S{i}")
    annotations = model.annotate(stream)
    figure = plot_picks(stream, model.classify(stream).picks, annotations, max_stations=3)
    assert len(figure.axes) == 6
    assert "3 of 5 stations" in figure.get_suptitle() and "3 of 5 stations" in warnings_of()
    with pytest.raises(ValueError, match="no waveforms"):
        plot_picks(obspy.Stream(), [])


def test_version():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert __version__ == setup["metadata"]["version"]


def test_onnx_command(files, tmp_path):
    pytest.importorskip("onnx")
    out = tmp_path / "models" / "picker.onnx"
    result = run(cli.app, ["weights", "onnx", files[2], "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"Written: {out}" in result.output and out.stat().st_size > 10_000


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import seisbench_llm; from seisbench_llm.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'seisbench', 'obspy', 'pandas', 'scipy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'SeisMoLLM' in dir(seisbench_llm)\n"
        "from seisbench_llm import *; SeisMoLLM, TASKS, WeightsError, seisbench_llm.models\n"
        "assert not hasattr(seisbench_llm, 'no_such_name')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
