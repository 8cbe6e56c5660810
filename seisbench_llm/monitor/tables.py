"""seisbench_llm/monitor/tables.py."""

from __future__ import annotations

import numpy as np
import obspy
import pandas as pd

EVENT_TYPES = {
    "event_id": "object",
    "time": "datetime64[ns, UTC]",
    "time_uncertainty": "float64",
    "latitude": "float64",
    "longitude": "float64",
    "depth_km": "float64",
    "depth_uncertainty_km": "float64",
    "uncertainty_km": "float64",
    "ellipse_major_km": "float64",
    "ellipse_minor_km": "float64",
    "ellipse_azimuth": "float64",
    "picks": "int64",
    "stations": "int64",
    "rms": "float64",
    "azimuthal_gap": "float64",
    "method": "object",
    "at_edge": "bool",
    "magnitude": "float64",
    "magnitude_spread": "float64",
    "magnitude_stations": "int64",
}


ARRIVAL_TYPES = {
    "event_id": "object",
    "pick": "int64",
    "distance_km": "float64",
    "azimuth": "float64",
    "residual": "float64",
}


def standard_error(spread: float, error: float | None) -> float:
    """
    Spread of an estimate and standard error of its model together; nan if neither is known.

    A calibrated spread is the whole error: the standard error is for weights without calibration.
    """
    known = [value for value in (spread, error) if value is not None and np.isfinite(value)]
    return float(np.hypot.reduce(known)) if known else np.nan


def timestamp(time: obspy.UTCDateTime | float) -> pd.Timestamp:
    """A time, or seconds since 1970, in UTC to the microsecond, which is what files hold."""
    ns = time.ns if isinstance(time, obspy.UTCDateTime) else round(time * 1e9)
    return pd.Timestamp(round(ns, -3), tz="UTC")


def pick_key(pick) -> str:
    """What tells a pick from all others."""
    return f"{pick.trace_id} {pick.phase} {pick.peak_time.ns}"


def typed(rows: list, types: dict[str, str]) -> pd.DataFrame:
    """Rows as a table with these columns and types; counts that are not known are zero."""
    frame = pd.DataFrame(rows, columns=list(types))
    for name, kind in types.items():
        if kind == "int64":
            frame[name] = pd.to_numeric(frame[name]).fillna(0)
        elif kind.startswith("datetime"):
            frame[name] = pd.to_datetime(frame[name], utc=True)
        elif kind == "object":
            values = [None if pd.isna(value) else value for value in frame[name]]
            frame[name] = pd.Series(values, dtype=object, index=frame.index)
    return frame.astype(types)


def empty(types: dict[str, str]) -> pd.DataFrame:
    """A table without rows, but with all columns."""
    return typed([], types)
