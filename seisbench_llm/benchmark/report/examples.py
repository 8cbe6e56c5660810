"""A few records with the curves and picks of every model, chosen by rule, for the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ...atomic import replacing
from ..datasets import rows_of_targets
from ..pickers import BenchmarkPicker
from ..predictions import TargetWindows
from ..targets import RATE

FILE = "examples.json"
SECONDS = 30.0
WAVEFORM_RATE, CURVE_RATE = 50, 25


def choose(tables: dict[str, pd.DataFrame], count: int = 6) -> list[int]:
    """
    Rows of easy, middling and hard windows, each of another record.

    Windows are ordered by how far the models' picks are from the truth on the average, each by a
    second at most, and taken at even steps from the first to the last.

    :param tables: Model -> predictions of task 2/3, the same rows in the same order.
    :param count: How many.
    """
    first = next(iter(tables.values()))
    away = []
    for table in tables.values():
        column = np.where(
            table["phase_label"] == "P", table["p_sample_pred"], table["s_sample_pred"]
        )
        away.append(np.minimum(np.abs(column - table["phase_onset"]) / table["sampling_rate"], 1))
    order = np.argsort(np.mean(away, axis=0), kind="stable")
    # One window of a record.
    names = first["trace_name"].to_numpy()[order]
    order = order[np.sort(np.unique(names, return_index=True)[1])]
    steps = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return [int(row) for row in order[steps]]


@torch.inference_mode()
def make_examples(
    pickers: dict[str, BenchmarkPicker], dataset, targets: pd.DataFrame, rows: list[int]
) -> list[dict]:
    """
    Waveforms, curves and picks about some targets, JSON-safe.

    :param pickers: Name of the model, as in the report -> the picker.
    :param dataset: SeisBench data set at 100 Hz.
    :param targets: Targets of task 2/3.
    :param rows: Of :py:func:`choose`.
    :return: For each: name, truth (phase -> seconds), waveforms (component -> samples at 50 Hz,
        peak 1), curves (model -> phase -> samples at 25 Hz, the highest of each piece) and picks
        (model -> phase -> seconds), over 30 s about the target.
    """
    examples = []
    targets = targets.iloc[rows]
    numbers = rows_of_targets(dataset.metadata, targets)
    for number, row in zip(numbers, targets.to_dict("records"), strict=True):
        x, _ = dataset.get_sample(int(number))
        start = max(0, int(row["phase_onset"]) - round(SECONDS * RATE / 3))
        window = {**row, "start_sample": start, "end_sample": start + round(SECONDS * RATE)}
        record = {
            "name": str(row["trace_name"]),
            "phase": row["phase_label"],
            "waveform_rate": WAVEFORM_RATE,
            "curve_rate": CURVE_RATE,
            "truth": {row["phase_label"]: [(float(row["phase_onset"]) - start) / RATE]},
            "waveforms": _waveforms(x, start),
            "curves": {},
            "picks": {},
        }
        asked = pd.DataFrame([window])
        for name, module in pickers.items():
            item = TargetWindows(dataset, asked, module.get_eval_augmentations())[0]
            low, high = (int(v) for v in item["window_borders"])
            curves = module.eval()(torch.as_tensor(item["X"])[None])[0].numpy()
            found = {
                phase: curves[module.labels.index(phase), max(low, 0) : high] for phase in "PS"
            }
            record["curves"][name] = {phase: _highest(curve) for phase, curve in found.items()}
            record["picks"][name] = {p: float(np.argmax(c)) / RATE for p, c in found.items()}
        examples.append(record)
    return examples


def write_examples(folder: str | Path, examples: list[dict]) -> None:
    """Write ``examples.json`` into a folder of results."""
    with replacing(Path(folder) / FILE) as file:
        file.write_text(json.dumps(examples) + "\n")


def read_examples(folder: str | Path) -> list[dict]:
    """The examples of a folder of results, none if there are none."""
    path = Path(folder) / FILE
    return json.loads(path.read_text()) if path.is_file() else []


def _waveforms(x: np.ndarray, start: int) -> dict[str, list[float]]:
    step = RATE // WAVEFORM_RATE
    found = {}
    for component, row in zip("ZNE", x, strict=True):
        part = row[start : start + round(SECONDS * RATE)]
        part = part - part.mean() if len(part) else part
        part = part / (np.abs(part).max(initial=0) or 1.0)
        # Of each piece the sample that is farthest from zero.
        part = part[: len(part) // step * step].reshape(-1, step)
        extreme = np.take_along_axis(part, np.abs(part).argmax(1)[:, None], 1)[:, 0]
        found[component] = [round(float(v), 3) for v in extreme]
    return found


def _highest(curve: np.ndarray) -> list[float]:
    step = RATE // CURVE_RATE
    pieces = curve[: len(curve) // step * step].reshape(-1, step).max(axis=1)
    return [round(float(v), 3) for v in pieces]
