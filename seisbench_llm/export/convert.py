"""Conversion of a file of picks or events to another format, and what gets lost by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from obspy.core.event import Catalog
from seisbench.util import Pick, PickList

from ..atomic import replacing
from ..obspy_files import read_catalog
from .csv_formats import separator_of
from .detect import OBSPY, detect_format
from .files import write_csv, write_parquet
from .formats import FORMATS, format_of, require
from .gamma import is_assignments, read_assignments, with_assignments
from .kept import EVENTS_KEPT, lost_fields
from .origins import utc
from .quakeml import PICK_UNCERTAINTY, picks_to_catalog, unassociated_event
from .read import read_events, read_picks
from .scml import read_scml
from .tables import EVENT_TYPES, picks_to_dataframe
from .write import export

# Formats that hold everything that ObsPy's catalogues do, or nearly so.
_CATALOGUES = ("quakeml", "scml", OBSPY)


@dataclass(frozen=True)
class Conversion:
    """
    A conversion that was done.

    :param path: The file that was written.
    :param source: Format of the file that was read.
    :param target: Format of the file that was written.
    :param picks: Number of picks that were read.
    :param events: Number of events that were read.
    :param lost: Fields of picks that had values and that the new format does not keep.
    :param events_lost: Whether there were events, and the new format keeps none.
    """

    path: Path
    source: str
    target: str
    picks: int
    events: int
    lost: list[str] = field(default_factory=list)
    events_lost: bool = False


def convert_picks(
    source: str | Path,
    target: str | Path,
    source_format: str | None = None,
    target_format: str | None = None,
    *,
    events: str | Path | None = None,
    assignments: str | Path | None = None,
    events_out: str | Path | None = None,
    method: str = "unknown",
    uncertainty: float = PICK_UNCERTAINTY,
) -> Conversion:
    """
    Convert a file of picks, with its events, to another format.

    Between QuakeML, SCML and other catalogues, everything that ObsPy reads is kept. Otherwise the
    columns of docs/reference/tables.md are, see docs/how-to/formats.md for each format.

    :param source: File of picks, of events, or of both.
    :param target: File to write.
    :param source_format: Format of ``source``. By default its name and content tell it.
    :param target_format: Format of ``target``. By default its suffix tells it.
    :param events: File of the events of the picks, for formats that have none, such as CSV.
    :param assignments: File that tells the event of each pick by its row: GaMMA's assignments, see
        :py:func:`~seisbench_llm.export.with_assignments`.
    :param events_out: File for the events, by its suffix one of csv, parquet, or a format that
        holds events.
    :param method: Name and version of the weight, for QuakeML and SCML.
    :param uncertainty: See :py:func:`~seisbench_llm.export.export`.
    :raises ValueError: If a file cannot be read, its format is not clear, or the new format cannot
        hold the picks. The message has the file's name.
    :raises FileNotFoundError: If a file does not exist.
    """
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file {source}.")
    wanted = format_of(target, target_format)
    try:
        found = detect_format(source, source_format)
    except ValueError as error:
        raise ValueError(f"{source} cannot be read as a file of picks: {error}") from error
    require(wanted)
    if found == "csv" and _is_event_table(source):
        raise ValueError(
            f"{source} is a table of events. Pass it as --events (events=) beside the picks."
        )
    if found == "csv" and is_assignments(pd.read_csv(source, sep=separator_of(source), nrows=0)):
        raise ValueError(
            f"{source} is a table of assignments. Pass it as --assignments (assignments=) beside "
            f"the picks."
        )
    if events_out is not None and Path(events_out).resolve() == target.resolve():
        raise ValueError(f"{target} cannot hold both the picks and the events: name another file.")
    picks = read_picks(source, found)
    if assignments is not None:
        picks = with_assignments(picks, read_assignments(assignments))
    table = _events(source, found) if events is None else read_events(events)
    if events_out is not None:
        write_events(table, events_out)
    holds = wanted in EVENTS_KEPT
    done = Conversion(
        path=target,
        source=found,
        target=wanted,
        picks=len(picks),
        events=len(table),
        lost=lost_fields(picks, wanted),
        events_lost=bool(len(table)) and not holds and events_out is None,
    )
    options = {"method": method, "uncertainty": uncertainty}
    if not FORMATS[wanted].catalog:
        export(picks, target, wanted)
    elif found in _CATALOGUES and events is None and assignments is None:
        reader = read_scml if found == "scml" else read_catalog
        export(reader(source), target, wanted, **options)
    elif len(table) and wanted in _CATALOGUES:
        export(_whole_catalog(picks, table, method, uncertainty), target, wanted, **options)
    else:
        # NonLinLoc locates picks, with or without events.
        if "event_id" not in picks and wanted == "nlloc" and len(picks):
            table = table[:0]
        elif "event_id" not in picks:
            picks = picks.assign(event_id=None)
        export(picks, target, wanted, events=table if len(table) else None, **options)
    return done


def write_events(table: pd.DataFrame, path: str | Path) -> Path:
    """
    Write a table of events.

    :param table: See docs/reference/tables.md.
    :param path: The file. Its suffix says the format: csv, parquet, or one that holds events.
    :raises ValueError: If the format holds no events.
    """
    path = Path(path)
    name = format_of(path)
    if name in ("csv", "parquet"):
        with replacing(path) as partial:
            (write_csv if name == "csv" else write_parquet)(table, partial)
        return path
    if name not in EVENTS_KEPT:
        known = ", ".join(["csv", "parquet", *EVENTS_KEPT])
        raise ValueError(f"{path}: the format {name} holds no events. Formats of events: {known}.")
    catalog = picks_to_catalog(picks_to_dataframe([]).assign(event_id=None), "unknown", table)
    return export(catalog, path, name)


def dataframe_to_picks(frame: pd.DataFrame) -> PickList:
    """
    A table of picks as SeisBench's list of picks.

    :param frame: Table of :py:func:`~seisbench_llm.export.picks_to_dataframe`, or one that it
        takes. Columns that SeisBench's picks do not have, such as ``instrument``,
        ``time_uncertainty`` and ``event_id``, become attributes of the picks.
    """
    picks = PickList()
    frame = picks_to_dataframe(frame)
    times = ("start_time", "end_time", "time")
    plain = ("trace_id", "phase", "polarity", "probability", *times)
    for row in frame.to_dict("records"):
        start, end, time = (utc(row[name]) for name in times)
        value = None if pd.isna(row["probability"]) else row["probability"]
        pick = Pick(
            row["trace_id"], start, end, time, value, row["phase"], polarity=row["polarity"]
        )
        for name, entry in row.items():
            if name not in plain:
                setattr(pick, str(name), None if pd.isna(entry) else entry)
        picks.append(pick)
    return picks


def _events(source: Path, found: str) -> pd.DataFrame:
    """Events in a file of picks. Tables have theirs in another file."""
    if found in ("quakeml", "scml", "hypodd", "growclust", OBSPY):
        return read_events(source, found)
    return pd.DataFrame(columns=list(EVENT_TYPES))


def _is_event_table(path: Path) -> bool:
    try:
        names = set(pd.read_csv(path, sep=separator_of(path), nrows=0))
    except ValueError:
        return False
    return {"latitude", "longitude", "time"} <= names and not names & {"phase", "type"}


def _whole_catalog(picks: pd.DataFrame, table: pd.DataFrame, method: str, error: float) -> Catalog:
    """Events with their picks, and the other picks in an event without an origin."""
    if "event_id" not in picks:
        picks = picks.assign(event_id=None)
    catalog = picks_to_catalog(picks, method, table, error)
    alone = picks[picks["event_id"].isna()]
    if len(alone):
        others = picks_to_catalog(alone, method, uncertainty=error)[0].picks
        catalog.append(unassociated_event(others))
    return catalog
