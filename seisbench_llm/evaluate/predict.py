"""Predictions of a model for the records of a data set, with the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from ..data.metadata import (
    COLUMNS,
    first_column,
    is_complete,
    is_noise,
    is_true,
    onsets_of,
    phase_of,
    sample_number,
    unsure_phase_of,
    usable,
)
from ..tasks import get_task
from .measures import class_columns, class_names
from .metrics import NO_PICK
from .picks import format_numbers, judged, picks_of

if TYPE_CHECKING:
    from seisbench.data import WaveformDataset

    from ..models.seismollm import SeisMoLLM

PICK_THRESHOLD = 0.3


# Largest number of onsets of a phase in a window.
_MOST_ONSETS = 8


def highest_peak(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    The highest peak of each curve.

    As in the published code, the first and the last sample are not peaks, and the first sample of a
    flat top counts. The first of several equal peaks is taken.

    :param curves: Probabilities, shape (..., samples).
    :return: Sample numbers and heights, both of shape (...). Without a peak they are
        :py:data:`~seisbench_llm.evaluate.metrics.NO_PICK` and 0.
    """
    inner = curves[..., 1:-1]
    peak = (inner > curves[..., :-2]) & (inner >= curves[..., 2:])
    height = np.where(peak, inner, 0)
    best = height.argmax(axis=-1)
    height = np.take_along_axis(height, best[..., None], axis=-1)[..., 0]
    return np.where(height > 0, best + 1, NO_PICK), height


def decode(task: str, outputs, threshold: float | np.ndarray = PICK_THRESHOLD) -> np.ndarray:
    """
    Estimates from the output of ``forward``.

    >>> decode("back_azimuth", np.array([[0.0, -0.5]]))
    array([270.])

    :param task: Name of the task.
    :param outputs: Tensor or array: (batch, 3, samples) for picking, else (batch, outputs).
    :param threshold: Lowest probability of a pick: one value, or those of P and S.
    :return: Picking: sample numbers of P and S, (batch, 2). A window has one pick, the highest peak
        that reaches ``threshold``, or :py:data:`~seisbench_llm.evaluate.metrics.NO_PICK`. Classes:
        probabilities, (batch, classes). Magnitude, distance (km) and back-azimuth (0 to 360
        degrees): (batch,).
    :raises ValueError: If the task is unknown.
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


def thresholds_of(model: SeisMoLLM, threshold: float | None = None) -> np.ndarray:
    """
    Lowest probability of a pick of P and of S.

    :param threshold: Threshold for both. By default those saved with the weight, or else 0.3.
    """
    if threshold is not None:
        return np.array([threshold, threshold])
    saved = model.default_args
    return np.array([saved.get(f"{phase}_threshold", PICK_THRESHOLD) for phase in "PS"])


def predict(
    model: SeisMoLLM,
    dataset: WaveformDataset,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: bool = False,
    seed: int = 0,
    num_workers: int = 0,
    threshold: float | None = None,
    limit: int | None = None,
    complete: bool | None = None,
) -> pd.DataFrame:
    """
    Predictions for each record, with the truth.

    Windows are those of the recipe ``plain``: no augmentation, but the model's own filter, sampling
    rate and components.

    :param model: Model of any task. Mode and device are restored afterwards.
    :param dataset: SeisBench data set. It is not changed.
    :param batch_size: Windows per step.
    :param device: Device to compute on. By default that of the model.
    :param progress: Whether to show a progress bar.
    :param seed: Seed of the choice of windows and of ``limit``.
    :param num_workers: Number of processes that read.
    :param threshold: Lowest probability of a pick. By default that of the weight, or else 0.3.
    :param limit: Largest number of records. The seed selects them.
    :param complete: Whether all onsets of the records are labelled, so that every other pick is a
        false one (:py:func:`~seisbench_llm.evaluate.picks.judged`); by default for noise, and where
        ``trace_completely_labelled`` says so.
    :return: One row per usable record: ``trace_name``, ``source_id``, ``station``, ``distance``
        (km), ``magnitude``, ``snr`` (dB), the latter as far as known, and

        - picking: ``p_true``, ``p_predicted``, ``p_peak``, ``p_probability``, the same for s:
          sample numbers in the window at the model's rate,
          :py:data:`~seisbench_llm.evaluate.metrics.NO_PICK` where there is none; ``p_peak`` is the
          highest peak of height ``p_probability`` however low it is. Of several onsets of a
          phase (Pn and Pg, a second event) the truth is the one nearest to the peak, and nan
          where an onset may have been left out: the data set has no column of that phase, or
          says that it is unlabelled or unsure. ``p_onsets``, ``p_picks`` and ``p_judged`` hold all
          onsets and all picks of the window, and which of the picks are judged, as text,
        - classes: ``true``, ``predicted`` (U, D for polarity) and the probability of each class
          under its name in lower case (``up``, ``down``),
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
    generator = SeededGenerator(dataset, [*steps, _Onsets(model.in_samples, complete)], seed)
    loader = DataLoader(generator, batch_size=batch_size, num_workers=num_workers)
    if progress:
        from tqdm.auto import tqdm

        loader = tqdm(loader, desc="evaluate", unit="batch")
    parts, level = [], thresholds_of(model, threshold)
    with _evaluating(model, device), torch.inference_mode():
        for batch in loader:
            outputs = model(batch["X"].to(model.device).float()).float().cpu().numpy()
            parts.append(_columns(task, outputs, batch, level, model.sampling_rate))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return pd.concat([_covariates(dataset.metadata), pd.DataFrame(columns)], axis=1)


@contextmanager
def _evaluating(model: SeisMoLLM, device: str | torch.device | None) -> Iterator[None]:
    """
    Put the model in evaluation mode and on a device, and restore it afterwards, module by module.

    :raises ValueError: If the device does not exist.
    """
    home = model.device
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        if device is not None:
            _move(model, device)
        yield
    finally:
        model.to(home)
        for module, training in modes.items():
            module.training = training


def _move(model: SeisMoLLM, device: str | torch.device) -> None:
    try:
        model.to(device)
    # PyTorch has no exception of its own for unknown or missing devices.
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"Device '{device}': {str(error).splitlines()[0]}") from None


class _Onsets:
    """
    Keeps the known onsets of the final window, which a generator drops with the metadata.

    Writes ``onsets`` and ``unsure``, sample numbers of P and S, shape (2, 8), nan where there are
    no more; ``unknown``, shape (2,): whether there may be one that no one has labelled, and none
    is; ``unlabelled``, shape (2,): whether nobody looked for the phase; ``complete``, shape ():
    whether all are labelled.

    :param samples: Window length.
    :param complete: Whether all onsets are labelled. None to read it from the metadata.
    """

    def __init__(self, samples: int, complete: bool | None):
        self.samples, self.complete = samples, complete

    def __call__(self, state: dict) -> None:
        metadata = state["X"][1]
        noise = is_noise(metadata)
        onsets, unsure = np.full((2, 2, _MOST_ONSETS), np.nan)
        unknown, unlabelled = np.zeros((2, 2), dtype=bool)
        for i, phase in enumerate("PS"):
            found = self._put(onsets[i], onsets_of(metadata, phase).values())
            doubts = self._put(
                unsure[i],
                (sample_number(v) for c, v in metadata.items() if unsure_phase_of(str(c)) == phase),
            )
            unlabelled[i] = is_true(metadata.get(f"trace_{phase.lower()}_unlabelled")) or not any(
                phase_of(str(column)) == phase for column in metadata
            )
            unknown[i] = not found and not noise and (unlabelled[i] or doubts > 0)
        unlabelled &= not noise
        complete = is_complete(metadata) if self.complete is None else self.complete
        state |= {
            "onsets": (onsets, None),
            "unsure": (unsure, None),
            "unknown": (unknown, None),
            "unlabelled": (unlabelled, None),
            "complete": (np.array(complete or noise), None),
        }

    def _put(self, row: np.ndarray, samples) -> int:
        """Write the onsets in the window to a row and return their number."""
        found = sorted(at for at in samples if 0 <= at < self.samples)[:_MOST_ONSETS]
        row[: len(found)] = found
        return len(found)


def _nearest(onsets: np.ndarray, unknown: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """The onset nearest to the peak, NO_PICK if there is none, nan if it is unknown."""
    away = np.nan_to_num(np.abs(onsets - peak[..., None]), nan=np.inf)
    nearest = np.take_along_axis(onsets, away.argmin(axis=-1)[..., None], axis=-1)[..., 0]
    return np.where(unknown, np.nan, np.nan_to_num(nearest, nan=NO_PICK))


def _columns(task, outputs, batch: dict, thresholds, rate: float) -> dict[str, np.ndarray]:
    """Truths and predictions of a batch, by column."""
    spec, predicted = get_task(task), decode(task, outputs, thresholds)
    if spec.head == "curves":
        return _pick_columns(outputs, predicted, batch, thresholds, rate)
    y = batch["y"].numpy()
    if spec.head == "class":
        names = np.array(class_names(task))
        columns = {"true": names[y.argmax(axis=1)], "predicted": names[predicted.argmax(axis=1)]}
        return columns | dict(zip(class_columns(task), predicted.T, strict=True))
    return {
        "true": y.reshape(len(y)).astype(np.float64),
        "predicted": predicted.astype(np.float64),
    }


def _pick_columns(outputs, predicted, batch: dict, thresholds, rate: float) -> dict:
    known = {name: batch[name].numpy() for name in ("onsets", "unsure", "unlabelled", "complete")}
    peak, height = highest_peak(outputs[:, 1:])
    true = _nearest(known["onsets"], batch["unknown"].numpy(), peak)
    columns = {"true": true, "predicted": predicted, "peak": peak, "probability": height}
    found = {f"{p}_{n}": values[:, i] for i, p in enumerate("ps") for n, values in columns.items()}
    for i, phase in enumerate("ps"):
        cells = {"onsets": [], "picks": [], "judged": []}
        for j in range(len(outputs)):
            onsets, unsure = (_finite(known[name][j]) for name in ("onsets", "unsure"))
            picks = picks_of(outputs[j, 1 + i], thresholds[i], rate)
            flags = judged(
                picks,
                np.concatenate(onsets),
                unsure[i],
                bool(known["complete"][j]),
                bool(known["unlabelled"][j, i]),
                rate,
            )
            for name, values in (("onsets", onsets[i]), ("picks", picks), ("judged", flags)):
                cells[name].append(format_numbers(values))
        found |= {f"{phase}_{name}": np.array(texts, object) for name, texts in cells.items()}
    return found


def _finite(rows: np.ndarray) -> list[np.ndarray]:
    return [row[np.isfinite(row)] for row in rows]


def _usable_part(dataset, task: str, limit: int | None, seed: int):
    """A copy of the data set with the records that a task can use."""
    metadata = dataset.metadata
    rows = np.flatnonzero(usable(task, metadata).to_numpy())
    if not len(rows):
        columns = get_task(task).columns
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
        found = first_column(metadata.columns, *names)
        empty = pd.Series(np.nan, metadata.index)
        return (empty if found is None else metadata[found]).reset_index(drop=True)

    network, station = column("station_network_code"), column("station_code")
    table = pd.DataFrame({"trace_name": column("trace_name"), "source_id": column("source_id")})
    table["station"] = (network.fillna("").astype(str) + ".").where(network.notna(), "") + (
        station.fillna("").astype(str)
    )
    distances = (*COLUMNS["distance"], *COLUMNS["hypocentral_distance"])
    table["distance"] = pd.to_numeric(column(*distances), errors="coerce")
    table["magnitude"] = pd.to_numeric(column(*COLUMNS["magnitude"]), errors="coerce")
    if first_column(metadata.columns, *COLUMNS["snr"]):
        table["snr"] = column(*COLUMNS["snr"]).map(_decibel).astype(float)
    return table


def _decibel(value) -> float:
    """A number or, as in STEAD, the mean of a text such as ``[56.7 55.4 47.4]``."""
    if not isinstance(value, str):
        return float(value)
    numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e[-+]?\d+)?", value)]
    return float(np.mean(numbers)) if numbers else np.nan
