"""Commands ``weights list``, ``show``, ``pull`` and ``onnx``."""

import json

import pytest

from seisbench_llm import cli, weights
from tests.helpers.command_line import code_of, run
from tests.helpers.models import tiny_model


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


def test_weights_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    record = weights.WeightRecord("tiny", "picking", "1", 100, 30, data="noise", licence="GPL-3.0")
    tiny_model().save(tmp_path / "tiny", "a tiny one", record=record, half=True)
    head, *rows = run(cli.app, ["weights", "list"]).stdout.splitlines()
    assert head.split() == ["name", "task", "version", "MB", "licence"]
    assert [row.split()[:3] for row in rows if "tiny" in row] == [["tiny", "picking", "1"]]
    lines = run(cli.app, ["weights", "list", "--json"]).stdout.splitlines()
    assert "a tiny one" in [json.loads(line)["description"] for line in lines]
    shown = json.loads(run(cli.app, ["weights", "show", "tiny"]).stdout)
    assert shown["licence"] == "GPL-3.0" and shown["docstring"] == "a tiny one"


def test_packaged_weights_are_listed_with_a_figure():
    rows = run(cli.app, ["weights", "list"]).stdout.splitlines()[1:]
    of_name = {row.split()[0]: row for row in rows}
    for name in weights.packaged_names():
        record = json.loads((weights.PACKAGED / f"{name}.json").read_text())["record"]
        assert f" {record['version']} " in of_name[name] and record["licence"] in of_name[name]
    # Of all regions together, not of the first.
    expected = {
        "polarity": ("accuracy", "accuracy {:.2f}"),
        "magnitude": ("mean absolute error", "mean error {:.1f}"),
        "distance": ("mean absolute error, km", "mean error {:.0f} km"),
        "back_azimuth": ("median error, degrees", "median error {:.0f} deg"),
    }
    for task, (key, text) in expected.items():
        name = f"compact_{task}"
        record = json.loads((weights.PACKAGED / f"{name}.json").read_text())["record"]
        assert of_name[name].endswith(text.format(record["figures"]["all"][key]))
    assert "F1 P 0." in of_name["compact_picking"]
    assert max(map(len, rows)) < 120


def test_onnx_command(files, tmp_path):
    pytest.importorskip("onnx")
    out = tmp_path / "models" / "picker.onnx"
    result = run(cli.app, ["weights", "onnx", files[2], "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"Written: {out}" in result.output and out.stat().st_size > 10_000
