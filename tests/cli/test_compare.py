"""The command ``compare``."""

import json

from seisbench_llm import cli
from tests.helpers.command_line import run
from tests.monitor.test_compare import catalog_of


def test_compare(tmp_path):
    ours, theirs = tmp_path / "ours.xml", tmp_path / "theirs.xml"
    catalog_of((10.5, 50.0, 10.0, 8, 2.1), (500, 50, 10, 5, 1.0)).write(ours, format="QUAKEML")
    catalog_of((10, 50.1, 10, 6, 2.0)).write(theirs, format="QUAKEML")
    figure = tmp_path / "compared.png"
    result = run(cli.app, ["compare", str(ours), str(theirs), "--plot", str(figure)])
    assert result.exit_code == 0, result.output
    assert "1 events in both, 0 only in theirs, 1 only in ours" in result.stdout
    assert "median +0.50, size 0.50, 90 % below 0.50 s (1 events)" in result.stdout
    assert "completeness of ours: not known" in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    found = json.loads(run(cli.app, ["compare", str(ours), str(theirs), "--json"]).stdout)
    assert found["matched"] == 1 and found["depth_km"]["median"] == 2.0
    apart = run(cli.app, ["compare", str(ours), str(theirs), "--km", "5", "--json"]).stdout
    assert json.loads(apart)["missed"] == 1
