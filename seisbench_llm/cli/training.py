"""Commands of training: ``fit`` and ``export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ..extras import install_command
from .complete import config_names

try:
    from typer._click.shell_completion import CompletionItem
except ImportError:  # older ones do not bring click with them, but depend on it
    from click.shell_completion import CompletionItem


class FitCommand(TyperCommand):
    """Completes configurations, which its own parser knows nothing of."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        """Names of packaged configurations, and files."""
        option, _, value = incomplete.rpartition("=")
        if option == "--config":
            return [CompletionItem(f"--config={name}") for name in config_names(value)]
        if ctx.args and ctx.args[-1] == "--config":
            names = [CompletionItem(name) for name in config_names(incomplete)]
            return names or [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete)


def fit(context: typer.Context) -> None:
    """
    Train or fine-tune a model from a configuration file, or continue a stopped run.

    --config takes a file, or the name of one that comes with the package: compact, few-shot,
    finetune, paper-diting, paper-stead.

    Any entry of the file can be given on the command line: --data.batch_size=64,
    --model.learning_rate=1e-4, --trainer.devices=4. --fast-dev-run tries one batch and writes
    nothing. --help lists all entries.

    Example: seisbench-llm fit --config compact --task distance
    """
    try:
        from ..training.fit import fit as run
    except ImportError as error:
        raise ImportError(
            f"Training needs more packages: {install_command('train')} ({error})"
        ) from error
    run(context.args)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run of fit.")],
    out: Annotated[
        Path, typer.Option(help="Path to write to, without suffix. Its last part is the name.")
    ],
    checkpoint: Annotated[str, typer.Option(help="best.ckpt or last.ckpt.")] = "best.ckpt",
    description: Annotated[str, typer.Option(help="Description of the weight.")] = "",
    version: Annotated[str, typer.Option(help="Version of the weight.")] = "1",
    licence: Annotated[str, typer.Option(help="Licence of the weight.")] = "",
    limits: Annotated[str, typer.Option(help="Where the weight should not be trusted.")] = "",
    figures: Annotated[
        Path | None, typer.Option(help="metrics.json of evaluate, to be kept in the record.")
    ] = None,
    language_model: Annotated[
        str | None,
        typer.Option(help="Name of the language model to record, if it came from a local folder."),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Write half precision.")] = False,
) -> None:
    """
    Write the model of a run as a SeisBench weight with its record. LoRA adapters are merged.

    Example: seisbench-llm export runs/picking --out weights/my_picker --licence CC-BY-4.0
    """
    from ..training.to_weights import export_run

    export_run(
        run,
        out,
        checkpoint,
        docstring=description,
        version=version,
        licence=licence,
        limits=limits,
        figures=_read_figures(figures) if figures else None,
        language_model=language_model,
        half=half,
    )
    typer.echo(f"Written: {out}.json, {out}.safetensors")


def _read_figures(file: Path) -> dict:
    try:
        figures = json.loads(file.read_text())
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from None
    if not isinstance(figures, dict):
        raise ValueError(f"{file} has no figures by name, as metrics.json of evaluate has.")
    return figures
