"""
Predictions for targets, in files of pick-benchmark's layout.

``pred_cross/CONFIG_TARGET/version_N/{dev,test}_task{1,23}.csv`` hold the targets and four more
columns, score_detection, score_p_or_s, p_sample_pred and s_sample_pred; ``pred`` instead of
``pred_cross`` where a model was trained on the data set itself, ``..._resampled`` and a further
``_RATE`` for another sampling rate. The other tasks' files are beside them, with the answer's
column and ``_pred``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from ..atomic import replacing
from .datasets import rows_of_targets
from .estimate_targets import ANSWERS, FILES
from .targets import RATE

PICKING_COLUMNS = ("score_detection", "score_p_or_s", "p_sample_pred", "s_sample_pred")
SETS = ("dev", "test")
_IN_SAMPLES = ("start_sample", "end_sample", "phase_onset", "s_onset")


class TargetWindows(Dataset):
    """
    Windows of targets, as :py:class:`seisbench.generate.SteeredGenerator` makes them.

    Records are looked up by their number, because names are not unique in every data set.

    :param dataset: SeisBench data set with a split.
    :param targets: Some targets.
    :param augmentations: ``get_eval_augmentations()`` of a model.
    """

    def __init__(self, dataset, targets: pd.DataFrame, augmentations: Sequence):
        self.dataset, self.augmentations = dataset, augmentations
        self.targets = targets.to_dict("records")
        self.rows = rows_of_targets(dataset.metadata, targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> dict[str, np.ndarray]:
        waveforms, metadata = self.dataset.get_sample(int(self.rows[i]))
        state = {"X": (waveforms, metadata), "_control_": self.targets[i]}
        for augmentation in self.augmentations:
            augmentation(state)
        return {name: value[0] for name, value in state.items() if name != "_control_"}


def read_targets(path: Path, side: str, rate: float = RATE) -> pd.DataFrame:
    """
    Targets of one side.

    :param path: The file.
    :param side: dev or test.
    :param rate: Hz, to which the samples are converted.
    """
    table = pd.read_csv(path, dtype={"trace_name": str})
    table = table[table["trace_split"] == side].reset_index(drop=True)
    for column in _IN_SAMPLES:
        if column in table and rate != RATE:
            table[column] = table[column] * rate / table["sampling_rate"]
    table["sampling_rate"] = rate
    return table


@torch.inference_mode()
def predict(
    module,
    dataset,
    targets: pd.DataFrame,
    batch_size: int = 64,
    num_workers: int = 0,
    device: str | torch.device = "cpu",
) -> list[np.ndarray]:
    """
    Answers of a model of the benchmark for targets.

    :param module: With ``get_eval_augmentations`` and ``predict_step``.
    :param dataset: SeisBench data set at the targets' sampling rate.
    :param targets: Targets.
    :param batch_size: Windows at once.
    :param num_workers: Processes that read.
    :param device: Such as cuda.
    :return: One array for each return value of ``predict_step``.
    """
    windows = TargetWindows(dataset, targets, module.get_eval_augmentations())
    loader = DataLoader(windows, batch_size=batch_size, num_workers=num_workers)
    if isinstance(module, torch.nn.Module):
        module.eval().to(device)
    parts = []
    for i, batch in enumerate(loader):
        batch = {name: value.to(device) for name, value in batch.items()}
        parts.append(
            [
                np.asarray(v.cpu() if torch.is_tensor(v) else v)
                for v in module.predict_step(batch, i)
            ]
        )
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def predict_targets(
    module,
    dataset,
    folder: Path,
    out: Path,
    sets: Sequence[str] = SETS,
    rate: float = RATE,
    phases: str = "PS",
    **kwargs,
) -> list[Path]:
    """
    Write predictions for all targets of a folder that a model can answer.

    :param module: A picker, or a model of one of the other tasks, see :py:func:`predict`.
    :param dataset: SeisBench data set at ``rate``.
    :param folder: ``targets/NAME``.
    :param out: ``pred/CONFIG/version_N``.
    :param sets: dev, test.
    :param rate: Hz.
    :param phases: Phases that the model was trained for; without one of them, there is no
        detection.
    :param kwargs: See :py:func:`predict`.
    :return: The files.
    :raises FileNotFoundError: If the folder has no targets for the model.
    """
    task = getattr(module, "task", None)
    names = [FILES[task]] if task else ["task1", "task23"]
    if phases != "PS":
        names = names[-1:]
    files = []
    for name in names:
        path = Path(folder) / f"{name}.csv"
        if not path.is_file():
            continue
        for side in sets:
            table = read_targets(path, side, rate)
            if "phase_label" in table:
                table = table[table["phase_label"].isin(list(phases))].reset_index(drop=True)
            if len(table):
                values = predict(module, dataset, table, **kwargs)
                table = _with_predictions(table, values, task)
            elif not task:
                table = table.assign(**dict.fromkeys(PICKING_COLUMNS, np.nan))
            files.append(Path(out) / f"{side}_{name}.csv")
            with replacing(files[-1]) as file:
                table.to_csv(file, index=False)
    if not files:
        raise FileNotFoundError(f"{folder} has none of {', '.join(f'{n}.csv' for n in names)}.")
    return files


def _with_predictions(table: pd.DataFrame, values: list[np.ndarray], task: str | None):
    if task == "polarity":
        return table.assign(score_up=values[0])
    if task:
        return table.assign(**{f"{ANSWERS[task]}_pred": values[0]})
    found = dict(zip(PICKING_COLUMNS, values, strict=True))
    for name in PICKING_COLUMNS[2:]:
        found[name] = found[name] + table["start_sample"].to_numpy()
    return table.assign(**found)


def folder_of(
    config: str, target: str, trained_on: str | None = None, rate: float = RATE
) -> tuple[str, str]:
    """
    Root and folder of predictions, as collect_results.py of pick-benchmark reads them.

    >>> folder_of("ethz_phasenet", "ethz", "ethz")
    ('pred', 'ethz_phasenet')
    >>> folder_of("stead_phasenet", "ethz", "stead", 50)
    ('pred_cross_resampled', 'stead_phasenet_ethz_50')

    :param config: ``DATA_MODEL`` or ``DATA_MODEL_LR``.
    :param target: Name of the targets' folder.
    :param trained_on: Name of the data set that the model was trained on, as that of its targets.
    :param rate: Hz.
    :raises ValueError: If a name has parts that would be read as others.
    """
    if len(config.split("_")) not in (2, 3) or "_" in target:
        raise ValueError(
            f"The name of a folder cannot hold both '{config}' and '{target}'. A configuration is "
            f"named DATA_MODEL or DATA_MODEL_LR. Targets have no underscore."
        )
    cross, root, name = trained_on != target, "pred", config
    if cross:
        root, name = f"{root}_cross", f"{name}_{target}"
    if rate != RATE:
        # The name of the targets is read in any case.
        name = f"{name}_{rate:g}" if cross else f"{name}_{target}_{rate:g}"
        root = f"{root}_resampled"
    return root, name
