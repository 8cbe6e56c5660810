"""
Test functions called directly, in this process: thousands of mutants in minutes.

pytest takes seconds to collect and import for each mutant. Here the modules are imported once, and
each mutant replaces the code of its module in a forked child.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

# Fixtures that are made here; tests that need others are left to pytest.
FIXTURES = {"monkeypatch"}


def cases(module: ModuleType) -> Iterator[Callable[[], None]]:
    """The tests of a module, with each of their parameters."""
    for name, function in list(vars(module).items()):
        if not name.startswith("test_") or not callable(function):
            continue
        sets = [_values(m) for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
        given = [name for names, _ in sets for name in names]
        hypothesis = getattr(function, "is_hypothesis_test", False)
        wanted = set() if hypothesis else set(inspect.signature(function).parameters)
        needed = wanted - set(given)
        if needed - FIXTURES:
            continue
        for chosen in itertools.product(*(values for _, values in sets)):
            values = dict(zip(given, itertools.chain(*chosen), strict=True))
            yield lambda f=function, v=values, n=needed: _call(f, v, n)


def _values(mark) -> tuple[list[str], list[tuple]]:
    names, values = mark.args[:2]
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    return names, [tuple(v) if len(names) > 1 else (v,) for v in values]


def _call(function: Callable, values: dict, fixtures: set[str]) -> None:
    if "monkeypatch" not in fixtures:
        function(**values)
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        function(**values, monkeypatch=monkeypatch)


def replace(module: ModuleType, source: str, tests: list[ModuleType]) -> None:
    """Run other source as a module, and hand what it defines to those who imported it before."""
    before = dict(vars(module))
    exec(compile(source, module.__file__, "exec"), vars(module))
    package = module.__name__.partition(".")[0]
    users = [m for n, m in sys.modules.items() if n.partition(".")[0] == package]
    for user in (*users, *tests):
        for name, value in list(vars(user).items()):
            if before.get(name) is value and callable(value) and vars(module)[name] is not value:
                setattr(user, name, vars(module)[name])


def passes(
    module: ModuleType, source: str, tests: list[ModuleType], seconds: float
) -> tuple[bool, float]:
    """
    Whether the tests pass with other source of a module, and the processor time they take.

    :param seconds: Processor time after which they fail.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, 2 * (int(seconds) + 1,))
            with contextlib.redirect_stderr(io.StringIO()):
                replace(module, source, tests)
                for case in itertools.chain(*map(cases, tests)):
                    case()
            code = 0
        except BaseException as error:
            if os.environ.get("SHOW"):
                print(f"{type(error).__name__}: {error}"[:300], flush=True)
        finally:
            os._exit(code)
    # What waits for ever takes no processor time.
    deadline = time.monotonic() + 60 + 30 * seconds
    while time.monotonic() < deadline:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0, used.ru_utime + used.ru_stime
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, seconds
