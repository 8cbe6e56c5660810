"""Reference pages from the code: weight cards, the command line, the configuration."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from enum import Enum
from pathlib import Path

# Options that Typer adds to every command.
_OF_TYPER = ("help", "install_completion", "show_completion")

PRETRAINED = Path(__file__).parents[2] / "seisbench_llm" / "pretrained"


def cell(text: object) -> str:
    """Text that stays in its cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([cell(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: object) -> str:
    """A figure of a record as it is printed."""
    if isinstance(value, list):
        return " to ".join(number(entry) for entry in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def figure_table(figures: dict) -> str:
    """The figures of a record: a row per figure, a column per set of records."""
    groups = {"all": {}}
    for name, value in figures.items():
        if isinstance(value, dict):
            groups[name] = value
        else:
            groups["all"][name] = value
    groups = {name: group for name, group in groups.items() if group}
    names = dict.fromkeys(name for group in groups.values() for name in group)
    rows = [[name, *(number(group.get(name, "")) for group in groups.values())] for name in names]
    return table(["Figure", *groups], rows)


def weight_cards() -> str:
    """All packaged weights, from their JSON records."""
    parts = []
    for file in sorted(PRETRAINED.glob("*.json")):
        entries = json.loads(file.read_text())
        record, arguments = entries["record"], entries["model_args"]
        figures = dict(record["figures"])
        protocol = figures.pop("protocol", "not stated")
        backbone = arguments["backbone"] if arguments["backbone_layers"] else None
        model = record["language_model"] or "none"
        if backbone and not record["language_model"]:
            model = f"none (a block of the shape of {backbone}, random at the start, all trained)"
        size = file.with_suffix(".safetensors").stat().st_size
        facts = [
            ["Task", record["task"]],
            ["Version", record["version"]],
            ["Window", f"{record['window']:g} s at {record['sampling_rate']:g} Hz"],
            ["Components", arguments["component_order"]],
            ["Filter", f"{arguments['filter_args']} {arguments['filter_kwargs']}"],
            ["Pre-trained language model", model],
            ["Default arguments", _arguments(entries)],
            ["Size of the file", f"{size / 1e6:.1f} MB"],
            ["SHA-256", f"`{entries['sha256']}`"],
            ["Licence", record["licence"]],
        ]
        parts += [
            f"## {record['name']}\n",
            f"{entries['docstring']}\n",
            table(["Property", "Value"], facts),
            f"**Limits.** {record['limits']}\n",
            f"**Figures.** Protocol: {protocol}.\n",
            figure_table(figures),
            f"**Training data.** {record['data']}\n",
        ]
    return "\n".join(parts)


def _arguments(entries: dict) -> str:
    given = entries.get("default_args", {}).items()
    return ", ".join(f"`{name}={value!r}`" for name, value in given) or "none"


def _help(text: str | None) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text or "").strip()


def command_line() -> str:
    """All commands with their arguments and options, from the parser."""
    import typer

    from seisbench_llm.cli import app

    group = typer.main.get_command(app)
    parts: list[str] = []
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        commands = getattr(command, "commands", None)
        if commands is None:
            parts.append(_command(f"seisbench-llm {name}", command))
            continue
        for second, one in sorted(commands.items()):
            parts.append(_command(f"seisbench-llm {name} {second}", one))
    return "\n".join(parts)


def _command(path: str, command) -> str:
    text, examples = [], []
    for paragraph in _help(command.help).split("\n\n"):
        joined = " ".join(paragraph.split())
        (examples if joined.startswith("Example:") else text).append(joined)
    parts = [f"## {path.removeprefix('seisbench-llm ')}\n", "\n\n".join(text) + "\n"]
    for example in examples:
        parts.append(f"```console\n$ {example.removeprefix('Example: ')}\n```\n")
    rows = [_parameter_row(p) for p in command.params if p.name not in _OF_TYPER]
    if rows:
        parts.append(table(["Argument or option", "Meaning", "Default"], rows))
    else:
        parts.append("Its options are those of [the configuration](configuration.md).\n")
    return "\n".join(parts)


def _parameter_row(parameter) -> list[str]:
    """Names, help with choices, and default of a parameter of Typer."""
    names = ", ".join(f"`{n}`" for n in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name).upper()}`"
    text, kind = _help(parameter.help), parameter.type_descriptor.annotation
    for choices in (kind, *typing.get_args(kind)):
        if isinstance(choices, type) and issubclass(choices, Enum):
            text += f" One of {', '.join(f'`{c.value}`' for c in choices)}."
    default = "required" if parameter.required else parameter.default
    several = default if isinstance(default, list | tuple) else [default]
    default = ", ".join(str(getattr(d, "value", d)) for d in several if d is not None)
    return [names, text.strip(), "" if default in ("", "False") else f"`{default}`"]


def parameters_of(docstring: str) -> dict[str, str]:
    """Name -> text of each ``:param:`` of a docstring."""
    found = re.findall(r":param (\w+):(.*?)(?=\n\s*:|\Z)", docstring or "", re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def _markdown(text: str) -> str:
    """Roles and literals of reStructuredText as Markdown."""
    text = re.sub(r":py:\w+:`~?([^`]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def dataclass_table(cls: type) -> str:
    """Fields of a dataclass: name, default, and what its docstring says."""
    texts, rows = parameters_of(cls.__doc__), []
    for field in dataclasses.fields(cls):
        default = "required" if field.default is dataclasses.MISSING else repr(field.default)
        rows.append([f"`{field.name}`", _markdown(texts.get(field.name, "")), f"`{default}`"])
    return table(["Field", "Meaning", "Default"], rows)


def configuration() -> str:
    """Sizes of networks, presets, live settings, and the options of ``fit``."""
    from seisbench_llm.live import LiveSettings
    from seisbench_llm.models.presets import PRESETS
    from seisbench_llm.network.config import BackboneConfig, NetworkConfig

    sizes = PRESETS.values()
    names = dict.fromkeys(name for preset in sizes for name in preset)
    presets = [
        [
            f"`{name}`",
            *(f"`{preset[name]!r}`" if name in preset else "" for preset in PRESETS.values()),
        ]
        for name in names
    ]
    return "\n".join(
        [
            "## Sizes of the network\n",
            "`NetworkConfig` holds all sizes. The arguments of `SeisMoLLM` have the same names."
            " The defaults are those of the published model.\n",
            dataclass_table(NetworkConfig),
            "## Shape of the language model\n",
            "`BackboneConfig` is read from the configuration of the language model.\n",
            dataclass_table(BackboneConfig),
            "## Presets\n",
            "`SeisMoLLM.from_preset(NAME, task=TASK)` takes these arguments. An empty cell is the"
            " default of the table above.\n",
            table(["Argument", *(f"`{name}`" for name in PRESETS)], presets),
            "## Live\n",
            "`LiveSettings` has the waiting times of live picking, in seconds.\n",
            dataclass_table(LiveSettings),
            "(fit)=\n## fit\n",
            "A file of `--config` may hold any of these options. `seisbench-llm fit --help` lists"
            " them together with those of Lightning's trainer.\n",
            fit_options(),
        ]
    )


class _Options:
    """Stands in for a parser, and keeps the options that are added to it."""

    def __init__(self):
        self.rows: list[list[str]] = []

    def add_argument(self, name: str, default=None, help: str = "", **kwargs) -> None:
        """Keep an option."""
        self.rows.append([f"`{name}`", help, f"`{default!r}`"])

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def fit_options() -> str:
    """Options of ``fit`` that are this package's own, not Lightning's."""
    from seisbench_llm.training.datamodule import DataModule
    from seisbench_llm.training.fit import FitCLI
    from seisbench_llm.training.module import TrainingModule

    options = _Options()
    FitCLI.add_arguments_to_parser(object.__new__(FitCLI), options)
    rows = options.rows
    for part, cls in (("model", TrainingModule), ("data", DataModule)):
        texts = parameters_of(cls.__doc__)
        for name, parameter in inspect.signature(cls).parameters.items():
            required = parameter.default is inspect.Parameter.empty
            default = "required" if required else repr(parameter.default)
            rows.append([f"`--{part}.{name}`", _markdown(texts.get(name, "")), f"`{default}`"])
    return table(["Option", "Meaning", "Default"], rows)


PAGES = {
    "weights.md": weight_cards,
    "commands.md": command_line,
    "configuration.md": configuration,
}


def write(folder: Path) -> None:
    """Write all pages that have changed."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        text, file = make(), folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def setup(app) -> dict:
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "_generated"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
