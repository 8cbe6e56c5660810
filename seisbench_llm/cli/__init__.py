"""The command ``seisbench-llm``."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import Annotated

import typer

from . import (
    archive,
    associate,
    benchmark,
    compare,
    convert,
    dataset,
    evaluate,
    figures,
    live,
    monitor,
    pick,
    picks,
    run,
    signals,
    training,
    weights,
)
from .options import USER_ERROR

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Pick seismic phases, and more. Example: seisbench-llm pick DAY.mseed --out picks",
)

# Options of fit are those of its configuration.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        others = ", ".join(f"{name} {version(name)}" for name in ("seisbench", "torch", "obspy"))
        typer.echo(f"seisbench_llm {version('seisbench_llm')} ({others})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and end.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


app.command()(pick.pick)
app.command()(pick.demo)
app.add_typer(picks.app, name="picks")
app.command()(monitor.monitor)
app.command()(figures.figures)
app.command()(compare.compare)
app.add_typer(archive.archive_app, name="archive")
app.command()(associate.associate)
app.command()(run.run)
app.command()(live.live)
app.add_typer(weights.app, name="weights")
# Its name until version 0.1, before there was "picks convert".
app.command("convert", hidden=True, deprecated=True)(convert.convert)
app.command(context_settings=_PASS_ON, cls=training.FitCommand)(training.fit)
app.command()(training.export)
app.add_typer(dataset.app, name="dataset")
app.command()(evaluate.evaluate)
app.add_typer(benchmark.app, name="benchmark")


def main() -> None:
    """
    Run the command. Errors that a user can fix are one line instead of a traceback.

    Exit codes: 0 done, 2 an error that the user can fix, 3 done in part, 130 after Ctrl-C, 143
    after SIGTERM.
    """
    _open_streams()
    signals.install()
    try:
        app()
    except KeyboardInterrupt:
        # Ctrl-C before or after Typer runs. Typer itself ends in the same way.
        sys.exit(128 + signal.SIGINT)
    except (OSError, ValueError, ImportError) as error:
        typer.echo(f"seisbench-llm: {_one_line(error)}", err=True)
        sys.exit(USER_ERROR)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _OF_THE_MACHINE.search(str(error)):
            raise
        typer.echo(
            f"seisbench-llm: the machine ran out of memory: {_one_line(error)[:500]} Use less "
            f"memory: fewer processes, smaller batches, or less data at once.",
            err=True,
        )
        sys.exit(USER_ERROR)


# PyTorch's messages about missing memory, and about a process that was killed for lack of it.
_OF_THE_MACHINE = re.compile("DataLoader worker|[Oo]ut of memory|allocate memory")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _open_streams() -> None:
    """Open standard streams that the caller has closed."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Otherwise the next file to be opened would get the number of the stream, and
            # everything that is printed.
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w"))
