"""Archive runs: picks of many stations and days. A killed run can be continued."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from obspy import UTCDateTime

from ..stations import Stations, read_stations
from .cluster import Cluster, process_all, require_dask
from .days import days_between
from .picker import task_weights
from .sources import open_source
from .station_days import StationDay, choose_instruments, instrument_id
from .store import ConfigurationError, Store
from .worker import make_processor

PICKER = "seisbench_llm.archive.picker:Picker"


@dataclass(frozen=True)
class RunSummary:
    """
    Outcome of the station-days of a run.

    :param planned: Number of station-days that were asked for.
    :param done: Number of processed station-days.
    :param empty: Number of station-days without data.
    :param failed: Number of failed station-days, see :py:func:`seisbench_llm.archive.status`.
    :param new: Number of station-days that this call finished.
    :param seconds: Duration of the call.
    :param unreadable: File -> error, for files whose station and day are unknown.
    """

    planned: int
    done: int
    empty: int
    failed: int
    new: int
    seconds: float
    unreadable: dict[str, str]


def run(
    archive: str,
    out,
    start,
    end,
    stations: Iterable[str],
    weights: str = "compact_picking",
    arguments: dict | None = None,
    *,
    tasks: str | Mapping[str, str] | None = None,
    amplitudes: bool = False,
    inventory=None,
    keep=None,
    device: str = "cpu",
    processor: str = PICKER,
    workers: int | None = None,
    scheduler: str | None = None,
    memory: str = "auto",
    retry_failed: bool = False,
    progress: bool = False,
) -> RunSummary:
    """
    Process all station-days that are not finished yet.

    :param archive: See :py:func:`seisbench_llm.archive.open_source`.
    :param out: Folder of the results. With the folder of a stopped run, that run is continued.
    :param start: First day.
    :param end: Day after the last day.
    :param stations: Patterns such as ``CX.PB01..HH?`` or ``CX.*``.
    :param weights: Name, path or Hugging Face id.
    :param arguments: Further arguments of the processor. For a picker these are arguments of
        :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as ``P_threshold``.
    :param tasks: Estimates at each P: ``all``, or some of ``polarity``, ``magnitude``, ``distance``
        and ``back_azimuth``, see :py:func:`seisbench_llm.archive.picker.task_weights`.
    :param amplitudes: Whether to measure amplitudes at picks.
    :param inventory: Stations, see :py:meth:`seisbench_llm.stations.Stations.read`. Components that
        do not point up, north and east are then rotated first. Amplitudes are also in units of
        ground motion where stations have responses. A copy is kept in ``out``.
    :param keep: Folder that keeps what is fetched from a service or a bucket, as an SDS archive.
    :param device: Device of the model in each worker, see
        :py:func:`seisbench_llm.models.devices.find_device`. A run can be continued on another one.
    :param processor: ``module:Class``, see :py:class:`seisbench_llm.archive.picker.Picker`.
    :param workers: Processes of a local cluster, of one thread each; by default one per core.
    :param scheduler: Address of a Dask scheduler to use instead.
    :param memory: Largest memory of each local worker, such as ``2GB``. A worker that needs more is
        restarted. Its station-day fails if that happens repeatedly.
    :param retry_failed: Whether to process failed station-days again.
    :param progress: Whether to show progress on standard error.
    :raises ConfigurationError: If ``out`` holds results of another configuration.
    :raises ValueError: If nothing matches, or if an argument is impossible.
    """
    began = time.perf_counter()
    days = _days(start, end)
    require_dask()
    cluster = Cluster(workers, scheduler, memory)
    store = Store(out)
    further = {"tasks": task_weights(tasks), "amplitudes": amplitudes}
    settings = _settings(store, archive, weights, arguments or {}, processor, device, further)
    if keep is not None:
        settings["keep"] = str(Path(keep).expanduser().resolve())
    made = make_processor(settings)
    settings["identity"] = made.identity
    with store.lock():
        _keep_inventory(store, settings, inventory)
        store.check_config(_config(settings), getattr(made, "default", None))
        source = open_source(settings["archive"], store.index_file, settings.get("keep"))
        planned = _plan(store, source, settings, list(stations), days)
        pending = _pending(store, planned, retry_failed)
        if pending:
            with (
                cluster.connect(len(pending)) as client,
                _progress(len(planned), len(planned) - len(pending), progress) as finished,
            ):
                process_all(client, store, json.dumps(settings), pending, finished)
        states = store.states()
    counts = Counter(states[day.day, day.id][0] for day in planned)
    return RunSummary(
        planned=len(planned),
        done=counts["done"],
        empty=counts["empty"],
        failed=counts["failed"],
        new=len(pending),
        seconds=round(time.perf_counter() - began, 1),
        unreadable=getattr(source, "unreadable", dict)(),
    )


def _days(start, end) -> list[str]:
    first, last = _day(start), _day(end)
    if first >= last:
        raise ValueError(f"The end {last} is not after the start {first}. The end is not included.")
    return days_between(first, last)


def _day(value) -> date:
    try:
        moment = UTCDateTime(str(value))
    except (ValueError, TypeError):
        raise ValueError(f"'{value}' is not a day. Pass one such as 2020-01-31.") from None
    if moment != UTCDateTime(moment.date):
        raise ValueError(f"{value} is not a whole day. Pass a day in UTC such as 2020-01-31.")
    return moment.date


def _settings(
    store: Store,
    archive,
    weights: str,
    arguments: dict,
    processor: str,
    device: str,
    further: dict,
) -> dict:
    """Settings for the workers."""
    tasks = {task: _in_any_folder(name) for task, name in further["tasks"].items()}
    asked = {"device": device, **further, "tasks": tasks}
    usual = {"device": "cpu", "tasks": {}, "amplitudes": False}
    # Only where they differ: processors of users need not know of them.
    options = {name: value for name, value in asked.items() if value != usual[name]}
    return {
        "out": str(store.path.resolve()),
        "archive": _absolute(archive),
        "processor": processor,
        "options": {"weights": _in_any_folder(weights), **options, **arguments},
    }


def _in_any_folder(weights: str) -> str:
    # Workers may run in another folder.
    return str(Path(weights).resolve()) if Path(f"{weights}.json").is_file() else weights


def _config(settings: dict) -> dict:
    """Settings that determine the results and must not change between calls."""
    others = ("weights", "device", "tasks", "amplitudes")
    options, model = settings["options"], dict(settings["identity"])
    tasks = model.pop("tasks", None)
    config = {
        "archive": settings["archive"],
        "processor": settings["processor"],
        "model": model,
        "arguments": {name: value for name, value in options.items() if name not in others},
    }
    # Not in runs without them, such as those of version 0.1.
    if tasks:
        config["tasks"] = tasks
    if options.get("amplitudes"):
        config["amplitudes"] = True
    if "inventory" in settings:
        config["inventory"] = Stations.read(settings["inventory"]).digest()
    return config


def _keep_inventory(store: Store, settings: dict, inventory) -> None:
    """Keep a copy of the stations at the first call where all workers find it."""
    if inventory is None:
        return
    asked = str(inventory).startswith("fdsn:")
    kept = next((f for f in store.inventory_files if f.is_file()), None)
    if not (asked and kept):
        if isinstance(inventory, str | Path):
            inventory = read_stations(inventory)
        old = None if kept is None else Stations.read(kept).digest()
        if old != Stations.read(inventory).digest():
            # The stations of the run are only replaced if its configuration allows it.
            config = store.path / "config.json"
            if kept is not None and config.is_file():
                raise ConfigurationError(
                    f"{store.path} holds results with other stations ({kept.name}). Use another "
                    f"folder, or the same stations."
                )
            kept = store.write_inventory(inventory)
    settings["inventory"] = str(kept.resolve())


def _absolute(archive: str) -> str:
    kind, separator, rest = str(archive).partition("://")
    if not separator:
        return str(Path(archive).expanduser().resolve())
    return (
        str(archive)
        if kind in ("fdsn", "s3", "python")
        else f"{kind}://{Path(rest).expanduser().resolve()}"
    )


def _plan(
    store: Store, source, settings: dict, patterns: list[str], days: list[str]
) -> list[StationDay]:
    """All requested station-days, sorted by day. The store remembers them."""
    store.remove_leftovers()
    first, last = UTCDateTime(days[0]), UTCDateTime(days[-1]) + 86400
    channels = source.channels(first, last, patterns)
    instruments = choose_instruments(channels, patterns, settings["archive"])
    names = [instrument_id(codes) for codes in instruments]
    store.write_plan(_config(settings), names, first.date, last.date)
    return [StationDay(*codes, day) for day in days for codes in instruments]


def _pending(store: Store, planned: list[StationDay], retry_failed: bool) -> list[StationDay]:
    again = ("failed",) if retry_failed else ()
    known = {key for key, (state, _) in store.states().items() if state not in again}
    return [day for day in planned if (day.day, day.id) not in known]


@contextmanager
def _progress(total: int, finished: int, shown: bool) -> Iterator[Callable[[str], None]]:
    """Progress display with rate and remaining time, if shown. It is called with each state."""
    from tqdm import tqdm

    failed = 0

    def add(state: str) -> None:
        nonlocal failed
        failed += state == "failed"
        if failed:
            bar.set_postfix(failed=failed, refresh=False)
        bar.update()

    with tqdm(
        total=total,
        initial=finished,
        unit=" station-days",
        disable=not shown,
        file=sys.stderr,
        smoothing=0.05,
    ) as bar:
        yield add
