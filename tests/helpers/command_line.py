"""The command line in a test: how it is called, and what it should find."""

import obspy
import pytest
from typer.testing import CliRunner

from seisbench_llm import cli
from tests.helpers.models import tiny_model

run = CliRunner().invoke


def expected_picks(files):
    stream = obspy.read(files[0])
    return tiny_model().classify(stream, P_threshold=0.9, S_threshold=0.9).picks


LEVELS = ["--p-threshold", "0.9", "--s-threshold", "0.9"]


def code_of(arguments, monkeypatch):
    """Exit code of the command as the shell sees it."""
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0
