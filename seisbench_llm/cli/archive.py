"""The commands ``seisbench-llm archive``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DONE_IN_PART,
    AsJson,
    DeviceName,
    Inventory,
    Quiet,
    Weights,
    with_picking_options,
)

archive_app = typer.Typer(
    no_args_is_help=True,
    help="Pick whole archives. A run can be stopped at any time and continued.",
)


@archive_app.command()
@with_picking_options
def run(
    archive: Annotated[
        str,
        typer.Option(
            help="SDS archive, folder of miniSEED, FDSN service, such as fdsn://GFZ, or bucket, "
            "such as s3://scedc-pds/continuous_waveforms."
        ),
    ],
    start: Annotated[str, typer.Option(help="First day, such as 2020-01-01 (UTC).")],
    end: Annotated[str, typer.Option(help="Day after the last day.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    stations: Annotated[
        list[str], typer.Option(help="NET.STA.LOC.CHA with * and ?. May be repeated.")
    ] = ["*.*"],  # noqa: B006 (typer copies it)
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what is fetched from a service or bucket, as SDS."),
    ] = None,
    inventory: Inventory = None,
    weights: Weights = "compact_picking",
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Estimates at each P: all, or some of polarity, magnitude, distance and "
            "back_azimuth with commas. TASK=WEIGHT names a weight other than compact_TASK."
        ),
    ] = None,
    amplitudes: Annotated[
        bool,
        typer.Option(
            "--amplitudes",
            help="Measure amplitudes at picks, with --inventory also ground motion.",
        ),
    ] = False,
    device: DeviceName = "cpu",
    *,
    picking: dict,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of local processes. Default: one per core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, instead of local processes.")
    ] = None,
    memory: Annotated[
        str, typer.Option(help="Memory limit of a local worker, such as 2GB.")
    ] = "auto",
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Process failed station-days again.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Pick all station-days of an archive. After a stop, the same command continues the run.

    With --tasks, picks also have polarity, magnitude, distance and back-azimuth. The exit code is 3
    if station-days failed. 'archive status' tells which ones and why.

    Example: seisbench-llm archive run --archive /data/sds --stations 'CX.*' --start 2020-01-01
    --end 2021-01-01 --out year
    """
    complete = run_archive(
        archive=archive,
        out=out,
        start=start,
        end=end,
        stations=stations,
        weights=weights,
        arguments=picking,
        tasks=tasks,
        amplitudes=amplitudes,
        inventory=inventory,
        keep=keep,
        device=device,
        workers=workers,
        scheduler=scheduler,
        memory=memory,
        retry_failed=retry_failed,
        as_json=as_json,
        quiet=quiet,
    )
    if not complete:
        raise typer.Exit(DONE_IN_PART)


def run_archive(out: Path, as_json: bool = False, quiet: bool = False, **arguments) -> bool:
    """
    Pick the station-days of an archive, and print their numbers.

    :param arguments: See :py:func:`seisbench_llm.archive.run`.
    :return: Whether nothing failed.
    """
    from .. import archive as runs

    result = runs.run(
        out=out,
        progress=not (quiet or as_json) and sys.stderr.isatty(),
        **arguments,
    )
    for file, error in result.unreadable.items():
        typer.echo(f"seisbench-llm: {file} is left out: {error}", err=True)
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    elif not quiet:
        typer.echo(
            f"{result.planned} station-days: {result.done} done, {result.empty} empty, "
            f"{result.failed} failed; {result.new} in this run, in {result.seconds:g} s"
        )
        if result.failed:
            typer.echo(f"Causes: seisbench-llm archive status {out}")
    return not (result.failed or result.unreadable)


@archive_app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    as_json: AsJson = False,
) -> None:
    """
    Show the progress of a run for each station, and what failed.

    Example: seisbench-llm archive status year
    """
    from .. import archive as runs

    result = runs.status(folder)
    if as_json:
        typer.echo(json.dumps(asdict(result)))
        return
    import pandas as pd

    table = pd.DataFrame(result.stations).T
    if len(table):
        typer.echo(table.to_string())
    counts = ", ".join(f"{number} {state}" for state, number in result.counts.items())
    methods = ", ".join(f"{task} {method}" for task, method in result.methods.items())
    typer.echo(f"\nWeights: {methods}")
    typer.echo(f"{'Running' if result.running else 'Not running'}: {counts}")
    if result.per_hour and result.counts["pending"]:
        typer.echo(f"{result.per_hour:g} per hour, {result.hours_left:g} h left at this rate")
    for entry in result.failures:
        typer.echo(f"{entry['station']} {entry['day']} {entry['error']}: {entry['message']}")


@archive_app.command()
def merge(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Option(help="File to write: .parquet or .csv.")],
    table: Annotated[
        str, typer.Option(help="Name of the table: picks, or one of a processor of your own.")
    ] = "picks",
    quiet: Quiet = False,
) -> None:
    """
    Write the picks of all station-days to one file, sorted by time.

    Example: seisbench-llm archive merge year --out picks.parquet
    """
    from .. import archive as runs

    result = runs.merge(folder, out, table)
    if result.pending or result.failed:
        typer.echo(
            f"seisbench-llm: the table is incomplete: {result.pending} station-days are pending, "
            f"{result.failed} failed.",
            err=True,
        )
    if not quiet:
        typer.echo(f"{result.rows} {table} written to {out}")
