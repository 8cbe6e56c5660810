"""The command ``convert``."""

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
    arguments = ["convert", str(tmp_path / "best.pth"), "--task", "pmp", "--out", str(out)]
    assert (
        run(cli.app, [*arguments, "--in-samples", "8192", "--sampling-rate", "50"]).exit_code == 0
    )
    metadata = json.loads((tmp_path / "converted.json").read_text())
    assert metadata["model_args"]["task"] == "polarity"
    assert metadata["model_args"]["sampling_rate"] == 50
