"""The format of a file of picks or events, by its name or else by its content."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from .csv_formats import EQTRANSFORMER_COLUMNS, PHASENET_COLUMNS, separator
from .formats import FORMATS, suffix_format
from .growclust import is_event_line

# Any other catalogue that ObsPy reads, such as Nordic. It is only read.
OBSPY = "obspy"

# Names of columns of time, phase and trace id in the tables that the reader of csv knows.
_TABLES = (("time", "timestamp"), ("phase", "type"), ("trace_id", "station", "id"))

_HEAD = 65536
_OBSERVATION = re.compile(
    r"^(PUBLIC_ID\b|\S+ +\S+ +\S+ +\S+ +\S+ +\S+ +\d{8} +\d{3,4} +[-\d.]+ +(GAU|BOX|FIX|NONE)\b)"
)


def detect_format(path: Path, name: str | None = None) -> str:
    """
    Format of a file that exists.

    Endings that belong to one format only decide. Of files that end with ``.csv`` or ``.xml``, and
    of other names, the content decides.

    :param name: Name of the format, if it was passed.
    :return: A name of :py:data:`seisbench_llm.export.read.READERS`.
    :raises ValueError: If the format is unknown, or if the file may be of several. The message
        names the known formats.
    """
    known = [*FORMATS, OBSPY]
    if name is not None:
        if name in known:
            return name
        raise ValueError(f"Unknown format '{name}'. Formats: {', '.join(known)}.")
    by_name = suffix_format(path)
    if by_name not in (None, "csv", "quakeml"):
        return by_name
    with open(path, "rb") as content:
        head = content.read(_HEAD)
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if by_name == "quakeml" or text.startswith("<"):
        return "scml" if re.search(r"<(\w+:)?seiscomp[\s>]", text) else "quakeml"
    if by_name == "csv":
        return _csv_format(text) or "csv"
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"it is empty. {_name_it()}")
    if re.match(r"^# +\d{4} +\d", lines[0]):
        return "hypodd"
    if _OBSERVATION.match(next((x for x in lines if not x.startswith("#")), "")):
        return "nlloc"
    return "growclust" if is_event_line(lines[0]) else _csv_format(text) or OBSPY


def _csv_format(text: str) -> str | None:
    first = text.partition("\n")[0]
    header = set(next(csv.reader([first], delimiter=separator(first)), []))
    table = all(any(name in header for name in names) for names in _TABLES)
    # GaMMA's picks with events have the columns of PhaseNet, or those that it takes.
    if "gamma_score" in header and (table or set(PHASENET_COLUMNS) <= header):
        return "gamma"
    fits = {
        "phasenet": set(PHASENET_COLUMNS) <= header,
        "eqtransformer": set(EQTRANSFORMER_COLUMNS) <= header,
        "csv": table,
    }
    found = [name for name, fit in fits.items() if fit]
    if len(found) > 1:
        raise ValueError(
            f"its columns are those of several formats: {', '.join(found)}. {_name_it()}"
        )
    return found[0] if found else None


def _name_it() -> str:
    return f"Name its format: {', '.join([*FORMATS, OBSPY])}."
