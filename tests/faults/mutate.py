"""
Do the tests notice small faults? Mutants of modules, each run against the tests of its module.

    python -m tests.faults.mutate --count 10

Changes an operator, a comparison, a number, a condition or a returned value at a place drawn at
random, in a copy of the repository, and runs the module's tests there. Prints the mutants that
survive: a test is missing, or the change makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import difflib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

ROOT, PACKAGE = Path(__file__).resolve().parents[2], "seisbench_llm"

# Module -> its tests.
MODULES = {
    "preprocess.py": ["tests/test_preprocess.py"],
    "trace_ids.py": ["tests/test_trace_ids.py"],
    "evaluate/metrics.py": ["tests/evaluate"],
    "streams/windows.py": ["tests/streams/test_windows.py", "tests/streams/test_chunks.py"],
    "streams/stitching.py": ["tests/streams/test_stitching.py", "tests/streams/test_chunks.py"],
    "streams/contiguous.py": ["tests/streams/test_contiguous.py"],
    "export/tables.py": ["tests/export"],
    "export/formats.py": ["tests/export"],
    "export/quakeml.py": ["tests/export"],
    "atomic.py": ["tests/test_atomic.py"],
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
    parser.add_argument("--seconds", type=float, default=120, help="Longest run of the tests.")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    _preload()
    totals = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        ignored = shutil.ignore_patterns(".*", "docs", "dist", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        for module in args.only or MODULES:
            counts = mutate(copy, module, args.count, args.seconds, random.Random(args.seed))
            totals += counts
            print(f"{module}: {dict(counts)}", flush=True)
    print(f"all: {dict(totals)}")
    return 0


def _preload() -> None:
    """Import what takes long once; each run of the tests is a child."""
    import hypothesis  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import obspy  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)


def mutate(copy: Path, module: str, count: int, seconds: float, rng) -> collections.Counter:
    """Try mutants of a module; prints those that survive."""
    file = copy / PACKAGE / module
    source = file.read_text()
    places = len(list(_places(ast.parse(source))))
    counts = collections.Counter()
    plain = ast.unparse(ast.parse(source)) + "\n"
    file.write_text(plain)
    if not _passes(copy, MODULES[module], seconds):
        raise SystemExit(f"The tests of {module} fail without a change.")
    for place in sorted(rng.sample(range(places), min(count, places))):
        tree = ast.parse(source)
        _change(list(_places(tree))[place], rng)
        mutant = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        file.write_text(mutant)
        survives = _passes(copy, MODULES[module], seconds)
        counts["survived" if survives else "killed"] += 1
        if survives:
            lines = difflib.unified_diff(plain.splitlines(), mutant.splitlines(), n=0, lineterm="")
            changed = [
                line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")
            ]
            print(f"{module} survived:", *changed, sep="\n    ", flush=True)
    file.write_text(source)
    return counts


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


def _change(node: ast.AST, rng) -> None:
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


def _passes(copy: Path, tests: list[str], seconds: float) -> bool:
    """Whether the tests pass in the copy, in a child process; one that takes too long does not."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            os.chdir(copy)
            # All of the package and its tests from the copy.
            for name in [n for n in sys.modules if n.partition(".")[0] in ("tests", PACKAGE)]:
                del sys.modules[name]
            sys.path[:] = [str(copy), *(p for p in sys.path if Path(p or ".").resolve() != ROOT)]
            os.environ["PYTHONPATH"] = str(copy)
            import pytest

            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
                code = int(pytest.main(arguments))
        finally:
            os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


if __name__ == "__main__":
    sys.exit(main())
