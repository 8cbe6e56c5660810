"""Labels from the metadata of a record, in the style of :py:mod:`seisbench.generate`."""

from __future__ import annotations

from operator import itemgetter

import numpy as np

from ..data.metadata import (
    event_of,
    is_true,
    onsets_of,
    phase_of,
    probability_column,
    sample_number,
    truth_column,
    truth_value,
    unsure_phase_of,
)
from ..tasks import get_task


class Labeller:
    """
    Base class that adds a label to the waveforms.

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

    All columns of onsets of a record count, see :py:func:`~seisbench_llm.data.metadata.phase_of`.
    Where curves of one phase overlap, the larger value counts. A detection lasts from P to S + 1.4
    (S - P) for each event, as in SeisBench's DetectionLabeller. The height of a curve is one or,
    for onsets of a picker, the value of ``trace_p_probability`` and so on.

    With ``weights``, a second array of the same shape is one where the label is known. It is zero

    - around doubtful arrivals: ``trace_p_unsure_sample``, ``trace_p2_unsure_sample`` and so on, and
      the same for s;
    - for all of a phase if ``trace_p_unlabelled`` or ``trace_s_unlabelled`` is true;
    - but not within ``half_width`` of a known onset;
    - for detection, if an event lacks P or S, or if a phase is unlabelled.

    :param sigma: Standard deviation of the curves in samples.
    :param half_width: Distance in samples beyond which the curves are zero.
    :param detection: Whether the first channel is a detection curve instead of none.
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
        onsets = [sorted(onsets_of(metadata, phase).items(), key=itemgetter(1)) for phase in "PS"]
        pairs = np.full((max(1, *map(len, onsets)), 2), np.nan)
        heights = np.ones_like(pairs)
        for i, values in enumerate(onsets):
            for j, (column, at) in enumerate(values):
                height = sample_number(metadata.get(probability_column(column)))
                pairs[j, i], heights[j, i] = at, height if np.isfinite(height) else 1.0
        curves = onset_curves(pairs, x.shape[1], self.sigma, self.half_width)
        curves[:, 1:] *= heights[..., None].astype(np.float32)
        y = curves.max(axis=0)
        y[0] = self._detection(x, metadata) if self.detection else np.clip(1 - y[1] - y[2], 0, 1)
        return y

    def weight(self, x: np.ndarray, metadata: dict) -> np.ndarray:
        """Weights of the label of a record (components, samples), float32 (3, samples)."""
        samples = np.arange(x.shape[1])
        w = np.ones((3, x.shape[1]), np.float32)
        for i, phase in enumerate("PS", start=1):
            for column, value in metadata.items():
                if unsure_phase_of(str(column)) == phase:
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


class TruthLabeller(Labeller):
    """
    The truth of a task from the metadata: float32 (1,), or one-hot float32 (classes,).

    :param task: Name of a task that has columns.
    :raises ValueError: If the record has no truth. The message has trace and column.
    """

    def __init__(self, task: str, key: tuple[str, str] = ("X", "y")):
        super().__init__(key)
        self.task = task

    def label(self, x, metadata):
        spec, trace = get_task(self.task), f"Trace {metadata.get('trace_name', '(no trace_name)')}"
        try:
            column = truth_column(self.task, metadata)
        except ValueError as error:
            raise ValueError(f"{trace}: {error}") from None
        value, classes = truth_value(self.task, metadata[column]), spec.head == "class"
        if not np.isfinite(value):
            wanted = " or ".join(spec.outputs) if classes else "a number"
            raise ValueError(f"{trace}: {column} is {metadata[column]}, not {wanted}.")
        if classes:
            return np.eye(len(spec.outputs), dtype=np.float32)[int(value)]
        return np.array([value], np.float32)


def labeller_for(task: str, sampling_rate: float, detection: bool = False) -> Labeller:
    """
    Labeller of a task.

    :param task: Name of the task.
    :param sampling_rate: Hz.
    :param detection: Whether the first channel of a picker's label is a detection curve.
    """
    if get_task(task).head != "curves":
        return TruthLabeller(task)
    width = round(0.25 * sampling_rate)
    return OnsetLabeller(half_width=width, detection=detection, weights=True)


def onset_curves(
    onsets: np.ndarray, samples: int, sigma: float = 10.0, half_width: int = 25
) -> np.ndarray:
    """
    Label curves of a picker: Gaussians around onsets, cut off at a fixed distance.

    :param onsets: Sample numbers of P and S, shape (records, 2). nan or a number outside the window
        means no onset.
    :param samples: Length of the curves.
    :param sigma: Standard deviation of the Gaussian in samples.
    :param half_width: Samples on either side of an onset beyond which the label is zero; 0.25 s
        at 100 Hz.
    :return: Curves, shape (records, 3, samples): none, P, S. They add up to one unless P and S
        overlap.
    """
    onsets = np.asarray(onsets, dtype=np.float64)[..., None]
    distance = np.arange(samples) - onsets
    inside = (onsets >= 0) & (onsets < samples) & (np.abs(distance) <= half_width)
    phases = np.where(inside, np.exp(-np.square(distance) / (2 * sigma**2)), 0.0)
    none = np.clip(1 - phases.sum(axis=1, keepdims=True), 0, 1)
    return np.concatenate([none, phases], axis=1).astype(np.float32)
