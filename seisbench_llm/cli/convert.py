"""The command ``seisbench-llm convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import OutFile


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the research code.")],
    task: Annotated[str, typer.Option(help="Task, by our name or the published one.")],
    out: OutFile,
    in_samples: Annotated[int, typer.Option(help="Window: 6000 (STEAD), 8192 (DiTing).")] = 6000,
    sampling_rate: Annotated[float, typer.Option(help="Hz: 100 (STEAD), 50 (DiTing).")] = 100,
) -> None:
    """
    Convert a checkpoint of the published research code to a SeisBench weight.

    Example: seisbench-llm convert best.pth --task dpk --out weights/stead
    """
    from ..convert import load_published

    model = load_published(
        checkpoint, task, merge_lora=True, in_samples=in_samples, sampling_rate=sampling_rate
    )
    model.save(out, weights_docstring=f"Converted from {checkpoint.name}")
    typer.echo(f"Written: {out}.json, {out}.pt")
