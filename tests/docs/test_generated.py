"""Reference pages are made from records, parser and classes, and hold all of them."""

import dataclasses
import importlib.util
import inspect

import pytest
import typer

from seisbench_llm import weights
from seisbench_llm.cli import app
from seisbench_llm.network.config import NetworkConfig
from seisbench_llm.training.datamodule import DataModule
from tests.helpers.pages import ROOT


@pytest.fixture(scope="module")
def pages():
    file = ROOT / "docs" / "_ext" / "generated_pages.py"
    spec = importlib.util.spec_from_file_location("generated_pages", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_card_for_each_packaged_weight(pages):
    text = pages.weight_cards()
    for path in weights.PACKAGED.glob("*.json"):
        entries = weights.read_metadata(path)
        assert f"## {path.stem}\n" in text and entries["sha256"] in text
        assert " ".join(entries["record"]["limits"].split()) in text


def test_every_command_and_option_is_there(pages):
    text, group = pages.command_line(), typer.main.get_command(app)
    assert "## weights convert\n" in text and "## convert\n" not in text
    for name, command in group.commands.items():
        if command.hidden:
            continue
        for second, one in getattr(command, "commands", {name: command}).items():
            heading = name if one is command else f"{name} {second}"
            section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
            for parameter in one.params:
                if parameter.param_type_name == "option" and parameter.name not in pages._OF_TYPER:
                    assert f"`{parameter.opts[0]}`" in section, f"{heading} {parameter.opts[0]}"


def test_every_field_and_option_of_the_configuration_is_explained(pages):
    text = pages.configuration()
    rows = [[c.strip() for c in line.split("|")] for line in text.splitlines() if line[:1] == "|"]
    # The presets come later, and have columns of their own.
    meaning = {row[1]: row[2] for row in reversed(rows)}
    for field in dataclasses.fields(NetworkConfig):
        assert meaning[f"`{field.name}`"], field.name
    for name in inspect.signature(DataModule).parameters:
        assert meaning[f"`--data.{name}`"], name


def test_text_stays_in_its_cell(pages):
    assert pages.table(["a"], [["one | two\nthree"]]).splitlines()[-1] == "| one \\| two three |"
