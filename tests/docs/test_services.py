"""Units of systemd and scripts in docs work, and start commands that can be given."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

import pytest
import typer

from seisbench_llm.cli import app
from tests.helpers.pages import ROOT

SERVICES = ROOT / "docs" / "how-to" / "services"
UNITS = sorted(SERVICES.glob("*.service"))


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


# Stands for SeisComP's, which does not answer the first two times.
SCDISPATCH = """#!/bin/sh
echo "$@" >> tried
[ "$(wc -l < tried)" -gt 2 ] || exit 1
for last; do :; done
cat "$last" >> sent
"""


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_picks_are_dispatched_in_order_and_once(tmp_path):
    folder = tmp_path / "spo ol"
    (folder / ".part-x").mkdir(parents=True)
    (folder / ".part-x" / "0.scml").write_text("incomplete")
    for name in ("2", "1"):
        (folder / f"{name}.scml").write_text(name)
    stub = tmp_path / "bin" / "scdispatch"
    stub.parent.mkdir()
    stub.write_text(SCDISPATCH)
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    command = [SERVICES / "dispatch-picks.sh", folder, "-H", "there"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    try:
        until(lambda: not list(folder.glob("*.scml")))
        (folder / "3.scml").write_text("3")
        until(lambda: not list(folder.glob("*.scml")))
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "sent").read_text() == "123"
    tried = (tmp_path / "tried").read_text().splitlines()
    assert tried[:3] == [f"-H there -O merge -i {folder}/1.scml"] * 3 and len(tried) == 5
    assert (folder / ".part-x" / "0.scml").is_file()


def until(condition) -> None:
    while not condition():
        # The test's time limit ends it.
        time.sleep(0.1)
