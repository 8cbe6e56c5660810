"""Results of archive runs: progress of a run, and its tables as one file."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from ..atomic import replacing
from ..export.at_picks import further_types
from ..export.files import to_arrow, write_csv
from ..export.tables import picks_to_dataframe, typed
from .cluster import require_dask
from .days import days_between
from .store import STATES, Store


@dataclass(frozen=True)
class RunStatus:
    """
    How far a run has come.

    :param running: Whether a process is working on the run.
    :param counts: Number of station-days that are done, empty, failed and pending.
    :param stations: The same for each station.
    :param failures: Station, day, error, message and file of each failed station-day.
    :param per_hour: Station-days per hour in the last ten minutes before the latest one was
        finished.
    :param hours_left: Remaining hours at this rate.
    :param methods: Task -> name and version of its weight: picking, and the tasks whose estimates
        the picks have.
    """

    running: bool
    counts: dict[str, int]
    stations: dict[str, dict[str, int]]
    failures: list[dict]
    per_hour: float | None
    hours_left: float | None
    methods: dict[str, str]


@dataclass(frozen=True)
class Merged:
    """
    Summary of a merged table.

    :param rows: Number of rows written.
    :param pending: Number of station-days that are missing because they are not processed yet.
    :param failed: Number of station-days that are missing because they failed.
    """

    rows: int
    pending: int
    failed: int


def status(out) -> RunStatus:
    """
    How far a run has come.

    :param out: Folder of the run.
    :raises FileNotFoundError: If it is no folder of a run.
    """
    store = Store(out)
    plan = store.plan()
    states = store.states(times=True)
    days = days_between(date.fromisoformat(plan["start"]), date.fromisoformat(plan["end"]))
    stations: dict[str, Counter] = defaultdict(Counter)
    for (_, name), (state, _) in states.items():
        stations[name][state] += 1
    for name in plan["stations"]:
        stations[name]["pending"] = sum((day, name) not in states for day in days)
    counts = sum(stations.values(), Counter())
    failures = [
        {
            key: store.manifest(day, name, "failed").get(key)
            for key in ("station", "day", "error", "message", "file")
        }
        for (day, name), (state, _) in sorted(states.items())
        if state == "failed"
    ]
    every = (*STATES, "pending")
    rate = _rate([time for _, time in states.values()])
    return RunStatus(
        running=store.running(),
        counts={state: counts[state] for state in every},
        stations={name: {s: stations[name][s] for s in every} for name in sorted(stations)},
        failures=failures,
        per_hour=rate,
        hours_left=round(counts["pending"] / rate, 2) if rate else None,
        methods=store.methods(),
    )


def _rate(times: list[float]) -> float | None:
    if len(times) < 2:
        return None
    latest = max(times)
    recent = [time for time in times if time > latest - 600]
    span = latest - min(recent)
    return round((len(recent) - 1) / span * 3600, 1) if span > 0 else None


def merge(out, to, kind: str = "picks") -> Merged:
    """
    Write a table of all station-days to one file, sorted by time.

    Only one day is in memory at a time.

    :param out: Folder of a run.
    :param to: File to write, ``.parquet`` or ``.csv``.
    :param kind: Name of the table, for processors with other tables than ``picks``.
    :raises ValueError: If the file name has another suffix, or if the table does not exist.
    :raises FileNotFoundError: If it is no folder of a run.
    """
    require_dask()
    to = Path(to)
    if to.suffix not in (".parquet", ".csv"):
        raise ValueError(f"'{to}' must end with .parquet or .csv.")
    store = Store(out)
    counts = status(out).counts
    write = _write_csv if to.suffix == ".csv" else _write_parquet
    tables = store.tables(kind)
    first = next(tables, None)
    if first is None:
        first = _empty(store, kind)
    with replacing(to) as partial:
        rows = write(partial, first, tables)
    return Merged(rows, counts["pending"], counts["failed"])


def _empty(store: Store, kind: str) -> pd.DataFrame:
    """
    An empty table.

    :raises ValueError: If its columns are unknown, because no station-day has such a table.
    """
    if kind != "picks":
        others = sorted({"picks", *store.kinds()})
        raise ValueError(f"{store.path} has no table '{kind}'; it has {', '.join(others)}.")
    config = store.config()
    amplitudes = bool(config.get("amplitudes"))
    types = further_types(config.get("tasks") or {}, amplitudes, "inventory" in config)
    empty = picks_to_dataframe([]).assign(instrument="")
    return pd.concat([empty, typed([], types)], axis="columns")


def _write_csv(file: Path, first: pd.DataFrame, others) -> int:
    write_csv(first, file)
    rows = len(first)
    for table in others:
        write_csv(table, file, mode="a", header=False)
        rows += len(table)
    return rows


def _write_parquet(file: Path, first: pd.DataFrame, others) -> int:
    import pyarrow.parquet as pq

    table, rows = to_arrow(first), 0
    with pq.ParquetWriter(file, table.schema, compression="zstd") as writer:
        while table is not None:
            writer.write_table(table)
            rows += table.num_rows
            following = next(others, None)
            table = None if following is None else to_arrow(following)
    return rows
