"""Layout of the repository: short files, faces of folders, tests that mirror the package."""

import importlib
from pathlib import Path

import pytest

import seisbench_llm

ROOT = Path(__file__).parents[1]
PACKAGE = Path(seisbench_llm.__file__).parent
MOST_LINES = 400


def python_files() -> list[Path]:
    folders = (PACKAGE, *(ROOT / name for name in ("benchmarks", "docs", "tests", "tools")))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    # What the build of the site leaves behind.
    return [file for file in files if "_build" not in file.parts]


def test_no_file_is_too_long():
    files = python_files()
    assert len(files) > 300
    lengths = {str(file): len(file.read_text().splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("folder", ["cli", "evaluate", "export", "plotting"])
def test_tests_are_named_as_what_they_test(folder):
    modules = {file.stem for file in (PACKAGE / folder).glob("*.py")} - {"__init__"}
    # The face of cli is the command itself.
    modules |= {"main"} if folder == "cli" else set()
    tests = {
        file.stem.removeprefix("test_") for file in (ROOT / "tests" / folder).glob("test_*.py")
    }
    assert tests <= modules


FOLDERS = sorted(file.parent for file in PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_a_folder_says_what_it_hands_on(folder):
    face = importlib.import_module(".".join(folder.relative_to(PACKAGE.parent).parts))
    assert face.__all__ and len(set(face.__all__)) == len(face.__all__)
    # A name, or a file of the folder that is imported only when it is asked for.
    files = {file.stem for file in folder.iterdir()}
    assert [name for name in face.__all__ if not hasattr(face, name) and name not in files] == []
