"""Commands of ``seisbench-llm dataset``: make a data set of one's own, and check any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, Quiet, StationsFile

app = typer.Typer(no_args_is_help=True, help="Make and check data sets in SeisBench's format.")

SameTime = Annotated[float, typer.Option(min=0, help="Seconds within which two events may be one.")]
SamePlace = Annotated[
    float, typer.Option(min=0, help="Kilometres within which two events may be one.")
]

# Exit code of a check that finds a fault.
FAULTY = 1


@app.command("make")
def dataset_make(
    waveforms: Annotated[
        list[str],
        typer.Option(help="SDS archive, or files, folders, 'patterns*'; may be repeated."),
    ],
    picks: Annotated[
        Path, typer.Option(help="Picks: QuakeML, CSV, NonLinLoc, Nordic (SEISAN), and others.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the data set; it must not exist.")],
    stations: StationsFile = None,
    events: Annotated[
        Path | None, typer.Option(help="Events of the picks, where the file has none, such as CSV.")
    ] = None,
    picks_format: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Format of the picks. Default: from its name and content.",
            metavar="FORMAT",
        ),
    ] = None,
    before: Annotated[float, typer.Option(help="Seconds before the first pick.")] = 30.0,
    after: Annotated[float, typer.Option(help="Seconds after the last pick.")] = 60.0,
    split_by: Annotated[
        str,
        typer.Option(
            help="samples: events whose records overlap at a station stay together; event: each"
            " event by itself, for sequences in which all overlap."
        ),
    ] = "samples",
    seed: Annotated[int, typer.Option(help="Seed of the split by event.")] = 0,
    same_time: SameTime = 2.0,
    same_place: SamePlace = 10.0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Make a data set in SeisBench's format: windows around picks, and a report of checks.

    Picks that get no record are in left_out.csv, each with its cause. What the checks found is in
    report.json.

    Example: seisbench-llm dataset make --waveforms SDS --picks bulletin.xml --stations
    stations.xml --out mine
    """
    from ..data.making import MakeSettings, make_dataset

    settings = MakeSettings(
        before=before,
        after=after,
        split_by=split_by,
        seed=seed,
        same_time_s=same_time,
        same_place_km=same_place,
    )
    made = make_dataset(
        waveforms,
        picks,
        out,
        stations=stations,
        events=events,
        picks_format=picks_format,
        settings=settings,
    )
    if as_json:
        typer.echo(json.dumps(made.to_dict()))
        return
    if quiet:
        return
    content = made.to_dict()
    sides = ", ".join(f"{count} {name}" for name, count in sorted(made.sides.items()))
    typer.echo(f"Written to {out}: {content['records']} records ({sides}) of {made.picks} picks")
    for file, why in made.failed.items():
        typer.echo(f"seisbench-llm: skipped {file}: {why}", err=True)
    for cause, count in made.left_out.items():
        typer.echo(f"left out: {count} picks: {cause}")
    _echo_checks(content["checks"])


@app.command("check")
def dataset_check(
    data: Annotated[str, typer.Argument(help="Folder, or a name of SeisBench, such as ETHZ.")],
    sample: Annotated[
        int, typer.Option(min=0, help="Largest number of records whose waveforms are read.")
    ] = 1000,
    seconds: Annotated[
        float, typer.Option(min=0, help="Time for waveforms; then no more are read.")
    ] = 300.0,
    same_time: SameTime = 2.0,
    same_place: SamePlace = 10.0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Check a data set: onsets, double events, splits, distances, dead and clipped waveforms.

    Exit codes: 0 no fault, 1 a fault, 2 the data set cannot be read. Notes are no faults.

    Example: seisbench-llm dataset check mine --sample 200
    """
    from ..data import open_dataset
    from ..data.checks import check_dataset

    report = check_dataset(
        open_dataset(data), sample, seconds, same_time_s=same_time, same_place_km=same_place
    )
    content = report.to_dict()
    if as_json:
        typer.echo(json.dumps(content))
    elif not quiet:
        typer.echo(f"{data}: {report.records} records, waveforms of {report.waveforms}")
        _echo_checks(content["checks"])
    if report.faults:
        raise typer.Exit(FAULTY)


def _echo_checks(checks: dict) -> None:
    found = {name: check for name, check in checks.items() if check["count"]}
    if not any(check["fault"] for check in found.values()):
        typer.echo("No fault was found.")
    for name, check in found.items():
        kind = "fault" if check["fault"] else "note"
        typer.echo(f"{kind} {name}: {check['count']}, {check['meaning']}")
        for example in check["examples"]:
            typer.echo(f"    {example}")
