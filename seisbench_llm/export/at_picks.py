"""
Further columns of picks: estimates and amplitudes, each where there is one.

The tables of a monitor have them apart. A table of picks of years has them beside the picks.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .tables import AMPLITUDE_TYPES, ESTIMATE_TYPES, typed

# Task -> columns of its estimates, besides the polarity, which every table of picks has.
ESTIMATES = {
    "polarity": ("polarity_probability", "polarity_spread"),
    "magnitude": ("magnitude", "magnitude_spread"),
    "distance": ("distance_km", "distance_spread"),
    "back_azimuth": ("back_azimuth", "back_azimuth_spread"),
}

# Amplitudes in counts, and those of stations with responses. The last one is that of GaMMA.
COUNTS = ("amplitude_trace_id", "amplitude_counts", "snr", "clipped")
PHYSICAL = ("displacement_m", "velocity_m_s", "wood_anderson_nm", "amplitude")

_TYPES = {"amplitude_trace_id": "object", "clipped": "bool"}

# The columns with numbers, for readers of text.
NUMBERS = (
    *(name for names in ESTIMATES.values() for name in names),
    *(name for name in (*COUNTS, *PHYSICAL) if name not in _TYPES),
)


def further_types(tasks: Iterable[str], amplitudes: bool, physical: bool) -> dict[str, str]:
    """
    Further columns of picks and their types.

    :param tasks: Tasks whose estimates there are.
    :param amplitudes: Whether there are amplitudes.
    :param physical: Whether they are also in units of ground motion.
    """
    names = [name for task in ESTIMATES if task in tasks for name in ESTIMATES[task]]
    names += [*COUNTS, *(PHYSICAL if physical else ())] if amplitudes else []
    return {name: _TYPES.get(name, "float64") for name in names}


def amplitude_columns(amplitudes: pd.DataFrame, count: int, physical: bool) -> pd.DataFrame:
    """
    Amplitudes as columns of picks.

    :param amplitudes: Table of :py:func:`seisbench_llm.amplitudes.measure`.
    :param count: Number of picks.
    :param physical: Whether stations are known, so that there are columns of ground motion.
    """
    types = further_types((), True, physical)
    table = amplitudes.set_index("pick").rename(columns={"trace_id": "amplitude_trace_id"})
    table = table.reindex(range(count))
    clipped = table["clipped"].eq(True)
    # The amplitude of a clipped record is a lower limit only.
    table = table.assign(clipped=clipped, amplitude=table["velocity_m_s"].mask(clipped))
    return typed(table[list(types)], types)


def estimates_of(picks: pd.DataFrame) -> pd.DataFrame:
    """The estimates among the columns of a table of picks, with one row per P."""
    rows = picks[picks["phase"] == "P"].rename(
        columns={"time": "p_time", "probability": "p_probability"}
    )
    return typed(rows.reindex(columns=list(ESTIMATE_TYPES)), ESTIMATE_TYPES)


def amplitudes_of(picks: pd.DataFrame) -> pd.DataFrame:
    """The amplitudes among the columns of a table of picks. ``pick`` counts its rows from 0."""
    if "amplitude_counts" not in picks:
        return typed([], AMPLITUDE_TYPES)
    table = picks.assign(
        pick=np.arange(len(picks)), trace_id=picks["amplitude_trace_id"], clipped=_yes(picks)
    )
    known = pd.to_numeric(table["amplitude_counts"]).notna()
    return typed(table[known].reindex(columns=list(AMPLITUDE_TYPES)), AMPLITUDE_TYPES)


def _yes(picks: pd.DataFrame) -> pd.Series:
    # Text, where a table comes from CSV.
    return picks["clipped"].astype(str).str.lower().eq("true")
