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

# P, Pn, Pg, p; with the impulsive or emergent onset that analysts note in front of it (IP, ePn).
# Not the depth phases pP and sP.
_PHASES = {"P": re.compile(r"[IEQieq]?(P|p$)"), "S": re.compile(r"[IEQieq]?(S|s$)")}


@dataclass(frozen=True)
class Onset:
    """
    Onset of a wave.

    :param pick: The pick it comes from.
    :param trace_id: NET.STA.LOC with or without a channel or instrument code.
    :param time: Time of the onset.
    :param any_location: Whether the pick does not say which location it is of.
    """

    pick: Any
    trace_id: str
    time: obspy.UTCDateTime
    any_location: bool = False


def as_picks(picks: Any) -> list:
    """
    Picks as a list.

    :param picks: Picks of SeisBench or ObsPy, or one; an ObsPy Event or Catalog; what ``classify``
        returns; or a table with the columns ``trace_id``, ``phase`` and ``time``.
    :raises TypeError: If it is something else.
    :raises ValueError: If a table has other columns, or times that are numbers.
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
        f"picks={picks!r} is not possible: give picks of SeisBench or ObsPy, an Event, a Catalog, "
        f"what classify returns, or a table with trace_id, phase and time."
    )


def onsets_of(picks: Iterable, phase: str = "P") -> list[Onset]:
    """
    The onsets of a phase among picks; a pick without a phase counts as P.

    :param phase: ``P`` or ``S``.
    :raises ValueError: If a pick does not say which station it is of.
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
            raise TypeError(f"{pick!r} is no pick of SeisBench or ObsPy.")
        if _PHASES[phase].match(hint or "P"):
            onsets.append(Onset(pick, trace_id, time, any_location))
    return onsets


def _rows(table: pd.DataFrame) -> Iterable[Pick]:
    lacking = [name for name in ("trace_id", "time") if name not in table]
    if lacking:
        raise ValueError(
            f"The table of picks has no column {' and '.join(lacking)}, but "
            f"{', '.join(map(str, table.columns))}."
        )
    if pd.api.types.is_numeric_dtype(table["time"]):
        raise ValueError(
            "The times of the table of picks are numbers: convert them, for epoch seconds by "
            "pandas.to_datetime(table['time'], unit='s')."
        )
    for row in table.itertuples():
        stamp = row.time
        if not isinstance(stamp, obspy.UTCDateTime):
            stamp = obspy.UTCDateTime(ns=pd.Timestamp(stamp).as_unit("ns").value)
        yield Pick(
            trace_id=row.trace_id,
            start_time=stamp,
            end_time=stamp,
            peak_time=stamp,
            peak_value=getattr(row, "probability", None),
            phase=getattr(row, "phase", "P"),
        )
