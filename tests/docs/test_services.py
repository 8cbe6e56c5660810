"""Units of systemd in docs are understood by systemd, and start a command that can be given."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer

from seisbench_llm.cli import app
from tests.helpers.pages import ROOT

UNITS = sorted((ROOT / "docs" / "how-to" / "services").glob("*.service"))


def command(unit) -> str:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    return parser["Service"]["ExecStart"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_command_of_a_unit_can_be_given(unit):
    program, name, *arguments = shlex.split(re.sub(r"\$\{\w+\}", "value", command(unit)))
    assert program.endswith("/bin/seisbench-llm")
    typer.main.get_command(app).commands[name].make_context(name, arguments)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_a_unit(unit, tmp_path):
    copy = tmp_path / unit.name
    program = shlex.split(command(unit))[0]
    copy.write_text(unit.read_text().replace(program, sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    # What a host has of its own is not ours.
    ours = [
        line
        for line in done.stderr.splitlines()
        if line.startswith(unit.name) or tmp_path.name in line
    ]
    assert not ours, ours
