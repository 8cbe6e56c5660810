"""Layout of the repository: short files, and tests that mirror the package."""

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
