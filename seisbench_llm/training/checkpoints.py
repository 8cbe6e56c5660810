"""Checkpoints that a kill or a full disk cannot destroy, and from which a run goes on as it was."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ..atomic import replacing
from ..weight_files import one_line, read_torch, write_torch

LAST, BEST = "last.ckpt", "best.ckpt"


class SafeCheckpointIO(TorchCheckpointIO):
    """
    Lightning's checkpoint files, written by
    :py:func:`~seisbench_llm.atomic.replacing` and read without executing any.

    Lightning's own writes into the folder for temporary files and moves the result. From another
    file system that is a copy: a kill or a full disk leaves half a checkpoint in place of a whole.
    """

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        with replacing(path) as partial:
            write_torch(checkpoint, partial)

    def load_checkpoint(self, path, map_location=None, weights_only=True):
        return load_checkpoint(path)


def load_checkpoint(path: str | Path) -> dict:
    """
    What a checkpoint holds, on the CPU. Nothing in it is executed.

    :param path: File that ``fit`` wrote.
    :raises ValueError: If it is no checkpoint, with its name.
    """
    try:
        state = read_torch(path)
    except FileNotFoundError:
        raise
    # Depending on where the file is broken: EOFError, RuntimeError, UnpicklingError, KeyError ...
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint that can be read: {one_line(error)}") from error
    if not isinstance(state, dict) or "state_dict" not in state:
        raise ValueError(f"{path} is no checkpoint of a training run: it has no 'state_dict'.")
    return state


class LastCheckpoint(Checkpoint):
    """
    Keeps ``last.ckpt``, from which a stopped run goes on.

    It is written every so many steps and at the end of each epoch, when validation, early stopping
    and the choice of the best checkpoint are done. At the last step of an epoch itself it is not:
    Lightning (2.6) goes on from there without validation, and miscounts the epochs from then on, so
    that a run that is stopped once more trains longer than it should.

    :param folder: Where to.
    :param every_n_train_steps: Optimizer steps from one to the next.
    """

    def __init__(self, folder: Path, every_n_train_steps: int):
        self.path = Path(folder) / LAST
        self.every_n_train_steps = every_n_train_steps
        self._saved = 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        step = trainer.global_step
        due = step % self.every_n_train_steps == 0 and step != self._saved
        if due and not trainer.is_last_batch:
            self._save(trainer)

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self._save(trainer)

    def _save(self, trainer) -> None:
        self._saved = trainer.global_step
        # Optimizer, schedule and loops, too.
        trainer.save_checkpoint(self.path, weights_only=False)
