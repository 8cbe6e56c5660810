"""Processing of one station-day by a worker: read, align, process, cut to the day, write."""

from __future__ import annotations

import importlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version

import obspy
import seisbench

from ..stations import Stations
from ..streams.contiguous import find_contiguous
from ..streams.orientation import Rotation
from ..streams.skipped import SkippedList
from .days import DayData, align, check, coverage, keep_day, of_day, traces_of
from .files import ArchiveLost
from .sources import open_source
from .station_days import StationDay
from .store import Store, StoreError

# Number of warnings and of left-out traces that a manifest lists. All of them are counted.
MAX_LISTED = 50

# Without the lock, each thread would load the model.
_load_lock = threading.Lock()


class SetupError(ValueError):
    """
    Error of a worker that cannot process any station-day, because it lacks the model of the run.
    """


def make_processor(settings: dict):
    """
    Build the processor of a run, see :py:class:`seisbench_llm.archive.picker.Picker`.

    :param settings: ``processor``, as module:Class, and its ``options``.
    """
    module, _, name = settings["processor"].partition(":")
    return getattr(importlib.import_module(module), name)(**settings["options"])


@lru_cache(maxsize=2)
def _prepared(settings_text: str):
    import torch

    # Each worker has one thread, however it was started. More threads would compete for the same
    # cores, and sums over another number of threads differ in the last digit.
    torch.set_num_threads(1)
    settings = json.loads(settings_text)
    try:
        processor = make_processor(settings)
        identity = processor.identity
    except Exception as error:
        raise SetupError(
            f"A worker cannot load the model: {type(error).__name__}: {error}"
        ) from error
    if identity != settings["identity"]:
        raise SetupError(f"A worker has other weights: {identity}, not {settings['identity']}.")
    store = Store(settings["out"])
    inventory = settings.get("inventory")
    rotation = None if inventory is None else Rotation(Stations.read(inventory))
    source = open_source(settings["archive"], store.index_file, settings.get("keep"))
    return processor, source, store, rotation


def process_day(settings_text: str, station_day: tuple) -> str:
    """
    Process one station-day. This is the task that Dask runs.

    Errors of the data go to the manifest. Errors that would occur with every station-day are
    raised.

    :param settings_text: JSON: out, archive, processor, options, identity and, where there are
        such, inventory, a file, and keep, a folder.
    :param station_day: See :py:class:`~seisbench_llm.archive.station_days.StationDay`.
    :return: State: done, empty or failed.
    :raises SetupError: If the model cannot be loaded, or differs from that of the run.
    :raises ArchiveLost: If the archive does not exist any more.
    :raises StoreError: If results cannot be written.
    """
    with _load_lock:
        processor, source, store, rotation = _prepared(settings_text)
    station_day, began = StationDay(*station_day), time.perf_counter()
    with collected_warnings() as warnings:
        try:
            tables, facts = _process(processor, source, station_day, rotation)
        except (ArchiveLost, StoreError, SetupError):
            raise
        except Exception as error:
            tables, facts = {}, failure(error)
    manifest = {
        "station": station_day.id,
        "day": station_day.day,
        **facts,
        "warnings": [
            text if number == 1 else f"{text} ({number} times)"
            for text, number in list(warnings.items())[:MAX_LISTED]
        ],
        "n_warnings": warnings.total(),
        "model": processor.identity,
        "versions": versions(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    store.write(station_day, tables, manifest)
    return manifest["state"]


def failure(error: BaseException) -> dict:
    """Entries of a manifest for an error."""
    return {
        "state": "failed",
        "error": type(error).__name__,
        "message": str(error),
        "file": getattr(error, "file", None),
    }


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of the packages on which a result depends."""
    names = ("seisbench_llm", "seisbench", "obspy", "torch", "numpy", "scipy")
    return {name: version(name) for name in names}


def _process(
    processor, source, station_day: StationDay, rotation: Rotation | None
) -> tuple[dict, dict]:
    start, end = station_day.start, station_day.end
    stream = source.get_waveforms(*station_day[:4], start, end, processor.padding)
    stream = recorded = check(stream, start, processor.lowest_rate)
    if rotation is not None:
        stream = rotation(stream)
    skipped = SkippedList()
    stream = traces_of(getattr(processor, "usable", find_contiguous)(stream, skipped))
    if not of_day(stream, start):
        stream = obspy.Stream()
    facts = {"state": "done" if stream else "empty", **coverage(stream, start)}
    tables = {}
    if stream:
        beginnings = [trace.stats.starttime for trace in stream]
        filled = align(stream, processor.step, processor.bridge)
        further = []
        if getattr(processor, "needs_data", False):
            # The same samples, so that they are in memory once.
            usable = [t.slice(begin) for t, begin in zip(stream, beginnings, strict=True)]
            stations = None if rotation is None else rotation.stations
            further = [DayData(obspy.Stream(usable), recorded, stations, SkippedList(), filled)]
        del recorded
        made = processor(stream, *further)
        tables = {kind: keep_day(table, start, filled) for kind, table in made.items()}
        for table in tables.values():
            table["instrument"] = station_day.instrument
        for data in further:
            skipped.extend(e for e in data.skipped if e.start < end and e.end >= start)
    facts |= {
        "skipped": [
            {**asdict(entry), "start": str(entry.start), "end": str(entry.end)}
            for entry in skipped.first(MAX_LISTED)
        ],
        "n_skipped": len(skipped),
        "skipped_causes": skipped.causes(),
        **{f"n_{kind}": len(table) for kind, table in tables.items()},
    }
    return tables, facts


@contextmanager
def collected_warnings() -> Iterator[Counter]:
    """
    Collect warnings of SeisBench's logger in this thread, with their numbers.

    They go to the manifest instead of the terminal.
    """
    messages: Counter = Counter()
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread != thread or record.levelno < logging.WARNING:
            return True
        messages[record.getMessage()] += 1
        return False

    seisbench.logger.addFilter(collect)
    try:
        yield messages
    finally:
        seisbench.logger.removeFilter(collect)
