"""Labels from the metadata of a record, in the style of :py:mod:`seisbench.generate`."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ..data.targets import (
    event_of,
    is_true,
    onset_curves,
    onsets_of,
    phase_of,
    polarity_classes,
    polarity_letter,
    sample_number,
)
from ..tasks import get_task
from .augmentations import BACK_AZIMUTH_COLUMNS, POLARITY_COLUMNS

# Where data sets keep the answer to a task; the first that is there counts.
COLUMNS = {
    "polarity": POLARITY_COLUMNS,
    "magnitude": ("source_magnitude",),
    "distance": ("path_ep_distance_km", "source_distance_km"),
    "back_azimuth": BACK_AZIMUTH_COLUMNS,
}


class Labeller:
    """
    Base class: writes a label beside the waveforms.

    :param key: Keys in the state dict to read waveforms and metadata from and to write to.
    """

    def __init__(self, key: tuple[str, str] = ("X", "y")):
        self.key = key

    def __call__(self, state_dict: dict) -> None:
        x, metadata = state_dict[self.key[0]]
        state_dict[self.key[1]] = (self.label(x, metadata), dict(metadata))

    def label(self, x: np.ndarray, metadata: dict) -> np.ndarray:
        """The label of a record (components, samples)."""
        raise NotImplementedError

    def __str__(self):
        settings = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__} ({settings})"


class OnsetLabeller(Labeller):
    """
    Label curves of a picker, float32 (3, samples): none or detection, P, S.

    All columns of onsets of a record count, see :py:func:`~seisbench_llm.data.targets.phase_of`;
    where curves of one phase overlap, the larger value holds. A detection lasts from P to
    S + 1.4 (S - P), as in SeisBench's DetectionLabeller, for each event by itself.

    With ``weights``, a second array of the same shape tells what is known: one, but zero

    - around ``trace_p_unsure_sample``, ``trace_p2_unsure_sample`` and so on, likewise s: arrivals
      that may or may not be there;
    - for all of a phase if ``trace_p_unlabelled`` or ``trace_s_unlabelled`` is true;
    - neither of the two within ``half_width`` of a sure onset;
    - for detection, if an event has but one of P and S, or a phase is unlabelled.

    :param sigma: Standard deviation of the curves in samples.
    :param half_width: Samples beyond which they are zero.
    :param detection: Whether the first channel is a detection instead of none.
    :param weights: Whether to write weights.
    :param unsure: Half width of the zeros around unsure arrivals in seconds.
    :param weight_key: Key in the state dict to write weights to.
    """

    def __init__(
        self,
        sigma: float = 10.0,
        half_width: int = 25,
        detection: bool = False,
        weights: bool = False,
        unsure: float = 1.0,
        key: tuple[str, str] = ("X", "y"),
        weight_key: str = "w",
    ):
        super().__init__(key)
        self.sigma, self.half_width, self.detection = sigma, half_width, detection
        self.weights, self.unsure, self.weight_key = weights, unsure, weight_key

    def __call__(self, state_dict: dict) -> None:
        super().__call__(state_dict)
        if self.weights:
            x, metadata = state_dict[self.key[0]]
            state_dict[self.weight_key] = (self.weight(x, metadata), dict(metadata))

    def label(self, x, metadata):
        onsets = [sorted(onsets_of(metadata, phase).values()) for phase in "PS"]
        pairs = np.full((max(1, *map(len, onsets)), 2), np.nan)
        for i, values in enumerate(onsets):
            pairs[: len(values), i] = values
        curves = onset_curves(pairs, x.shape[1], self.sigma, self.half_width)
        y = curves.max(axis=0)
        y[0] = self._detection(x, metadata) if self.detection else np.clip(1 - y[1] - y[2], 0, 1)
        return y

    def weight(self, x: np.ndarray, metadata: dict) -> np.ndarray:
        """What is known of a record (components, samples), float32 (3, samples)."""
        samples = np.arange(x.shape[1])
        w = np.ones((3, x.shape[1]), np.float32)
        for i, phase in enumerate("PS", start=1):
            for column, value in metadata.items():
                if re.fullmatch(rf"trace_{phase}\w*_unsure_sample", str(column), re.IGNORECASE):
                    width = self.unsure * float(metadata["trace_sampling_rate_hz"])
                    w[i, np.abs(samples - sample_number(value)) < width] = 0
            if is_true(metadata.get(f"trace_{phase.lower()}_unlabelled")):
                w[i] = 0
            for at in onsets_of(metadata, phase).values():
                w[i, np.abs(samples - at) <= self.half_width] = 1
        if self.detection:
            known = all(p <= s for p, s in _events(metadata)) and w[1:].any(axis=1).all()
            w[0] = known
        return w

    @staticmethod
    def _detection(x, metadata):
        y = np.zeros(x.shape[1], np.float32)
        for p, s in _events(metadata):
            if p <= s:
                y[max(int(p), 0) : max(int(s + 1.4 * (s - p)), 0)] = 1
        return y


def _events(metadata: dict) -> list[tuple[float, float]]:
    """First P and first S of each event, nan where there is none."""
    events = {}
    for column, at in onsets_of(metadata).items():
        first = events.setdefault(event_of(column), {"P": np.nan, "S": np.nan})
        first[phase_of(column)] = np.fmin(first[phase_of(column)], at)
    return [(first["P"], first["S"]) for first in events.values()]


class PolarityLabeller(Labeller):
    """
    One-hot first motion, float32 (2,): up, down.

    :raises ValueError: If the record has none; the message names trace and column.
    """

    def label(self, x, metadata):
        column = _first_column(metadata, COLUMNS["polarity"], metadata)
        try:
            return polarity_classes([metadata[column]])[0]
        except ValueError as error:
            raise ValueError(f"{_name(metadata)}: {column}: {error}") from None


class ValueLabeller(Labeller):
    """
    A number from the metadata, float32 (1,), such as a magnitude.

    :param columns: Name of the column, or several, the first of which that is there counts.
    :raises ValueError: If the record has no finite number there; the message names trace and
        column.
    """

    def __init__(self, columns: str | tuple[str, ...], key: tuple[str, str] = ("X", "y")):
        super().__init__(key)
        self.columns = (columns,) if isinstance(columns, str) else tuple(columns)

    def label(self, x, metadata):
        column = _first_column(metadata, self.columns, metadata)
        value = sample_number(metadata[column])
        if not np.isfinite(value):
            raise ValueError(f"{_name(metadata)}: {column} is {metadata[column]}, not a number.")
        return np.array([value], np.float32)


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
