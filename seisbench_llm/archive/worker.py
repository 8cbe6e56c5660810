"""
One station-day: read, align, pick, keep what belongs to the day, write.

Windows of a day must be those of the days beside it, or a pick at midnight could fall on either
side in both runs, or in none. So each segment of data begins on one grid of times, counted from
1970: whole steps of the windows that are also whole samples of the waveforms. In front of data
that begin elsewhere, the step is filled with their mean, which cleaning turns into the zeros that
SeisBench's own padding would be.
"""

from __future__ import annotations

import importlib
import json
import logging
import time
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

import seisbench
from obspy import UTCDateTime

from .days import _LONGEST_LIST, _check, _keep, align, coverage
from .files import ArchiveLost
from .sources import open_source
from .store import Store, StoreError
from .units import Unit

_loading = Lock()


class SetupError(ValueError):
    """A worker that cannot do any station-day, as its model or its weights are not the run's."""


def make_processor(settings: dict):
    """Build what the settings of a run name, see :py:class:`Picker`."""
    module, _, name = settings["processor"].partition(":")
    return getattr(importlib.import_module(module), name)(**settings["options"])


@lru_cache(maxsize=2)
def _prepared(settings_text: str):
    import torch

    # One thread per worker, whatever started it: more would fight for the same cores, and
    # sums over another number of threads differ in the last digit.
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
    return processor, open_source(settings["archive"], store.path / "index.parquet"), store


def process_day(settings_text: str, unit: tuple, day: str) -> tuple[str, dict]:
    """
    Process one station-day; the task that Dask runs.

    Whatever is wrong with the data ends in the manifest. What would be wrong with any
    other station-day, too, is raised.

    :param settings_text: JSON: out, archive, processor, options, identity.
    :param unit: See :py:class:`~seisbench_llm.archive_sources.Unit`.
    :param day: Such as 2020-01-01.
    :return: State, and its manifest.
    :raises SetupError, ArchiveLost, StoreError: If it makes no sense to go on.
    """
    # Loading holds a lock, as a worker with several threads would load the model in each.
    with _loading:
        processor, source, store = _prepared(settings_text)
    unit, began = Unit(*unit), time.perf_counter()
    with _warnings() as warned:
        try:
            tables, facts = _process(processor, source, unit, day)
        except (ArchiveLost, StoreError, SetupError):
            raise
        except Exception as error:
            tables, facts = {}, failure(error)
    manifest = {
        "station": unit.id,
        "day": day,
        **facts,
        "warnings": list(dict.fromkeys([*facts.get("warnings", []), *warned]))[:_LONGEST_LIST],
        "model": processor.identity,
        "versions": versions(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    store.write(day, unit.id, tables, manifest)
    return manifest["state"], manifest


def failure(error: BaseException) -> dict:
    """What a manifest says of an error."""
    return {
        "state": "failed",
        "error": type(error).__name__,
        "message": str(error),
        "file": getattr(error, "file", None),
    }


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    from importlib.metadata import version

    names = ("seisbench_llm", "seisbench", "obspy", "torch", "numpy", "scipy")
    return {name: version(name) for name in names}


def _process(processor, source, unit: Unit, day: str) -> tuple[dict, dict]:
    start = UTCDateTime(day)
    stream, notes = source.read(unit, start, processor.padding)
    stream = _check(stream, start, notes)
    facts = {"state": "done" if stream else "empty", **coverage(stream, start)}
    tables = {}
    if stream:
        filled = align(stream, processor.step, processor.bridge)
        tables = {kind: _keep(table, start, filled) for kind, table in processor(stream).items()}
        for table in tables.values():
            table["instrument"] = unit.id.rpartition(".")[2]
    facts.update({f"n_{kind}": len(table) for kind, table in tables.items()}, warnings=notes)
    return tables, facts


@contextmanager
def _warnings():
    """What SeisBench's logger warns of meanwhile; it goes to the manifest, not to the terminal."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    handler = Collector(logging.WARNING)
    seisbench.logger.addHandler(handler)
    try:
        yield messages
    finally:
        seisbench.logger.removeHandler(handler)
