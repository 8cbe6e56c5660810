"""What messages, help texts and pages tell a user to do: commands, options, packages and names."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import requires
from typing import NamedTuple

import pytest
import typer

from seisbench_llm.cli import app
from tests.helpers.pages import PAGES, ROOT

PACKAGE = ROOT / "seisbench_llm"
# Stands for a value that a message fills in.
FILLED = "FILLED"
OF_GIT = {"--show-toplevel", "--porcelain"}


class Text(NamedTuple):
    """A string of the package, or a page. ``where`` is its file and line."""

    where: str
    text: str


class Command(NamedTuple):
    """Words after ``seisbench-llm``. It is whole where a user would copy it, not as in "see X"."""

    where: str
    words: tuple[str, ...]
    whole: bool


def texts_of_code() -> Iterator[Text]:
    """Messages, help texts, docstrings, and headers of configurations."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        parts = {part for node in formatted for part in ast.walk(node) if part is not node}
        for node in ast.walk(tree):
            if node not in parts and (text := content(node)):
                yield Text(f"{file.relative_to(ROOT)}:{node.lineno}", text)
    for file in sorted(PACKAGE.rglob("*.yaml")):
        header = [line[1:] for line in file.read_text().splitlines() if line.startswith("#")]
        yield Text(str(file.relative_to(ROOT)), "\n".join(header))


def content(node: ast.AST) -> str:
    """Text of a string, formatted or not."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(content(part) or FILLED for part in node.values)
    return ""


def texts_of_pages() -> Iterator[Text]:
    for file in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        yield Text(str(file.relative_to(ROOT)), file.read_text())


CODE = list(texts_of_code())
MESSAGES = [text for text in CODE if "\n\n" not in text.text and " " in text.text]
TEXTS = [*CODE, *texts_of_pages()]

# What comes before a command -> what ends it.
QUOTED = {"`": "`", "'": "'", "Example: ": r"\n\s*\n|\Z"}
BEFORE = re.compile(r"(Example: |`|'|\$ |!|^ {0,4}|: |See )seisbench-llm ", re.MULTILINE)
# Comments, redirections and the prose of a docstring's first line.
BEHIND = re.compile(r"\s#|\s2?>|\s\||\sdoes\b|\sworks\b|\sis\b")


def commands(text: Text) -> Iterator[Command]:
    """All commands of the package in a text."""
    for match in BEFORE.finditer(text.text):
        rest = re.sub(r"\\\n\s*", " ", text.text[match.end() :])
        end = re.search(QUOTED.get(match[1], "$"), rest, re.MULTILINE)
        if end:
            line = BEHIND.split(rest[: end.start()])[0].removesuffix(".")
            yield Command(text.where, tuple(shlex.split(line)), match[1] not in ("`", "'", "See "))


COMMANDS = [command for text in TEXTS for command in commands(text)]


def resolved(words: tuple[str, ...]) -> tuple[typer.core.TyperCommand, list[str]]:
    """The command that words name, and the rest of them."""
    command, rest = typer.main.get_command(app), list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
        assert not command.hidden, f"{name} is an old name"
    return command, rest


def options_of(command) -> set[str]:
    """Names of the options of a command."""
    named = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    return named | {"--help"} | (fit_options() if command.name == "fit" else set())


@cache
def fit_options() -> set[str]:
    """Options of ``fit``, which are those of its classes."""
    lightning = pytest.importorskip("lightning")
    from seisbench_llm.training.datamodule import DataModule
    from seisbench_llm.training.fit import FitCLI
    from seisbench_llm.training.module import TrainingModule

    named = {"--config", "--fast-dev-run", "--seed_everything"}

    class Parser:
        def add_argument(self, name, **kwargs):
            named.add(name)

        def __getattr__(self, name):
            return lambda *args, **kwargs: None

    FitCLI.add_arguments_to_parser(object.__new__(FitCLI), Parser())
    classes = {"model": TrainingModule, "data": DataModule, "trainer": lightning.Trainer}
    for part, cls in classes.items():
        named |= {f"--{part}.{name}" for name in inspect.signature(cls).parameters}
    return named


def test_all_kinds_of_commands_are_found():
    named = {command.words[:2] for command in COMMANDS}
    assert ("weights", "pull") in named and ("archive", "status") in named
    assert len(COMMANDS) > 90 and sum(command.whole for command in COMMANDS) > 60
    (example,) = commands(Text("", "Example: seisbench-llm pick a --out\n    b\n\n    More."))
    assert example.words == ("pick", "a", "--out", "b") and example.whole


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.where} {' '.join(c.words[:3])}")
def test_a_command_that_is_named_can_be_given(command):
    if command.words[0].isupper():
        return
    found, rest = resolved(command.words)
    given = {word.partition("=")[0] for word in rest if re.match("--?[a-z]", word)}
    assert given <= options_of(found), f"{found.name} has no {given - options_of(found)}"
    if command.whole and "--help" not in rest and not hasattr(found, "commands"):
        # Raises an error if something is missing or has another type.
        found.make_context(found.name, [word.replace(FILLED, "1") for word in rest])


def test_options_in_messages_exist():
    """Those of commands and, with a dot, of ``fit``."""
    group = typer.main.get_command(app)
    leaves = [
        c for top in group.commands.values() for c in getattr(top, "commands", {0: top}).values()
    ]
    known = set().union(*(options_of(command) for command in [group, *leaves]), OF_GIT)
    named = [
        (text.where, re.sub(r"(--model\.model_args)\..*", r"\1", option))
        for text in CODE
        for option in re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", text.text)
    ]
    assert len(named) > 20
    assert [(where, option) for where, option in named if option not in known] == []
    parts = [
        (text.where, f"--{entry}")
        for text in MESSAGES
        if "/training/" in text.where
        for entry in re.findall(r"\b(?:model|data|trainer)\.[a-z_]+\b", text.text)
    ]
    assert len(parts) > 5
    assert [(where, option) for where, option in parts if option not in known] == []


def test_arguments_in_messages_exist():
    """As in "use backbone=None"."""
    trees = [ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    known = {node.arg for node in nodes if isinstance(node, ast.arg)}
    known |= {ast.unparse(node.target) for node in nodes if isinstance(node, ast.AnnAssign)}
    known |= {"missing_components", "windowlen"}  # SeisBench's
    named = [
        (text.where, name)
        for text in MESSAGES
        if "; charset" not in text.text and "<" not in text.text
        for name in re.findall(r"(?<![\w.?&{-])([a-z_]+)=(?!=)", text.text)
    ]
    assert len(named) > 20
    assert [(where, name) for where, name in named if name not in known] == []


def extras() -> dict[str, set[str]]:
    """Extra -> names of its packages."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return {
        name: {re.split(r"[\[ <>=]", line)[0] for line in text.split("\n") if line}
        for name, text in setup["options.extras_require"].items()
    }


def test_extras_that_are_named_exist():
    named = [
        (text.where, extra)
        for text in TEXTS
        for found in re.findall(r"(?:seisbench_llm|-e |\.)\[([a-z,]+)\]", text.text)
        for extra in found.split(",")
    ]
    assert len(named) > 5
    assert [(where, extra) for where, extra in named if extra not in extras()] == []


def test_other_packages_to_install_are_known():
    """Packages of no extra."""
    named = {word for text in CODE for word in re.findall(r"pip install ([a-z]\w+)", text.text)}
    assert named <= {"cartopy"}


def brought_by(extra: str) -> set[str]:
    """Packages of an extra, and those that they need."""
    own = extras()[extra]
    needed = {line for name in own for line in requires(name) or () if "extra ==" not in line}
    names = own | {re.split(r"[\[ <>=!~;(]", line)[0].lower() for line in needed}
    return names | ({"yaml"} if names & {"pyyaml", "PyYAML"} else set())


def test_an_extra_brings_what_could_not_be_imported():
    checked = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Try):
                continue
            asked = re.findall(r"install_command\('(\w+)'\)", ast.unparse(node.handlers))
            wanted = re.findall(
                r"^\s*(?:import|from) (\w+)", "\n".join(map(ast.unparse, node.body)), re.M
            )
            for extra in asked:
                checked.add(extra)
                assert set(wanted) <= brought_by(extra), f"{file}: {extra}"
    assert checked >= {"archive", "export", "language", "monitor", "pages", "train"}


def test_names_in_messages_exist():
    for text in CODE:
        if " " not in text.text:
            continue
        for name in re.findall(r"(?<![\w.])(?:seisbench_llm|obspy|pandas)(?:\.\w+)+", text.text):
            module, _, attribute = name.rpartition(".")
            found = None
            while found is None:
                try:
                    found = importlib.import_module(module)
                except ImportError:
                    module, _, first = module.rpartition(".")
                    attribute = f"{first}.{attribute}"
            for part in attribute.split("."):
                assert hasattr(found, part), f"{text.where}: {name}"
                found = getattr(found, part)


def test_modules_and_targets_that_are_named_exist():
    """As in ``python -m benchmarks.making.tables`` and ``make docs``."""
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = {file.relative_to(ROOT).with_suffix("") for file in ROOT.glob("[bst]*/**/*.py")}
    modules = {".".join(part for part in file.parts if part != "__main__") for file in files}
    named = {"python -m": 0, "make": 0}
    for text in TEXTS:
        for module in re.findall(
            r"python -m ((?:benchmarks|tests|seisbench_llm)[\w.]*\w)", text.text
        ):
            assert module in modules, f"{text.where}: python -m {module}"
            named["python -m"] += 1
        for line in re.findall(
            r"(?:`|^ {4}|\$ )make ([a-z -]+?)(?:`|$| {2})", text.text, re.MULTILINE
        ):
            assert set(line.split()) <= made, f"{text.where}: make {line}"
            named["make"] += 1
    assert min(named.values()) > 8, named
