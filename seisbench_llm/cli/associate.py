"""The command ``seisbench-llm associate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .common import echo_written
from .monitor import MonitorFormat
from .options import (
    AsJson,
    KeepPoor,
    MagnitudeScale,
    Quiet,
    StationCorrections,
    VelocityModelFile,
)
from .settings import association_arguments, write_settings


def associate(
    picks: Annotated[
        Path, typer.Argument(help="Folder of an archive run, or picks as Parquet, CSV or QuakeML.")
    ],
    stations: Annotated[
        str,
        typer.Option(
            "--stations",
            "--inventory",
            help="StationXML, dataless SEED, CSV with id, latitude, longitude, elevation, or "
            "fdsn://GFZ?network=CX.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the catalogue.")],
    velocity_model: VelocityModelFile = None,
    n_picks: Annotated[
        int | None, typer.Option(min=1, help="Fewest picks of an event. Default: 6.")
    ] = None,
    n_p_and_s_picks: Annotated[
        int | None,
        typer.Option(min=0, help="Fewest stations of an event with both P and S. Default: 2."),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, help="Events are searched up to so many km from the stations.")
    ] = 50.0,
    keep_poor: KeepPoor = False,
    magnitude_scale: MagnitudeScale = "iaspei",
    station_corrections: StationCorrections = None,
    formats: Annotated[
        list[MonitorFormat], typer.Option("--format", help="Format to write; may be repeated.")
    ] = [MonitorFormat.csv, MonitorFormat.quakeml],  # noqa: B006 (typer copies it)
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Begin anew if the folder holds another catalogue."),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Associate picks of any time with PyOcto, locate the events, and write a catalogue.

    Events have magnitudes if the picks have estimates or amplitudes, see 'archive run'. The work
    goes on day by day. After a stop, the same command continues it.

    Example: seisbench-llm associate year --stations stations.xml --out catalogue
    """
    names = [form.value for form in formats]
    files = {"velocity_model": velocity_model, "station_corrections": station_corrections}
    known = {
        **{name: None if file is None else str(file) for name, file in files.items()},
        "n_picks": n_picks,
        "n_p_and_s_picks": n_p_and_s_picks,
    }
    association = {
        **{name: value for name, value in known.items() if value is not None},
        "margin": margin,
        "keep_poor": keep_poor,
        "magnitude_scale": magnitude_scale,
    }
    settings = {
        "picks": str(picks),
        "stations": stations,
        "association": association,
        "output": {"folder": str(out), "formats": names},
    }
    run_associate(
        picks,
        stations,
        out,
        **association_arguments(association),
        formats=names,
        overwrite=overwrite,
        as_json=as_json,
        quiet=quiet,
        settings=settings,
    )


def run_associate(
    picks: Path,
    stations: str,
    out: Path,
    *,
    formats: Sequence[str] = ("csv", "quakeml"),
    as_json: bool = False,
    quiet: bool = False,
    settings: Mapping,
    **arguments,
) -> None:
    """
    Write a catalogue, and print what is in it.

    :param settings: What the YAML in ``out`` says.
    :param arguments: See :py:func:`seisbench_llm.catalogue.associate`.
    """
    from ..catalogue import associate as make_catalogue

    result = make_catalogue(
        picks,
        out,
        stations,
        formats=formats,
        progress=not (quiet or as_json) and sys.stderr.isatty(),
        **arguments,
    )
    write_settings(out, settings)
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    elif not quiet:
        left_out = f", {result.left_out} of quality D left out" if result.left_out else ""
        typer.echo(
            f"{result.events} events with {result.associated} of {result.picks} picks{left_out}; "
            f"{result.new} of {result.blocks} days associated in this run, in {result.seconds:g} s"
        )
        echo_written(out, result.files)
