"""The command ``evaluate``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, Out, Quiet, Weights


class Split(StrEnum):
    """Sides of a split."""

    train = "train"
    dev = "dev"
    test = "test"
    all = "all"


class SplitBy(StrEnum):
    """How records are split."""

    event = "event"
    row = "row"
    column = "column"


def evaluate(
    weights: Weights,
    data: Annotated[
        str, typer.Option(help="Data set: folder, name in SeisBench, diting:FOLDER, synthetic:N.")
    ],
    split: Annotated[Split, typer.Option(help="Records to use.")] = Split.test,
    split_by: Annotated[
        SplitBy | None,
        typer.Option(
            help="Split by event, by row (as published), or by the data set's own column. Default:"
            " its column, or by event if it has none."
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of a run of fit, whose split is used.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the split, of --limit and of the bootstrap.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Use at most this many records.")] = None,
    out: Out = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of windows per batch.")] = 64,
    num_workers: Annotated[
        int, typer.Option(min=0, help="Number of processes that read records.")
    ] = 0,
    device: Annotated[str | None, typer.Option(help="Device, such as cuda.")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Lowest probability of a pick (default: the weight's own, or 0.3) or of a class"
            " that counts as decided (default: 0.5).",
        ),
    ] = None,
    complete: Annotated[
        bool | None,
        typer.Option(
            "--complete/--incomplete",
            help="Whether all onsets are labelled, so that any other pick is false. Default: as"
            " the data set says.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """
    Evaluate a model on a data set: picks, errors with intervals, and the published metrics.

    With --out it also writes metrics.json, predictions.csv and figures.

    Example: seisbench-llm evaluate --weights compact_picking --data synthetic:500 --out report
    """
    import sys

    from ..data.datasets import open_dataset
    from ..evaluate.evaluation import evaluate as measure
    from ..models.seismollm import SeisMoLLM

    model = SeisMoLLM.from_pretrained(weights)
    dataset = open_dataset(data, sampling_rate=model.sampling_rate)
    if split is not Split.all:
        dataset = _side(dataset, data, split.value, split_by, run, seed)
    result = measure(
        model,
        dataset,
        threshold=threshold,
        seed=seed,
        batch_size=batch_size,
        device=device,
        num_workers=num_workers,
        limit=limit,
        complete=complete,
        held_out=run is not None and split in (Split.dev, Split.test),
        progress=not (quiet or as_json) and sys.stderr.isatty(),
    )
    if out is not None:
        result.write(out)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), allow_nan=False))
    elif not quiet:
        typer.echo(result.summary())
        if out is not None:
            typer.echo(f"\nWritten to {out}: {', '.join(sorted(f.name for f in out.iterdir()))}")


def _side(dataset, name: str, side: str, split_by: SplitBy | None, run: Path | None, seed: int):
    from ..data import splits

    metadata = dataset.metadata
    if split_by is None:
        split_by = SplitBy.column if "split" in metadata else SplitBy.event
    if run is not None:
        sides = _split_of_run(run, name, metadata)
    elif split_by is SplitBy.column and "split" not in metadata:
        raise ValueError("The data set has no column 'split'; use --split-by event.")
    elif split_by is SplitBy.column:
        sides = metadata["split"]
    else:
        function = splits.split_by_event if split_by is SplitBy.event else splits.split_by_row
        sides = function(metadata, seed=seed)
    mask = (sides == side).to_numpy()
    if not mask.any():
        counts = sides.value_counts(dropna=False).to_dict()
        raise ValueError(f"No record is in the split '{side}'; there are {counts}. See --split.")
    return dataset.filter(mask, inplace=False)


def _split_of_run(run: Path, name: str, metadata):
    """Side of the split of each record of a data set in a training run."""
    from ..data.splits import read_splits

    tables = read_splits(run)
    if not tables:
        raise FileNotFoundError(f"{run} has no split_*.csv.gz; is it the folder of a run of fit?")
    if name not in tables:
        raise ValueError(f"{run} was not trained on {name} but on {', '.join(tables)}.")
    table = tables[name]
    if list(table["trace_name"]) != list(metadata["trace_name"]):
        raise ValueError(f"The records of {name} are not those that {run} was trained on.")
    return table["split"].set_axis(metadata.index)
