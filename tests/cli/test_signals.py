"""Signals end a command wherever they arrive."""

import signal
import sys
import time

import pytest

from seisbench_llm.cli import signals


@pytest.fixture
def installed(monkeypatch):
    """The handlers of the command line, in this process."""
    # What is started in the background may ignore Ctrl-C.
    handlers = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    signals.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "number, error", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_in_a_destructor_is_not_lost(installed, capsys, number, error):
    class Hit:
        def __del__(self):
            signal.raise_signal(number)

    with pytest.raises(error):
        Hit()
        time.sleep(10)
    assert "Traceback" not in capsys.readouterr().err


def test_other_errors_in_destructors_are_printed(installed, capsys):
    class Broken:
        def __del__(self):
            raise ValueError("a fault")

    Broken()
    assert "ValueError: a fault" in capsys.readouterr().err
