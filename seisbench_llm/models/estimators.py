"""Models of polarity, magnitude, distance and back-azimuth at the picks of a picker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import obspy

from ..streams import PICKING_ARGS, Estimate
from ..tasks import PUBLISHED_TASKS

ESTIMATED = tuple(name for name in PUBLISHED_TASKS if name != "picking")

# Task -> column of its estimate. The polarity comes from the pick.
_COLUMN = {
    "polarity": None,
    "magnitude": "magnitude",
    "distance": "distance_km",
    "back_azimuth": "back_azimuth",
}

# Arguments for the picker only. The other models would check them against their own window.
_PICKER_ONLY = {*PICKING_ARGS, "stacking", "P_threshold", "S_threshold", "detection_threshold"}

# (task, trace id, time in ns) -> estimate
Estimates = dict[tuple[str, str, int], Estimate]


def shared_arguments(arguments: Mapping) -> dict:
    """
    Arguments of a picker that hold for the other models, too, such as ``batch_size``.

    The S of a textbook distance are those of the picker. A second picker would see the data from
    other times on, and might find another S.
    """
    shared = {name: value for name, value in arguments.items() if name not in _PICKER_ONLY}
    return {"s_picker": None, **shared}


def estimate_at(
    models: Mapping, stream: obspy.Stream, picks: Sequence, arguments: Mapping
) -> Estimates:
    """
    Estimates of all models at each P. Polarities are also set in the picks.

    :param models: Task -> model. A picker among them is ignored.
    :param stream: Waveforms; not changed.
    :param picks: P and S picks of the picker.
    :param arguments: Arguments of ``classify`` that the picker was given.
    """
    shared, estimates = shared_arguments(arguments), {}
    if not any(pick.phase == "P" for pick in picks):
        return {}
    for task in ESTIMATED:
        if task in models:
            for one in models[task].classify(stream, picks=picks, **shared).estimates:
                estimates[task, one.trace_id, one.time.ns] = one
    return estimates


def estimate_columns(pick, estimates: Estimates, tasks=ESTIMATED) -> dict:
    """
    The entries of a pick in a table: each task's estimate and spread, nan where there is none.

    :param pick: Pick of SeisBench.
    :param tasks: Tasks that have columns.
    """
    row = {}
    for task in tasks:
        estimate, column = None, _COLUMN[task]
        # An S may be at the same sample as a P.
        if pick.phase == "P":
            estimate = estimates.get((task, pick.trace_id, pick.peak_time.ns))
        row[f"{task}_spread"] = np.nan if estimate is None else estimate.spread
        if column is not None:
            row[column] = np.nan if estimate is None else estimate.value
        else:
            row["polarity"] = None if estimate is None else pick.polarity
            row["polarity_probability"] = np.nan if estimate is None else pick.polarity_value
    return row
