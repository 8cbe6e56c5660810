"""Atomic writing: a file is written beside its place and renamed, so it is complete or absent."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Prefix of the temporary folders in which files are written.
PARTIAL = ".part-"


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """Give errors of the system the name of what was to be written."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            # Our own error already says what is wrong.
            raise
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Yield the same name in a temporary folder beside a file or folder."""
    folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
    try:
        yield folder / target.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """
    Yield a temporary file of the same name. It replaces ``path`` once it is complete and on the
    disk.

    Whatever happens, ``path`` is either the old file or the complete new one. The new file is
    written into a folder beside it, because a rename is atomic only within one file system. Links
    are followed. Pipes are written to directly.

    :param path: The file to replace. Neither the file nor its folder has to exist.
    :raises OSError: If the file cannot be written, or is a folder. The message has its name.
    """
    target = Path(os.path.realpath(path))
    with _named(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            # A device or a pipe has no content that could be kept.
            yield target
            return
        with _beside(target) as partial:
            yield partial
            _sync(partial)
            os.replace(partial, target)
            # The new name then survives a power cut.
            _sync(target.parent)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """
    Yield a temporary folder beside ``path``. It gets that name once it is complete.

    :param path: The folder to make.
    :raises FileExistsError: If there is such a file or folder.
    :raises OSError: If the folder cannot be written. The message has its name.
    """
    target = Path(path)
    if target.exists():
        raise FileExistsError(f"{path} exists. Name a new folder, or remove it first.")
    with _named(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _beside(target) as partial:
            partial.mkdir()
            yield partial
            for file in partial.iterdir():
                _sync(file)
            # A rename does not replace a folder with files, so a folder made meanwhile stays.
            os.rename(partial, target)
            _sync(target.parent)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name != "posix":
        return
    # Windows only syncs files that are open for writing. POSIX does not open folders for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folders: Iterable[Path], age: float = 0.0) -> None:
    """
    Remove temporary files that killed processes left behind.

    :param folders: Folders in which the processes wrote files.
    :param age: Leftovers are removed if their last change is at least this many seconds ago.
        Younger ones may belong to a process that is still running.
    """
    for folder in folders:
        for partial in folder.glob(f"{PARTIAL}*"):
            with suppress(FileNotFoundError):
                if time.time() - partial.stat().st_mtime >= age:
                    shutil.rmtree(partial, ignore_errors=True)
