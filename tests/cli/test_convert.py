"""The command ``weights convert``."""

import json

import torch

from seisbench_llm import cli
from tests.helpers.command_line import run


def test_convert(shared, tmp_path):
    from tests.helpers.parity import official

    state = official().official_state_dict("pmp")
    state = {name: torch.tensor(value) for name, value in state.items()}
    torch.save({"model_dict": state}, tmp_path / "best.pth")
    out = tmp_path / "converted"
    arguments = [
        "weights",
        "convert",
        str(tmp_path / "best.pth"),
        "--task",
        "pmp",
        "--out",
        str(out),
    ]
    assert (
        run(cli.app, [*arguments, "--in-samples", "8192", "--sampling-rate", "50"]).exit_code == 0
    )
    metadata = json.loads((tmp_path / "converted.json").read_text())
    assert metadata["model_args"]["task"] == "polarity"
    assert metadata["model_args"]["sampling_rate"] == 50


def test_its_old_name_is_hidden_and_works(tmp_path):
    result = run(cli.app, ["convert", str(tmp_path / "none.pth"), "--task", "dpk", "--out", "x"])
    assert "'convert' is deprecated" in result.stderr and "none.pth" in str(result.exception)
    commands = [line.strip("│ ").partition(" ")[0] for line in help_lines()]
    assert "weights" in commands and "convert" not in commands


def help_lines():
    return run(cli.app, ["--help"]).stdout.splitlines()
