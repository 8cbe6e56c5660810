"""The benchmarks are found by their question, and nothing runs when they are imported."""

import importlib
from pathlib import Path

import pytest

import benchmarks

FOLDER = Path(benchmarks.__file__).parent
SCRIPTS = sorted(
    path.relative_to(FOLDER)
    for part in ("quality", "speed", "making")
    for path in (FOLDER / part).glob("*.py")
    if "def main(" in path.read_text()
)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_is_listed_and_runs_by_its_main_alone(script, capsys):
    module = importlib.import_module(f"benchmarks.{'.'.join(script.with_suffix('').parts)}")
    assert callable(module.main) and not capsys.readouterr().out
    readme = (FOLDER / "README.md").read_text()
    assert f"{script}" in readme or f", {script.name}" in readme
    # The first line is the question that the script answers.
    if script.parts[0] != "making":
        assert "?" in module.__doc__.strip().splitlines()[0]


def test_results_in_the_list_are_there():
    words = (FOLDER / "README.md").read_text().replace("|", " ").replace(",", " ").split()
    named = [word for word in words if word.startswith("results/")]
    assert len(named) > 10
    assert [name for name in named if not (FOLDER / name).is_file()] == []
