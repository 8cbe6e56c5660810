"""
Do the tests notice small faults? Mutants of modules, each run against the tests of its module.

    python -m tests.faults.mutate --count 10 --out benchmarks/results/mutants.json

Changes an operator, a comparison, a number or a condition at a place drawn at random, in a copy of
the repository, and runs the module's tests there: first those that are quick, and all of them if
the mutant survives those. Prints the mutants that survive: a test is missing, or the change makes
no difference. The latter are in EQUIVALENT below, with the reason, and are counted apart.

Limits are on processor time, so that a busy machine makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import difflib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from importlib import import_module
from pathlib import Path

from tests.faults.direct import passes

ROOT, PACKAGE = Path(__file__).resolve().parents[2], "seisbench_llm"

# Mutants that change no answer: module, lines before and after, and why.
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

_RECORDS = "tests/properties/test_records.py"
_EXPORT = ["tests/export"]

# Module -> its quick tests, and what else tests it.
MODULES = {
    "preprocess.py": (["tests/test_preprocess.py"], []),
    "trace_ids.py": (["tests/test_trace_ids.py", "seisbench_llm/trace_ids.py"], [_RECORDS]),
    "evaluate/metrics.py": (["tests/properties/test_metrics.py"], []),
    "streams/windows.py": (
        ["tests/streams/test_window_layout.py"],
        [_RECORDS, "tests/streams/test_windows.py", "tests/streams/test_chunks.py"],
    ),
    "streams/stitching.py": (["tests/streams/test_stitching.py"], ["tests/streams/test_chunks.py"]),
    "streams/contiguous.py": (
        ["tests/streams/test_joining.py"],
        [_RECORDS, "tests/streams/test_contiguous.py"],
    ),
    "export/tables.py": (["tests/export/test_tables.py"], _EXPORT),
    "export/formats.py": (_EXPORT, []),
    "export/quakeml.py": (_EXPORT, []),
    "atomic.py": (["tests/test_atomic.py"], []),
}

_SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--count", type=int, default=10, help="Mutants of each module.")
    parser.add_argument("--only", nargs="+", help="Modules.")
    parser.add_argument("--quick", action="store_true", help="Run the quick tests only.")
    parser.add_argument("--pytest", action="store_true", help="Run the quick tests by pytest, too.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Counts of each module, added to this file.")
    args = parser.parse_args()
    if args.quick:
        MODULES.update({module: (quick, []) for module, (quick, _) in MODULES.items()})
    _preload()
    totals = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        ignored = shutil.ignore_patterns(".*", "docs", "dist", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for module in args.only or MODULES:
            rng = random.Random(args.seed)
            counts = mutate(copy, module, args.count, rng, not args.pytest, args.quick)
            totals += collections.Counter({k: v for k, v in counts.items() if k != "places"})
            print(f"{module}: {counts}", flush=True)
            if args.out:
                known = json.loads(args.out.read_text()) if args.out.exists() else {}
                known[module] = {"seed": args.seed, **counts}
                args.out.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    print(f"all: {dict(totals)}")
    return min(totals["survived"], 1)


def equivalent() -> dict[tuple[str, str, str], str]:
    """(module, line before, line after) -> why the two are the same."""
    entries = tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    return {(e["module"], e["before"], e["after"]): e["why"] for e in entries}


def _preload() -> None:
    """Import what takes long once; each run of the tests is a child."""
    import hypothesis  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import obspy  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)


def mutate(
    copy: Path, module: str, count: int, rng, direct: bool, quick_only: bool
) -> dict[str, int]:
    """
    Try mutants of a module; prints those that survive.

    :param direct: Whether to call quick tests directly first, see direct.py.
    :param quick_only: Whether that is all.
    """
    file = copy / PACKAGE / module
    source = file.read_text()
    places = len(list(_places(ast.parse(source))))
    counts = {"places": places, "tried": 0, "killed": 0, "equivalent": 0, "survived": 0}
    plain = ast.unparse(ast.parse(source)) + "\n"
    file.write_text(plain)
    known = equivalent()
    quick, more = ([str(copy / test) for test in tests] for tests in MODULES[module])
    limits = {}
    called = _direct(module, plain) if direct else None
    for place in sorted(rng.sample(range(places), min(count, places))):
        tree = ast.parse(source)
        _change(list(_places(tree))[place])
        mutant = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        before, after = changed_lines(plain, mutant)
        counts["tried"] += 1
        if (module, before, after) in known:
            counts["equivalent"] += 1
            continue
        survives = called is None or called(mutant)
        for name, tests in (("quick", quick), ("more", more)):
            if survives and tests and not (called and quick_only):
                if name not in limits:
                    file.write_text(plain)
                    limits[name] = _limit(copy, tests, module)
                file.write_text(mutant)
                survives = _run(copy, tests, limits[name])[0]
        counts["survived" if survives else "killed"] += 1
        if survives:
            print(f"{module} survived:\n    - {before}\n    + {after}", flush=True)
    file.write_text(source)
    return counts


def _direct(module: str, plain: str):
    """Whether a mutant survives the tests that can be called without pytest, as a function."""
    name = f"{PACKAGE}.{module.removesuffix('.py').replace('/', '.')}"
    # Only files: the rest is pytest's.
    files = [
        test for test in MODULES[module][0] if test.startswith("tests/") and test[-3:] == ".py"
    ]
    names = [test.removesuffix(".py").replace("/", ".") for test in files]
    code, tests = import_module(name), [import_module(name) for name in names]
    passed, seconds = passes(code, plain, tests, 3600)
    if not passed:
        raise SystemExit(f"The tests of {module} fail without a change; SHOW=1 says which.")
    return lambda mutant: passes(code, mutant, tests, 3 * seconds + 20)[0]


def _limit(copy: Path, tests: list[str], module: str) -> float:
    """Processor seconds that the tests of a mutant may take; without a change they pass."""
    passed, seconds, output = _run(copy, tests, 3600)
    if not passed:
        raise SystemExit(f"The tests of {module} fail without a change:\n{output[-3000:]}")
    return 3 * seconds + 20


def changed_lines(one: str, other: str) -> tuple[str, str]:
    """The lines in which two texts differ."""
    lines = list(difflib.ndiff(one.splitlines(), other.splitlines()))
    return tuple(
        "; ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )


def _places(tree: ast.AST):
    """Nodes that can be changed; not those of docstrings and annotations."""
    skipped = set()
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            part = getattr(node, name, None)
            if isinstance(part, ast.AST):
                skipped |= {id(inner) for inner in ast.walk(part)}
        if isinstance(node, ast.Raise | ast.JoinedStr):
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        number = isinstance(node, ast.Constant) and type(node.value) in (int, float, bool)
        operator = getattr(node, "op", None) or (getattr(node, "ops", None) or [None])[0]
        sign = isinstance(operator, ast.Not | ast.USub)
        if number or sign or type(operator) in _SWAPS or isinstance(node, ast.If | ast.IfExp):
            yield node


def _change(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    elif isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    else:
        node.op = _SWAPS[type(node.op)]()


def _run(copy: Path, tests: list[str], seconds: float) -> tuple[bool, float, str]:
    """
    Run tests in the copy, in a child process.

    :param seconds: Processor time after which it is ended.
    :return: Whether they pass, the processor time they took, and what they print.
    """
    shown = copy.parent / "output"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            os.chdir(copy)
            resource.setrlimit(resource.RLIMIT_CPU, 2 * (int(seconds) + 1,))
            # All of the package and its tests from the copy.
            for name in [n for n in sys.modules if n.partition(".")[0] in ("tests", PACKAGE)]:
                del sys.modules[name]
            sys.path[:] = [str(copy), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
            os.environ["PYTHONPATH"] = str(copy)
            import pytest

            output = io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
                code = int(pytest.main([*arguments, "--timeout", "0", *tests]))
            shown.write_text(output.getvalue())
        finally:
            os._exit(code)
    # What waits for ever takes no processor time.
    deadline = time.monotonic() + 60 + 10 * seconds
    while time.monotonic() < deadline:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            output = shown.read_text() if shown.exists() else ""
            passed = os.waitstatus_to_exitcode(status) == 0
            return passed, used.ru_utime + used.ru_stime, output
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, seconds, "no end"


if __name__ == "__main__":
    sys.exit(main())
