"""Teachers of a picker: published pickers that label its training windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import seisbench.data as sbd
import seisbench.models as sbm
import torch
import torch.nn.functional as F
from seisbench.models import WaveformModel

from ..data.metadata import is_noise, onsets_of, phase_of, probability_column
from ..models.seismollm import SeisMoLLM
from .augmentations.base import Augmentation, rate_of
from .generator import SeededGenerator

LOWEST, SEPARATION = 0.08, 0.5
"""Least probability of a peak, and least time between two of a phase in seconds."""

LOWEST_IN_NOISE = 0.5
"""The same in records called noise, in which small earthquakes hide."""

SAME_ONSET, LEAST_WITH_ANALYST = 0.6, 0.6
"""
An analyst's onset within so many seconds of a peak confirms it; its probability is then at least
the latter.
"""


class Teachers:
    """
    Several pickers, whose mean gives probability curves of P and S.

    Teachers of the same class as the first one tell the time of an onset, because classes differ in
    where they place a pick. All teachers together tell its probability. Each gets windows that are
    normalised as in its training. A teacher with shorter windows gets parts that overlap by half.
    Its curves are averaged with less weight towards the ends.

    :param models: SeisBench pickers with the labels P and S, all of one sampling rate.
    :raises ValueError: If there are no models, or if one of them is not such a picker.
    """

    def __init__(self, models: list[WaveformModel]):
        for model in models:
            if not {"P", "S"} <= set(model.labels or ()):
                raise ValueError(f"{model.name} labels {model.labels}, not P and S.")
        rates = {float(model.sampling_rate) for model in models}
        if len(rates) != 1:
            raise ValueError(f"Teachers need to have one sampling rate, not {sorted(rates)} Hz.")
        self.models, (self.sampling_rate,) = [model.eval() for model in models], rates

    @classmethod
    def load(cls, names: list[str]) -> Teachers:
        """
        Teachers by name, from SeisBench's cache or its repository.

        :param names: Names such as ``PhaseNet/volpick``: a class of :py:mod:`seisbench.models` or
            SeisMoLLM, and the name of a weight.
        :raises ValueError: If the class is unknown.
        """
        models = []
        for name in names:
            kind, _, weight = name.partition("/")
            model = SeisMoLLM if kind == "SeisMoLLM" else getattr(sbm, kind, None)
            is_model = isinstance(model, type) and issubclass(model, WaveformModel)
            if not is_model or not weight:
                raise ValueError(
                    f"Teacher '{name}' is not CLASS/WEIGHT, a class of seisbench.models and a "
                    f"weight of it, such as PhaseNet/original."
                )
            models.append(model.from_pretrained(weight))
        return cls(models)

    def check_rate(self, metadata: dict) -> None:
        """:raises ValueError: If a record has another sampling rate than the teachers."""
        rate = rate_of(metadata)
        if abs(rate - self.sampling_rate) > 1e-6 * rate:
            raise ValueError(f"Teachers have {self.sampling_rate:g} Hz, the model {rate:g} Hz.")

    def curves(self, windows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Curves for the time of onsets, and curves for their probability.

        :param windows: float32 (windows, 3, samples), components ZNE, any unit.
        :return: Each (windows, 2, samples), P and S.
        """
        x = torch.from_numpy(np.ascontiguousarray(windows, dtype=np.float32))
        curves = [_curves(model, x) for model in self.models]
        first = [
            y for y, m in zip(curves, self.models, strict=True) if type(m) is type(self.models[0])
        ]
        return torch.stack(first).mean(dim=0), torch.stack(curves).mean(dim=0)

    def peaks(self, windows: np.ndarray) -> list[list[list[tuple[int, float]]]]:
        """
        Onsets in windows.

        :param windows: As of :py:meth:`curves`.
        :return: For each window, for P and for S, pairs of sample and probability.
        """
        timing, mean = self.curves(windows)
        half = round(SEPARATION * self.sampling_rate)
        largest = F.max_pool1d(timing, 2 * half + 1, 1, half)
        # The other teachers may have their peaks a little earlier or later.
        near = round(0.2 * self.sampling_rate)
        height = F.max_pool1d(mean, 2 * near + 1, 1, near)
        peak = (timing == largest) & (timing > LOWEST / 2) & (height > LOWEST)
        return [
            [
                [(int(at), float(height[n, i, at])) for at in torch.nonzero(peak[n, i]).flatten()]
                for i in range(2)
            ]
            for n in range(len(peak))
        ]


@torch.inference_mode()
def _curves(model: WaveformModel, x: torch.Tensor) -> torch.Tensor:
    size, samples = model.in_samples, x.shape[-1]
    # A record shorter than a window is placed at its beginning.
    x = F.pad(x, (0, max(0, size - samples)))
    count = 1 + -(-(x.shape[-1] - size) // (size // 2))
    channels = model.task.outputs if isinstance(model, SeisMoLLM) else model.labels
    rows = [list(channels).index(phase) for phase in "PS"]
    order = ["ZNE".index(component) for component in model.component_order or "ZNE"]
    total, weight = torch.zeros(len(x), 2, x.shape[-1]), torch.zeros(x.shape[-1])
    for first in np.linspace(0, x.shape[-1] - size, count).astype(int):
        part = x[:, order, first : first + size]
        # SeisBench's networks add 1e-10 to the divisor.
        part = part / part.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-20)
        part = model.annotate_batch_pre(part, dict(model.default_args))
        part = part[0] if isinstance(part, tuple) else part
        y = model(part)
        y = torch.stack(list(y), dim=1) if isinstance(y, tuple | list) else y
        # Networks know little near an edge, and a step there would be a peak.
        inside = torch.arange(1, size + 1).minimum(torch.arange(size, 0, -1)).clamp(max=size // 6)
        total[..., first : first + size] += y[:, rows].float() * inside
        weight[first : first + size] += inside
    return (total / weight)[..., :samples]


class Teach(Augmentation):
    """
    Replace a record's onsets by those of teachers.

    They are written as ``trace_p_arrival_sample``, ``trace_p2_arrival_sample`` and so on, with
    their probability in ``trace_p_probability``, which is the height of the label in
    :py:class:`OnsetLabeller`. An analyst's onset confirms a peak. An analyst's onset that no
    teacher sees becomes unsure.

    :param teachers: See :py:class:`Teachers`.
    """

    def __init__(self, teachers: Teachers, key="X"):
        super().__init__(key)
        self.teachers = teachers

    def apply(self, x, metadata):
        self.teachers.check_rate(metadata)
        return x, taught(metadata, self.teachers.peaks(x[None].astype(np.float32))[0])

    def __str__(self):
        return f"Teach ({', '.join(model.name for model in self.teachers.models)})"


def taught(metadata: dict, found: list[list[tuple[int, float]]]) -> dict:
    """
    Metadata of a window with onsets of teachers.

    :param found: For P and for S, pairs of sample and probability, as of :py:meth:`Teachers.peaks`.
    :return: Metadata as described for :py:class:`Teach`. Other columns are kept.
    """
    rate = rate_of(metadata)
    analyst = {phase: list(onsets_of(metadata, phase).values()) for phase in "PS"}
    columns = {c: v for c, v in metadata.items() if phase_of(str(c)) is None}
    lowest = LOWEST_IN_NOISE if is_noise(metadata) else LOWEST
    for phase, peaks in zip("PS", found, strict=True):
        kept = [(at, height) for at, height in peaks if height >= lowest]
        name = f"trace_{phase.lower()}{{}}_arrival_sample"
        # The column also exists without an onset, to show that the phase was looked for.
        columns[name.format("")] = np.nan
        for i, (at, height) in enumerate(kept):
            column = name.format(i + 1 if i else "")
            known = any(abs(at - onset) <= SAME_ONSET * rate for onset in analyst[phase])
            columns[column] = float(at)
            columns[probability_column(column)] = (
                max(height, LEAST_WITH_ANALYST) if known else height
            )
        lost = [
            onset
            for onset in analyst[phase]
            if not any(abs(at - onset) <= SAME_ONSET * rate for at, _ in kept)
        ]
        for i, onset in enumerate(lost):
            columns[f"trace_{phase.lower()}9{i}_unsure_sample"] = onset
        columns.pop(f"trace_{phase.lower()}_unlabelled", None)
    return columns


def write_taught(
    dataset,
    steps: list,
    teachers: Teachers | None,
    folder: str | Path,
    count: int,
    seed: int = 0,
    batch: int = 16,
) -> Path:
    """
    Write windows with labels of teachers as a data set, so that teachers do not have to run again.

    :param dataset: SeisBench data set of records.
    :param steps: Augmentations before teaching, such as
        :py:func:`~seisbench_llm.training.recipes.steps_before_teaching`.
    :param teachers: Teachers that label the windows. None if the records have no onsets.
    :param folder: Folder to write.
    :param count: Number of windows. Records are drawn again and augmented anew until there are
        enough.
    :param seed: Seed of the augmentations.
    :param batch: Number of windows per call of the teachers.
    :return: The folder, a data set for ``fit`` with the recipe ``taught`` and without teachers.
    :raises ValueError: If teachers have another sampling rate than the records.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    generator = SeededGenerator(dataset, [*steps, _keep_metadata], seed)
    # Records are drawn in random order, so that a data set that is cut short contains all kinds.
    order = np.random.default_rng(seed).permutation(len(generator))
    with sbd.WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE"}
        for first in range(0, count, batch):
            numbers = range(first, min(first + batch, count))
            samples = [generator[i - i % len(order) + order[i % len(order)]] for i in numbers]
            windows = np.stack([sample["X"] for sample in samples]).astype(np.float32)
            found: list = [[[], []]] * len(samples)
            if teachers is not None:
                teachers.check_rate(samples[0]["metadata"])
                found = teachers.peaks(windows)
            for i, window, sample, peaks in zip(numbers, windows, samples, found, strict=True):
                metadata = taught(sample["metadata"], peaks)
                writer.add_trace({**metadata, "trace_name": f"window_{i}"}, window)
    return folder


def _keep_metadata(state: dict) -> None:
    state["metadata"] = (state["X"][1], None)
