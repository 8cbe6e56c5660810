"""Checkpoints that a kill or a full disk cannot destroy, and from which a run goes on as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

LAST, BEST = "last.ckpt", "best.ckpt"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """
    A file to write to that takes the place of another one when it is complete, and not before.

    It is written beside the other one, as only a file of the same file system can take a place at
    once; the folder for temporary files may be anywhere.

    :param path: The file to be replaced; it need not be there yet.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that a killed run leaves one such file at most.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlast a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class SafeCheckpointIO(TorchCheckpointIO):
    """
    Lightning's checkpoint files, written by :py:func:`replacing` and read without executing any.

    Lightning's own writes into the folder for temporary files and moves the result. From another
    file system that is a copy: a kill or a full disk leaves half a checkpoint in place of a whole.
    """

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        with replacing(Path(path)) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path, map_location=None, weights_only=True):
        return load_checkpoint(path)


def load_checkpoint(path: str | Path) -> dict:
    """
    What a checkpoint holds, on the CPU. Nothing in it is executed.

    :param path: File that ``fit`` wrote.
    :raises ValueError: If it is no checkpoint, with its name.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    # Depending on where the file is broken: EOFError, RuntimeError, UnpicklingError, KeyError ...
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is no checkpoint that can be read: {reason}") from error
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
