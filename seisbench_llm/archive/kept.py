"""What is fetched from services and buckets, kept in a folder as an SDS archive."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

import obspy
from filelock import FileLock
from obspy import UTCDateTime

from ..atomic import remove_leftovers, replacing
from .files import SDS, Codes, SourceError, days_and_neighbours, sds_name
from .station_days import instrument_id
from .store import StoreError

LOCKS = ".locks"

# Age in seconds of a partial file that no process is writing any more.
ABANDONED_S = 3600.0


class Remote(Protocol):
    """An archive elsewhere."""

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """All (network, station, location, channel) that match the patterns."""
        ...

    def fetch(self, codes: Codes, day: UTCDateTime, folder: Path) -> dict[Path, str]:
        """
        Make a folder hold an instrument's day, one file per channel at :py:func:`kept_file`.

        What is there already is not fetched again. Without data, no file is made.

        :param codes: The channel may be a pattern.
        :param folder: Root of an SDS archive.
        :return: File -> what it is a copy of, where that has a name.
        :raises SourceError: If it cannot be fetched.
        """
        ...


class Kept:
    """
    An archive elsewhere, with what was fetched of it in a folder.

    Whole days are fetched, also of the neighbours of a day. The folder is an SDS archive and can be
    used as one. A file that is removed from it is fetched again.

    :param remote: The archive.
    :param folder: The folder. It is made if necessary. Without one, nothing is kept.
    """

    def __init__(self, remote: Remote, folder=None):
        self.remote = remote
        self.folder = None if folder is None else Path(folder).expanduser().resolve()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """All (network, station, location, channel) that match the patterns."""
        return self.remote.channels(start, end, patterns)

    def get_waveforms(
        self,
        network: str,
        station: str,
        location: str,
        channel: str,
        start: UTCDateTime,
        end: UTCDateTime,
        padding: float = 0.0,
    ) -> obspy.Stream:
        """
        See :py:meth:`seisbench_llm.archive.files.Files.get_waveforms`.

        :raises SourceError: Also if something cannot be fetched, be it of a neighbouring day.
        :raises StoreError: If the folder cannot be written.
        """
        codes = network, station, location, channel
        _check_codes(codes)
        keep = tempfile.TemporaryDirectory() if self.folder is None else nullcontext(self.folder)
        with keep as folder:
            # The folder may be gone since, such as one that is not mounted any more.
            archive, copies = SDS(folder), {}
            try:
                with _locked(archive.root, codes):
                    for day in days_and_neighbours(start, end):
                        copies |= self.remote.fetch(codes, day, archive.root)
            except OSError as error:
                raise StoreError(f"What is fetched cannot be kept in {folder}: {error}") from error
            try:
                stream = archive.get_waveforms(*codes, start, end, padding)
            except SourceError as error:
                copied = copies.get(Path(str(error.file)))
                if copied is None:
                    raise
                raise SourceError(f"{error} It is a copy of {copied}.", error.file) from error
        for trace in stream:
            trace.stats.file = copies.get(Path(trace.stats.file), trace.stats.file)
        return stream


@contextmanager
def _locked(root: Path, codes: Codes) -> Iterator[None]:
    """Let workers that need the same days of an instrument fetch them once."""
    folder = root / LOCKS
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{instrument_id(codes)}.lock")
    # A file system may have no locks. Some days are then fetched twice, without harm.
    with suppress(NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def kept_file(folder: Path, codes: Codes, day: UTCDateTime) -> Path:
    """
    File of a channel's day in SDS.

    :raises SourceError: If a code could lead out of the folder.
    """
    _check_codes(codes)
    return folder / sds_name(codes, day)


def _check_codes(codes: Codes) -> None:
    for code in codes:
        if not re.fullmatch(r"[\w-]*\??", code):
            raise SourceError(f"{'.'.join(codes)} has the code '{code}', which is none of SEED.")


@contextmanager
def keeping(file: Path) -> Iterator[Path]:
    """Like :py:func:`seisbench_llm.atomic.replacing`, and remove what killed processes left."""
    remove_leftovers([file.parent], age=ABANDONED_S)
    with replacing(file) as partial:
        yield partial
