"""Archives: picks of many stations and days, with Dask, in runs that can be killed and go on."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import islice
from pathlib import Path

from obspy import UTCDateTime

from .days import days_between
from .sources import open_source
from .store import Store
from .units import Unit, choose_units
from .worker import failure, make_processor, process_day, versions

PICKER = "seisbench_llm.archive.picker:Picker"


# Enough that no worker waits, and few enough that a year of 300 stations is no burden.
TASKS_PER_THREAD = 4


def run(
    archive: str,
    out,
    start,
    end,
    stations: Iterable[str],
    weights: str = "compact_picking",
    arguments: dict | None = None,
    *,
    processor: str = PICKER,
    workers: int | None = None,
    scheduler: str | None = None,
    memory: str = "auto",
    retry_failed: bool = False,
    progress: bool = False,
) -> dict:
    """
    Process all station-days that are not finished yet.

    :param archive: See :py:func:`seisbench_llm.archive_sources.open_source`.
    :param out: Folder of the results; of a run that was stopped, to go on with it.
    :param start: First day.
    :param end: Day after the last.
    :param stations: Patterns such as ``CX.PB01..HH?`` or ``CX.*``.
    :param weights: Name, path or Hugging Face id.
    :param arguments: Further arguments of the processor, here of
        :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as ``P_threshold``.
    :param processor: ``module:Class``, see :py:class:`seisbench_llm.archive_worker.Picker`.
    :param workers: Processes of a local cluster, of one thread each; by default one per core.
    :param scheduler: Address of a Dask scheduler to use instead.
    :param memory: Most memory of each local worker, such as ``2GB``; one that needs more is
        restarted, and its station-day fails if that happens again and again.
    :param retry_failed: Whether to process failed station-days again.
    :param progress: Whether to show progress on standard error.
    :return: Number of station-days ``planned``, ``done``, ``empty`` and ``failed``, of ``new``
        ones among them, ``picks``, ``seconds``, ``unreadable`` files.
    :raises ConfigurationError: If ``out`` holds results of another configuration.
    :raises ValueError: If nothing matches, or an argument is impossible.
    """
    began = time.perf_counter()
    first, last = _day(start), _day(end)
    if first >= last:
        raise ValueError(f"The end {last} is not after the start {first}; it is not included.")
    stations = list(stations)
    if scheduler is not None and workers is not None:
        raise ValueError("A scheduler has its own workers: give either workers or scheduler.")
    require_dask()
    if Path(f"{weights}.json").is_file():
        # Workers may run in another folder.
        weights = str(Path(weights).resolve())
    store = Store(out)
    settings = {
        "out": str(store.path.resolve()),
        "archive": _absolute(archive),
        "processor": processor,
        "options": {"weights": weights, **(arguments or {})},
    }
    made = make_processor(settings)
    settings["identity"] = made.identity
    with ExitStack() as stack:
        stack.enter_context(store.lock())
        source = open_source(settings["archive"], store.path / "index.parquet")
        config = {
            "archive": settings["archive"],
            "processor": processor,
            "model": made.identity,
            "arguments": arguments or {},
        }
        store.check_config(config)
        store.remove_leftovers()
        channels = source.channels(UTCDateTime(str(first)), UTCDateTime(str(last)), stations)
        units = choose_units(channels, stations, settings["archive"])
        days = days_between(first, last)
        store.write_plan(config, [unit.id for unit in units], first, last)
        known = store.states()
        if retry_failed:
            known = {key: value for key, value in known.items() if value[0] != "failed"}
        pending = [(u, d) for d in days for u in units if (d, u.id) not in known]
        planned = len(units) * len(days)
        if pending:
            client = stack.enter_context(_connect(workers, scheduler, memory, len(pending)))
            bar = stack.enter_context(_progress(planned, planned - len(pending), progress))
            _process_all(client, store, json.dumps(settings), pending, bar)
    wanted = {(day, unit.id) for unit in units for day in days}
    states = Counter(state for key, (state, _) in store.states().items() if key in wanted)
    return {
        "planned": planned,
        **{state: states[state] for state in ("done", "empty", "failed")},
        "new": len(pending),
        "seconds": round(time.perf_counter() - began, 1),
        "unreadable": getattr(source, "unreadable", dict)(),
    }


def _process_all(client, store: Store, settings: str, pending: list, bar) -> None:
    """Keep a bounded number of station-days with the scheduler until all are finished."""
    from distributed import as_completed

    def submit(unit: Unit, day: str):
        future = client.submit(process_day, settings, tuple(unit), day, pure=False)
        running[future.key] = unit, day
        return future

    running: dict[str, tuple] = {}
    waiting = iter(pending)
    checked, room = 0.0, 0
    # raise_errors: an error of a task is its result here, not ours.
    completed = as_completed([], with_results=True, raise_errors=False)
    while True:
        if time.monotonic() - checked > 2:
            checked = time.monotonic()
            room = TASKS_PER_THREAD * max(1, sum(client.nthreads().values()))
        for unit, day in islice(waiting, max(0, room - len(running))):
            completed.add(submit(unit, day))
        if not running:
            return
        for future, result in completed.next_batch():
            unit, day = running.pop(future.key)
            if future.status != "finished":
                result = _failed(store, unit, day, result)
            bar.add(*result)
            future.release()


def _failed(store: Store, unit: Unit, day: str, result) -> tuple[str, dict]:
    """Manifest of a station-day whose workers died; other errors of tasks end the run."""
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    error = result[1] if isinstance(result, tuple) else result
    if isinstance(error, CancelledError):
        raise OSError("The Dask scheduler was lost. Run the same command again to go on.")
    if not isinstance(error, KilledWorker):
        raise error
    manifest = {"station": unit.id, "day": day, **failure(error), "versions": versions()}
    manifest["message"] = (
        "Its workers died again and again, probably as they needed more memory than they have. "
        f"Use fewer workers or more memory. ({error})"
    )
    store.write(day, unit.id, {}, manifest)
    return "failed", manifest


def require_dask() -> None:
    """
    :raises ImportError: If Dask or PyArrow are not installed, with how to install them.
    """
    try:
        import distributed
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Archives need more packages: pip install 'seisbench_llm[archive]' ({error})"
        ) from error
    # Its messages about workers that come and go would break the progress line.
    logging.getLogger(distributed.__name__).setLevel(logging.ERROR)


@contextmanager
def _connect(workers: int | None, scheduler: str | None, memory: str, tasks: int) -> Iterator:
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=30)
        except (OSError, TimeoutError) as error:
            raise OSError(f"No Dask scheduler answers at {scheduler}: {error}") from error
        with client:
            if not client.nthreads():
                logging.getLogger(__name__).warning(f"{scheduler} has no workers yet; waiting.")
            yield client
        return
    number = min(workers or CPU_COUNT, tasks)
    # A worker that is paused for what its model needs anyway would never go on.
    settings = {f"distributed.worker.memory.{what}": False for what in ("target", "spill", "pause")}
    # Without Dask's MALLOC_TRIM_THRESHOLD_, which gives every tensor back to the system at once:
    # the model takes twice as long with it.
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    settings["distributed.nanny.pre-spawn-environ"] = dict.fromkeys(threads, 1)
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            memory_limit=memory,
            # Its port may be taken, and Bokeh is not required.
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


class _Bar:
    """Progress with rate and time left, nothing if it is not shown."""

    def __init__(self, bar):
        self.bar, self.failed = bar, 0

    def add(self, state: str, manifest: dict) -> None:
        self.failed += state == "failed"
        if self.failed:
            self.bar.set_postfix(failed=self.failed, refresh=False)
        self.bar.update()


@contextmanager
def _progress(total: int, finished: int, shown: bool) -> Iterator[_Bar]:
    from tqdm import tqdm

    with tqdm(
        total=total,
        initial=finished,
        unit=" station-days",
        disable=not shown,
        file=sys.stderr,
        smoothing=0.05,
    ) as bar:
        yield _Bar(bar)


def _day(value) -> date:
    time_ = UTCDateTime(str(value))
    if time_ != UTCDateTime(time_.date):
        raise ValueError(f"{value} is no whole day; runs go by days in UTC, such as 2020-01-31.")
    return time_.date


def _absolute(archive: str) -> str:
    kind, separator, rest = str(archive).partition("://")
    if not separator:
        return str(Path(archive).expanduser().resolve())
    return (
        str(archive)
        if kind in ("fdsn", "python")
        else f"{kind}://{Path(rest).expanduser().resolve()}"
    )
