"""The command ``seisbench-llm``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import archive as cli_archive
from . import live as cli_live
from . import monitor as cli_monitor
from . import pick as cli_pick
from . import training as cli_training
from . import weights as cli_weights

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Language-model-based seismic networks. Example: seisbench-llm pick DAY.mseed --out out",
)


app.command()(cli_pick.pick)


app.command()(cli_pick.demo)


app.command()(cli_monitor.monitor)


app.add_typer(cli_archive.archive_app, name="archive")


app.command()(cli_live.live)


app.add_typer(cli_weights.app, name="weights")


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the research code.")],
    task: Annotated[str, typer.Option(help="Task, by our name or the published one.")],
    out: Annotated[Path, typer.Option(help="Path without suffix to write to.")],
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


_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


app.command(context_settings=_PASS_ON)(cli_training.fit)


app.command()(cli_training.export)


app.command()(cli_training.evaluate)


def main() -> None:
    """
    Run the command; errors that a user can mend are one line, not a traceback.

    Exit codes: 0 done, 1 an error that the user can mend, 2 done in part (``typer.Exit(2)``).
    """
    try:
        app()
    except SystemExit as stop:
        # Typer also ends with 2 if an option is wrong.
        done_in_part = isinstance(stop.__context__, typer.Exit)
        sys.exit(1 if stop.code == 2 and not done_in_part else stop.code)
    except (OSError, ValueError, ImportError) as error:
        typer.echo(f"seisbench-llm: {error}", err=True)
        sys.exit(1)
