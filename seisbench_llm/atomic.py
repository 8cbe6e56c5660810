"""Files that are whole or not there: written beside, and renamed into place."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Beginning of the names of folders in which files are written.
PARTIAL = ".part-"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """
    A file of the same name to write to, which takes the place of ``path`` once it is complete and
    on the disk.

    Whatever happens, ``path`` is the file of before or the new one, whole. The new one is written
    into a folder beside it, as only a file of the same file system can take a place at once; the
    folder for temporary files may be anywhere. A link is followed, and a pipe is written to.

    :param path: The file to be replaced; neither it nor its folder need be there yet.
    :raises OSError: If it cannot be written, with the name of the file.
    """
    target = Path(os.path.realpath(path))
    folder = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # A device or a pipe has no content that could be kept.
            yield target
            return
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
        partial = folder / target.name
        yield partial
        _sync(partial)
        os.replace(partial, target)
        # Makes the new name outlast a power cut.
        _sync(target.parent)
    except OSError as error:
        if error.errno is None:
            # One of ours, which says what is wrong.
            raise
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name != "posix":
        return
    # Windows syncs only what is open for writing, and POSIX opens no folder for that.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folders: Iterable[Path], age: float = 0.0) -> None:
    """
    Remove what killed processes began to write.

    :param folders: Folders of the files that they wrote.
    :param age: Seconds since the last change, below which another process may still be at it.
    """
    for folder in folders:
        for partial in folder.glob(f"{PARTIAL}*"):
            with suppress(FileNotFoundError):
                if time.time() - partial.stat().st_mtime >= age:
                    shutil.rmtree(partial, ignore_errors=True)
