"""Input files and printed tables of several commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

# Of a table on a terminal.
FIRST_ROWS, LAST_ROWS = 20, 10


def input_files(paths: Sequence[Path], out: Path | None) -> list[Path]:
    """
    Waveform files by name, folder or pattern.

    :param out: Folder of the results. It may lie within the folder of the waveforms. Files in it
        are left out, unless they are named.
    :raises FileNotFoundError: If there are no waveform files.
    """
    from ..waveform_files import find_files

    files = find_files(paths)
    if out is None:
        return files
    named = {path.resolve() for path in paths if path.is_file()}
    results = out.resolve()
    kept = [f for f in files if f.resolve() in named or results not in f.resolve().parents]
    if not kept:
        raise FileNotFoundError(f"There are no waveform files outside {out}.")
    return kept


def echo_json_lines(table: pd.DataFrame) -> None:
    """Print one JSON object per row."""
    if len(table):
        typer.echo(
            table.to_json(orient="records", lines=True, date_format="iso", date_unit="us"), nl=False
        )


def echo_skipped(skipped: Iterable, failed: Mapping[Path, str] | None = None) -> None:
    """
    Print left-out data as JSON objects, after those of the results.

    They have the keys skipped (trace id or file), start, end, cause and used. The last one tells
    whether the data were used nevertheless.

    :param skipped: The :py:class:`seisbench_llm.streams.skipped.SkippedList` of a result.
    :param failed: File that could not be read -> reason.
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
    Print the columns of a table that are not empty.

    On a terminal, of a long table only the first and the last rows are printed.

    :param formats: Columns and the formats of their values. Unknown values are ``-``.
    """
    from pandas import notna

    shown = table[[name for name in formats if name in table]].dropna(axis="columns", how="all")
    left_out = len(shown) - FIRST_ROWS - LAST_ROWS
    if not sys.stdout.isatty() or left_out <= 1:
        left_out = 0
    if left_out:
        shown = type(shown)([*shown.iloc[:FIRST_ROWS].to_dict("records"),
                             *shown.iloc[-LAST_ROWS:].to_dict("records")])  # fmt: skip
    if len(shown):
        columns = {
            name: [formats[name](value) if notna(value) else "-" for value in shown[name]]
            for name in shown
        }
        lines = type(shown)(columns).to_string(index=False).split("\n")
        if left_out:
            note = f"... {left_out} more; --json, or a file, has all of them"
            lines.insert(1 + FIRST_ROWS, note)
        typer.echo("\n".join(lines))


def short_time(time: pd.Timestamp) -> str:
    """A time in the format of printed tables, to 0.01 s."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4]


def echo_written(out: Path, names: Sequence[str], most: int = 10) -> None:
    """Print the names of written files."""
    shown = sorted(set(names))
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    typer.echo(f"Written to {out}: {', '.join(shown[:most])}{more}")


def save_figure(figure, path: Path) -> None:
    """Write a figure atomically. Without a suffix, its format is PNG."""
    from ..atomic import replacing

    with replacing(path) as partial:
        figure.savefig(partial, dpi=150, format=path.suffix[1:] or "png")
