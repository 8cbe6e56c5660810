"""Windows of picks that have coordinates, with a few days in memory."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, OrderedDict

import numpy as np
import pandas as pd

from ..export import picks_to_dataframe
from ..monitor.sites import Sites, first_places
from ..monitor.slices import MICRO, window_of
from ..stations import Station, Stations
from .daily import DailyPicks

DAY = 86_400 * MICRO

# Of the days that are read, as blocks overlap at midnight.
KEPT_DAYS = 4

_DIGESTED = ["trace_id", "phase", "time", "probability", "time_uncertainty"]


def day_start(day: str) -> int:
    """Start of a day in microseconds since 1970."""
    return int(np.datetime64(day, "us").astype("int64"))


class Windows:
    """
    Picks with coordinates between any two times. All picks are read once at the start.

    :param picks: Picks by day.
    :param stations: Stations from any source.
    """

    def __init__(self, picks: DailyPicks, stations: Stations):
        self.picks, self._sites = picks, Sites(stations)
        self._cache: OrderedDict[str, tuple[pd.DataFrame, pd.DataFrame]] = OrderedDict()
        # Cause -> number of skipped picks of each station.
        self.skipped: dict[str, Counter] = {}
        # NET.STA -> coordinates at its first pick.
        self.places: dict[str, Station] = {}
        self.days = picks.days()
        self._starts = [day_start(day) for day in self.days]
        self._digests: list[str] = []
        self._none = self._sites.prepare(picks_to_dataframe([]))
        # Number of picks before each day, and of all.
        self.rows = [0]
        for day in self.days:
            table = picks.read(day)
            prepared = self._sites.prepare(table, self.skipped)
            self.places = first_places(prepared, self.places)
            self.rows.append(self.rows[-1] + len(table))
            hashes = pd.util.hash_pandas_object(table[_DIGESTED], index=False)
            self._digests.append(hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest())

    def start_of(self, index: int) -> int:
        """Start of a day in microseconds since 1970."""
        return self._starts[index]

    def overlapping(self, start: int, stop: int) -> range:
        """Indices of the days with picks that overlap with a time span in microseconds."""
        first = bisect_left(self._starts, start - DAY + 1)
        return range(first, max(first, bisect_left(self._starts, stop)))

    def digest(self, start: int, stop: int) -> str:
        """Digest of all days that overlap with a time span."""
        days = self.overlapping(start, stop)
        text = "".join(f"{self.days[i]} {self._digests[i]}\n" for i in days)
        return hashlib.sha256(text.encode()).hexdigest()

    def first_row(self, start: int, stop: int) -> int:
        """Row of the first pick of the days that overlap with a time span."""
        return self.rows[self.overlapping(start, stop).start]

    def table(self, index: int) -> pd.DataFrame:
        """All picks of a day, indexed by their rows among all picks."""
        return self._read(index)[0]

    def between(self, start: int, stop: int) -> pd.DataFrame:
        """
        Picks with coordinates from a start to before a stop, in microseconds since 1970.

        :return: Table of :py:meth:`seisbench_llm.monitor.sites.Sites.prepare`.
        """
        parts = [
            window_of(self._read(index)[1], start, stop) for index in self.overlapping(start, stop)
        ]
        parts = [part for part in parts if len(part)]
        if not parts:
            return self._none
        return parts[0] if len(parts) == 1 else pd.concat(parts)

    def rows_of(self, rows: list[int]) -> pd.DataFrame:
        """Picks by their rows, indexed by them."""
        days = sorted({bisect_left(self.rows, row + 1) - 1 for row in rows})
        tables = [self.table(day) for day in days]
        return pd.concat(tables).loc[sorted(rows)] if tables else picks_to_dataframe([])

    def _read(self, index: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        day = self.days[index]
        if day not in self._cache:
            table = self.picks.read(day)
            table.index = pd.RangeIndex(self.rows[index], self.rows[index + 1])
            self._cache[day] = table, self._sites.prepare(table)
            while len(self._cache) > KEPT_DAYS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(day)
        return self._cache[day]
