"""Private names of SeisBench are touched in one file only."""

import ast
from pathlib import Path

import pytest
import seisbench

import seisbench_llm

PACKAGE = Path(seisbench_llm.__file__).parent
ALLOWED = PACKAGE / "seisbench_private.py"


def definitions(tree: ast.AST) -> set[str]:
    """Private methods, and private attributes of classes and objects, that a file defines."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            targets = [t for s in node.body if isinstance(s, ast.Assign) for t in s.targets]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                names.add(node.attr)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def touched(source: str, private: set[str]) -> set[str]:
    """Which private names a file reads or sets that it does not define itself."""
    tree = ast.parse(source)
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return (used & private) - definitions(tree)


@pytest.fixture(scope="module")
def private():
    files = Path(seisbench.__file__).parent.rglob("*.py")
    return set().union(*(definitions(ast.parse(file.read_text())) for file in files))


def test_private_names_of_seisbench(private):
    assert {"_annotate_args", "_weights_metadata", "_parse_metadata"} <= private


@pytest.mark.parametrize(
    "source, found",
    [
        ("model._weights_metadata", {"_weights_metadata"}),
        ("model._weights_metadata = {}", {"_weights_metadata"}),
        ("model.weights_metadata", set()),
        (
            "class A:\n def __init__(self):\n  self._data = 1\n def data(self): return self._data",
            set(),
        ),
    ],
)
def test_what_counts(private, source, found):
    assert touched(source, private) == found


def test_one_file_touches_them(private):
    files = {file for file in PACKAGE.rglob("*.py") if touched(file.read_text(), private)}
    assert files == {ALLOWED}
