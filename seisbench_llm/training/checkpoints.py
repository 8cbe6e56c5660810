"""Checkpoints that survive a kill or a full disk, and from which a run continues exactly."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ..atomic import replacing
from ..weight_files import one_line, read_torch, write_torch

LAST, BEST = "last.ckpt", "best.ckpt"


class SafeCheckpointIO(TorchCheckpointIO):
    """
    Lightning's checkpoint files, written by :py:func:`~seisbench_llm.atomic.replacing` and read
    without executing anything in them.

    Lightning writes into the folder for temporary files and moves the result. Between file systems
    a move is a copy, so that a kill or a full disk leaves an incomplete checkpoint.
    """

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        with replacing(path) as partial:
            write_torch(checkpoint, partial)

    def load_checkpoint(self, path, map_location=None, weights_only=True):
        return load_checkpoint(path)


def load_checkpoint(path: str | Path) -> dict:
    """
    Content of a checkpoint, on the CPU. Nothing in it is executed.

    :param path: File that ``fit`` wrote.
    :raises ValueError: If the file is not a checkpoint. The message has its name.
    """
    try:
        state = read_torch(path)
    except FileNotFoundError:
        raise
    # Depending on where the file is broken: EOFError, RuntimeError, UnpicklingError, KeyError ...
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that can be read: {one_line(error)}"
        ) from error
    if not isinstance(state, dict) or "state_dict" not in state:
        raise ValueError(f"{path} is not a checkpoint of a training run: it has no 'state_dict'.")
    return state


class LastCheckpoint(Checkpoint):
    """
    Keeps ``last.ckpt``, from which a stopped run continues.

    It is written at regular steps, and at the end of each epoch after validation, early stopping
    and the choice of the best checkpoint. It is not written at the last step of an epoch. Lightning
    (2.6) would continue from there without validation and would miscount the epochs, so that a run
    that is stopped again would train too long.

    :param folder: Folder of the checkpoint.
    :param every_n_train_steps: Number of optimizer steps between checkpoints.
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
        # It includes optimizer, schedule and loops.
        trainer.save_checkpoint(self.path, weights_only=False)
