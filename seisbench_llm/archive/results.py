"""seisbench_llm/archive/results.py."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import pandas as pd

from .days import days_between
from .run import require_dask
from .store import Store, to_arrow


def status(out) -> dict:
    """
    How far a run has come.

    :param out: Its folder.
    :return: ``running``; ``counts`` of station-days per state, ``stations`` with counts of each;
        ``failures`` with station, day, error, message and file; ``per_hour``, the rate of the
        last ten minutes with anything finished, and ``hours_left`` at this rate.
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
    every = ("done", "empty", "failed", "pending")
    rate = _rate([time_ for _, time_ in states.values()])
    return {
        "running": store.running(),
        "counts": {state: counts[state] for state in every},
        "stations": {n: {s: stations[n][s] for s in every} for n in sorted(stations)},
        "failures": failures,
        "per_hour": rate,
        "hours_left": round(counts["pending"] / rate, 2) if rate else None,
    }


def _rate(times: list[float]) -> float | None:
    if len(times) < 2:
        return None
    latest = max(times)
    recent = [time_ for time_ in times if time_ > latest - 600]
    span = latest - min(recent)
    return round((len(recent) - 1) / span * 3600, 1) if span > 0 else None


def merge(out, to, kind: str = "picks") -> dict:
    """
    Write all picks as one table, in the order of their times.

    A day at a time is in memory.

    :param out: Folder of a run.
    :param to: File to write, ``.parquet`` or ``.csv``.
    :param kind: Table, if there are others than ``picks``.
    :return: ``rows``, and how many station-days are still ``pending`` or have ``failed``.
    :raises ValueError: If the file name has another suffix.
    :raises FileNotFoundError: If it is no folder of a run.
    """
    require_dask()
    import pyarrow.parquet as pq

    to = Path(to)
    if to.suffix not in (".parquet", ".csv"):
        raise ValueError(f"'{to}' must end with .parquet or .csv.")
    store = Store(out)
    counts = status(out)["counts"]
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    rows, writer = 0, None
    try:
        for table in store.tables(kind) if counts["done"] else ():
            if to.suffix == ".csv":
                _append_csv(temporary, table, header=not rows)
            else:
                arrow = to_arrow(table)
                writer = writer or pq.ParquetWriter(temporary, arrow.schema, compression="zstd")
                writer.write_table(arrow)
            rows += len(table)
    finally:
        if writer is not None:
            writer.close()
    if not rows:
        _write_empty(temporary, to.suffix)
    os.replace(temporary, to)
    return {"rows": rows, "pending": counts["pending"], "failed": counts["failed"]}


def _append_csv(file: Path, table: pd.DataFrame, header: bool) -> None:
    mode = "w" if header else "a"
    table.to_csv(file, mode=mode, header=header, index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")


def _write_empty(file: Path, suffix: str) -> None:
    from ..export.tables import picks_to_dataframe

    table = picks_to_dataframe([]).assign(instrument="")
    if suffix == ".csv":
        _append_csv(file, table, header=True)
    else:
        table.to_parquet(file, index=False)
