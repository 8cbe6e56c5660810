"""Standard errors and names of picks, for the tables of a monitor."""

from __future__ import annotations

import numpy as np


def standard_error(spread: float, error: float | None) -> float:
    """
    Spread of an estimate and standard error of its model together; nan if neither is known.

    A calibrated spread is the whole error: the standard error is for weights without calibration.
    """
    known = [value for value in (spread, error) if value is not None and np.isfinite(value)]
    return float(np.hypot.reduce(known)) if known else np.nan


def pick_key(pick) -> str:
    """What tells a pick from all others."""
    return f"{pick.trace_id} {pick.phase} {pick.peak_time.ns}"
