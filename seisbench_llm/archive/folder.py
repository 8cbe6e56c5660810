"""Archives that are folders of miniSEED files with any names."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import obspy
import pandas as pd
import seisbench
from obspy import UTCDateTime

from ..atomic import replacing
from ..export.files import write_parquet
from ..obspy_files import read_mseed
from ..trace_ids import codes_of
from .files import Codes, Files, SourceError, read_file, read_lock
from .store import StoreError, read_table

COLUMNS = ["file", "size", "mtime", "id", "start", "end", "error"]


class Folder(Files):
    """
    miniSEED files with any names, in a folder and its subfolders.

    :param index: Parquet file with the headers of all files. It is made once.
    """

    def __init__(self, root, index=None):
        super().__init__(root)
        self.index = None if index is None else Path(index)
        self._misnamed: dict[str, str] = {}

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """All (network, station, location, channel) of files that overlap with this time span."""
        table = self.update_index()
        inside = (table["start"] < end.timestamp) & (table["end"] >= start.timestamp)
        return {tuple(codes_of(name)) for name in table["id"][inside]}

    def update_index(self) -> pd.DataFrame:
        """Read the headers of all files that are new or changed."""
        old = pd.DataFrame(columns=COLUMNS)
        if self.index is not None and self.index.is_file():
            try:
                old = read_table(self.index)[COLUMNS]
            except (StoreError, KeyError):
                seisbench.logger.warning(f"{self.index} is damaged and is built again.")
        known = set(zip(old["file"], old["size"], old["mtime"], strict=True))
        present = set()
        self._misnamed = {}
        results = self.index and self.index.resolve().parent
        for file in self.root.rglob("*"):
            if file.name.startswith(".") or not file.is_file():
                continue
            if results and results != self.root and file.is_relative_to(results):
                continue
            name, status = str(file.relative_to(self.root)), file.stat()
            try:
                name.encode()
            except UnicodeEncodeError:
                self._misnamed[ascii(str(file))] = "Its name is not UTF-8. Rename it."
            else:
                present.add((name, status.st_size, status.st_mtime_ns))
        rows = [row for entry in sorted(present - known) for row in index_file(self.root, *entry)]
        keep = [
            entry in present for entry in zip(old["file"], old["size"], old["mtime"], strict=True)
        ]
        table = (
            pd.concat([old[keep], pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)
            if len(old)
            else pd.DataFrame(rows, columns=COLUMNS)
        )
        table = table.sort_values(["file", "id", "start"], ignore_index=True)
        if self.index is not None and (rows or not all(keep)):
            with replacing(self.index) as partial:
                write_parquet(table, partial)
        self._table = table
        return table

    @cached_property
    def _table(self) -> pd.DataFrame:
        return read_table(self.index)

    @cached_property
    def _by_id(self) -> dict[str, list[tuple]]:
        entries = defaultdict(list)
        for row in self._table[self._table["error"].isna()].itertuples():
            entries[row.id].append((row.file, row.start, row.end))
        return entries

    def unreadable(self) -> dict[str, str]:
        """File -> error, for files whose headers cannot be read, so that their days are unknown."""
        bad = self._table[self._table["error"].notna()]
        files = [str(self.root / file) for file in bad["file"]]
        return {**dict(zip(files, bad["error"], strict=True)), **self._misnamed}

    def files(
        self, codes: Codes, start: UTCDateTime, end: UTCDateTime, padding: float
    ) -> Iterator[tuple[Path, bool]]:
        """(file, whether most of it or at least a minute belongs to the days), sorted by name."""
        begin, stop = start.timestamp, end.timestamp
        chosen: dict[str, bool] = {}
        for name, entries in self._by_id.items():
            if all(map(fnmatchcase, codes_of(name), codes)):
                for file, first, last in entries:
                    if first < stop + padding and last >= begin - padding:
                        # Files of a day often extend a little into the next day.
                        inside = min(last, stop) - max(first, begin)
                        of_days = inside >= min(60, (last - first) / 2)
                        chosen[file] = chosen.get(file, False) or of_days
        for file in sorted(chosen):
            yield self.root / file, chosen[file]


def index_file(root: Path, file: str, size: int, mtime: int) -> list[tuple]:
    """Rows of a folder's index for a file, one per channel and contiguous time span."""
    rows = []
    try:
        stream = read_file(root / file, headonly=True)
    except SourceError as error:
        stream = _salvage(root / file)
        if not stream:
            return [(file, size, mtime, None, None, None, str(error))]
    for trace in stream:
        span = trace.stats.starttime.timestamp, trace.stats.endtime.timestamp
        rows.append((file, size, mtime, trace.id, *span, None))
    return rows


def _salvage(file: Path) -> obspy.Stream:
    """Headers of a damaged file, which may tell its station and day."""
    try:
        with read_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_mseed(file, headonly=True)
    except Exception:
        # The caller reports it with the error of read_file.
        return obspy.Stream()
