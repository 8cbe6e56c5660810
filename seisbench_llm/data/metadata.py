"""What a network shall answer, from the metadata of a record."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pandas as pd

from ..tasks import get_task

POLARITY_COLUMNS = ("trace_polarity", "trace_p_polarity")


BACK_AZIMUTH_COLUMNS = ("path_back_azimuth_deg", "path_backazimuth_deg")


# Where data sets keep the answer to a task; the first that is there counts.
COLUMNS = {
    "polarity": POLARITY_COLUMNS,
    "magnitude": ("source_magnitude",),
    "distance": ("path_ep_distance_km", "source_distance_km"),
    "back_azimuth": BACK_AZIMUTH_COLUMNS,
}


_POLARITY = {
    **dict.fromkeys(("u", "up", "positive", "c"), "U"),
    **dict.fromkeys(("d", "down", "negative", "r"), "D"),
}


def polarity_letter(polarity) -> str | None:
    """
    ``U`` or ``D`` of a first motion, None if it is neither.

    :param polarity: U, up, positive or C (compression) against D, down, negative or R
        (rarefaction), in any case.
    """
    return _POLARITY.get(str(polarity).strip().lower())


@lru_cache(maxsize=1024)
def phase_of(column: str) -> str | None:
    """
    Wave type, ``P`` or ``S``, of a metadata column of onsets; None for any other column.

    Columns are those that SeisBench's labellers find, ``trace_<phase>_arrival_sample``. The wave
    type is that of the last leg: PmP, Pn, sP and p2 are P; SmS, Sg, pS and s are S.
    """
    match = re.fullmatch(r"trace_(.+)_arrival_sample", column)
    if match is None or match[1][0] not in "pPsS":
        return None
    if re.fullmatch(r"[ps][ngb]?\d*", match[1], re.IGNORECASE):
        return match[1][0].upper()
    legs = re.findall("[PS]", match[1])
    return legs[-1] if legs else None


def event_of(column: str) -> int:
    """Number of the event that a column of onsets belongs to: 2 for ``p2``, 1 without a number."""
    digits = re.search(r"(\d+)_arrival_sample$", column)
    return int(digits[1]) if digits else 1


def onsets_of(metadata: dict, phase: str | None = None) -> dict[str, float]:
    """
    Known onsets of a record.

    :param metadata: One record's metadata.
    :param phase: ``P`` or ``S``; both by default.
    :return: Column to sample, without those that are missing.
    """
    wanted = (phase,) if phase else ("P", "S")
    columns = (c for c in metadata if isinstance(c, str) and phase_of(c) in wanted)
    found = {c: sample_number(metadata[c]) for c in columns}
    return {column: onset for column, onset in found.items() if np.isfinite(onset)}


def sample_number(value) -> float:
    """A metadata value as a number, nan if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def is_true(value) -> bool:
    """Whether a metadata value is a yes, be it read as a number, a text or a truth value."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def usable(task: str, metadata: pd.DataFrame) -> pd.Series:
    """
    Which records can train a task. Onsets outside the record do not count.

    - picking: records with an onset of P or S, or an unsure one, and records that
      ``trace_category`` calls noise. Without that column all records: those without an onset count
      as noise. Records of which both phases are unlabelled never.
    - polarity: up or down, and an onset of P.
    - magnitude, distance: a number within the task's range, and an onset of P.
    - back_azimuth: a number, an onset of P, and Z, N and E where ``trace_components_available``
      says what there is.

    :param task: Name of the task.
    :param metadata: Of a data set in SeisBench's format.
    :return: Truth values on the index of the metadata.
    :raises ValueError: If a column is missing; the message tells which are looked for.
    """
    spec = get_task(task)
    columns = {phase: [c for c in metadata if phase_of(str(c)) == phase] for phase in "PS"}
    if spec.name == "picking":
        return _usable_picking(metadata, columns["P"] + columns["S"])
    column = _first_column(metadata.columns, COLUMNS[task])
    if not columns["P"]:
        raise ValueError(
            f"Task '{task}' needs onsets of P: no column trace_<phase>_arrival_sample such as "
            f"trace_p_arrival_sample or trace_Pg_arrival_sample."
        )
    picked = _any_inside(metadata, [c for c in columns["P"] if event_of(c) == 1])
    if task == "polarity":
        return picked & metadata[column].map(lambda p: polarity_letter(p) is not None)
    values = _numbers(metadata[column])
    found = picked & np.isfinite(values)
    if task == "back_azimuth":
        if "trace_components_available" in metadata:
            there = metadata["trace_components_available"]
            # Not knowing is not missing.
            found &= there.isna() | there.map(lambda names: set("ZNE") <= set(str(names)))
        return found
    return found & values.between(*spec.value_range)


def _usable_picking(metadata: pd.DataFrame, columns: list[str]) -> pd.Series:
    unsure = [c for c in metadata if re.fullmatch(r"trace_[ps]\w*_unsure_sample", str(c), re.I)]
    noise = pd.Series(True, metadata.index)
    if "trace_category" in metadata:
        noise = metadata["trace_category"].astype(str).str.contains("noise", case=False)
    elif not columns:
        raise ValueError(
            "Task 'picking' needs onsets or noise: no column trace_<phase>_arrival_sample such as "
            "trace_p_arrival_sample or trace_Sg_arrival_sample, and no trace_category."
        )
    found = noise | _any_inside(metadata, columns + unsure)
    flags = [f"trace_{phase}_unlabelled" for phase in "ps"]
    if set(flags) <= set(metadata.columns):
        found &= ~metadata[flags].map(is_true).all(axis=1)
    return found


def _any_inside(metadata: pd.DataFrame, columns: list[str]) -> pd.Series:
    found = pd.Series(False, metadata.index)
    length = _numbers(metadata["trace_npts"]) if "trace_npts" in metadata else np.inf
    for column in columns:
        onsets = _numbers(metadata[column])
        # Without a length (nan), any onset will do.
        found |= (onsets >= 0) & ~(onsets >= length)
    return found


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _first_column(there, wanted: tuple[str, ...], metadata: dict | None = None) -> str:
    for column in wanted:
        if column in there:
            return column
    trace = "" if metadata is None else f"{_name(metadata)}: "
    raise ValueError(f"{trace}There is no column {' or '.join(wanted)} in the metadata.")


def _name(metadata: dict) -> str:
    return f"Trace {metadata.get('trace_name', '(no trace_name)')}"
