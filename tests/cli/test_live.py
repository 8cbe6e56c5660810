import json
import os
import signal
import threading
import time

import numpy as np
import obspy
import pytest
import typer
from lxml import etree
from obspy.io.quakeml.core import _validate as validate_quakeml
from obspy.io.seiscomp.core import validate as validate_scml
from typer.testing import CliRunner

from seisbench_llm.cli import live as cli_live
from seisbench_llm.live import Live, LiveSettings, Replay, run
from seisbench_llm.live.output import QuakeMLFiles, SCMLFiles
from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers import processes
from tests.helpers.live_stub import (
    LEVELS,
    arrivals,
    assert_same,
    fed,
    filtered_model,
    of,
    packets,
    spike_model,
    spikes,
)
from tests.helpers.models import tiny_model

app = typer.Typer()
app.command()(cli_live.live)
invoke = CliRunner().invoke


@pytest.fixture
def recorded(tmp_path):
    stream = arrivals(9000)
    stream.write(tmp_path / "waves.mseed", format="MSEED")
    filtered_model().save(tmp_path / "tiny")
    return tmp_path


def test_command_replays_a_file(recorded):
    arguments = ["--replay", str(recorded / "waves.mseed"), "--speed", "0", "--out"]
    arguments += [str(recorded / "out"), "--weights", str(recorded / "tiny")]
    arguments += ["--p-threshold", "0.6", "--s-threshold", "0.6", "--select", "XX.STA.00.HH?"]
    arguments += [f"--format={name}" for name in ("jsonl", "quakeml", "scml")]
    result = invoke(app, arguments)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    batch = filtered_model().classify(obspy.read(recorded / "waves.mseed"), **LEVELS).picks
    assert sum(row["status"] == "confirmed" for row in rows) == len(batch)
    keys = {"id", "status", "trace_id", "phase", "time", "probability", "weight", "latency"}
    assert keys | {"data_latency", "time_uncertainty"} == set(rows[0])
    assert rows[0]["weight"] == "tiny/1"
    assert (recorded / "out" / "picks.jsonl").read_text() == result.stdout
    files = sorted((recorded / "out" / "quakeml").rglob("*"))
    files = [f for f in files if f.is_file()]
    assert len(files) == len({row["id"] for row in rows})
    assert len(list((recorded / "out" / "scml").glob("*.scml"))) == len(rows)
    last = {row["id"]: row for row in rows}
    for file in files[:5]:
        assert validate_quakeml(file)
        (pick,) = obspy.read_events(file)[0].picks
        (row,) = [r for r in last.values() if obspy.UTCDateTime(r["time"]) == pick.time
                  and r["phase"] == pick.phase_hint]  # fmt: skip
        assert pick.evaluation_status == row["status"]
    assert "confirmed picks" in result.stderr and "latency" in result.stderr


def test_replay_keeps_its_speed():
    got, source = [], Replay(spikes(60, [42.0]), 30, 0.5)
    live, begun = Live(spike_model(), got.append), time.monotonic()
    run(live, source, threading.Event())
    # Far below the minute that was recorded, on a machine that is not too busy.
    assert 1.9 < time.monotonic() - begun < 50
    (pick,) = of(got, "preliminary")
    assert 0 < pick.latency < 50
    assert live.statistics()["latency"]["preliminary"] == [round(pick.latency, 3)] * 3


def test_resume_goes_on_and_says_nothing_twice(recorded):
    arguments = ["--replay", str(recorded / "waves.mseed"), "--out", str(recorded / "out")]
    arguments += ["--weights", str(recorded / "tiny"), "--p-threshold", "0.6", "--resume"]
    first = invoke(app, [*arguments, "--speed", "20", "--duration", "2"])
    assert first.exit_code == 0, first.output
    assert (recorded / "out" / "state.npz").is_file()
    last = invoke(app, [*arguments, "--speed", "0"])
    assert last.exit_code == 0, last.output
    text = (recorded / "out" / "picks.jsonl").read_text()
    assert text == first.stdout + last.stdout
    rows = [json.loads(line) for line in text.splitlines()]
    assert len({(row["id"], row["status"]) for row in rows}) == len(rows)
    open_ids = {row["id"] for row in rows if row["status"] == "preliminary"}
    assert open_ids and open_ids <= {r["id"] for r in rows if r["status"] != "preliminary"}
    batch = filtered_model().classify(obspy.read(recorded / "waves.mseed"), P_threshold=0.6)
    assert sum(row["status"] == "confirmed" for row in rows) == len(batch.picks)
    assert invoke(app, [*arguments, "--speed", "0"]).stdout == ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_and_what_is_known_is_said(recorded, number):
    arguments = ["--replay", str(recorded / "waves.mseed"), "--speed", "30", "--weights"]
    arguments += [str(recorded / "tiny"), "--p-threshold", "0.6", "--s-threshold", "0.6"]
    out, err = recorded / "out.fifo", recorded / "err.txt"
    os.mkfifo(out)
    process = processes.start(processes.run_command, "live", *arguments, out=out, err=err)
    with open(out) as lines:
        first = lines.readline()
        os.kill(process.pid, number)
        rest = lines.readlines()
    process.join(timeout=120)
    err = err.read_text()
    assert process.exitcode == 0, err
    rows = [json.loads(line) for line in [first, *rest]]
    open_ids = {row["id"] for row in rows if row["status"] == "preliminary"}
    assert open_ids <= {row["id"] for row in rows if row["status"] in ("confirmed", "rejected")}
    assert "confirmed picks" in err and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "Pass either --seedlink"),
        (["--seedlink", "a:1", "--replay", __file__], "Pass either"),
        (["--seedlink", "localhost:18000"], "Nothing is selected"),
        (["--seedlink", "localhost:port", "--select", "XX.A..HH?"], "Pass HOST:PORT"),
        (["--replay", __file__, "--resume"], "--resume needs --out"),
        (["--replay", "nothing.mseed"], "no file nothing.mseed"),
        (["--replay", __file__], "is not a waveform file"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises((ValueError, OSError), match=message):
        invoke(app, arguments, catch_exceptions=False)


def test_impossible_settings_and_models():
    with pytest.raises(ValueError, match="step=0"):
        LiveSettings(step=0)
    with pytest.raises(ValueError, match="picker"):
        Live(tiny_model("magnitude"), print)
    with pytest.raises(ValueError, match="P_threshold"):
        Live(tiny_model(), print, P_threshold=2)


def test_quakeml_files_are_replaced_whole(tmp_path):
    picks, _ = fed(packets(spikes(90, [50.0])), spike_model(), weight="tiny/1")
    write = QuakeMLFiles(tmp_path)
    for pick in picks:
        write(pick)
    (file,) = [f for f in tmp_path.rglob("*") if f.is_file()]
    (pick,) = obspy.read_events(file)[0].picks
    assert file.parent.name == "2020-01-01" and pick.evaluation_status == "confirmed"
    assert str(pick.method_id) == "smi:local/seisbench_llm/tiny/1"


def test_scml_files_are_what_seiscomp_takes(tmp_path):
    picks, _ = fed(packets(spikes(90, [50.0])), spike_model(), weight="tiny/1")
    write = SCMLFiles(tmp_path)
    for pick in picks:
        write(pick)
    files = sorted(f for f in tmp_path.iterdir() if f.is_file())
    # One per report, in the order of the reports.
    assert [f.stem.rpartition("-")[2] for f in files] == [p.status for p in picks]
    assert [p.status for p in picks] == ["preliminary", "confirmed"]
    ids = set()
    for file, pick in zip(files, picks, strict=True):
        assert validate_scml(str(file))
        (parameters,) = etree.parse(file).getroot()
        (element,) = parameters
        found = {etree.QName(e).localname: e.text for e in element if e.text}
        assert etree.QName(element).localname == "pick"
        # scautoloc takes these without amplitudes.
        assert (found["phaseHint"], found["methodID"]) == (pick.phase, "DL")
        assert (found["evaluationMode"], found["evaluationStatus"]) == ("automatic", pick.status)
        assert "weight tiny/1" in element.xpath("string()")
        ids.add(element.get("publicID"))
    assert len(ids) == 1


def test_packaged_picker_on_a_real_earthquake():
    model, stream = SeisMoLLM.from_pretrained("compact_picking"), obspy.read()
    rng = np.random.default_rng(0)
    for trace in stream:
        noise = trace.data[:300].std() * rng.standard_normal((2, 6000))
        trace.data = np.concatenate([noise[0], trace.data, noise[1]])
    batch = model.classify(stream).picks
    picks, _ = fed(packets(stream), model, LiveSettings())
    assert_same(picks, batch)
    known = [(p.phase, p.peak_time.timestamp) for p in batch if p.peak_value > 0.4]
    first = [(p.phase, p.time.timestamp) for p in of(picks, "preliminary")]
    assert known
    for phase, at in known:
        assert min(abs(t - at) for other, t in first if other == phase) < 0.1
