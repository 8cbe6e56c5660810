"""The command ``pick``."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import obspy
import pandas as pd
import pytest
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm import cli
from seisbench_llm.amplitudes import measure
from seisbench_llm.export.at_picks import COUNTS, PHYSICAL, amplitudes_of
from seisbench_llm.export.read import read_picks
from seisbench_llm.export.tables import COLUMNS, picks_to_dataframe
from seisbench_llm.pick_files import pick_files
from seisbench_llm.stations import Stations
from seisbench_llm.streams.orientation import rotate_to_zne
from seisbench_llm.waveform_files import find_files
from tests.helpers.command_line import LEVELS, code_of, expected_picks, run
from tests.helpers.models import tiny_model
from tests.helpers.orientation import BOREHOLE, turned
from tests.helpers.responses import write_stationxml
from tests.helpers.streams import make_stream


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
    assert "picks.csv is not a waveform file" in str(
        run(cli.app, ["pick", pattern, *out]).exception
    )


def test_closed_standard_error_does_no_harm(files, tmp_path):
    command = [sys.executable, "-m", "seisbench_llm", "pick", *files, *LEVELS]
    line = f"{shlex.join(command)} --out {tmp_path / 'out'} --json 2>&-"
    done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert done.stdout.count("{") == len(read_picks(tmp_path / "out" / "picks.csv")) > 3


def test_pick_all_formats(files, tmp_path):
    pytest.importorskip("pyarrow")
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


def test_no_progress_in_a_pipe(files, capsys):
    run(cli.app, ["pick", *files, *LEVELS, "--json"])
    assert "reading" not in capsys.readouterr().err


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


def test_wrong_task_is_refused(files, tmp_path, monkeypatch, capsys):
    tiny_model("magnitude").save(tmp_path / "magnitude")
    weights_argument = ["--weights", str(tmp_path / "magnitude")]
    monkeypatch.setattr("sys.argv", ["seisbench-llm", "pick", files[0], *weights_argument])
    with pytest.raises(SystemExit):
        cli.main()
    assert "are for magnitude, not for picking" in capsys.readouterr().err


def test_python_and_command_line_agree(files, tmp_path):
    found = pick_files(tiny_model(), files[:1], P_threshold=0.9, S_threshold=0.9)
    assert found.stations == ["XX.STA", "XX.TWO"] and not found.failed
    assert [str(p) for p in found.picks] == [str(p) for p in expected_picks(files)]


@pytest.fixture
def borehole(tmp_path):
    """Waveforms in counts of a sensor that is turned, and its StationXML."""
    stream = make_stream(18_000, rate=200.0)
    for trace in stream:
        trace.data = (1000 * trace.data).round().astype("int32")
    turned(stream, BOREHOLE).write(tmp_path / "turned.mseed", format="MSEED")
    stations = write_stationxml(tmp_path / "stations.xml", "XX.STA.00", BOREHOLE)
    return tmp_path / "turned.mseed", stations


def test_amplitudes_are_columns(files, borehole, tmp_path):
    pytest.importorskip("pyarrow")
    waves, stations = borehole
    out = ["--out", str(tmp_path / "out"), "--format=csv", "--format=parquet"]
    given = [str(waves), *files[1:], *LEVELS, "--amplitudes", "--stations", str(stations)]
    result = run(cli.app, ["pick", *given, *out])
    assert result.exit_code == 0, result.exception
    table = read_picks(tmp_path / "out" / "picks.parquet")
    assert list(table) == [*COLUMNS, *COUNTS, *PHYSICAL]
    back = read_picks(tmp_path / "out" / "picks.csv")
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    # Picks are those of Z, N and E; amplitudes those of the channels that have a response.
    stream, known = obspy.read(waves), Stations.read(stations)
    picks = (
        tiny_model().classify(rotate_to_zne(stream, known), P_threshold=0.9, S_threshold=0.9).picks
    )
    assert list(table["time"]) == list(picks_to_dataframe(picks)["time"])
    expected = measure(stream, picks, known)
    assert len(expected) > 3 and set(expected["phase"]) == {"P", "S"}
    found = amplitudes_of(table)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert set(found["trace_id"].str[-1]) == {"Z", "1", "2"}
    assert (found["wood_anderson_nm"] > 0).all() and (found["snr"] > 1).any()
    rows = [json.loads(x) for x in run(cli.app, ["pick", *given, "--json"]).stdout.splitlines()]
    counts = list(table["amplitude_counts"].dropna())
    assert [row["amplitude_counts"] for row in rows[: len(counts)]] == pytest.approx(counts)
    assert "amplitude_counts" in result.output and "velocity_m_s" not in result.output


def test_without_stations_amplitudes_are_counts(files, tmp_path):
    out = ["--out", str(tmp_path / "out"), "--format=csv"]
    assert run(cli.app, ["pick", *files, *LEVELS, "--amplitudes", *out]).exit_code == 0
    table = read_picks(tmp_path / "out" / "picks.csv")
    assert list(table) == [*COLUMNS, *COUNTS]
    expected = measure(obspy.read(files[0]), expected_picks(files))["amplitude_counts"]
    counts = table["amplitude_counts"].dropna()
    assert list(counts) == pytest.approx(list(expected)) and len(counts) > 3
