"""Commands of ``seisbench-llm picks``: conversion of files of picks and events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet
from .pick import PickFormat

app = typer.Typer(no_args_is_help=True, help="Convert files of picks.")


# Otherwise Typer would take the only command for the group itself.
@app.callback()
def _group() -> None:
    pass


@app.command("convert")
def picks_convert(
    source: Annotated[Path, typer.Argument(help="File of picks, of events, or of both.")],
    target: Annotated[Path, typer.Argument(help="File to write; its ending says the format.")],
    source_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Format that is read; obspy is any catalogue of ObsPy. Default: from its"
            " name and content.",
            metavar="FORMAT",
        ),
    ] = None,
    target_format: Annotated[
        PickFormat | None, typer.Option("--to", help="Format that is written.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Events of the picks, where the file has none, such as CSV.")
    ] = None,
    assignments: Annotated[
        Path | None,
        typer.Option(help="GaMMA's assignments: a CSV with pick_index and event_index."),
    ] = None,
    events_out: Annotated[
        Path | None, typer.Option(help="File for the events, such as events.csv.")
    ] = None,
    uncertainty: Annotated[
        float,
        typer.Option(help="Uncertainty in s of picks without one, for catalogues and NonLinLoc."),
    ] = 0.1,
    quiet: Quiet = False,
) -> None:
    """
    Convert picks and events between formats, and say what the new format does not keep.

    Example: seisbench-llm picks convert picks.csv events.xml --events events.csv
    """
    from ..export import convert_picks

    done = convert_picks(
        source,
        target,
        source_format,
        None if target_format is None else target_format.value,
        events=events,
        assignments=assignments,
        events_out=events_out,
        uncertainty=uncertainty,
    )
    if quiet:
        return
    typer.echo(f"Read: {source} ({done.source}, {done.picks} picks, {done.events} events)")
    typer.echo(f"Written: {done.path} ({done.target})")
    if done.lost and done.picks:
        typer.echo(f"Not kept by {done.target}: {', '.join(done.lost)}", err=True)
    if done.events_lost:
        typer.echo(
            f"{done.target} keeps no events: --events-out FILE writes the {done.events} events.",
            err=True,
        )
