"""
Tables of picks, arrivals, events and estimates: names and types of their columns, times.

docs/reference/tables.md describes each column.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from obspy.core.event import Catalog, Pick

from ..trace_ids import TraceId, codes_of
from .gamma import gamma_events
from .names import event_ids, event_names, join_codes
from .times import TIME, parse_times, timestamp

PICK_TYPES = {
    "trace_id": "object",
    "phase": "object",
    "time": TIME,
    "probability": "float64",
    "start_time": TIME,
    "end_time": TIME,
    "polarity": "object",
    "instrument": "object",
    "time_uncertainty": "float64",
}

ARRIVAL_TYPES = {
    "event_id": "object",
    "pick": "int64",
    "distance_km": "float64",
    "azimuth": "float64",
    "residual": "float64",
    "weight": "float64",
}

# One row per pick whose amplitude was measured.
AMPLITUDE_TYPES = {
    "pick": "int64",
    "trace_id": "object",
    "phase": "object",
    "time": TIME,
    "amplitude_counts": "float64",
    "snr": "float64",
    "clipped": "bool",
    "displacement_m": "float64",
    "velocity_m_s": "float64",
    "wood_anderson_nm": "float64",
}

EVENT_TYPES = {
    "event_id": "object",
    "time": TIME,
    "time_uncertainty": "float64",
    "latitude": "float64",
    "longitude": "float64",
    "depth_km": "float64",
    "depth_uncertainty_km": "float64",
    "depth_low_km": "float64",
    "depth_high_km": "float64",
    "depth_resolved": "bool",
    "uncertainty_km": "float64",
    "ellipse_major_km": "float64",
    "ellipse_minor_km": "float64",
    "ellipse_azimuth": "float64",
    "picks": "int64",
    "stations": "int64",
    "rms": "float64",
    "azimuthal_gap": "float64",
    "nearest_station_km": "float64",
    "map_latitude": "float64",
    "map_longitude": "float64",
    "map_depth_km": "float64",
    "cov_ee": "float64",
    "cov_nn": "float64",
    "cov_zz": "float64",
    "cov_en": "float64",
    "cov_ez": "float64",
    "cov_nz": "float64",
    "method": "object",
    "at_edge": "bool",
    "quality": "object",
    "magnitude": "float64",
    "magnitude_spread": "float64",
    "magnitude_stations": "int64",
    "magnitude_source": "object",
    "ml": "float64",
    "ml_spread": "float64",
    "ml_stations": "int64",
    "model_magnitude": "float64",
    "model_magnitude_spread": "float64",
    "model_magnitude_stations": "int64",
}

# One row per P pick, with the estimates at this pick.
ESTIMATE_TYPES = {
    "trace_id": "object",
    "p_time": TIME,
    "p_probability": "float64",
    "s_time": TIME,
    "s_probability": "float64",
    "polarity": "object",
    "polarity_probability": "float64",
    "polarity_spread": "float64",
    "magnitude": "float64",
    "magnitude_spread": "float64",
    "distance_km": "float64",
    "distance_spread": "float64",
    "sp_distance_km": "float64",
    "distances_agree": "boolean",
    "back_azimuth": "float64",
    "back_azimuth_spread": "float64",
    "station_latitude": "float64",
    "station_longitude": "float64",
    "latitude": "float64",
    "longitude": "float64",
    "uncertainty_km": "float64",
    "uncertainty_region": "object",
    "event_id": "object",
}

COLUMNS = tuple(PICK_TYPES)

# Columns of SeisBench's, PyOcto's and GaMMA's tables -> our columns.
_PICK_NAMES = {
    "station": "trace_id",
    "id": "trace_id",
    "timestamp": "time",
    "type": "phase",
    "prob": "probability",
    "amp": "amplitude",
    "event_idx": "event_id",
    "event_index": "event_id",
}
EVENT_NAMES = {
    # The last is that of USGS, whose table has no event_idx.
    **dict.fromkeys(("idx", "event_index", "event_idx", "id"), "event_id"),
    "depth": "depth_km",
    "mag": "magnitude",
}

# Names of columns until version 0.1.
_OLD_NAMES = {"event": "event_id"}

# First motions: SeisBench's letters and QuakeML's words.
POLARITIES = {"U": "positive", "D": "negative", "N": "undecidable"}

# Comment of a pick with its probability, as quakeml.build_pick writes it.
_PROBABILITY = r"probability (\d+(?:\.\d+)?)$"


def picks_to_dataframe(picks: Iterable | Catalog | pd.DataFrame) -> pd.DataFrame:
    """
    Table with one row per pick and times in UTC to the microsecond.

    The table has its columns even if there are no picks, unlike SeisBench's
    ``PickList.to_dataframe``.

    :param picks: Picks of SeisBench, an ObsPy catalogue, or a table from this function, from
        ``PickList.to_dataframe``, from PyOcto or from GaMMA. Further columns are kept. The
        probability of an ObsPy pick is nan unless a comment has it. Start and end of such a pick
        are its time. Picks of a monitor or of located events have a column ``event_id``.
    :raises ValueError: If a table lacks a column, a time is invalid, or an uncertainty negative.
    """
    if isinstance(picks, pd.DataFrame):
        frame = _complete(rename_columns(join_codes(picks), _PICK_NAMES, "picks"))
    elif isinstance(picks, Catalog):
        frame = _frame_of_catalog(picks)
    else:
        frame = _frame_of_picks(list(picks))
    for column, kind in PICK_TYPES.items():
        if kind == TIME:
            frame[column] = parse_times(frame[column])
    for column in ("probability", "time_uncertainty"):
        frame[column] = frame[column].astype(float)
    for column in ("phase", "polarity", "instrument"):
        codes = frame[column].astype(object)
        frame[column] = codes.where(codes.notna() & (codes != ""), None)
    if "event_id" in frame:
        frame["event_id"] = event_ids(frame["event_id"])
    for name, column in (
        ("time", frame["time"]),
        ("trace id", frame["trace_id"].replace("", None)),
    ):
        if column.isna().any():
            raise ValueError(f"Pick {column.isna().idxmax()} has no {name}.")
    wrong = frame["time_uncertainty"] < 0
    if wrong.any():
        value = frame["time_uncertainty"][wrong.idxmax()]
        raise ValueError(f"Pick {wrong.idxmax()} has a negative time_uncertainty: {value:g} s.")
    for column in ("start_time", "end_time"):
        frame[column] = frame[column].fillna(frame["time"])
    return frame


def events_to_dataframe(events: pd.DataFrame) -> pd.DataFrame:
    """
    A table of events with our column names and times in UTC.

    :param events: Table of a monitor, of PyOcto or of GaMMA. Further columns are kept.
    :raises ValueError: If a column is missing, or if an event occurs twice.
    """
    frame = rename_columns(gamma_events(events), EVENT_NAMES, "events").reset_index(drop=True)
    needed = ("event_id", "time", "latitude", "longitude", "depth_km")
    missing = [column for column in needed if column not in frame]
    if missing:
        raise ValueError(f"The table of events has no column {', '.join(missing)}.")
    frame["event_id"] = event_ids(frame["event_id"])
    frame["time"] = parse_times(frame["time"])
    if frame["event_id"].isna().any():
        raise ValueError(f"Event {frame['event_id'].isna().idxmax()} has no event_id.")
    if not frame["event_id"].is_unique:
        raise ValueError("The column 'event_id' of the table of events contains a value twice.")
    for name, most in (("latitude", 90), ("longitude", 360)):
        wrong = frame[name].astype(float).abs() > most
        if wrong.any():
            event, value = frame.loc[wrong.idxmax(), ["event_id", name]]
            raise ValueError(f"Event {event} has an impossible {name}: {value}.")
    return frame


def rename_columns(frame: pd.DataFrame, names: Mapping[str, str], table: str) -> pd.DataFrame:
    """
    A copy of a table with our column names.

    :param names: Names of other programs -> our names. If both exist, ours is kept.
    :param table: Content of the table, for the warning about our former names.
    """
    old = [name for name in _OLD_NAMES if name in frame and _OLD_NAMES[name] not in frame]
    for name in old:
        warnings.warn(
            f"The column '{name}' of tables of {table} is now called '{_OLD_NAMES[name]}'.",
            DeprecationWarning,
            stacklevel=4,
        )
    changes = {name: _OLD_NAMES[name] for name in old}
    for name, ours in names.items():
        if name in frame and ours not in frame and ours not in changes.values():
            changes[name] = ours
    renamed = frame.rename(columns=changes).copy()
    if changes.get("type") == "phase":
        renamed["phase"] = renamed["phase"].str.upper()
    return renamed


def typed(rows: Sequence, types: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a table with these columns and types. Unknown counts are zero."""
    frame = pd.DataFrame(rows, columns=list(types))
    for name, kind in types.items():
        if kind == "int64":
            frame[name] = pd.to_numeric(frame[name]).fillna(0)
        elif kind == "bool":
            frame[name] = [
                value is not None and not pd.isna(value) and bool(value) for value in frame[name]
            ]
        elif kind == TIME:
            frame[name] = pd.to_datetime(frame[name], utc=True)
        elif kind == "object":
            values = [None if pd.isna(value) else value for value in frame[name]]
            frame[name] = pd.Series(values, dtype=object, index=frame.index)
    return frame.astype(dict(types))


def empty(types: Mapping[str, str]) -> pd.DataFrame:
    """An empty table with all columns."""
    return typed([], types)


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of picks, completed by optional columns."""
    missing = [column for column in COLUMNS[:3] if column not in frame]
    if missing:
        raise ValueError(
            f"The table of picks has no column {', '.join(missing)}. It needs "
            f"{', '.join(COLUMNS[:3])}, and may have {', '.join(COLUMNS[3:])}."
        )
    frame = frame.reset_index(drop=True)
    instruments = [_instrument_of(trace_id) for trace_id in frame["trace_id"]]
    unknown = dict.fromkeys(("probability", "time_uncertainty"), np.nan)
    defaults = {**unknown, "polarity": None, "instrument": instruments}
    for column in COLUMNS[3:]:
        if column not in frame:
            frame[column] = defaults[column] if column in defaults else frame["time"]
    return frame[[*COLUMNS, *(c for c in frame if c not in COLUMNS)]]


def _frame_of_picks(picks: list) -> pd.DataFrame:
    frame = pd.DataFrame([_row_of_pick(pick) for pick in picks], columns=list(COLUMNS))
    if any(hasattr(pick, "amplitude") for pick in picks):
        values = [getattr(pick, "amplitude", None) for pick in picks]
        frame["amplitude"] = pd.Series(values, dtype="float64", index=frame.index)
    if any(hasattr(pick, "event_id") for pick in picks):
        frame["event_id"] = [getattr(pick, "event_id", None) for pick in picks]
    return frame


def _row_of_pick(pick) -> tuple:
    time = pick.start_time if pick.peak_time is None else pick.peak_time
    start, end = (t if t is not None else time for t in (pick.start_time, pick.end_time))
    return (
        pick.trace_id,
        pick.phase,
        timestamp(time),
        pick.peak_value,
        timestamp(start),
        timestamp(end),
        pick.polarity,
        getattr(pick, "instrument", None) or _instrument_of(pick.trace_id),
        getattr(pick, "time_uncertainty", None),
    )


def _instrument_of(trace_id: str) -> str:
    """Band and instrument code of a trace id or any other text, empty if there is none."""
    return codes_of(trace_id).instrument


def _frame_of_catalog(catalog: Catalog) -> pd.DataFrame:
    rows, ids = [], []
    names = iter(event_names([event for event in catalog if event.origins]))
    for event in catalog:
        name = next(names) if event.origins else None
        arrivals = [arrival for origin in event.origins for arrival in origin.arrivals]
        phases = {str(arrival.pick_id): arrival.phase for arrival in arrivals}
        rows += [_row_of_obspy(pick, phases.get(str(pick.resource_id))) for pick in event.picks]
        ids += [name] * len(event.picks)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(event_id=ids) if any(ids) else frame


def _row_of_obspy(pick: Pick, of_arrival: str | None) -> tuple:
    letters = {long: short for short, long in POLARITIES.items()}
    time, codes = timestamp(pick.time), pick.waveform_id
    kinds = ("network_code", "station_code", "location_code", "channel_code")
    place = TraceId(*((getattr(codes, kind, None) or "").strip() for kind in kinds))
    matches = (re.match(_PROBABILITY, comment.text or "") for comment in pick.comments)
    probability = next((float(match[1]) for match in matches if match), None)
    return (
        # In the ids of our picks, one or two letters are the instrument code.
        place.pick_id if len(place.channel) <= 2 else str(place),
        pick.phase_hint or of_arrival,
        time,
        probability,
        time,
        time,
        letters.get(pick.polarity),
        place.instrument,
        getattr(pick.time_errors, "uncertainty", None),
    )
