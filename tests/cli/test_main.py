"""How the command ends: exit codes, one line, nothing left half written."""

import configparser
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seisbench_llm import __version__, cli
from seisbench_llm.atomic import replacing
from tests.helpers.command_line import code_of, run


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


def test_wrong_use_is_2_and_help_0(files, monkeypatch, capsys):
    assert code_of(["pick", files[0], "--no-such-option"], monkeypatch) == 2
    assert code_of(["pick", files[0], "--format", "sac"], monkeypatch) == 2
    assert code_of(["pick", "--help"], monkeypatch) == 0
    assert code_of(["pick", files[0], "--plot"], monkeypatch) == 2
    assert "--out" in capsys.readouterr().err
    out = ["--out", "nowhere"]
    assert code_of(["pick", files[0], "--format", "hypodd", *out], monkeypatch) == 2
    assert "needs located events" in capsys.readouterr().err


def test_shell_completion():
    environment = {"COMP_WORDS": "seisbench-llm wei", "COMP_CWORD": "1"}
    environment["_SEISBENCH_LLM_COMPLETE"] = "complete_bash"
    result = run(cli.app, [], prog_name="seisbench-llm", env=environment)
    assert result.stdout.split() == ["weights"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["pick", "nothing.mseed"], "There is no file nothing.mseed"),
        (["pick", __file__], "not a waveform file that ObsPy can read"),
        (["weights", "show", "no_such_weights"], "no_such_weights"),
        (["weights", "convert", "nothing.pth", "--task", "dpk", "--out", "x"], "nothing.pth"),
        (["convert", "nothing.pth", "--task", "volcano", "--out", "x"], "Unknown task"),
    ],
)
def test_errors_are_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["pick"],
        ["demo"],
        ["picks", "convert"],
        ["evaluate"],
        ["export"],
        *(["weights", name] for name in ("list", "show", "pull", "convert")),
    ],
)
def test_help_has_an_example(command):
    result = run(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example: seisbench-llm" in result.output


def test_version():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    assert __version__ == setup["metadata"]["version"]


def test_help_imports_nothing_heavy():
    code = (
        "import sys; import seisbench_llm; from seisbench_llm.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'seisbench', 'obspy', 'pandas', 'scipy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'SeisMoLLM' in dir(seisbench_llm)\n"
        "from seisbench_llm import *; SeisMoLLM, TASKS, WeightsError, seisbench_llm.models\n"
        "assert not hasattr(seisbench_llm, 'no_such_name')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_the_command_says_its_version():
    result = run(cli.app, ["--version"])
    assert result.exit_code == 0 and result.stdout.startswith(f"seisbench_llm {__version__} (")
    assert "torch 2." in result.stdout
