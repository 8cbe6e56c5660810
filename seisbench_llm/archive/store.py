"""
The folder of an archive run: results and state, from which a killed run continues.

    config.json, plan.json          what makes the result; what was asked for
    inventory.xml, or .csv          stations, if they were given
    picks/day=2020-01-01/ID.parquet one file per station-day that has picks, other tables alike
    manifest/day=2020-01-01/ID.done.json, or .empty.json, or .failed.json

A station-day is finished once its manifest exists. The manifest is written last. Every file is
renamed into place, so that it is either complete or absent.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import quote, unquote

import obspy
import pandas as pd
import seisbench
from filelock import FileLock, Timeout

from ..atomic import PARTIAL, remove_leftovers, replacing
from ..export.files import read_parquet, write_csv, write_parquet
from .station_days import StationDay

# The better state wins if a kill has left two manifests of a station-day.
STATES = ("done", "empty", "failed")

_MANIFEST = re.compile(rf"(.+)\.({'|'.join(STATES)})\.json")
_DAY = re.compile(r"day=(\d{4}-\d\d-\d\d)")

# Older runs have former names of modules in their config.json.
RENAMED = {"seisbench_llm.archive_worker:Picker": "seisbench_llm.archive.picker:Picker"}

# Name of a weight that is not known.
UNKNOWN = "unknown"

_ORDER = ["time", "trace_id", "phase", "instrument"]


class ConfigurationError(ValueError):
    """Error of a folder with the results of another configuration."""


class StoreError(OSError):
    """
    Error of results that cannot be written. It ends the run, because the next station-day would
    fail, too.
    """


class Store:
    """
    The folder of one run.

    :param path: The folder. It is made if necessary.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._strangers: set[str] = set()

    @property
    def index_file(self) -> Path:
        """File with the headers of all files, for an archive that is a folder."""
        return self.path / "index.parquet"

    @property
    def inventory_files(self) -> tuple[Path, Path]:
        """Possible files with the stations of the run. At most one of them exists."""
        return self.path / "inventory.xml", self.path / "inventory.csv"

    def write_inventory(self, inventory: obspy.Inventory | pd.DataFrame) -> Path:
        """Keep the stations of the run."""
        xml, csv = self.inventory_files
        file = csv if isinstance(inventory, pd.DataFrame) else xml
        with replacing(file) as partial:
            if file == csv:
                write_csv(inventory, partial)
            else:
                inventory.write(str(partial), format="STATIONXML")
        return file

    @contextmanager
    def lock(self) -> Iterator[None]:
        """
        Lock the folder against a second run. The lock ends with the process, however that ends.

        :raises StoreError: If another process holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"Another run is writing to {self.path}. Wait for it, or stop it."
            ) from None
        except NotImplementedError:
            # The file system has no locks. Two runs at once do the same work twice, without harm.
            pass
        try:
            yield
        finally:
            lock.release()

    def running(self) -> bool:
        """Whether a run holds the lock."""
        if not (self.path / ".lock").is_file():
            return False
        try:
            with FileLock(self.path / ".lock", timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):
            # The folder belongs to somebody else, or its file system has no locks. The answer is
            # unknown.
            return False

    def check_config(self, config: dict, defaults: Callable[[str], object] | None = None) -> None:
        """
        Compare the configuration with that of the folder, if it has one.

        :param defaults: Function that returns the default of an argument.
        :raises ConfigurationError: If they differ. The message has every entry that differs.
        """
        file = self.path / "config.json"
        if not file.is_file():
            return
        old, new = _flat(_with_models_as_text(read_json(file))), _flat(_with_models_as_text(config))
        old["processor"] = RENAMED.get(old.get("processor"), old.get("processor"))
        for name in {*old, *new} if defaults is not None else ():
            if name.startswith("arguments.") and not (name in old and name in new):
                value = defaults(name.removeprefix("arguments."))
                old.setdefault(name, value)
                new.setdefault(name, value)
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
        """Write the configuration and the latest request."""
        write_json(self.path / "config.json", config)
        plan = {"stations": stations, "start": str(start), "end": str(end)}
        write_json(self.path / "plan.json", plan)

    def plan(self) -> dict:
        """
        The latest request: ids of stations, first day, day after the last.

        :raises FileNotFoundError: If it is not the folder of a run.
        """
        file = self.path / "plan.json"
        if not file.is_file():
            raise FileNotFoundError(
                f"{self.path} is not a folder of 'archive run': no {file.name}."
            )
        plan = read_json(file)
        if not {"stations", "start", "end"} <= plan.keys():
            raise StoreError(f"{file} is damaged. Remove it, and run the same command again.")
        return plan

    def write(
        self, station_day: StationDay, tables: dict[str, pd.DataFrame], manifest: dict
    ) -> None:
        """
        Write a station-day: its tables, then its manifest.

        :raises StoreError: If the files cannot be written, for example because the disk is full.
        """
        day, name, state = f"day={station_day.day}", station_day.id, manifest["state"]
        try:
            for kind, table in tables.items():
                file = self.path / kind / day / f"{_in_file_name(name)}.parquet"
                if len(table):
                    with replacing(file) as partial:
                        write_parquet(table, partial)
                else:
                    file.unlink(missing_ok=True)
            write_json(self._manifest_file(station_day.day, name, state), manifest)
            for other in set(STATES) - {state}:
                self._manifest_file(station_day.day, name, other).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"Cannot write {name} {station_day.day} to {self.path}: {error}"
            ) from error

    def _manifest_file(self, day: str, name: str, state: str) -> Path:
        return self.path / "manifest" / f"day={day}" / f"{_in_file_name(name)}.{state}.json"

    def states(self, times: bool = False) -> dict[tuple[str, str], tuple[str, float]]:
        """
        (day, id) -> (state, time of writing) of all finished station-days, from file names only.

        A warning names files that do not belong to the run. They are ignored.

        :param times: Whether to read the times. Otherwise they are 0.
        """
        states: dict[tuple[str, str], tuple[str, float]] = {}
        root = self.path / "manifest"
        folders: list[os.DirEntry[str]] = []
        if root.is_dir():
            folders = sorted(os.scandir(root), key=_name)
        for folder in folders:
            day = _DAY.fullmatch(folder.name)
            if day is None or not folder.is_dir():
                self._pass_over(folder)
                continue
            for entry in os.scandir(folder):
                match = _MANIFEST.fullmatch(entry.name)
                if match is None:
                    self._pass_over(entry)
                    continue
                key, state = (day[1], unquote(match[1])), match[2]
                if key not in states or STATES.index(state) < STATES.index(states[key][0]):
                    states[key] = state, entry.stat().st_mtime if times else 0.0
        return states

    def _pass_over(self, entry: os.DirEntry) -> None:
        ours = entry.name.startswith(PARTIAL)
        if not ours and entry.path not in self._strangers:
            self._strangers.add(entry.path)
            seisbench.logger.warning(f"{entry.path!a} is ignored: the run has not written it.")

    def manifest(self, day: str, name: str, state: str) -> dict:
        """Content of the manifest of a finished station-day."""
        return read_json(self._manifest_file(day, name, state))

    def remove_leftovers(self, age: float = 3600) -> None:
        """Remove incomplete files of killed runs that are older than ``age`` in s."""
        remove_leftovers([self.path, *self.path.glob("*/day=*")], age)

    def kinds(self) -> set[str]:
        """Names of all tables."""
        return {file.parents[1].name for file in self.path.glob("*/day=*/*.parquet")}

    def config(self) -> dict:
        """The configuration, empty if no run has begun."""
        file = self.path / "config.json"
        return read_json(file) if file.is_file() else {}

    def methods(self) -> dict[str, str]:
        """Task -> name and version of its weight."""
        config = self.config()
        models = {"picking": config.get("model") or {}, **(config.get("tasks") or {})}
        return {task: _method(model) for task, model in models.items()}

    def done(self) -> dict[str, list[str]]:
        """Day -> ids of the station-days that are done."""
        done: dict[str, list[str]] = {}
        for (day, name), (state, _) in self.states().items():
            if state == "done":
                done.setdefault(day, []).append(name)
        return done

    def table(self, kind: str, day: str, names: Iterable[str]) -> pd.DataFrame | None:
        """
        Table of a day, sorted by time, None if no station-day has it.

        :param names: Ids of the station-days.
        """
        folder = self.path / kind / f"day={day}"
        files = [folder / f"{_in_file_name(name)}.parquet" for name in sorted(names)]
        parts = [read_table(file) for file in files if file.is_file()]
        if not parts:
            return None
        table = pd.concat(parts, ignore_index=True)
        order = [column for column in _ORDER if column in table]
        return table.sort_values(order, kind="stable", ignore_index=True)

    def tables(self, kind: str) -> Iterator[pd.DataFrame]:
        """Tables of all station-days that are done, day by day, each sorted by time."""
        for day, names in sorted(self.done().items()):
            table = self.table(kind, day, names)
            if table is not None:
                yield table


def _in_file_name(name: str) -> str:
    """An id as part of a file name. Codes come from files of the archive and may be ``../..``."""
    return quote(name, safe=" ")


def _name(entry: os.DirEntry) -> str:
    return entry.name


def write_json(file: Path, content: dict) -> None:
    """Write an object to a file of a run atomically."""
    with replacing(file) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def read_json(file: Path) -> dict:
    """
    Read an object from a file of a run.

    :raises StoreError: If the file is damaged. The message has its name.
    """
    try:
        content = json.loads(file.read_text())
        if isinstance(content, dict):
            return content
        cause = "it is not a JSON object"
    except (ValueError, RecursionError) as error:
        cause = str(error)
    raise StoreError(f"{file} is damaged ({cause}). Remove it, and run the same command again.")


def _method(model: Mapping) -> str:
    name = Path(str(model.get("weights") or UNKNOWN)).name
    return f"{name}/{model.get('version') or 'untrained'}"


def _with_models_as_text(config: dict) -> dict:
    """A configuration with one text for the weight of each task, so that a difference is short."""
    tasks = config.get("tasks")
    if not isinstance(tasks, dict):
        return config
    texts = {
        task: f"{_method(model)} (SHA-256 {model.get('sha256')})" for task, model in tasks.items()
    }
    return {**config, "tasks": texts}


def _flat(entries: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in entries.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def read_table(file: Path) -> pd.DataFrame:
    """
    Read a table from a Parquet file of a run.

    :raises StoreError: If the file is damaged. The message has its name.
    """
    try:
        return read_parquet(file)
    except ImportError:
        raise
    except Exception as error:
        # PyArrow raises exceptions of many kinds for a broken file.
        raise StoreError(f"{file} is damaged ({error}). Remove it and its manifest.") from error
