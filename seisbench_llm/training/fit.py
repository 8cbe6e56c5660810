"""``seisbench-llm fit``: a training run from a configuration file, in a folder of its own."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import lightning
import seisbench
import yaml
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException

from ..atomic import replacing
from ..tasks import TASKS
from . import configs
from .checkpoints import LastCheckpoint, SafeCheckpointIO
from .datamodule import DataModule, fingerprint
from .module import TrainingModule
from .run_folder import RunFolder, logged_metrics, read_yaml

# Modules whose classes a configuration file may name. Files are shared, and importing a class means
# running code.
TRUSTED_MODULES = ("lightning.", "seisbench_llm.")

# Exit codes of a process that SIGTERM or Ctrl-C ends.
TERMINATED, INTERRUPTED = 128 + 15, 128 + 2


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
            parser_kwargs={
                "prog": "seisbench-llm fit",
                "default_env": False,
                "exit_on_error": False,
            },
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
                # A run may end by max_steps before its first validation.
                "early_stopping.strict": False,
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
    def folder(self) -> RunFolder:
        run, task = self.config["run"], self.config["task"]
        unknown = set(re.findall(r"\{(.*?)\}", run)) - {"task"}
        if unknown or run.count("{") != run.count("}"):
            raise ValueError(f"--run is a folder in which {{task}} is filled in, not '{run}'.")
        return RunFolder(run.replace("{task}", task))

    def instantiate_trainer(self, **kwargs) -> lightning.Trainer:
        options, folder = self.config_init["trainer"], self.folder
        if options.get("enable_progress_bar") is None:
            kwargs["enable_progress_bar"] = sys.stderr.isatty()
        # Samples are sharded by the data module's own sampler, which can be resumed.
        kwargs.update(use_distributed_sampler=False, num_sanity_val_steps=0)
        kwargs.update(default_root_dir=str(folder.path))
        plugins = options.get("plugins") or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        kwargs["plugins"] = [*plugins, SafeCheckpointIO()]
        callbacks = list(options.get("callbacks") or [])
        if not options.get("fast_dev_run"):
            kwargs["logger"] = [
                # A new version for each start: it would delete the log of the start before.
                CSVLogger(folder.path, name="logs"),
                TensorBoardLogger(folder.path, name="", version="tensorboard"),
            ]
            callbacks += [
                LearningRateMonitor("step"),
                ModelCheckpoint(
                    folder.checkpoints,
                    filename="best",
                    monitor="val/loss",
                    enable_version_counter=False,
                ),
                # Behind those whose state it keeps.
                LastCheckpoint(
                    folder.checkpoints, self.config["checkpoint"]["every_n_train_steps"]
                ),
            ]
        return super().instantiate_trainer(**kwargs, callbacks=callbacks)


def fit(args: list[str]) -> Path | None:
    """
    Train with a configuration file and overrides, or continue a stopped run.

    The run folder gets ``config.yaml``, ``versions.json``, ``split_*.csv.gz`` (the side of each
    record), ``logs/metrics.csv``, ``tensorboard/``, ``checkpoints/last.ckpt`` and ``best.ckpt``
    and, at the end, ``metrics.json``.

    :param args: Command line, such as ``["--config", "picking.yaml", "--data.batch_size=32"]``.
        Names of packaged configurations are possible, see
        :py:func:`seisbench_llm.training.configs.names`.
    :return: The run folder. None after ``--fast-dev-run``, which writes nothing.
    :raises ValueError: If an option or a file is wrong, or if the run folder contains a run with
        another configuration.
    :raises SystemExit: With code 143 after SIGTERM, 130 after Ctrl-C.
    """
    _silence()
    args = configs.resolve(args)
    cli = _parse(["--trainer.fast_dev_run=true" if a == "--fast-dev-run" else a for a in args])
    cli.datamodule.match(cli.model.model)
    cli.datamodule.setup()
    if cli.config["trainer"]["fast_dev_run"]:
        cli.trainer.fit(cli.model, cli.datamodule)
        return None
    folder = cli.folder
    # Under torchrun or SLURM all processes run this at once, while the first one prepares the
    # folder. The result must not depend on which is faster.
    last = None if cli.config["overwrite"] else folder.last
    _prepare(cli, folder)
    try:
        cli.trainer.fit(
            cli.model,
            cli.datamodule,
            ckpt_path=None if last is None else str(last),
            weights_only=True,
        )
    except SIGTERMException:
        _say_stopped(cli, "SIGTERM")
        raise SystemExit(TERMINATED) from None
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        # Lightning would end with 1, like after a failure.
        _say_stopped(cli, "Ctrl-C")
        raise SystemExit(INTERRUPTED) from None
    _finish(cli, folder)
    return folder.path


def _say_stopped(cli: FitCLI, by: str) -> None:
    seisbench.logger.warning(
        f"Stopped by {by} at step {cli.trainer.global_step}. The same command continues from the "
        f"last checkpoint in {cli.folder.checkpoints}."
    )


def _parse(args: list[str]) -> FitCLI:
    """The command line, its errors as one line each."""
    _check_classes(args)
    try:
        return FitCLI(args)
    except (argparse.ArgumentError, MisconfigurationException) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"{message[:500]} See seisbench-llm fit --help.") from None


def _check_classes(args: list[str]) -> None:
    """
    Check that configuration files only name classes of trusted modules.

    :raises ValueError: If a file names another class. The message has the file and the class.
    """
    # Also of --trainer=FILE, or as "-cFILE".
    named = {value for a in args for value in (a, a.partition("=")[2], a[2:])}
    for file in sorted(value for value in named if value and Path(value).is_file()):
        content = _read_config(file)
        for name in _class_names(content):
            if not name.startswith(TRUSTED_MODULES):
                raise ValueError(
                    f"{file} names the class {name}, which is not of {' or '.join(TRUSTED_MODULES)}"
                    f" and would be run. Pass it on the command line if you trust it."
                )


def _read_config(file: str):
    content = read_yaml(Path(file))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is not a configuration: it has no options such as 'model:'.")
    return content


def _class_names(content, key: str = "", trainer: bool = False) -> list[str]:
    """Dotted names that Lightning's parser would import."""
    if isinstance(content, dict):
        parts = content.items()
        return [n for k, v in parts for n in _class_names(v, k, trainer or k == "trainer")]
    if isinstance(content, list):
        return [name for item in content for name in _class_names(item, key, trainer)]
    dotted = isinstance(content, str) and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", content)
    return [content] if dotted and (trainer or key == "class_path") else []


def _silence() -> None:
    """Hide messages that users cannot do anything about."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    warnings.filterwarnings("ignore", "LightningCLI's args parameter")
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated")
    lightning_log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    lightning_log.addFilter(lambda record: "litlogger" not in record.getMessage())


@rank_zero_only
def _prepare(cli: FitCLI, folder: RunFolder) -> None:
    """Write the description of the run, or check that it has not changed."""
    config = yaml.safe_load(cli.parser.dump(cli.config, skip_link_targets=False))
    if cli.config["overwrite"]:
        folder.clear()
    folder.check_config(config)
    folder.write_config(config)
    if folder.last is None:
        cli.datamodule.write_splits(folder.path)
        return
    with tempfile.TemporaryDirectory() as now:
        cli.datamodule.write_splits(Path(now))
        if fingerprint(Path(now)) != fingerprint(folder.path):
            raise ValueError(
                f"The data set has changed since {folder.path} was begun: its split differs."
            )


@rank_zero_only
def _finish(cli: FitCLI, folder: RunFolder) -> None:
    trainer = cli.trainer
    if not trainer.state.finished:
        return
    # Callbacks that save further checkpoints come first.
    best = next(c for c in trainer.checkpoint_callbacks if getattr(c, "monitor", "") == "val/loss")
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    result = {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "best_val_loss": None if best.best_model_score is None else float(best.best_model_score),
        "last": metrics,
        "records": cli.datamodule.counts(),
        "split_sha256": fingerprint(folder.path),
    }
    with replacing(folder.path / "metrics.csv") as partial:
        logged_metrics(folder.path).to_csv(partial, index=False)
    folder.write_json("metrics.json", result)
    seisbench.logger.info(f"Finished {folder.path}: {result['best_val_loss']}")
    print(  # noqa: T201 (the command's result)
        f"{folder.path}: {result['steps']} steps, best val/loss {result['best_val_loss']}"
    )
