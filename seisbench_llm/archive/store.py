"""
What a run over an archive leaves on disk, so that it can be killed at any point and go on.

    config.json, plan.json          what makes the result; what was asked for
    picks/day=2020-01-01/ID.parquet one file per station-day that has picks, other tables alike
    manifest/day=2020-01-01/ID.done.json, or .empty.json, or .failed.json

A station-day is finished once its manifest is there, and that is written last. Every file is
renamed into place, so that it is there as a whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas as pd

# A better state wins, should a kill between two files have left two manifests of a station-day.
STATES = ("done", "empty", "failed")


_ORDER = ["time", "trace_id", "phase", "instrument"]


class ConfigurationError(ValueError):
    """A folder that holds the results of another configuration."""


class StoreError(OSError):
    """Results that cannot be written; goes on to the next station-day would only repeat it."""


class Store:
    """
    The folder of one run.

    :param path: The folder; made if need be.
    """

    def __init__(self, path):
        self.path = Path(path)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """
        Keep a second run out; the lock ends with the process, however that ends.

        :raises StoreError: If another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "a") as file:
            if not _try_lock(file):
                raise StoreError(f"Another run is writing to {self.path}; wait for it, or stop it.")
            yield

    def running(self) -> bool:
        """Whether a run holds the lock."""
        if not (self.path / ".lock").is_file():
            return False
        with open(self.path / ".lock", "a") as file:
            return not _try_lock(file)

    def check_config(self, config: dict) -> None:
        """
        Compare the configuration with the one that is there, if there is one.

        :raises ConfigurationError: If they differ, with every entry that does.
        """
        file = self.path / "config.json"
        if not file.is_file():
            return
        old, new = _flat(json.loads(file.read_text())), _flat(config)
        differing = [
            f"{key} was {old.get(key)!r} and is {new.get(key)!r}"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
        if differing:
            raise ConfigurationError(
                f"{self.path} holds results of another configuration: {'; '.join(differing)}. "
                f"Use another folder, or the same configuration."
            )

    def write_plan(self, config: dict, stations: list[str], start: date, end: date) -> None:
        """Remember the configuration, and what was asked for last."""
        write_atomically(self.path / "config.json", json.dumps(config, indent=2).encode() + b"\n")
        plan = {"stations": stations, "start": str(start), "end": str(end)}
        write_atomically(self.path / "plan.json", json.dumps(plan, indent=2).encode() + b"\n")

    def plan(self) -> dict:
        """
        What was asked for last: ids of stations, first day, day after the last.

        :raises FileNotFoundError: If the folder is none of ours.
        """
        file = self.path / "plan.json"
        if not file.is_file():
            raise FileNotFoundError(f"{self.path} is no folder of 'archive run': no {file.name}.")
        return json.loads(file.read_text())

    def write(self, day: str, name: str, tables: dict[str, pd.DataFrame], manifest: dict) -> None:
        """
        Write a station-day: its tables, then its manifest.

        :param name: Id of the station and its instrument.
        :raises StoreError: If that is not possible, for example as the disk is full.
        """
        try:
            for kind, table in tables.items():
                file = self.path / kind / f"day={day}" / f"{name}.parquet"
                if len(table):
                    write_atomically(file, _parquet(table))
                else:
                    file.unlink(missing_ok=True)
            folder = self.path / "manifest" / f"day={day}"
            text = json.dumps(manifest, indent=2).encode() + b"\n"
            write_atomically(folder / f"{name}.{manifest['state']}.json", text)
            for state in set(STATES) - {manifest["state"]}:
                (folder / f"{name}.{state}.json").unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"Cannot write {name} {day} to {self.path}: {error}") from error

    def states(self, times: bool = False) -> dict[tuple[str, str], tuple[str, float]]:
        """
        (day, id) -> (state, time of writing) of all that is finished, from the file names only.

        :param times: Whether to look at the times at all; else they are 0.
        """
        found = {}
        root = self.path / "manifest"
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            for entry in os.scandir(folder):
                name, state, suffix = entry.name.rsplit(".", 2)
                if suffix != "json" or state not in STATES:
                    continue
                key = folder.name.removeprefix("day="), name
                if key not in found or STATES.index(state) < STATES.index(found[key][0]):
                    found[key] = state, entry.stat().st_mtime if times else 0.0
        return found

    def manifest(self, day: str, name: str, state: str) -> dict:
        """What is known of a finished station-day."""
        file = self.path / "manifest" / f"day={day}" / f"{name}.{state}.json"
        return json.loads(file.read_text())

    def remove_leftovers(self, age: float = 3600) -> None:
        """Remove files that a killed run began, once nobody can be at them any more (s)."""
        for file in self.path.glob("*/day=*/.*.tmp"):
            if time.time() - file.stat().st_mtime > age:
                file.unlink(missing_ok=True)

    def tables(self, kind: str) -> Iterator[pd.DataFrame]:
        """Tables of all done station-days, day by day, each in the order of its times."""
        done: dict[str, list[str]] = {}
        for (day, name), (state, _) in self.states().items():
            if state == "done":
                done.setdefault(day, []).append(name)
        for day in sorted(done):
            files = [self.path / kind / f"day={day}" / f"{n}.parquet" for n in sorted(done[day])]
            found = [_read(file) for file in files if file.is_file()]
            if found:
                table = pd.concat(found, ignore_index=True)
                order = [column for column in _ORDER if column in table]
                yield table.sort_values(order, kind="stable", ignore_index=True)


def _try_lock(file) -> bool:
    try:
        import fcntl
    except ImportError:
        # Without POSIX locks, two runs at once do the same work twice, and no harm.
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flat(entries: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in entries.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file so that it is seen as a whole or not at all, even if the power fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def to_arrow(table: pd.DataFrame):
    """The same columns and types with every version of pandas: UTC in microseconds, strings."""
    import pyarrow as pa

    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    schema = []
    for field in arrow.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        elif pa.types.is_null(kind) or pa.types.is_large_string(kind):
            kind = pa.string()
        schema.append(pa.field(field.name, kind))
    return arrow.cast(pa.schema(schema), safe=False)


def _parquet(table: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(to_arrow(table), sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _read(file: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    # A file by itself: the reader of data sets would add the folder's day as a column.
    return pq.ParquetFile(file).read().to_pandas()
