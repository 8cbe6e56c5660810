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
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.logging import LogCaptureHandler

from tests import conftest

# Fixtures of pytest that are made here, beside those of the module itself and of tests/conftest.py;
# tests that need others are left to pytest.
FIXTURES = {"monkeypatch", "tmp_path", "tmp_path_factory", "caplog"}


def cases(module: ModuleType) -> Iterator[Callable[[], None]]:
    """The tests of a module, with each of their parameters."""
    made: dict[str, object] = {}
    for function, marks, needed in _tests(module):
        if not all(_known(module, name) for name in needed):
            continue
        sets = [_values(mark) for mark in marks if mark.name == "parametrize"]
        given = [name for names, _ in sets for name in names]
        for chosen in itertools.product(*(values for _, values in sets)):
            values = dict(zip(given, itertools.chain(*chosen), strict=True))
            yield lambda f=function, v=values, n=needed: _call(module, f, v, n, made)


def left(module: ModuleType) -> list[str]:
    """Names of the tests that need fixtures which are not made here."""
    return [
        function.__name__
        for function, _, needed in _tests(module)
        if not all(_known(module, name) for name in needed)
    ]


def _tests(module: ModuleType) -> Iterator[tuple[Callable, list, set[str]]]:
    """Tests of a module, their marks and fixtures; properties, which take longest, at the end."""
    tests = [f for name, f in vars(module).items() if name.startswith("test_") and callable(f)]
    for function in sorted(tests, key=lambda f: getattr(f, "is_hypothesis_test", False)):
        marks = getattr(function, "pytestmark", [])
        if any(mark.name == "skipif" and mark.args[0] for mark in marks):
            continue
        given = {n for mark in marks if mark.name == "parametrize" for n in _values(mark)[0]}
        yield function, marks, set(inspect.signature(function).parameters) - given


def _values(mark) -> tuple[list[str], list[tuple]]:
    names, values = mark.args[:2]
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
    # What pytest.param makes has values and marks.
    sets = [getattr(v, "values", v) if hasattr(v, "marks") else v for v in values]
    plain = [not hasattr(v, "marks") and len(names) == 1 for v in values]
    return names, [(v,) if one else tuple(v) for v, one in zip(sets, plain, strict=True)]


def _fixture(module: ModuleType, name: str):
    """A fixture of a module or of all tests as pytest keeps it, else None."""
    found = getattr(module, name, getattr(conftest, name, None))
    return found if hasattr(found, "_fixture_function_marker") else None


def _known(module: ModuleType, name: str) -> bool:
    fixture = _fixture(module, name)
    if fixture is None:
        return name in FIXTURES
    return all(
        _known(module, n) for n in inspect.signature(fixture._get_wrapped_function()).parameters
    )


class _Log:
    """pytest's ``caplog``."""

    def __init__(self):
        self.handler = LogCaptureHandler()

    @property
    def text(self) -> str:
        return self.handler.stream.getvalue()


class _Folders:
    """pytest's ``tmp_path_factory``."""

    def __init__(self, folder: Path):
        self.folder = folder

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=name, dir=self.folder))


def _call(
    module: ModuleType,
    function: Callable,
    values: dict,
    fixtures: set[str],
    made: dict[str, object],
) -> None:
    """
    :param made: Fixtures with a scope of the whole module, which are made once.
    """
    with contextlib.ExitStack() as stack:
        own: dict[str, object] = {}

        def get(name: str):
            if name not in own:
                own[name] = make(name)
            return own[name]

        def make(name: str):
            fixture = _fixture(module, name)
            if fixture is None:
                if name == "monkeypatch":
                    return stack.enter_context(pytest.MonkeyPatch.context())
                if name == "caplog":
                    return _Log()
                folder = _Folders(Path(tempfile.gettempdir()))
                return folder if name == "tmp_path_factory" else folder.mktemp("test")
            if name in made:
                return made[name]
            inner = fixture._get_wrapped_function()
            result = inner(**{n: get(n) for n in inspect.signature(inner).parameters})
            if inspect.isgenerator(result):
                stack.callback(next, result, None)
                result = next(result)
            if fixture._fixture_function_marker.scope != "function":
                made[name] = result
            return result

        with contextlib.suppress(pytest.skip.Exception):
            function(**values, **{name: get(name) for name in fixtures})


def replace(module: ModuleType, source: str, tests: list[ModuleType]) -> None:
    """Run other source as a module, and hand what it defines to those who imported it before."""
    before = dict(vars(module))
    exec(compile(source, module.__file__, "exec"), vars(module))
    package = module.__name__.partition(".")[0]
    users = [m for n, m in sys.modules.items() if n.partition(".")[0] == package]
    for user in (*users, *tests):
        for name, value in list(vars(user).items()):
            # Plain numbers and texts of the same name may be somebody else's.
            if isinstance(value, str | int | float | None) or before.get(name) is not value:
                continue
            if vars(module)[name] is not value:
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
