import json

import obspy
import pytest
from typer.testing import CliRunner

from seisbench_llm.cli.archive import archive_app
from tests.helpers.archive_stub import (
    FIRST,
    file_of,
    garble,
    spiky_stream,
    write_sds,
)
from tests.helpers.models import tiny_model

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_command_line(scheduler, tmp_path):
    sds = tmp_path / "sds"
    write_sds(spiky_stream(), sds)
    tiny_model().save(tmp_path / "tiny")
    tiny_model("polarity").save(tmp_path / "first")
    invoke = CliRunner().invoke
    out = str(tmp_path / "out")
    arguments = ["run", "--archive", str(sds), "--start", "2020-01-01", "--end", "2020-01-02"]
    arguments += ["--stations", "XX.*", "--out", out, "--scheduler", scheduler]
    arguments += ["--weights", str(tmp_path / "tiny"), "--p-threshold", "0.9"]
    arguments += ["--tasks", f"polarity={tmp_path / 'first'}", "--amplitudes"]
    garble(file_of(sds, "ONE", 1))
    file = file_of(sds, "TWO", 1)
    obspy.read(file, endtime=FIRST + 86700).write(file, format="MSEED")
    for day in (0, 2):
        file_of(sds, "TWO", day).unlink()
    result = invoke(archive_app, [*arguments, "--json"])
    assert result.exit_code == 3, result.output
    printed = json.loads(result.stdout)
    assert (printed["planned"], printed["done"], printed["failed"]) == (2, 1, 1)
    assert "it/s" not in result.output and "station-days" not in result.output
    assert invoke(archive_app, [*arguments, "--quiet"]).output == ""
    result = invoke(archive_app, ["status", out])
    assert result.exit_code == 0 and "1 done, 0 empty, 1 failed, 0 pending" in result.output
    assert "XX.ONE..BH 2020-01-01 SourceError" in result.output
    assert "Weights: picking tiny/1, polarity first/1" in result.output
    result = invoke(archive_app, ["merge", out, "--out", str(tmp_path / "all.csv")])
    assert result.exit_code == 0 and "1 failed" in result.output
    header = (tmp_path / "all.csv").read_text().partition("\n")[0]
    assert header.endswith(
        "polarity_probability,polarity_spread,amplitude_trace_id,amplitude_counts,snr,clipped"
    )
    for command in ("run", "status", "merge"):
        assert "Example: seisbench-llm archive" in invoke(archive_app, [command, "--help"]).output
