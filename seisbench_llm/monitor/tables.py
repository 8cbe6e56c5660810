"""Standard errors, magnitudes of events and names of picks, for the tables of a monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def standard_error(spread: float, error: float | None) -> float:
    """
    Spread of an estimate and standard error of its model in quadrature, nan if both are unknown.

    A calibrated spread is the whole error. The standard error is for weights without calibration.
    """
    known = [value for value in (spread, error) if value is not None and np.isfinite(value)]
    return float(np.hypot.reduce(known)) if known else np.nan


def pick_key(pick) -> str:
    """Text that identifies a pick. Its time counts to the microsecond, as in files."""
    return key_of(pick.trace_id, pick.phase, round(pick.peak_time.ns, -3))


def key_of(trace_id: str, phase: str, ns: int) -> str:
    """
    Text that identifies a pick.

    :param ns: Time in nanoseconds since 1970, a multiple of 1000.
    """
    return f"{trace_id} {phase} {ns}"


def with_magnitudes(events: pd.DataFrame, rows: Sequence[Mapping]) -> pd.DataFrame:
    """
    Events with the median of the stations' magnitudes.

    The spread is the standard deviation of the stations. For a single station it is the spread of
    its estimate.

    :param rows: Rows of the table of estimates, with ``event_id``.
    """
    known = [row for row in rows if np.isfinite(row.get("magnitude", np.nan))]
    columns = ["event_id", "magnitude", "magnitude_spread"]
    groups = pd.DataFrame(known, columns=columns).groupby("event_id")
    spread = groups["magnitude"].std().fillna(groups["magnitude_spread"].first())
    ids = events["event_id"]
    return events.assign(
        magnitude=ids.map(groups["magnitude"].median()).astype(float),
        magnitude_spread=ids.map(spread).astype(float),
        magnitude_stations=ids.map(groups["magnitude"].count()).fillna(0).astype("int64"),
    )


def join(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Rows of both tables."""
    # Concatenating an empty table would make all columns of unknown type.
    return (
        pd.concat([first, second], ignore_index=True)
        if len(first) and len(second)
        else (first if len(first) else second)
    )
