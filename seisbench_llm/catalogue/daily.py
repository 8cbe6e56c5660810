"""Picks of an archive run or a file, day by day, so that a day is in memory at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd
import seisbench

from ..archive import status
from ..archive.store import UNKNOWN, Store
from ..export import picks_to_dataframe, read_picks
from ..export.files import open_parquet

# The order of picks with the same time is the same in any file.
ORDER = ["time", "trace_id", "phase", "instrument", "probability"]


class DailyPicks(Protocol):
    """
    Picks by day (UTC).

    :param name: Where they come from.
    :param methods: Task -> name and version of the weight that made them, or their estimates.
    """

    name: str
    methods: Mapping[str, str]

    def days(self) -> list[str]:
        """Days that have picks, such as 2020-01-31, in order."""

    def read(self, day: str) -> pd.DataFrame:
        """Picks of a day in order of time, with the columns of ``picks_to_dataframe``."""


def open_picks(source: str | Path | pd.DataFrame) -> DailyPicks:
    """
    Picks by day.

    :param source: The folder of an archive run, a Parquet file, another file that
        :py:func:`seisbench_llm.export.read_picks` reads, or a table. Files other than Parquet are
        read at once.
    :raises FileNotFoundError: If there is no such file or run.
    :raises ValueError: If the file has no picks that can be read.
    """
    if isinstance(source, pd.DataFrame):
        return TablePicks(source, "a table")
    path = Path(source)
    if path.is_dir():
        return RunPicks(path)
    if path.suffix.lower() == ".parquet" and path.is_file():
        return ParquetPicks(path)
    return TablePicks(read_picks(path), str(path))


class TablePicks:
    """Picks of a table in memory."""

    def __init__(self, table: pd.DataFrame, name: str):
        self.name, self.methods = name, {"picking": UNKNOWN}
        table = picks_to_dataframe(table)
        self._days = {
            str(day): _ordered(part)
            for day, part in table.groupby(table["time"].dt.strftime("%Y-%m-%d"))
        }

    def days(self) -> list[str]:
        """Days that have picks."""
        return sorted(self._days)

    def read(self, day: str) -> pd.DataFrame:
        """Picks of a day."""
        return self._days[day]


class ParquetPicks:
    """
    Picks of a Parquet file. Only the row groups that hold picks of a day are read for it.

    Files of 'archive merge' have one row group per day.
    """

    def __init__(self, path: Path):
        self.name, self.methods, self._path = str(path), {"picking": UNKNOWN}, path
        self._groups: dict[str, list[int]] = defaultdict(list)
        try:
            with open_parquet(path) as file:
                for number in range(file.metadata.num_row_groups):
                    table = picks_to_dataframe(file.read_row_group(number).to_pandas())
                    for day in table["time"].dt.strftime("%Y-%m-%d").unique():
                        self._groups[day].append(number)
        except ImportError:
            raise
        except Exception as error:
            # PyArrow raises exceptions of many kinds for a broken file.
            raise ValueError(f"{path} cannot be read as a file of picks: {error}") from error

    def days(self) -> list[str]:
        """Days that have picks."""
        return sorted(self._groups)

    def read(self, day: str) -> pd.DataFrame:
        """Picks of a day."""
        with open_parquet(self._path) as file:
            table = file.read_row_groups(self._groups[day]).to_pandas()
        table = picks_to_dataframe(table)
        return _ordered(table[table["time"].dt.strftime("%Y-%m-%d") == day])


class RunPicks:
    """
    Picks of an archive run that is done, or of what is done of it.

    :param path: Folder of the run.
    """

    def __init__(self, path: Path):
        self.name = str(path)
        self._store = Store(path)
        counts = status(path).counts
        self._days = self._store.done()
        self.methods = self._store.methods()
        if counts["pending"] or counts["failed"]:
            seisbench.logger.warning(
                f"{path} is incomplete: {counts['pending']} station-days are pending, "
                f"{counts['failed']} failed."
            )

    def days(self) -> list[str]:
        """Days with station-days that are done."""
        return sorted(self._days)

    def read(self, day: str) -> pd.DataFrame:
        """Picks of a day."""
        table = self._store.table("picks", day, self._days[day])
        if table is None:
            return picks_to_dataframe([])
        table = picks_to_dataframe(table)
        outside = table["time"].dt.strftime("%Y-%m-%d") != day
        if outside.any():
            raise ValueError(
                f"{self.name} has a pick of {table['time'][outside].iloc[0]} on {day}. Remove the "
                f"manifests of this day, and run the archive again."
            )
        return _ordered(table)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(ORDER, kind="stable", ignore_index=True)
