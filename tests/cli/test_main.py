"""How the command ends: exit codes, one line, nothing left half written."""

import os
import signal
import sys
import time

import pytest

from seisbench_llm import cli
from seisbench_llm.atomic import replacing


@pytest.fixture(autouse=True)
def handlers():
    """Signals as of a process that was just started."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before:
        signal.signal(number, handler)


def main_of(monkeypatch, command, *arguments):
    """Exit code of a command, which is a function here."""
    app = cli.typer.Typer()
    app.command()(command)
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["seisbench-llm", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.mark.parametrize("number,code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_leave_nothing_half_written(monkeypatch, tmp_path, number, code):
    def command():
        with replacing(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            os.kill(os.getpid(), number)
            time.sleep(10)

    assert main_of(monkeypatch, command) == code
    assert not list(tmp_path.iterdir())


def test_another_handler_of_sigterm_knows_better(monkeypatch):
    """As Lightning's, which calls the one before."""

    def command():
        before, seen = signal.getsignal(signal.SIGTERM), []
        signal.signal(signal.SIGTERM, lambda *args: (seen.append(args), before(*args)))
        os.kill(os.getpid(), signal.SIGTERM)
        raise SystemExit(len(seen))

    assert main_of(monkeypatch, command) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 112. GiB"),
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
    ],
)
def test_what_the_machine_cannot_do_is_one_line(monkeypatch, capsys, error):
    def command():
        raise error

    assert main_of(monkeypatch, command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seisbench-llm: ") and "Use less memory" in line


def test_a_fault_of_ours_has_a_traceback(monkeypatch):
    def command():
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        main_of(monkeypatch, command)
