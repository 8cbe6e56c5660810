"""The command ``seisbench-llm run``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .archive import run_archive
from .associate import run_associate
from .options import DONE_IN_PART, AsJson, Quiet
from .settings import KEYS, association_arguments, read_settings

# Folder of the archive run in that of the catalogue.
ARCHIVE = "archive"


def run(
    file: Annotated[Path, typer.Argument(help="YAML with archive, stations and output.")],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Begin the catalogue anew if its settings have changed."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Pick an archive and make its catalogue, with the settings of a YAML file.

    It does what 'archive run' and 'associate' do. After a stop, the same command continues. The
    exit code is 3 if station-days failed.

    Example: seisbench-llm run catalogue.yaml
    """
    settings = read_settings(file)
    section = {name: settings.get(name, {}) for name in KEYS}
    out = Path(section["output"]["folder"])
    picks, complete = section["picks"], True
    if section["archive"]:
        picks = out / ARCHIVE
        complete = run_archive(**_archive_arguments(section, picks), as_json=as_json, quiet=quiet)
    run_associate(
        Path(picks),
        section["stations"],
        out,
        **association_arguments(section["association"]),
        **{key: value for key, value in section["output"].items() if key == "formats"},
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
        settings=settings,
    )
    if not complete:
        raise typer.Exit(DONE_IN_PART)


def _archive_arguments(section: Mapping[str, Any], out: Path) -> dict:
    """Arguments of :py:func:`seisbench_llm.archive.run`."""
    source, models = dict(section["archive"]), dict(section["models"])
    thresholds = {
        "P_threshold": section["thresholds"].get("P"),
        "S_threshold": section["thresholds"].get("S"),
        "min_separation": section["thresholds"].get("min_separation"),
    }
    known = {key: value for key, value in thresholds.items() if value is not None}
    own = {key: models.pop(key) for key in ("weights", "device", "tasks") if key in models}
    return {
        "archive": source.pop("source"),
        "start": str(source.pop("start")),
        "end": str(source.pop("end")),
        "out": out,
        "inventory": section["stations"],
        "arguments": {**models, **known},
        "stations": source.pop("stations", ["*.*"]),
        **source,
        **own,
    }
