import glob
import json
from pathlib import Path

import obspy
import pandas as pd
import pytest
import typer
from obspy.io.quakeml.core import _validate as validate_quakeml
from typer.testing import CliRunner

from seisbench_llm.cli.monitor import monitor as command
from seisbench_llm.export.tables import ESTIMATE_TYPES, typed
from seisbench_llm.monitor.monitor import SeismicMonitor
from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import WeightsError
from tests.helpers.models import save_family
from tests.helpers.streams import make_stream

app = typer.Typer()
app.command()(command)
run = CliRunner().invoke


STATIONS = pd.DataFrame({"id": ["XX.STA", "XX.TWO"], "latitude": [50, 50.1], "longitude": [9, 9]})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    stream = make_stream(6000) + make_stream(6000, station="TWO", seed=1)
    stream.write(folder / "waves[1].mseed", format="MSEED")
    STATIONS.to_csv(folder / "stations.csv", index=False)
    family = save_family(folder, TASKS)
    return [str(folder / "waves[1].mseed"), "--weights", family, *LEVELS]


LEVELS = ["--p-threshold", "0.9", "--s-threshold", "0.9"]


@pytest.fixture(scope="module")
def expected(files):
    monitor = SeismicMonitor.from_pretrained(files[2])
    stream = obspy.read(glob.escape(files[0]))
    return monitor.classify(stream, STATIONS, P_threshold=0.9, S_threshold=0.9)


def test_command_writes_everything(files, expected, tmp_path):
    out, stations = tmp_path / "out", Path(files[0]).with_name("stations.csv")
    formats = [word for kind in ("csv", "parquet", "quakeml") for word in ("--format", kind)]
    page = tmp_path / "catalogue.html"
    options = ["--inventory", str(stations), "--out", str(out), *formats, "--plot"]
    options += ["--report", str(page)]
    result = run(app, [*files, *options])
    assert result.exit_code == 0, result.output
    wanted = expected
    assert str(wanted) in result.output and "single station" in result.output
    assert f"Written: {page}" in result.output and wanted.events["event_id"][0] in page.read_text()
    tables = ("monitor", "picks", "events", "single_station", "arrivals", "amplitudes")
    names = {f"{name}.{kind}" for name in tables for kind in ("csv", "parquet")}
    names |= {"monitor.png", "map.png", "catalog.xml", "single_station.xml", "unassociated.xml"}
    assert {file.name for file in out.iterdir()} == names
    rows = pd.read_parquet(out / "monitor.parquet").to_dict("records")
    pd.testing.assert_frame_equal(typed(rows, ESTIMATE_TYPES), wanted.table)
    assert len(pd.read_csv(out / "picks.csv")) == len(wanted.picks)
    assert len(pd.read_csv(out / "events.csv")) == len(wanted.network_events)
    assert len(pd.read_csv(out / "single_station.csv")) == len(wanted.single_station_events) > 0
    assert len(pd.read_csv(out / "amplitudes.csv")) == len(wanted.amplitudes) > 0
    single = wanted.to_catalog(single_station=True)
    assert obspy.read_events(out / "single_station.xml") == single
    assert validate_quakeml(out / "single_station.xml")


def test_command_prints_json_lines_or_nothing(files, expected, tmp_path):
    result = run(app, [*files, "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    wanted = expected.table
    assert [row["magnitude"] for row in rows] == pytest.approx(wanted.magnitude.to_list(), abs=1e-9)
    assert [obspy.UTCDateTime(row["p_time"]).ns for row in rows] == [t.value for t in wanted.p_time]
    assert len(rows) > 3


def test_command_and_result_list_the_same_that_was_left_out(files, tmp_path):
    stream = obspy.read(glob.escape(files[0])) + make_stream(6000, station="Z", components="Z")
    stream += make_stream(90, rate=1.0, station="SLOW", code="LH")
    stream.write(tmp_path / "waves.mseed", format="MSEED")
    result = run(app, [str(tmp_path / "waves.mseed"), *files[1:], "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    told = [row for row in rows if "skipped" in row]
    monitor = SeismicMonitor.from_pretrained(files[2])
    skipped = monitor.classify(stream, P_threshold=0.9, S_threshold=0.9).skipped
    assert told == [
        {
            "skipped": entry.trace_id,
            "start": str(entry.start),
            "end": str(entry.end),
            "cause": entry.cause,
            "used": entry.used,
        }
        for entry in skipped
    ]
    names = [entry.trace_id for entry in skipped]
    assert names == [*(f"XX.SLOW.00.LH{code}" for code in "ENZ"), "XX.Z.00.HH?"]


def test_command_can_be_quiet(files, tmp_path):
    family = save_family(tmp_path, ("picking",))
    options = ["--quiet", "--out", str(tmp_path / "out"), "--format", "quakeml"]
    result = run(app, [files[0], "--weights", family, *LEVELS, *options])
    assert result.stdout == ""
    names = {"catalog.xml", "single_station.xml", "unassociated.xml"}
    assert {file.name for file in (tmp_path / "out").iterdir()} == names


@pytest.mark.parametrize(
    "change, message",
    [
        (["--inventory", "nothing.xml"], "There is no file nothing.xml"),
        (["--inventory", __file__], "cannot be read as a station file"),
        (["--weights", "no_such_family"], "no_such_family_picking"),
        (["nothing.mseed"], "There is no file nothing.mseed"),
        ([__file__], "not a waveform file that ObsPy can read"),
    ],
)
def test_command_names_what_is_wrong(files, change, message):
    result = run(app, [*files, *change])
    assert result.exit_code == 1 and message in str(result.exception)
    assert isinstance(result.exception, OSError | ValueError)


def test_command_is_strict_if_told(tmp_path):
    family = save_family(tmp_path, ("picking",))
    make_stream().write(tmp_path / "waves.mseed", format="MSEED")
    result = run(app, [str(tmp_path / "waves.mseed"), "--weights", family, "--strict"])
    assert isinstance(result.exception, WeightsError)


def test_command_help_has_an_example():
    assert "Example: seisbench-llm monitor" in run(app, ["--help"]).output
