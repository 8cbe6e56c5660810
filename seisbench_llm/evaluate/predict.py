"""What a model says of the records of a data set, beside the truth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from ..data.metadata import is_true, onsets_of, phase_of, sample_number
from ..tasks import get_task
from .metrics import NO_PICK

if TYPE_CHECKING:
    from seisbench.data import WaveformDataset

    from ..models.seismollm import SeisMoLLM

PICK_THRESHOLD = 0.3


# First name that a data set has; SeisBench's sets do not agree on one.
_DISTANCES = ("path_ep_distance_km", "source_distance_km", "path_hyp_distance_km")


_RATIOS = ("trace_snr_db", "trace_p_snr_db", "trace_Z_snr_db")


# More onsets of a phase than that are not told apart in a window.
_MOST_ONSETS = 8


def highest_peak(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    The highest peak of each curve.

    As in the published code, neither the first nor the last sample is a peak, and of a flat top
    the first sample counts. Of equal peaks the first is taken.

    :param curves: Probabilities, shape (..., samples).
    :return: Sample numbers, :py:data:`~seisbench_llm.metrics.NO_PICK` without any peak, and
        heights, 0 without; both of shape (...).
    """
    inner = curves[..., 1:-1]
    peak = (inner > curves[..., :-2]) & (inner >= curves[..., 2:])
    height = np.where(peak, inner, 0)
    best = height.argmax(axis=-1)
    height = np.take_along_axis(height, best[..., None], axis=-1)[..., 0]
    return np.where(height > 0, best + 1, NO_PICK), height


def decode(task: str, outputs, threshold: float = PICK_THRESHOLD) -> np.ndarray:
    """
    Answers from what ``forward`` gives.

    >>> decode("back_azimuth", np.array([[0.0, -0.5]]))
    array([270.])

    :param task: Name of the task.
    :param outputs: Tensor or array: (batch, 3, samples) for picking, else (batch, outputs).
    :param threshold: Lowest probability of a pick.
    :return: Picking: sample numbers of P and S, (batch, 2), one pick per window, the highest peak
        of at least ``threshold``, :py:data:`~seisbench_llm.metrics.NO_PICK` without. Polarity:
        probabilities of up and down, (batch, 2). Magnitude, distance (km) and back-azimuth
        (0 to 360 degrees): (batch,).
    :raises ValueError: If there is no such task.
    """
    head = get_task(task).head
    values = torch.as_tensor(outputs).detach().cpu().numpy()
    if head == "curves":
        sample, height = highest_peak(values[:, 1:])
        return np.where(height >= threshold, sample, NO_PICK)
    if head == "class":
        return values
    if head == "angle":
        return np.degrees(np.arctan2(values[:, 1], values[:, 0])) % 360
    return values[:, 0]


def predict(
    model: SeisMoLLM,
    dataset: WaveformDataset,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: bool = False,
    seed: int = 0,
    num_workers: int = 0,
    threshold: float = PICK_THRESHOLD,
    limit: int | None = None,
) -> pd.DataFrame:
    """
    What a model says of each record, beside the truth.

    Windows are those of the recipe ``plain``: no augmentation, the model's own filter, sampling
    rate and components.

    :param model: Any task.
    :param dataset: SeisBench data set; not changed.
    :param batch_size: Windows per step.
    :param device: Where to compute; by default where the model is.
    :param progress: Whether to show a progress bar.
    :param seed: Of the windows, where the recipe has a choice, and of ``limit``.
    :param num_workers: Processes that read.
    :param threshold: Lowest probability of a pick.
    :param limit: At most as many records, chosen by the seed.
    :return: One row per usable record: ``trace_name``, ``source_id``, ``station``, ``distance``
        (km), ``magnitude``, ``snr`` (dB), the latter as far as known, and

        - picking: ``p_true``, ``p_predicted``, ``p_peak``, ``p_probability``, the same for s:
          sample numbers in the window at the model's rate,
          :py:data:`~seisbench_llm.metrics.NO_PICK` where there is none; ``p_peak`` is the
          highest peak of height ``p_probability`` however low it is. Of several onsets of a
          phase (Pn and Pg, a second event) the truth is the one nearest to the peak, and nan
          where an onset may have been left out: the data set has no column of that phase, or
          says that it is unlabelled or unsure,
        - polarity: ``true``, ``predicted`` (U, D), ``up``, ``down`` (probabilities),
        - others: ``true``, ``predicted`` (ML, km or degrees).
    :raises ValueError: If no record can be used, with what is missing.
    """
    from ..training.generator import SeededGenerator
    from ..training.recipes import recipe_for

    task = model.task.name
    dataset = _usable_part(dataset, task, limit, seed)
    dataset.sampling_rate = model.sampling_rate
    dataset.component_order, dataset.missing_components = model.component_order, "pad"
    steps = recipe_for(model)
    generator = SeededGenerator(dataset, [*steps, _Onsets(model.in_samples)], seed)
    loader = DataLoader(generator, batch_size=batch_size, num_workers=num_workers)
    if progress:
        from tqdm.auto import tqdm

        loader = tqdm(loader, desc="evaluate", unit="batch")
    home, training = model.device, model.training
    model.eval()
    if device is not None:
        model.to(device)
    parts = []
    try:
        with torch.inference_mode():
            for batch in loader:
                outputs = model(batch["X"].to(model.device).float()).float().cpu().numpy()
                parts.append(_answers(task, outputs, batch, threshold))
    finally:
        model.to(home).train(training)
    answers = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.concat([_covariates(dataset.metadata), pd.DataFrame(answers)], axis=1)


class _Onsets:
    """
    Keeps what is known of onsets in the final window, which a generator drops with the metadata.

    Writes ``onsets``, sample numbers of P and S, shape (2, 8), nan where there are no more, and
    ``unknown``, shape (2,): whether there may be one that no one has labelled.

    :param samples: Window length.
    """

    def __init__(self, samples: int):
        self.samples = samples

    def __call__(self, state: dict) -> None:
        metadata = state["X"][1]
        noise = "noise" in str(metadata.get("trace_category", "")).lower()
        onsets, unknown = np.full((2, _MOST_ONSETS), np.nan), np.zeros(2, dtype=bool)
        for i, phase in enumerate("PS"):
            found = [at for at in onsets_of(metadata, phase).values() if self._inside(at)]
            found = sorted(found)[:_MOST_ONSETS]
            onsets[i, : len(found)] = found
            unknown[i] = not found and not noise and self._doubtful(metadata, phase)
        state["onsets"], state["unknown"] = (onsets, None), (unknown, None)

    def _inside(self, at: float) -> bool:
        return 0 <= at < self.samples

    def _doubtful(self, metadata: dict, phase: str) -> bool:
        unsure = rf"trace_{phase}\w*_unsure_sample"
        return (
            not any(phase_of(str(column)) == phase for column in metadata)
            or is_true(metadata.get(f"trace_{phase.lower()}_unlabelled"))
            or any(
                re.fullmatch(unsure, str(column), re.IGNORECASE)
                and self._inside(sample_number(value))
                for column, value in metadata.items()
            )
        )


def _nearest(onsets: np.ndarray, unknown: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """The onset nearest to the peak, NO_PICK without any, nan where that is not known."""
    away = np.nan_to_num(np.abs(onsets - peak[..., None]), nan=np.inf)
    nearest = np.take_along_axis(onsets, away.argmin(axis=-1)[..., None], axis=-1)[..., 0]
    return np.where(unknown, np.nan, np.nan_to_num(nearest, nan=NO_PICK))


def _answers(task: str, outputs, batch: dict, threshold: float) -> dict[str, np.ndarray]:
    said = decode(task, outputs, threshold)
    if task == "picking":
        peak, height = highest_peak(outputs[:, 1:])
        true = _nearest(batch["onsets"].numpy(), batch["unknown"].numpy(), peak)
        columns = {"true": true, "predicted": said, "peak": peak, "probability": height}
        return {
            f"{phase}_{name}": values[:, i]
            for i, phase in enumerate("ps")
            for name, values in columns.items()
        }
    y = batch["y"].numpy()
    if task == "polarity":
        letters = np.array(["U", "D"])
        answer = {"true": letters[y.argmax(axis=1)], "predicted": letters[said.argmax(axis=1)]}
        return {**answer, "up": said[:, 0], "down": said[:, 1]}
    return {"true": y.reshape(len(y)).astype(np.float64), "predicted": said.astype(np.float64)}


def _usable_part(dataset, task: str, limit: int | None, seed: int):
    """A copy with the records that can be used for a task."""
    from ..data.metadata import COLUMNS, usable

    metadata = dataset.metadata
    rows = np.flatnonzero(usable(task, metadata).to_numpy())
    if not len(rows):
        columns = COLUMNS.get(task, ())
        columns = [c for c in metadata if c in columns or phase_of(str(c)) in ("P", "S")]
        filled = {str(c): int(metadata[c].notna().sum()) for c in columns}
        raise ValueError(
            f"None of the {len(metadata)} records can be used for {task}. Values in the columns "
            f"it needs: {filled}."
        )
    if limit is not None and limit < len(rows):
        rows = np.random.default_rng(seed).choice(rows, limit, replace=False)
    mask = np.zeros(len(metadata), dtype=bool)
    mask[rows] = True
    return dataset.filter(mask, inplace=False)


def _covariates(metadata: pd.DataFrame) -> pd.DataFrame:
    def column(*names):
        found = next((name for name in names if name in metadata), None)
        empty = pd.Series(np.nan, metadata.index)
        return (empty if found is None else metadata[found]).reset_index(drop=True)

    network, station = column("station_network_code"), column("station_code")
    table = pd.DataFrame({"trace_name": column("trace_name"), "source_id": column("source_id")})
    table["station"] = (network.fillna("").astype(str) + ".").where(network.notna(), "") + (
        station.fillna("").astype(str)
    )
    table["distance"] = pd.to_numeric(column(*_DISTANCES), errors="coerce")
    table["magnitude"] = pd.to_numeric(column("source_magnitude"), errors="coerce")
    if any(name in metadata for name in _RATIOS):
        table["snr"] = column(*_RATIOS).map(_decibel).astype(float)
    return table


def _decibel(value) -> float:
    """A number or, as in STEAD, the mean of a text such as ``[56.7 55.4 47.4]``."""
    if not isinstance(value, str):
        return float(value)
    numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e[-+]?\d+)?", value)]
    return float(np.mean(numbers)) if numbers else np.nan
