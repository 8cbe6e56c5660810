"""SIGTERM and Ctrl-C end a command by an exception, so that incomplete files are removed."""

from __future__ import annotations

import _thread
import signal
import sys
import threading

TERMINATED = 128 + signal.SIGTERM
# Until a signal is sent again, in seconds. By then the destructor that it hit is done.
_AGAIN_S = 0.05


def install() -> None:
    """Raise SystemExit on SIGTERM, and lose neither this nor KeyboardInterrupt in a destructor."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _send_again


def _terminate(number: int, frame) -> None:
    # Otherwise another handler has replaced this one and calls it: Lightning ends after a step.
    if signal.getsignal(number) is _terminate:
        sys.exit(TERMINATED)


def _send_again(unraisable) -> None:
    """Python prints what is raised in ``__del__`` and goes on: the signal would be lost."""
    error = unraisable.exc_value
    if isinstance(error, KeyboardInterrupt):
        number = signal.SIGINT
    elif isinstance(error, SystemExit) and error.code == TERMINATED:
        number = signal.SIGTERM
    else:
        sys.__unraisablehook__(unraisable)
        return
    timer = threading.Timer(_AGAIN_S, _thread.interrupt_main, [number])
    timer.daemon = True
    timer.start()
