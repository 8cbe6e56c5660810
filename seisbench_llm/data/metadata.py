"""Columns of SeisBench metadata: which hold what, and which records a task can use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from ..tasks import PUBLISHED_TASKS, TASKS, get_task, polarity_class

SOURCE_COORDINATES = ("source_latitude_deg", "source_longitude_deg")
STATION_COORDINATES = ("station_latitude_deg", "station_longitude_deg")

# Names of a quantity in SeisBench's data sets, which do not agree on one. The first is SeisBench's
# own and what this package writes; of those that a data set has, the first counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    **{name: TASKS[name].columns for name in PUBLISHED_TASKS if TASKS[name].columns},
    "hypocentral_distance": ("path_hyp_distance_km",),
    "snr": ("trace_snr_db", "trace_p_snr_db", "trace_Z_snr_db"),
}


def polarity_letter(polarity) -> str | None:
    """
    ``U`` or ``D`` of a first motion, None if it is neither.

    :param polarity: See :py:func:`seisbench_llm.tasks.polarity_class`.
    """
    number = polarity_class(polarity)
    return None if number is None else "UD"[number]


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


def unsure_phase_of(column: str) -> str | None:
    """Wave type of a column of arrivals that may or may not be there; None for any other column."""
    match = re.fullmatch(r"trace_([ps])\w*_unsure_sample", column, re.IGNORECASE)
    return match[1].upper() if match else None


def probability_column(column: str) -> str:
    """
    Where the probability of an onset is, if it was told by a picker.

    >>> probability_column("trace_p2_arrival_sample")
    'trace_p2_probability'
    """
    return column.replace("_arrival_sample", "_probability")


def is_noise(metadata: dict) -> bool:
    """Whether a record is known to be without any onset."""
    return "noise" in str(metadata.get("trace_category", "")).lower()


def is_complete(metadata: dict) -> bool:
    """Whether a record says that all onsets in it are labelled, those of other events too."""
    return is_true(metadata.get("trace_completely_labelled"))


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
    return samples_in(metadata, lambda column: phase_of(column) in wanted)


def samples_in(metadata: dict, wanted: Callable[[str], bool]) -> dict[str, float]:
    """
    Known positions in a record.

    :param metadata: One record's metadata.
    :param wanted: Whether a column is of interest.
    :return: Column to sample, without those that are missing.
    """
    columns = (column for column in metadata if isinstance(column, str) and wanted(column))
    samples = {column: sample_number(metadata[column]) for column in columns}
    return {column: sample for column, sample in samples.items() if np.isfinite(sample)}


def sample_number(value) -> float:
    """A metadata value as a number, nan if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def is_true(value) -> bool:
    """Whether a metadata value is a yes, be it read as a number, a text or a truth value."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def truth_column(task: str, columns: Iterable[str]) -> str:
    """
    Column that holds the answer to a task.

    :param task: Name of the task.
    :param columns: Columns of the data set.
    :raises ValueError: If there is none, with those that are looked for.
    """
    names = get_task(task).columns
    column = first_column(columns, *names)
    if column is None:
        raise ValueError(f"There is no column {' or '.join(names)} in the metadata.")
    return column


def truth_value(task: str, entry) -> float:
    """Number, or index of the class, that a metadata entry gives; nan if it gives none."""
    spec = get_task(task)
    if spec.head != "class":
        return sample_number(entry)
    number = spec.class_index(entry)
    return np.nan if number is None else float(number)


def first_column(columns: Iterable[str], *names: str) -> str | None:
    """The first of some names that is among the columns of a data set, None if there is none."""
    return next((name for name in names if name in columns), None)


def usable(task: str, metadata: pd.DataFrame) -> pd.Series:
    """
    Which records can train a task. Onsets outside the record do not count.

    - picking: records with an onset of P or S, or an unsure one, and records that
      ``trace_category`` calls noise. Without that column all records: those without an onset count
      as noise. Records of which both phases are unlabelled never.
    - classes, such as polarity: one of them, and an onset of P.
    - numbers, such as magnitude and distance: one within the task's range, and an onset of P.
    - back_azimuth: a number, an onset of P, and Z, N and E where ``trace_components_available``
      says what there is.

    :param task: Name of the task.
    :param metadata: Of a data set in SeisBench's format.
    :return: Truth values on the index of the metadata.
    :raises ValueError: If a column is missing; the message tells which are looked for.
    """
    spec = get_task(task)
    columns = {phase: [c for c in metadata if phase_of(str(c)) == phase] for phase in "PS"}
    if spec.head == "curves":
        return _usable_picking(metadata, columns["P"] + columns["S"])
    column = truth_column(task, metadata.columns)
    if not columns["P"]:
        raise ValueError(
            f"Task '{task}' needs onsets of P: no column trace_<phase>_arrival_sample such as "
            f"trace_p_arrival_sample or trace_Pg_arrival_sample."
        )
    picked = _any_inside(metadata, [c for c in columns["P"] if event_of(c) == 1])
    values = metadata[column].map(partial(truth_value, task)).astype(float)
    fits = picked & np.isfinite(values)
    if spec.head == "scalar":
        fits &= values.between(*spec.value_range)
    if spec.components == 3 and "trace_components_available" in metadata:
        there = metadata["trace_components_available"]
        # Not knowing is not missing.
        fits &= there.isna() | there.map(lambda names: set("ZNE") <= set(str(names)))
    return fits


def has_onset(metadata: pd.DataFrame, phases: str = "PS") -> pd.Series:
    """Which records have an onset of one of some phases within them."""
    return _any_inside(metadata, [c for c in metadata if (phase_of(str(c)) or " ") in phases])


def is_unlabelled(metadata: pd.DataFrame, phase: str) -> pd.Series:
    """Which records say that nobody looked for a phase, as ``trace_p_unlabelled`` does."""
    name = f"trace_{phase.lower()}_unlabelled"
    return (
        metadata[name].map(is_true) if name in metadata else pd.Series(False, metadata.index)
    ).astype(bool)


def _usable_picking(metadata: pd.DataFrame, columns: list[str]) -> pd.Series:
    unsure = [c for c in metadata if unsure_phase_of(str(c))]
    noise = pd.Series(True, metadata.index)
    if "trace_category" in metadata:
        noise = metadata["trace_category"].astype(str).str.contains("noise", case=False)
    elif not columns:
        raise ValueError(
            "Task 'picking' needs onsets or noise: no column trace_<phase>_arrival_sample such as "
            "trace_p_arrival_sample or trace_Sg_arrival_sample, and no trace_category."
        )
    labelled = noise | _any_inside(metadata, columns + unsure)
    return labelled & ~(is_unlabelled(metadata, "P") & is_unlabelled(metadata, "S"))


def _any_inside(metadata: pd.DataFrame, columns: list[str]) -> pd.Series:
    inside = pd.Series(False, metadata.index)
    length = _numbers(metadata["trace_npts"]) if "trace_npts" in metadata else np.inf
    for column in columns:
        onsets = _numbers(metadata[column])
        # Without a length (nan), any onset will do.
        inside |= (onsets >= 0) & ~(onsets >= length)
    return inside


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)
