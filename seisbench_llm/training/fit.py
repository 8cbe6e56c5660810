"""``seisbench-llm fit``: a training run from a configuration file, in a folder of its own."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import platform
import shutil
import sys
import warnings
from pathlib import Path

import lightning
import pandas as pd
import seisbench
import yaml
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from ..tasks import TASKS
from .datamodule import DataModule, fingerprint
from .module import TrainingModule

PACKAGES = ("seisbench_llm", "seisbench", "torch", "lightning", "peft", "transformers", "obspy")


PACKAGES += ("numpy", "pandas", "scipy")


# What may differ between a run and its continuation: how long, and on what, not what is learnt.
FREE = {
    "trainer": {"max_epochs", "max_steps", "max_time", "enable_progress_bar", "accelerator"},
    "data": {"num_workers"},
    "checkpoint": {"every_n_train_steps"},
}


LAST, BEST = "last.ckpt", "best.ckpt"


class FitCLI(LightningCLI):
    """Lightning's command line, with a run folder, checkpoints, logs and early stopping."""

    def __init__(self, args: list[str]):
        super().__init__(
            TrainingModule,
            DataModule,
            save_config_callback=None,
            seed_everything_default=0,
            run=False,
            args=args,
            parser_kwargs={"prog": "seisbench-llm fit", "default_env": False},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--task", choices=list(TASKS), default="picking", help="What to learn.")
        parser.add_argument(
            "--run", default="runs/{task}", help="Folder of the run; {task} is filled in."
        )
        parser.add_argument("--overwrite", default=False, type=bool, help="Forget an earlier run.")
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.set_defaults(
            {
                "early_stopping.monitor": "val/loss",
                "early_stopping.patience": 30,
                "trainer.log_every_n_steps": 10,
            }
        )
        parser.add_argument(
            "--checkpoint.every_n_train_steps", default=500, type=int, help="Steps between saves."
        )
        parser.link_arguments("task", "model.task")
        for part in ("model", "data"):
            parser.link_arguments("seed_everything", f"{part}.seed", compute_fn=int)

    @property
    def folder(self) -> Path:
        return Path(self.config["run"].format(task=self.config["task"]))

    def instantiate_trainer(self, **kwargs) -> lightning.Trainer:
        options = self.config_init["trainer"]
        if options.get("enable_progress_bar") is None:
            kwargs["enable_progress_bar"] = sys.stderr.isatty()
        # Samples are sharded by the data module's own sampler, which can be resumed.
        kwargs.update(use_distributed_sampler=False, num_sanity_val_steps=0)
        kwargs.update(default_root_dir=str(self.folder))
        callbacks = list(options.get("callbacks") or [])
        if not options.get("fast_dev_run"):
            kwargs["logger"] = [
                # A new version for each start: it would delete the log of the start before.
                CSVLogger(self.folder, name="logs"),
                TensorBoardLogger(self.folder, name="", version="tensorboard"),
            ]
            checkpoints = self.folder / "checkpoints"
            common = {"dirpath": checkpoints, "enable_version_counter": False}
            callbacks += [
                ModelCheckpoint(filename="best", monitor="val/loss", **common),
                ModelCheckpoint(
                    filename="last",
                    every_n_train_steps=self.config["checkpoint"]["every_n_train_steps"],
                    save_on_train_epoch_end=False,
                    **common,
                ),
                LearningRateMonitor("step"),
            ]
        return super().instantiate_trainer(**kwargs, callbacks=callbacks)


def fit(args: list[str]) -> Path | None:
    """
    Train as a configuration file and overrides say, or go on with a run that was stopped.

    The run folder gets ``config.yaml``, ``versions.json``, ``split_*.csv.gz`` (which record was
    on which side), ``logs/metrics.csv``, ``tensorboard/``, ``checkpoints/last.ckpt`` and
    ``best.ckpt`` and, at the end, ``metrics.json``.

    :param args: Command line, such as ``["--config", "picking.yaml", "--data.batch_size=32"]``.
    :return: The run folder; None after ``--fast-dev-run``, which writes nothing.
    :raises ValueError: If the run folder holds a run with another configuration.
    """
    _silence()
    cli = FitCLI(["--trainer.fast_dev_run=true" if a == "--fast-dev-run" else a for a in args])
    cli.datamodule.match(cli.model.model)
    cli.datamodule.setup()
    if cli.config["trainer"]["fast_dev_run"]:
        cli.trainer.fit(cli.model, cli.datamodule)
        return None
    folder = cli.folder
    _prepare(cli, folder)
    cli.trainer.strategy.barrier()
    last = folder / "checkpoints" / LAST
    cli.trainer.fit(
        cli.model,
        cli.datamodule,
        ckpt_path=str(last) if last.is_file() else None,
        weights_only=True,
    )
    _finish(cli, folder)
    return folder


def _silence() -> None:
    """Keep from users what they can do nothing about."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    warnings.filterwarnings("ignore", "LightningCLI's args parameter")
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
    lightning_log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    lightning_log.addFilter(lambda record: "litlogger" not in record.getMessage())


@rank_zero_only
def _prepare(cli: FitCLI, folder: Path) -> None:
    """Write what describes the run, or make sure that it is the same as before."""
    config = yaml.safe_load(cli.parser.dump(cli.config, skip_link_targets=False))
    if folder.is_dir() and cli.config["overwrite"]:
        shutil.rmtree(folder)
    old = folder / "config.yaml"
    if old.is_file():
        changed = _differences(yaml.safe_load(old.read_text()), config)
        if changed:
            raise ValueError(
                f"{folder} holds a run with another configuration ({'; '.join(changed)}). "
                f"Give another --run, or --overwrite=true."
            )
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "config.yaml.tmp"
    temporary.write_text(yaml.safe_dump(config, sort_keys=False))
    temporary.replace(old)
    (folder / "versions.json").write_text(json.dumps(versions(), indent=2) + "\n")
    before = fingerprint(folder)
    first = not list(folder.glob("split_*.csv.gz"))
    cli.datamodule.write_splits(folder)
    if not first and fingerprint(folder) != before:
        raise ValueError(f"The data set has changed since {folder} was begun: its split differs.")


def _differences(old: dict, new: dict, path: str = "") -> list[str]:
    """What of a configuration differs, as text, but for what is free to change."""
    found = []
    for key in sorted({*old, *new}):
        if key in FREE.get(path, ()) or (not path and key in ("overwrite", "run", "config")):
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{path}.{key}" if path else key)
        elif a != b:
            found.append(f"{path}.{key} was {a}, is {b}" if path else f"{key} was {a}, is {b}")
    return found


def logged_metrics(folder: Path) -> pd.DataFrame:
    """
    What a run has logged, a row per step.

    Steps that were run again after an interruption are there once.

    :param folder: Run folder.
    """
    starts = sorted(folder.glob("logs/version_*"), key=lambda path: int(path.name[8:]))
    parts = [
        pd.read_csv(path / "metrics.csv") for path in starts if (path / "metrics.csv").is_file()
    ]
    # A step has several rows: learning rate, training loss, validation.
    return pd.concat(parts).groupby("step", as_index=False).last()


def versions() -> dict[str, str]:
    """Versions of what a result may depend on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
    return {"python": platform.python_version(), "platform": platform.platform(), **found}


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@rank_zero_only
def _finish(cli: FitCLI, folder: Path) -> None:
    trainer = cli.trainer
    if not trainer.state.finished:
        return
    # Whoever saves further checkpoints has theirs first.
    best = next(c for c in trainer.checkpoint_callbacks if c.monitor == "val/loss")
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    result = {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "best_val_loss": None if best.best_model_score is None else float(best.best_model_score),
        "last": metrics,
        "records": cli.datamodule.counts(),
        "split_sha256": fingerprint(folder),
    }
    logged_metrics(folder).to_csv(folder / "metrics.csv", index=False)
    (folder / "metrics.json").write_text(json.dumps(result, indent=2) + "\n")
    seisbench.logger.info(f"Finished {folder}: {result['best_val_loss']}")
    print(f"{folder}: {result['steps']} steps, best val/loss {result['best_val_loss']}")
