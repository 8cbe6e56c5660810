"""Onsets of P and S from picks of SeisBench, ObsPy or a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import obspy
import pandas as pd
from obspy.core.event import Catalog, Event
from seisbench.util import ClassifyOutput, Pick, PickList

# P, Pn, Pg and p, also with the letter for an impulsive or emergent onset (IP, ePn). The depth
# phases pP and sP do not match.
_PHASES = {"P": re.compile(r"[IEQieq]?(P|p$)"), "S": re.compile(r"[IEQieq]?(S|s$)")}


@dataclass(frozen=True)
class Onset:
    """
    Onset of a phase.

    :param pick: The pick of the onset.
    :param trace_id: NET.STA.LOC with or without a channel or instrument code.
    :param time: Time of the onset.
    :param any_location: Whether the pick does not name a location.
    """

    pick: Any
    trace_id: str
    time: obspy.UTCDateTime
    any_location: bool = False


def as_picks(picks: Any) -> list:
    """
    Picks as a list.

    :param picks: One or more picks of SeisBench or ObsPy, an ObsPy Event or Catalog, a result of
        ``classify``, or a table with the columns ``trace_id``, ``phase`` and ``time``.
    :raises TypeError: If ``picks`` is of another type.
    :raises ValueError: If a table lacks a column, or if a row has no time or no trace_id.
    """
    if isinstance(picks, pd.DataFrame):
        return PickList(_rows(picks))
    if isinstance(picks, Catalog):
        return [pick for event in picks for pick in event.picks]
    if isinstance(picks, Event | ClassifyOutput):
        return picks.picks
    if hasattr(picks, "waveform_id"):
        return [picks]
    if hasattr(picks, "trace_id"):
        return PickList([picks])
    if isinstance(picks, Iterable) and not isinstance(picks, str | bytes | dict):
        return picks if isinstance(picks, list) else list(picks)
    raise TypeError(
        f"picks={picks!r} is not possible: pass picks of SeisBench or ObsPy, an Event, a Catalog, "
        f"a result of classify, or a table with trace_id, phase and time."
    )


def onsets_of(picks: Iterable, phase: str = "P") -> list[Onset]:
    """
    The onsets of a phase among picks. A pick without a phase counts as P.

    :param phase: ``P`` or ``S``.
    :raises ValueError: If a pick does not name a station.
    """
    onsets = []
    for pick in picks:
        if hasattr(pick, "waveform_id"):  # ObsPy
            place, time, hint = pick.waveform_id, pick.time, pick.phase_hint
            if place is None or not place.station_code:
                raise ValueError(f"The pick at {time} has no waveform_id with a station code.")
            trace_id = place.get_seed_string()
            any_location = place.location_code is None
        elif hasattr(pick, "trace_id"):
            trace_id, any_location = pick.trace_id, False
            time, hint = pick.peak_time or pick.start_time, pick.phase
        else:
            raise TypeError(f"{pick!r} is not a pick of SeisBench or ObsPy.")
        if _PHASES[phase].match(hint or "P"):
            onsets.append(Onset(pick, trace_id, time, any_location))
    return onsets


def _rows(table: pd.DataFrame) -> Iterable[Pick]:
    lacking = [name for name in ("trace_id", "time") if name not in table]
    if lacking:
        raise ValueError(
            f"The table of picks has no column {' and '.join(lacking)}. It has "
            f"{', '.join(map(str, table.columns))}."
        )
    if pd.api.types.is_numeric_dtype(table["time"]):
        raise ValueError(
            "The times of the table of picks are numbers. Convert epoch seconds by "
            "pandas.to_datetime(table['time'], unit='s')."
        )
    for row in table.itertuples():
        stamp, phase = _time_of(row), getattr(row, "phase", None)
        if not isinstance(row.trace_id, str):
            raise ValueError(f"Row {row.Index} of the table of picks has no trace_id.")
        yield Pick(
            trace_id=row.trace_id,
            start_time=stamp,
            end_time=stamp,
            peak_time=stamp,
            peak_value=getattr(row, "probability", None),
            phase=None if pd.isna(phase) else str(phase),
        )


def _time_of(row) -> obspy.UTCDateTime:
    if isinstance(row.time, obspy.UTCDateTime):
        return row.time
    try:
        stamp = pd.to_datetime(row.time, utc=True)
    except (TypeError, ValueError):
        stamp = pd.NaT
    if not isinstance(stamp, pd.Timestamp):
        raise ValueError(
            f"Row {row.Index} of the table of picks has {row.time!r} where a time should be."
        )
    return obspy.UTCDateTime(stamp.as_unit("us").to_pydatetime())
