"""Magnitudes of events, from the estimates and amplitudes among the columns of their picks."""

from __future__ import annotations

from collections.abc import Mapping

import obspy
import pandas as pd
from seisbench.util import Pick, PickList

from ..export.at_picks import ESTIMATES, amplitudes_of, estimates_of
from ..monitor import MonitorResult
from ..monitor.amplitudes import with_ml
from ..monitor.tables import with_magnitudes
from ..stations import Stations


def result_of(
    events: pd.DataFrame,
    arrivals: pd.DataFrame,
    picks: pd.DataFrame,
    methods: Mapping[str, str],
    medium: str,
    scale: str = "iaspei",
    corrections: Mapping[str, float] | None = None,
    stations: Stations | None = None,
) -> MonitorResult:
    """
    Events with their magnitudes, as the result of a monitor.

    :param events: Events without magnitudes.
    :param arrivals: Picks of each event, as rows among all picks.
    :param picks: Picks of the events, indexed by these rows, with columns of estimates and
        amplitudes if there are any.
    :param methods: Task -> name and version of its weight. Those of other tasks are unknown.
    :param medium: Name of the medium of the locations.
    :param scale: Scale of ML, see :py:func:`seisbench_llm.amplitudes.local_magnitude`.
    :param corrections: NET.STA -> station correction, which is added to ML.
    :param stations: Stations, for sensors in boreholes.
    """
    places = {row: place for place, row in enumerate(picks.index)}
    own = arrivals.assign(pick=arrivals["pick"].map(places))
    members = dict(zip(arrivals["pick"], arrivals["event_id"], strict=True))
    table = estimates_of(picks.assign(event_id=[members.get(row) for row in picks.index]))
    amplitudes = amplitudes_of(picks)
    known = [task for task, columns in ESTIMATES.items() if columns[0] in picks]
    events = with_magnitudes(events, table.to_dict("records"))
    events, station_ml = with_ml(events, amplitudes, own, scale, corrections, stations)
    return MonitorResult(
        PickList([_pick(row) for row in picks.itertuples()]),
        table,
        events,
        own,
        {task: methods.get(task, "unknown") for task in ("picking", *known)},
        earth_model=medium,
        amplitudes=amplitudes,
        station_magnitudes=station_ml,
        magnitude_scale=scale,
    )


def _pick(row) -> Pick:
    time = obspy.UTCDateTime(ns=row.time.value)
    pick = Pick(row.trace_id, time, time, time, peak_value=row.probability, phase=row.phase)
    pick.polarity, pick.instrument = row.polarity, row.instrument
    pick.time_uncertainty = row.time_uncertainty
    return pick
