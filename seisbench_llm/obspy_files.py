"""Files that ObsPy reads: waveforms, stations and catalogues, safely whatever they hold."""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import obspy

# What a file may become: so many times its size, or so many bytes if that is more. Waveforms become
# four times their size, text of many zeros a hundred times.
MOST_TIMES = 100
MOST_BYTES = 2**28

_PIECE = 2**20

# Of ObsPy's format PICKLE, which is code: to read it would be to run it.
_PICKLE = b"obspy.core.stream"


def read_waveforms(file: str | Path, **kwargs) -> obspy.Stream:
    """
    :py:func:`obspy.read` of one file, whose name is no pattern.

    :raises ValueError: If it is a pickle, or a compressed file that is damaged or becomes too
        large; for others, :py:func:`obspy.read` raises whatever comes to it.
    """
    stream = obspy.Stream()
    with unpacked(file) as parts:
        for part in parts:
            with open(part, "rb") as content:
                if _PICKLE in content.read(512):
                    raise ValueError("it is a pickle of Python, which may be any program")
            stream += obspy.read(_plain(part), check_compression=False, **kwargs)
    return stream


def read_mseed(file: str | Path, **kwargs) -> obspy.Stream:
    """:py:func:`obspy.read` of one file that has to be miniSEED, and not compressed."""
    return obspy.read(_plain(file), format="MSEED", check_compression=False, **kwargs)


def read_inventory(file: str | Path) -> obspy.Inventory:
    """:py:func:`obspy.read_inventory` of one file, see :py:func:`read_waveforms`."""
    with unpacked(file) as parts:
        first, *others = [
            obspy.read_inventory(_plain(part), check_compression=False) for part in parts
        ]
    return sum(others, first)


def read_catalog(file: str | Path) -> obspy.Catalog:
    """:py:func:`obspy.read_events` of one file, see :py:func:`read_waveforms`."""
    with unpacked(file) as parts:
        first, *others = [
            obspy.read_events(_plain(part), check_compression=False) for part in parts
        ]
    return sum(others, first)


def _plain(file: str | Path) -> str:
    """A name in which ObsPy takes no [ for a pattern."""
    return glob.escape(str(file))


@contextmanager
def unpacked(file: str | Path) -> Iterator[list[Path]]:
    """
    The files in a compressed one (tar, zip, .gz, .bz2), or the file itself if it is not compressed.

    ObsPy unpacks such files as well, but into memory, and whatever they become: a few kilobytes may
    be terabytes. Hand it what this gives, with ``check_compression=False``.

    :param file: The file.
    :raises ValueError: If it is damaged, or becomes too large, with its name.
    """
    file = Path(file)
    kind = _kind(file)
    if kind is None:
        yield [file]
        return
    with tempfile.TemporaryDirectory(prefix="seisbench-llm-") as folder:
        try:
            parts = _unpack(file, kind, Path(folder))
        except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error,
                lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:  # fmt: skip
            raise ValueError(f"{file} cannot be unpacked: {error}") from error
        # ObsPy takes some waveforms for archives without content.
        yield parts or [file]


def _kind(file: Path) -> str | None:
    if tarfile.is_tarfile(file):
        return "tar"
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            # ObsPy's mark of formats that are zip files themselves.
            return None if b"obspy_no_uncompress" in archive.comment else "zip"
    return {".gz": "gz", ".bz2": "bz2"}.get(file.suffix)


def _unpack(file: Path, kind: str, folder: Path) -> list[Path]:
    left = max(MOST_BYTES, MOST_TIMES * file.stat().st_size)
    parts: list[Path] = []

    def take(content: IO[bytes]) -> None:
        nonlocal left
        # Numbered, as names in an archive may lead out of the folder.
        part = folder / str(len(parts))
        with open(part, "wb") as output:
            while piece := content.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise ValueError(f"it becomes more than {MOST_TIMES} times as large")
                output.write(piece)
        if part.stat().st_size:
            parts.append(part)

    if kind == "tar":
        with tarfile.open(file, "r|*") as archive:
            for member in archive:
                if member.isfile():
                    take(archive.extractfile(member))
    elif kind == "zip":
        with zipfile.ZipFile(file) as archive:
            for name in archive.infolist():
                with archive.open(name) as content:
                    take(content)
    else:
        opener = gzip.open if kind == "gz" else bz2.open
        with opener(file, "rb") as content:
            take(content)
    return parts
