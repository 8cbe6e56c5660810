"""
Training through the benchmark, from configuration files of pick-benchmark.

A file ``DATA_MODEL.json`` holds ``model``, ``data``, ``model_args``, ``trainer_args``,
``batch_size``, ``num_workers``, ``restrict_to_phase`` and ``training_fraction``, as there;
``targets`` may name the targets of the data set where they are not called as the file begins.
"""

from __future__ import annotations

import json
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import seisbench.generate as sbg
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from seisbench.util import worker_seeding
from torch.utils.data import DataLoader

from ..weight_files import read_torch
from . import provenance
from .datasets import open_for_benchmark
from .pickers import BenchmarkPicker, make_picker
from .predictions import folder_of, predict_targets
from .targets import PHASES, RATE

_KNOWN = {"model", "data", "model_args", "trainer_args", "batch_size", "num_workers"}
_KNOWN |= {"restrict_to_phase", "training_fraction", "targets", "seed"}
SEED = 42


def read_config(path: str | Path) -> dict:
    """
    A configuration.

    :raises ValueError: If the file is none, or has entries that are not known.
    """
    path = Path(path)
    try:
        config = json.loads(path.read_text())
        unknown = set(config) - _KNOWN
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a configuration of the benchmark: {error}") from error
    if unknown or not {"model", "data"} <= set(config):
        problem = f"unknown {', '.join(sorted(unknown))}" if unknown else "no model or data"
        raise ValueError(f"{path} is not a configuration of the benchmark: {problem}.")
    return config


def train(
    path: str | Path, root: str | Path = "weights", lr: float | None = None, test_run: bool = False
) -> Path:
    """
    Train as a configuration says, and keep the checkpoint of the lowest loss on dev.

    :param path: ``DATA_MODEL.json``.
    :param root: Folder for the weights.
    :param lr: Learning rate instead of the configuration's; it is added to the name.
    :param test_run: Whether to take 500 records only, and one epoch.
    :return: ``weights/DATA_MODEL/version_N``, with hparams.yaml, metrics.csv, checkpoints and
        run.json.
    :raises ValueError: If the configuration or its data cannot be used.
    """
    config, name = read_config(path), Path(path).stem
    if lr is not None:
        config["model_args"] = {**config.get("model_args", {}), "lr": lr}
        name = f"{name}_{lr}"
    if test_run:
        config["trainer_args"] = {**config.get("trainer_args", {}), "max_epochs": 1}
    seed = config.get("seed", SEED)
    lightning.seed_everything(seed, verbose=False)
    module = make_picker(config["model"], **config.get("model_args", {}))
    loaders = _loaders(config, module, 500 if test_run else None)
    logger = CSVLogger(root, name)
    logger.log_hyperparams(config)
    keep = ModelCheckpoint(filename="{epoch}-{step}", monitor="val_loss", mode="min")
    trainer = lightning.Trainer(
        default_root_dir=root,
        logger=logger,
        callbacks=[keep],
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **_trainer_args(config.get("trainer_args", {})),
    )
    trainer.fit(module, *loaders)
    folder = Path(logger.log_dir)
    provenance.write(folder, provenance.provenance(config, seed, model=module.model))
    return folder


def load_trained(folder: str | Path) -> tuple[BenchmarkPicker, dict]:
    """
    The picker of a training with the lowest loss on dev, and its configuration.

    Nothing in the files is executed.

    :param folder: ``weights/DATA_MODEL``, whose latest version is taken, or a version.
    :raises FileNotFoundError: If there is no checkpoint.
    """
    folder = Path(folder)
    versions = sorted(folder.glob("version_*"), key=lambda path: int(path.name.split("_")[-1]))
    folder = versions[-1] if versions else folder
    checkpoints = sorted((folder / "checkpoints").glob("*.ckpt"))
    if not checkpoints or not (folder / "hparams.yaml").is_file():
        raise FileNotFoundError(f"{folder} has no checkpoint, or no hparams.yaml.")
    config = yaml.safe_load((folder / "hparams.yaml").read_text())
    arguments = dict(config.get("model_args") or {})
    if config["model"] == "SeisMoLLM":
        # Its own weights are in the checkpoint.
        arguments["pretrained"] = False
    module = make_picker(config["model"], **arguments)
    module.load_state_dict(read_torch(_best(folder, checkpoints))["state_dict"])
    return module.eval(), config


def evaluate(
    folder: str | Path,
    targets: str | Path,
    data: str | None = None,
    out: str | Path = ".",
    rate: float = RATE,
    **kwargs,
) -> Path:
    """
    Predict targets with a trained picker, in or across domains.

    :param folder: ``weights/DATA_MODEL``.
    :param targets: ``targets/NAME``.
    :param data: Data set of the targets; by default that of the training.
    :param out: Where ``pred``, ``pred_cross`` and so on are.
    :param rate: Hz, other than 100 for a resampled run.
    :param kwargs: See :py:func:`~seisbench_llm.benchmark.predictions.predict_targets`.
    :return: Folder of the predictions.
    """
    folder, targets = Path(folder), Path(targets)
    module, config = load_trained(folder)
    versions = sorted(path.name for path in folder.glob("version_*"))
    trained_on = config.get("targets") or folder.name.split("_")[0]
    root, name = folder_of(folder.name, targets.name, trained_on, rate)
    data = data or config["data"]
    result = Path(out) / root / name / (versions[-1] if versions else "version_0")
    dataset = open_for_benchmark(data, rate)
    phases = config.get("restrict_to_phase") or "PS"
    predict_targets(module, dataset, targets, result, rate=rate, phases=phases, **kwargs)
    what = {"weights": str(folder), "targets": targets.name, "data": data, "rate": rate}
    provenance.write(result, provenance.provenance(what, SEED, model=module.model))
    return result


def _loaders(config: dict, module: BenchmarkPicker, limit: int | None) -> list[DataLoader]:
    """Loaders of train and dev."""
    dataset = open_for_benchmark(config["data"])
    if phases := config.get("restrict_to_phase"):
        columns = [c for c, phase in PHASES.items() if phase in phases and c in dataset.metadata]
        mask = dataset.metadata[columns].notna().any(axis=1).to_numpy()
        dataset = dataset.filter(mask, inplace=False)
    loaders = []
    for side, augmentations in (
        ("train", module.get_train_augmentations()),
        ("dev", module.get_val_augmentations()),
    ):
        mask = (dataset.metadata["split"] == side).to_numpy()
        if side == "train":
            mask = mask & _fraction(
                dataset.metadata["trace_name"], config.get("training_fraction", 1.0)
            )
        if limit is not None:
            mask = mask & (np.cumsum(mask) <= limit)
        part = dataset.filter(mask, inplace=False)
        batch = config.get("batch_size", 1024)
        if len(part) < (batch if side == "train" else 1):
            raise ValueError(
                f"{config['data']} has {len(part)} records of {side}, fewer than a batch ({batch})."
            )
        generator = sbg.GenericGenerator(part)
        generator.add_augmentations(augmentations)
        loaders.append(
            DataLoader(
                generator,
                batch_size=batch,
                shuffle=side == "train",
                num_workers=config.get("num_workers", 0),
                worker_init_fn=worker_seeding,
                drop_last=side == "train",
            )
        )
    return loaders


def _fraction(names: pd.Series, fraction: float) -> np.ndarray:
    """Which records to train on: whole blocks of a file, drawn by chance."""
    if not 0 < fraction <= 1:
        raise ValueError("training_fraction is above 0, and 1 at most.")
    if fraction == 1:
        return np.ones(len(names), bool)
    blocks = names.astype(str).str.split("$").str[0]
    unique = blocks.unique()
    chosen = np.random.default_rng(SEED).permutation(unique)[: int(fraction * len(unique))]
    return blocks.isin(chosen).to_numpy()


def _trainer_args(given: dict) -> dict:
    """Arguments of Lightning 2's Trainer, also from a configuration for Lightning 1."""
    arguments = dict(given)
    if gpus := arguments.pop("gpus", None):
        there = torch.cuda.is_available()
        arguments["devices"] = gpus if there else 1
        arguments["accelerator"] = "gpu" if there else "cpu"
    return arguments


def _best(folder: Path, checkpoints: list[Path]) -> Path:
    """The checkpoint of the lowest loss; of several, by the log."""
    if len(checkpoints) == 1:
        return checkpoints[0]
    metrics = pd.read_csv(folder / "metrics.csv")
    row = metrics.loc[metrics["val_loss"].idxmin()]
    name = f"epoch={row['epoch']:.0f}-step={row['step'] + 1:.0f}.ckpt"
    return next((path for path in checkpoints if path.name == name), checkpoints[-1])
