"""Input files and printed tables of several commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd


def input_files(paths: Sequence[Path], out: Path | None) -> list[Path]:
    """
    Waveform files by name, folder or pattern.

    :param out: Folder of the results, which may be below that of the waveforms: what an earlier
        command wrote there is left out, unless it is named.
    :raises FileNotFoundError: If there are none.
    """
    from ..waveform_files import find_files

    files = find_files(paths)
    if out is None:
        return files
    named = {path.resolve() for path in paths if path.is_file()}
    results = out.resolve()
    kept = [f for f in files if f.resolve() in named or results not in f.resolve().parents]
    if not kept:
        raise FileNotFoundError(f"There are no waveform files outside of {out}.")
    return kept


def echo_json_lines(table: pd.DataFrame) -> None:
    """Print a JSON object per row; nothing for a table without rows."""
    if len(table):
        typer.echo(
            table.to_json(orient="records", lines=True, date_format="iso", date_unit="us"), nl=False
        )


def echo_skipped(skipped: Iterable, failed: Mapping[Path, str] | None = None) -> None:
    """
    Print what was left out as JSON objects, after those of the results.

    They have the keys skipped (trace id or file), start, end, cause and used; the last one tells
    whether it was used all the same.

    :param skipped: Of a result, entries of :py:class:`seisbench_llm.streams.skipped.SkippedList`.
    :param failed: File that could not be read -> why.
    """
    for entry in skipped:
        span = {"start": str(entry.start), "end": str(entry.end)}
        about = {"skipped": entry.trace_id, **span, "cause": entry.cause, "used": entry.used}
        typer.echo(json.dumps(about))
    for file, why in (failed or {}).items():
        about = {"skipped": str(file), "start": None, "end": None, "cause": why, "used": False}
        typer.echo(json.dumps(about))


def echo_table(table: pd.DataFrame, formats: Mapping[str, Callable]) -> None:
    """
    Print the columns that hold anything.

    :param formats: Columns and how to write a value; what is not known is ``-``.
    """
    from pandas import notna

    shown = table[[name for name in formats if name in table]].dropna(axis="columns", how="all")
    if len(shown):
        columns = {
            name: [formats[name](value) if notna(value) else "-" for value in shown[name]]
            for name in shown
        }
        typer.echo(type(shown)(columns).to_string(index=False))


def short_time(time: pd.Timestamp) -> str:
    """A time as it is printed, to 0.01 s."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4]


def echo_written(out: Path, names: Sequence[str], most: int = 10) -> None:
    """Say which files were written."""
    shown = sorted(set(names))
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    typer.echo(f"Written to {out}: {', '.join(shown[:most])}{more}")


def save_figure(figure, path: Path) -> None:
    """Write a figure, whole or not at all."""
    from ..atomic import replacing

    with replacing(path) as partial:
        figure.savefig(partial, dpi=150)
