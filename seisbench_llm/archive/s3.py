"""Archives in buckets of S3 and of services with its interface, one object per channel and day."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from obspy import UTCDateTime

from ..extras import install_command
from .days import days_between
from .files import Codes, SourceError
from .kept import keeping, kept_file
from .station_days import split_pattern

# Any of these says that the bucket is not to be asked anonymously. The AWS SDK reads them.
CREDENTIALS = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")

# Requests for listings at once. Each takes about a tenth of a second, whatever the machine.
THREADS = 16

# Of an SDS archive a station-day needs four listings of its own, of the others three that all
# stations share.
LISTINGS_KEPT = 16


class Layout(NamedTuple):
    """
    How the objects of a bucket are named.

    :param folders: Folders below the prefix, with the fields network, station, location, channel,
        year and day (of the year).
    :param name: Regular expression of a name, with the same fields as groups. Underscores at the
        end of a code are padding.
    """

    folders: tuple[str, ...]
    name: str

    @property
    def by_day(self) -> bool:
        """Whether each day has a folder."""
        return any("{day}" in folder for folder in self.folders)


SDS = Layout(
    ("{year}", "{network}", "{station}", "{channel}.D"),
    r"(?P<network>\w+)\.(?P<station>\w+)\.(?P<location>\w*)\.(?P<channel>\w+)"
    r"\.D\.(?P<year>\d{4})\.(?P<day>\d{3})",
)

# Bucket -> layout of its continuous waveforms, by the pages of the data centres.
LAYOUTS = {
    "scedc-pds": Layout(
        ("{year}", "{year}_{day}"),
        r"(?P<network>\w{2})(?P<station>\w{5})(?P<channel>\w{3})(?P<location>\w{2})_"
        r"(?P<year>\d{4})(?P<day>\d{3})\.ms",
    ),
    "ncedc-pds": Layout(
        ("{network}", "{year}", "{year}.{day}"),
        r"(?P<station>\w+)\.(?P<network>\w+)\.(?P<channel>\w+)\.(?P<location>\w*)"
        r"\.D\.(?P<year>\d{4})\.(?P<day>\d{3})",
    ),
    "geonet-open-data": Layout(
        ("{year}", "{year}.{day}", "{station}.{network}"),
        r"(?P<year>\d{4})\.(?P<day>\d{3})\.(?P<station>\w+)\.(?P<location>\w*)-(?P<channel>\w+)"
        r"\.(?P<network>\w+)\.D",
    ),
}


class S3:
    """
    An archive in a bucket: SDS, or the layout of a data centre's public bucket, see ``LAYOUTS``.

    Requests are anonymous unless a variable of ``CREDENTIALS`` is set. Variables of ``ENDPOINTS``
    and ``REGIONS`` name another service and its region.

    :param address: ``BUCKET`` or ``BUCKET/PREFIX``. The years, or networks, are below it.
    """

    def __init__(self, address: str):
        self.root = address.strip("/")
        self.bucket = self.root.partition("/")[0]
        self.layout = LAYOUTS.get(self.bucket, SDS)
        self._recent = lru_cache(maxsize=LISTINGS_KEPT)(self._list)

    @cached_property
    def files(self):
        """
        PyArrow's file system of the bucket. It is made at first use, as it asks for the region.

        :raises ImportError: If PyArrow is not installed, or lacks S3.
        """
        try:
            from pyarrow import fs
            from pyarrow.fs import S3FileSystem
        except ImportError as error:
            raise ImportError(
                f"Buckets need PyArrow with S3: {install_command('archive')} ({error})"
            ) from error
        endpoint, region = _first_set(ENDPOINTS), _first_set(REGIONS)
        if not (endpoint or region):
            with _errors_of(self.bucket):
                region = fs.resolve_s3_region(self.bucket)
        where = urlsplit(endpoint)
        return S3FileSystem(
            anonymous=not _first_set(CREDENTIALS),
            region=region or None,
            scheme=where.scheme or "https",
            endpoint_override=where.netloc or None,
        )

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """
        All (network, station, location, channel) that match the patterns, in SDS of these years.

        :raises SourceError: If the bucket cannot be listed.
        """
        from pyarrow.fs import FileType

        days = [_year_and_day(UTCDateTime(day)) for day in days_between(start.date, end.date)]
        if not self.layout.by_day:
            days = sorted({(year, "*") for year, _ in days})
        with _errors_of(self.bucket):
            # A listing of what is not there is empty.
            kind = self.files.get_file_info(self.bucket).type
        if kind == FileType.NotFound:
            raise SourceError(f"There is no bucket s3://{self.bucket}. Correct its name.")
        found = set()
        for pattern in patterns:
            found |= {codes for codes, _ in self._objects(split_pattern(pattern), days)}
        return found

    def fetch(self, codes: Codes, day: UTCDateTime, folder: Path) -> dict[Path, str]:
        """See :py:meth:`seisbench_llm.archive.kept.Remote.fetch`."""
        from pyarrow.fs import LocalFileSystem, copy_files

        copies = {}
        for found, key in sorted(self._objects(codes, [_year_and_day(day)])):
            file = kept_file(folder, found, day)
            copies[file] = f"s3://{key}"
            if file.exists():
                continue
            with keeping(file) as partial, _errors_of(key):
                copy_files(
                    key,
                    str(partial),
                    source_filesystem=self.files,
                    destination_filesystem=LocalFileSystem(),
                    use_threads=False,
                )
        return copies

    def _objects(self, codes: Iterable[str], days: list[tuple[str, str]]) -> Iterator[tuple]:
        """(codes, key) of the objects that match patterns of codes, on (year, day)."""
        names = dict(zip(("network", "station", "location", "channel"), codes, strict=True))
        folders = [(self.root, year, day) for year, day in days]
        # Made once, before all threads need it.
        _ = self.files
        with ThreadPoolExecutor(THREADS) as threads:
            for part in self.layout.folders:
                entered = threads.map(lambda at, part=part: self._enter(at, part, names), folders)
                folders = [folder for inside in entered for folder in inside]
            # One by one: a year has a million names.
            for found in threads.map(lambda at: self._matching(at, names), folders):
                yield from found

    def _enter(self, at: tuple[str, str, str], part: str, names: dict[str, str]) -> list[tuple]:
        folder, year, day = at
        wanted = part.format(year=year, day=day, **names)
        if re.search(r"[*?[]", wanted):
            inside = [name for name in self._recent(folder) if fnmatchcase(name, wanted)]
        else:
            inside = [wanted]
        return [(f"{folder}/{name}", year, day) for name in inside]

    def _matching(self, at: tuple[str, str, str], names: dict[str, str]) -> list[tuple]:
        folder, year, day = at
        wanted = {**names, "year": year, "day": day}
        found = []
        for name in self._recent(folder):
            match = re.fullmatch(self.layout.name, name, re.ASCII)
            fields = match and {key: text.rstrip("_") for key, text in match.groupdict().items()}
            if fields and all(fnmatchcase(fields[key], wanted[key]) for key in fields):
                codes = tuple(fields[key] for key in names)
                found.append((codes, f"{folder}/{name}"))
        return found

    def _list(self, folder: str) -> list[str]:
        """Names in a folder, none if it does not exist."""
        from pyarrow.fs import FileSelector

        with _errors_of(folder):
            found = self.files.get_file_info(FileSelector(folder, allow_not_found=True))
        return [entry.base_name for entry in found]


@contextmanager
def _errors_of(key: str) -> Iterator[None]:
    """Give errors of the bucket its name, and advice."""
    try:
        yield
    except OSError as error:
        if error.errno and not isinstance(error, FileNotFoundError):
            # Of this machine, such as a full disk.
            raise
        text, name = str(error), f"s3://{key}"
        advice = "Run the same command again, with --retry-failed."
        if re.search("ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN", text):
            advice = (
                "If the bucket is not public, set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY."
            )
        raise SourceError(f"{name} cannot be fetched: {text}. {advice}", name) from error


def _first_set(names: Iterable[str]) -> str:
    return next(filter(None, map(os.environ.get, names)), "")


def _year_and_day(day: UTCDateTime) -> tuple[str, str]:
    return f"{day.year:04d}", f"{day.julday:03d}"
