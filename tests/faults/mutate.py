"""
Do the tests notice small faults? Mutants of modules, each run against the tests of its module.

    python -m tests.faults.mutate --count 10 --out benchmarks/results/mutants.json

Changes an operator, a comparison, a number or a condition at a place drawn at random, in a copy of
the repository, and runs the module's tests: first those that are quick, and all of them if the
mutant survives those. Tests are called without pytest where that is possible. Prints the mutants
that survive: a test is missing, or the change makes no difference. The latter are in EQUIVALENT
below, with the reason, and are counted apart.

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
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.faults.direct import left, passes

ROOT, PACKAGE = Path(__file__).resolve().parents[2], "seisbench_llm"

# Mutants that change no answer: module, lines before and after, and why.
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

_RECORDS = "tests/properties/test_records.py"


def _export(*first: str) -> tuple[list[str], list[str]]:
    """Tests of a module of export, and the others of export."""
    names = sorted(file.name for file in (ROOT / "tests/export").glob("test_*.py"))
    rest = [name for name in names if name not in first]
    return tuple([f"tests/export/{name}" for name in part] for part in (first, rest))


# Module -> its quick tests, and what else tests it.
MODULES = {
    "preprocess.py": (["tests/test_preprocess.py"], []),
    "trace_ids.py": (["tests/test_trace_ids.py", "seisbench_llm/trace_ids.py"], [_RECORDS]),
    "evaluate/metrics.py": (
        ["tests/properties/test_metrics.py", "tests/evaluate/test_metrics.py"],
        [],
    ),
    "streams/windows.py": (
        ["tests/streams/test_window_layout.py"],
        [_RECORDS, "tests/streams/test_windows.py", "tests/streams/test_chunks.py"],
    ),
    "streams/stitching.py": (["tests/streams/test_stitching.py"], ["tests/streams/test_chunks.py"]),
    "streams/contiguous.py": (
        ["tests/streams/test_joining.py", "tests/streams/test_contiguous.py"],
        [_RECORDS],
    ),
    "export/at_picks.py": _export("test_at_picks.py"),
    "export/convert.py": _export("test_convert.py", "test_kept.py"),
    "export/csv_formats.py": _export("test_csv_formats.py"),
    "export/detect.py": _export("test_detect.py"),
    "export/files.py": _export("test_files.py"),
    "export/formats.py": _export("test_formats.py"),
    "export/gamma.py": _export("test_gamma.py"),
    "export/growclust.py": _export("test_growclust.py"),
    "export/kept.py": _export("test_kept.py"),
    "export/origins.py": _export("test_origins.py"),
    "export/quakeml.py": _export("test_quakeml.py", "test_scml.py"),
    "export/read.py": _export("test_read.py"),
    "export/scml.py": _export("test_scml.py"),
    "export/tables.py": _export("test_tables.py"),
    "export/write.py": _export("test_write.py"),
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
    import hypothesis
    import matplotlib.figure  # noqa: F401
    import obspy  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)
    # A failing example is enough; to make it small takes minutes.
    once = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=once, deadline=None, database=None)
    hypothesis.settings.load_profile("mutants")


def mutate(
    copy: Path, module: str, count: int, rng, direct: bool, quick_only: bool
) -> dict[str, int]:
    """
    Try mutants of a module; prints those that survive.

    :param direct: Whether to call tests directly first, see direct.py.
    :param quick_only: Whether that is all.
    """
    file = copy / PACKAGE / module
    source = file.read_text()
    places = len(list(_places(ast.parse(source))))
    counts = {"places": places, "tried": 0, "killed": 0, "equivalent": 0, "survived": 0}
    plain = ast.unparse(ast.parse(source)) + "\n"
    file.write_text(plain)
    known = equivalent()
    stages = dict(zip(("quick", "more"), MODULES[module], strict=True))
    # What is called without pytest, and what is left to it.
    limits, called = {}, {name: None for name, tests in stages.items() if direct and tests}
    for place in sorted(rng.sample(range(places), min(count, places))):
        tree = ast.parse(source)
        _change(list(_places(tree))[place])
        mutant = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        before, after = changed_lines(plain, mutant)
        counts["tried"] += 1
        if (module, before, after) in known:
            counts["equivalent"] += 1
            continue
        survives = True
        for name, call in called.items():
            if survives and call is None:
                call, rest = _direct(module, plain, stages[name])
                called[name] = call
                # What others keep in dictionaries is not replaced: the quick tests run again.
                stages[name] = stages[name] if name == "quick" else rest
            survives = survives and call(mutant)
        for name, tests in stages.items():
            if survives and tests and not (direct and quick_only):
                paths = [str(copy / test) for test in tests]
                if name not in limits:
                    file.write_text(plain)
                    limits[name] = _limit(copy, paths, module)
                file.write_text(mutant)
                survives = _run(copy, paths, limits[name])[0]
        counts["survived" if survives else "killed"] += 1
        if survives:
            print(f"{module} survived:\n    - {before}\n    + {after}", flush=True)
    file.write_text(source)
    return counts


def _direct(module: str, plain: str, given: list[str]) -> tuple[Callable[[str], bool], list[str]]:
    """
    Whether a mutant survives those of the given tests that can be called without pytest, as a
    function, and the tests that cannot.
    """
    name = f"{PACKAGE}.{module.removesuffix('.py').replace('/', '.')}"
    # Only files: the rest is pytest's.
    files = [test for test in given if test.startswith("tests/") and test[-3:] == ".py"]
    names = [test.removesuffix(".py").replace("/", ".") for test in files]
    code, tests = import_module(name), [import_module(name) for name in names]
    passed, seconds = passes(code, plain, tests, 3600)
    if not passed:
        raise SystemExit(f"The tests of {module} fail without a change; SHOW=1 says which.")
    others = [test for test in given if test not in files]
    for file, test in zip(files, tests, strict=True):
        others += [f"{file}::{name}" for name in left(test)]
    return lambda mutant: passes(code, mutant, tests, 3 * seconds + 20)[0], others


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
