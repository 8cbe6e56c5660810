"""The command ``seisbench-llm weights convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import OutFile


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the research code.")],
    out: OutFile,
    task: Annotated[
        str | None,
        typer.Option(
            help="Task, by our name or the published one. Default: from the tensors and the name"
            " of the file."
        ),
    ] = None,
    in_samples: Annotated[
        int | None,
        typer.Option(help="Window: 6000 (STEAD), 8192 (DiTing). Default: from the file name."),
    ] = None,
    sampling_rate: Annotated[
        float | None,
        typer.Option(help="Hz: 100 (STEAD), 50 (DiTing). Default: from the name of the file."),
    ] = None,
) -> None:
    """
    Convert a checkpoint of the published research code to a SeisBench weight.

    If the name of the file does not contain a data set, window and rate are those of STEAD.

    Example: seisbench-llm weights convert dpk_stead.pth --out weights/stead
    """
    from ..convert import load_published

    given = {"in_samples": in_samples, "sampling_rate": sampling_rate}
    model = load_published(
        checkpoint,
        task,
        merge_lora=True,
        **{name: value for name, value in given.items() if value is not None},
    )
    model.save(out, weights_docstring=f"Converted from {checkpoint.name}")
    typer.echo(
        f"Written: {out}.json, {out}.pt ({model.task.name}, windows of {model.in_samples} samples "
        f"at {model.sampling_rate:g} Hz)"
    )
