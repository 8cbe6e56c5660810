"""Event lists of GrowClust: writing and reading."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy.core.event import Catalog, Event, Origin

from .names import event_names
from .origins import catalog_to_events, utc
from .tables import EVENT_TYPES, typed

# Fields of a line of an event list (evlist_fmt 1).
_FIELDS = 14


def numbers_of(events: Iterable[Event]) -> list[int]:
    """
    Numbers of events, for formats whose events have numbers of up to 9 digits.

    :return: The last parts of the resource identifiers if all are such numbers, else 1, 2, 3, ...
    """
    names = event_names(list(events))
    usable = all(name.isascii() and name.isdigit() and 0 < len(name) <= 9 for name in names)
    if usable and len({int(name) for name in names}) == len(names):
        return [int(name) for name in names]
    return list(range(1, len(names) + 1))


def write_growclust(catalog: Catalog, path: Path) -> None:
    """
    Write the events of a catalogue as an event list of GrowClust (``evlist_fmt`` 1).

    GrowClust has no file of picks: it reads differential times, which need waveforms.

    :raises ValueError: If no event has an origin with time, epicentre and depth.
    """
    located = [event for event in catalog if _is_complete(event)]
    if not located:
        raise ValueError("GrowClust needs located events with depths, and there are none.")
    if left_out := sum(bool(event.origins) for event in catalog) - len(located):
        seisbench.logger.warning(
            f"{left_out} events without a depth, a time or an epicentre are not in {path.name}."
        )
    table = catalog_to_events(Catalog(located))
    lines = [
        _line(row, number)
        for row, number in zip(table.to_dict("records"), numbers_of(located), strict=True)
    ]
    path.write_text("".join(lines))


def _is_complete(event: Event) -> bool:
    origin = event.preferred_origin() or next(iter(event.origins), Origin())
    return None not in (origin.time, origin.latitude, origin.longitude, origin.depth)


def _line(row: dict, number: int) -> str:
    time = utc(row["time"])
    known = {name: 0.0 if pd.isna(row[name]) else row[name] for name in _NUMBERS}
    return (
        f"{time.year:4d} {time.month:2d} {time.day:2d} {time.hour:2d} {time.minute:2d} "
        f"{time.second:2d}.{time.microsecond:06d} {row['latitude']:10.6f} "
        f"{row['longitude']:11.6f} {row['depth_km']:8.4f} {known['magnitude']:5.2f} "
        f"{known['uncertainty_km']:8.4f} {known['depth_uncertainty_km']:8.4f} "
        f"{known['rms']:8.4f} {number:9d}\n"
    )


_NUMBERS = ("magnitude", "uncertainty_km", "depth_uncertainty_km", "rms")


def read_growclust(path: Path) -> pd.DataFrame:
    """
    Read an event list of GrowClust (``evlist_fmt`` 1). Errors of zero are unknown.

    :return: Columns of docs/reference/tables.md.
    :raises ValueError: If a line is none of such a list.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if not is_event_line(line):
            raise ValueError(f"line {number} is not an event of GrowClust's event list")
        year, month, day, hour, minute = map(int, words[:5])
        start = obspy.UTCDateTime(year, month, day, hour, minute) + float(words[5])
        horizontal, vertical, rms = (float(word) or np.nan for word in words[10:13])
        rows.append(
            {
                "event_id": words[13],
                "time": pd.Timestamp(start.datetime, tz="UTC"),
                "latitude": float(words[6]),
                "longitude": float(words[7]),
                "depth_km": float(words[8]),
                "depth_resolved": True,
                "magnitude": float(words[9]),
                "uncertainty_km": horizontal,
                "depth_uncertainty_km": vertical,
                "rms": rms,
            }
        )
    return typed(rows, EVENT_TYPES)


def is_event_line(line: str) -> bool:
    """Whether a line is one of an event list: 14 numbers that begin with a time."""
    words = line.split()
    if len(words) != _FIELDS:
        return False
    try:
        numbers = [float(word) for word in words]
        obspy.UTCDateTime(*map(int, words[:5]))
    except ValueError:
        return False
    return bool(np.isfinite(numbers).all()) and abs(numbers[6]) <= 90
