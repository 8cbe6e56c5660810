"""Archives that are folders of miniSEED files of any names."""

from __future__ import annotations

import warnings
from collections import defaultdict
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import obspy
import pandas as pd
from obspy import UTCDateTime

from .files import READING, Files, SourceError, read_file
from .store import to_arrow, write_atomically
from .units import Unit

COLUMNS = ["file", "size", "mtime", "id", "start", "end", "error"]


class Folder(Files):
    """
    miniSEED files of any names, in a folder and its subfolders.

    :param index: Parquet file with the headers of all files, which is made once.
    """

    def __init__(self, root, index=None):
        super().__init__(root)
        self.index = None if index is None else Path(index)

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns, mapper=map) -> set[tuple]:
        """All (network, station, location, channel) of files that reach into this time."""
        table = self.update_index(mapper)
        inside = (table["start"] < end.timestamp) & (table["end"] >= start.timestamp)
        return {tuple(name.split(".")) for name in table["id"][inside]}

    def update_index(self, mapper=map) -> pd.DataFrame:
        """
        Read the headers of all files that are new or changed.

        :param mapper: Like :py:class:`map`, for example one that uses several processes.
        """
        old = pd.DataFrame(columns=COLUMNS)
        if self.index is not None and self.index.is_file():
            old = pd.read_parquet(self.index)
        known = set(zip(old["file"], old["size"], old["mtime"], strict=True))
        present = set()
        for file in self.root.rglob("*"):
            if file.is_file() and not file.name.startswith("."):
                status = file.stat()
                present.add((str(file.relative_to(self.root)), status.st_size, status.st_mtime_ns))
        new = sorted(present - known)
        chunks = [
            [(str(self.root), *entry) for entry in new[i : i + 100]]
            for i in range(0, len(new), 100)
        ]
        rows = [row for chunk in mapper(index_files, chunks) for row in chunk]
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
            import pyarrow as pa
            import pyarrow.parquet as pq

            sink = pa.BufferOutputStream()
            pq.write_table(to_arrow(table), sink)
            write_atomically(self.index, sink.getvalue().to_pybytes())
        self._table = table
        return table

    @cached_property
    def _table(self) -> pd.DataFrame:
        return pd.read_parquet(self.index)

    @cached_property
    def _by_id(self) -> dict[str, list[tuple]]:
        entries = defaultdict(list)
        for row in self._table[self._table["error"].isna()].itertuples():
            entries[row.id].append((row.file, row.start, row.end))
        return entries

    def unreadable(self) -> dict[str, str]:
        """File -> error, of files whose headers cannot be read: nobody knows their days."""
        bad = self._table[self._table["error"].notna()]
        return {
            str(self.root / file): error
            for file, error in zip(bad["file"], bad["error"], strict=True)
        }

    def files(self, unit: Unit, day: UTCDateTime, padding: float):
        """(file, whether it is mainly of the day or has a minute of it), in the order of names."""
        first, last = day.timestamp, day.timestamp + 86400
        found = {}
        for name, entries in self._by_id.items():
            if all(map(fnmatchcase, name.split("."), unit)):
                for file, start, end in entries:
                    if start < last + padding and end >= first - padding:
                        # Files of a day tend to reach a little into the next.
                        inside = min(end, last) - max(start, first)
                        own = inside >= min(60, (end - start) / 2)
                        found[file] = found.get(file, False) or own
        for file in sorted(found):
            yield self.root / file, found[file]


def index_files(entries: list[tuple]) -> list[tuple]:
    """Rows of a folder's index for some files: one per channel and uninterrupted time."""
    rows = []
    for root, file, size, mtime in entries:
        try:
            stream = read_file(Path(root) / file, headonly=True)
        except SourceError as error:
            stream = _salvage(Path(root) / file)
            if not stream:
                rows.append((file, size, mtime, None, None, None, str(error)))
        for trace in stream:
            span = trace.stats.starttime.timestamp, trace.stats.endtime.timestamp
            rows.append((file, size, mtime, trace.id, *span, None))
    return rows


def _salvage(file: Path) -> obspy.Stream:
    """Headers of a damaged file, which tell whose and which day's it is, if anything does."""
    try:
        with READING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return obspy.read(str(file), format="MSEED", headonly=True)
    except Exception:
        # Reported by the caller, with the error that read_file gave.
        return obspy.Stream()
