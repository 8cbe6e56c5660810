"""Safe reading of ObsPy's files: waveforms, stations and catalogues."""

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
import seisbench
from obspy.core.event import Event

# Limit on the size of an unpacked file: this many times the size of the file, or this many bytes,
# whichever is larger. Waveforms grow by a factor of about four, text of many zeros by a hundred.
MOST_TIMES = 100
MOST_BYTES = 2**28

_PIECE = 2**20

# Beginning of files in ObsPy's format PICKLE. A pickle is code: reading it means running it.
_PICKLE = b"obspy.core.stream"


def read_waveforms(
    file: str | Path, failed: dict[str, str] | None = None, **kwargs
) -> obspy.Stream:
    """
    :py:func:`obspy.read` for one file. Its name is not taken for a pattern.

    :param failed: If given, a member of an archive that cannot be read is left out, and the reason
        goes here, by its name in the archive.
    :raises ValueError: If the file is a pickle, or a compressed file that is damaged or grows too
        large, or a member of an archive cannot be read. Any other exception is one of
        :py:func:`obspy.read`.
    """
    stream, reasons = obspy.Stream(), {}
    with unpacked(file) as parts:
        for part, name in parts.items():
            try:
                with open(part, "rb") as content:
                    if _PICKLE in content.read(512):
                        raise ValueError("it is a Python pickle, which may contain any program")
                stream += obspy.read(_plain(part), check_compression=False, **kwargs)
            except Exception as error:
                # ObsPy's readers raise exceptions of any kind on a broken file.
                if part == Path(file):
                    raise
                why = str(error).partition("\n")[0] or type(error).__name__
                reasons[name] = why = why.replace(str(part), name)
                if failed is None or len(reasons) == len(parts):
                    raise ValueError(f"its member {name}: {why}") from error
    if failed is not None:
        failed.update(reasons)
    return stream


def read_mseed(file: str | Path, **kwargs) -> obspy.Stream:
    """:py:func:`obspy.read` for one uncompressed miniSEED file."""
    return obspy.read(_plain(file), format="MSEED", check_compression=False, **kwargs)


def read_inventory(file: str | Path) -> obspy.Inventory:
    """:py:func:`obspy.read_inventory` for one file, see :py:func:`read_waveforms`."""
    with unpacked(file) as parts:
        first, *others = [
            obspy.read_inventory(_plain(part), check_compression=False) for part in parts
        ]
    return sum(others, first)


def read_catalog(file: str | Path) -> obspy.Catalog:
    """:py:func:`obspy.read_events` for one file, see :py:func:`read_waveforms`."""
    with unpacked(file) as parts:
        first, *others = [
            obspy.read_events(_plain(part), check_compression=False) for part in parts
        ]
    catalog = sum(others, first)
    for event in catalog:
        _leave_out_projected(event, file)
    return catalog


def _leave_out_projected(event: Event, file: str | Path) -> None:
    """Leave out origins whose coordinates are those of a grid, such as Gauss-Krueger's."""
    for origin in list(event.origins):
        if abs(origin.latitude or 0) > 90 or abs(origin.longitude or 0) > 360:
            event.origins.remove(origin)
            if event.preferred_origin_id == origin.resource_id:
                event.preferred_origin_id = None
            seisbench.logger.warning(
                f"{file}: an origin at latitude {origin.latitude:g} and longitude "
                f"{origin.longitude:g} is left out, because these are not degrees. NonLinLoc "
                f"writes degrees if its TRANS is not NONE."
            )


def _plain(file: str | Path) -> str:
    """A file name in which ObsPy does not take [ for a pattern."""
    return glob.escape(str(file))


@contextmanager
def unpacked(file: str | Path) -> Iterator[dict[Path, str]]:
    """
    Yield the files in an archive (tar, zip, .gz, .bz2), or the file itself if it is not compressed,
    with their names in the archive.

    ObsPy unpacks such files into memory without a limit: a few kilobytes may grow to terabytes.
    Read the files that this function yields with ``check_compression=False``.

    :param file: The file.
    :raises ValueError: If the file is damaged or grows too large. The message has its name.
    """
    file = Path(file)
    kind = _kind(file)
    if kind is None:
        yield {file: file.name}
        return
    with tempfile.TemporaryDirectory(prefix="seisbench-llm-") as folder:
        try:
            parts = _unpack(file, kind, Path(folder))
        except (OSError, EOFError, ValueError, NotImplementedError, RuntimeError, zlib.error,
                lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:  # fmt: skip
            raise ValueError(f"{file} cannot be unpacked: {error}") from error
        # ObsPy takes some waveform files for empty archives.
        yield parts or {file: file.name}


def _kind(file: Path) -> str | None:
    if tarfile.is_tarfile(file):
        return "tar"
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            # ObsPy marks formats that are themselves zip files in this way.
            return None if b"obspy_no_uncompress" in archive.comment else "zip"
    return {".gz": "gz", ".bz2": "bz2"}.get(file.suffix)


def _unpack(file: Path, kind: str, folder: Path) -> dict[Path, str]:
    left = max(MOST_BYTES, MOST_TIMES * file.stat().st_size)
    parts: dict[Path, str] = {}

    def take(content: IO[bytes], name: str) -> None:
        nonlocal left
        # Files get numbers as names, because names in an archive may lead out of the folder.
        part = folder / str(len(parts))
        with open(part, "wb") as output:
            while piece := content.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise ValueError(f"it grows to more than {MOST_TIMES} times its size")
                output.write(piece)
        if part.stat().st_size:
            parts[part] = name

    if kind == "tar":
        with tarfile.open(file, "r|*") as archive:
            for member in archive:
                if member.isfile():
                    take(archive.extractfile(member), member.name)
    elif kind == "zip":
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as content:
                    take(content, member.filename)
    else:
        opener = gzip.open if kind == "gz" else bz2.open
        with opener(file, "rb") as content:
            take(content, file.stem)
    return parts
