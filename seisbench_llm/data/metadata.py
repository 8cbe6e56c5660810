"""Columns of SeisBench metadata: their meaning, and the records that a task can use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from ..tasks import PUBLISHED_TASKS, TASKS, get_task, polarity_class

SOURCE_COORDINATES = ("source_latitude_deg", "source_longitude_deg")
STATION_COORDINATES = ("station_latitude_deg", "station_longitude_deg")

# Names of quantities in SeisBench's data sets, which differ. The first name is SeisBench's own,
# which this package writes. If a data set has several, the first one counts.
COLUMNS: dict[str, tuple[str, ...]] = {
    **{name: TASKS[name].columns for name in PUBLISHED_TASKS if TASKS[name].columns},
    "hypocentral_distance": ("path_hyp_distance_km",),
    "snr": ("trace_snr_db", "trace_p_snr_db", "trace_Z_snr_db"),
}


def polarity_letter(polarity) -> str | None:
    """
    Letter of a first motion: ``U``, ``D``, or None if it is unknown.

    :param polarity: See :py:func:`seisbench_llm.tasks.polarity_class`.
    """
    number = polarity_class(polarity)
    return None if number is None else "UD"[number]


@lru_cache(maxsize=1024)
def phase_of(column: str) -> str | None:
    """
    Wave type, ``P`` or ``S``, of a metadata column of onsets; None for any other column.

    Columns are those that SeisBench's labellers find, ``trace_<phase>_arrival_sample``. The wave
    type is that of the last leg: PmP, Pn, sP and p2 are P. SmS, Sg, pS and s are S.
    """
    match = re.fullmatch(r"trace_(.+)_arrival_sample", column)
    if match is None or match[1][0] not in "pPsS":
        return None
    if re.fullmatch(r"[ps][ngb]?\d*", match[1], re.IGNORECASE):
        return match[1][0].upper()
    legs = re.findall("[PS]", match[1])
    return legs[-1] if legs else None


def unsure_phase_of(column: str) -> str | None:
    """Wave type of a column of doubtful arrivals, None for any other column."""
    match = re.fullmatch(r"trace_([ps])\w*_unsure_sample", column, re.IGNORECASE)
    return match[1].upper() if match else None


def probability_column(column: str) -> str:
    """
    Column with the probability of an onset from a picker.

    >>> probability_column("trace_p2_arrival_sample")
    'trace_p2_probability'
    """
    return column.replace("_arrival_sample", "_probability")


def is_noise(metadata: dict) -> bool:
    """Whether a record is known to have no onset."""
    return "noise" in str(metadata.get("trace_category", "")).lower()


def is_complete(metadata: dict) -> bool:
    """Whether a record says that all its onsets are labelled, also those of other events."""
    return is_true(metadata.get("trace_completely_labelled"))


def event_of(column: str) -> int:
    """Number of the event of a column of onsets: 2 for ``p2``, 1 without a number."""
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
    """A metadata value as a number, nan if it is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def is_true(value) -> bool:
    """Whether a metadata value means yes, whether it is a number, a text or a boolean."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def truth_column(task: str, columns: Iterable[str]) -> str:
    """
    Column with the truth of a task.

    :param task: Name of the task.
    :param columns: Columns of the data set.
    :raises ValueError: If there is no such column. The message names the possible ones.
    """
    names = get_task(task).columns
    column = first_column(columns, *names)
    if column is None:
        raise ValueError(f"There is no column {' or '.join(names)} in the metadata.")
    return column


def truth_value(task: str, entry) -> float:
    """Number or index of the class of a metadata entry, nan if it has none."""
    spec = get_task(task)
    if spec.head != "class":
        return sample_number(entry)
    number = spec.class_index(entry)
    return np.nan if number is None else float(number)


def first_column(columns: Iterable[str], *names: str) -> str | None:
    """The first of several names that is a column of a data set, None if none is."""
    return next((name for name in names if name in columns), None)


def usable(task: str, metadata: pd.DataFrame) -> pd.Series:
    """
    Select the records that can train a task. Onsets outside the record do not count.

    - picking: records with an onset of P or S, or an unsure one, and records that
      ``trace_category`` calls noise. Without that column all records are usable, and those without
      an onset count as noise. Records with both phases unlabelled are never usable.
    - classes, such as polarity: records with a known class and an onset of P.
    - numbers, such as magnitude and distance: records with a number within the task's range and an
      onset of P.
    - back_azimuth: records with a number, an onset of P, and Z, N and E, if
      ``trace_components_available`` is known.

    :param task: Name of the task.
    :param metadata: Metadata of a data set in SeisBench's format.
    :return: Truth values on the index of the metadata.
    :raises ValueError: If a column is missing. The message names the possible ones.
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
        # Unknown components are not missing ones.
        fits &= there.isna() | there.map(lambda names: set("ZNE") <= set(str(names)))
    return fits


def has_onset(metadata: pd.DataFrame, phases: str = "PS") -> pd.Series:
    """Whether each record has an onset of one of the phases within it."""
    return _any_inside(metadata, [c for c in metadata if (phase_of(str(c)) or " ") in phases])


def is_unlabelled(metadata: pd.DataFrame, phase: str) -> pd.Series:
    """Whether each record says that nobody looked for a phase, as ``trace_p_unlabelled`` does."""
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
        # If the length is unknown (nan), any onset counts.
        inside |= (onsets >= 0) & ~(onsets >= length)
    return inside


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float)
