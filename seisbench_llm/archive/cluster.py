"""Processing of station-days on Dask clusters: local worker processes, or those of a scheduler."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import monotonic, sleep

from ..extras import install_command
from .station_days import StationDay
from .store import Store
from .worker import failure, process_day, versions

# Station-days per worker that the scheduler holds: enough that no worker waits, and few enough that
# a year of 300 stations takes little memory.
TASKS_PER_THREAD = 4

# Memory of a worker before its first task. With a lower limit, Dask would restart it for ever.
LEAST_MEMORY = 500_000_000

# Seconds without any worker after which a local cluster is given up: Dask does not start a worker
# again that died while it started. Starting one takes about a minute on a busy machine.
WORKERLESS_S = 180.0

# Within this time a worker that died has started again. Dask's 15 s are not enough on a busy
# machine, and after them it gives the worker up for good.
RESTART = "1h"


def require_dask() -> None:
    """
    :raises ImportError: If Dask or PyArrow are not installed, with how to install them.
    """
    try:
        import distributed
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Archives need more packages: {install_command('archive')} ({error})"
        ) from error
    # Dask's messages about workers would break the progress line.
    logging.getLogger(distributed.__name__).setLevel(logging.ERROR)


@dataclass(frozen=True)
class Cluster:
    """
    A cluster on which station-days are processed.

    :param workers: Number of processes of a local cluster, with one thread each. By default there
        is one per core.
    :param scheduler: Address of a Dask scheduler to use instead.
    :param memory: Largest memory of each local worker, such as ``2GB``, or ``auto``.
    :raises ValueError: If an argument is impossible.
    """

    workers: int | None = None
    scheduler: str | None = None
    memory: str = "auto"

    def __post_init__(self):
        if self.scheduler is not None and self.workers is not None:
            raise ValueError("A scheduler has its own workers: pass either workers or scheduler.")
        if self.memory == "auto":
            return
        from dask.utils import parse_bytes

        try:
            memory = parse_bytes(self.memory)
        except ValueError:
            raise ValueError(f"memory={self.memory} is not a size. Pass one such as 2GB.") from None
        if memory < LEAST_MEMORY:
            raise ValueError(
                f"memory={self.memory} is less than the {LEAST_MEMORY / 1e6:.0f} MB that a worker "
                f"needs before it loads a model."
            )

    @contextmanager
    def connect(self, tasks: int) -> Iterator:
        """
        Connect a Dask client.

        :param tasks: Number of tasks. Not more local workers than this are started.
        :raises OSError: If the scheduler does not answer.
        """
        from distributed import Client

        if self.scheduler is None:
            with self._local(tasks) as cluster, Client(cluster) as client:
                yield client
            return
        try:
            client = Client(self.scheduler, timeout=30)
        except (OSError, TimeoutError) as error:
            raise OSError(f"No Dask scheduler answers at {self.scheduler}: {error}") from error
        with client:
            if not client.nthreads():
                logging.getLogger(__name__).warning(
                    f"{self.scheduler} has no workers yet; waiting."
                )
            yield client

    @contextmanager
    def _local(self, tasks: int) -> Iterator:
        import dask
        from dask.system import CPU_COUNT
        from distributed import LocalCluster

        # A worker that is paused because its model needs the memory would never continue.
        memory = ("target", "spill", "pause")
        settings: dict = {f"distributed.worker.memory.{what}": False for what in memory}
        # Dask's MALLOC_TRIM_THRESHOLD_ is removed. It returns the memory of every tensor to the
        # system at once, which slows the model down by a factor of two.
        threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        settings["distributed.nanny.pre-spawn-environ"] = dict.fromkeys(threads, 1)
        settings["distributed.deploy.lost-worker-timeout"] = RESTART
        with (
            dask.config.set(settings),
            LocalCluster(
                n_workers=min(self.workers or CPU_COUNT, tasks),
                threads_per_worker=1,
                memory_limit=self.memory,
                # Any free port, because Dask's default may be in use. The dashboard is not used.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
            ) as cluster,
        ):
            yield cluster


def process_all(
    client,
    store: Store,
    settings: str,
    pending: Iterable[StationDay],
    finished: Callable[[str], None],
) -> None:
    """
    Process all station-days. The scheduler holds a bounded number of them at a time.

    :param client: Dask client.
    :param settings: See :py:func:`seisbench_llm.archive.worker.process_day`.
    :param finished: Function that is called with the state of each station-day.
    :raises OSError: If the connection to the scheduler is lost, if no worker of a local cluster is
        left, or if :py:func:`~seisbench_llm.archive.worker.process_day` raises an error.
    """
    from distributed import as_completed

    running: dict[str, StationDay] = {}
    waiting = iter(pending)
    checked, room, seen = 0.0, 0, monotonic()
    # raise_errors is false: the error of a task is its result here.
    completed = as_completed([], with_results=True, raise_errors=False)
    while True:
        if monotonic() - checked > 2:
            checked, threads = monotonic(), sum(client.nthreads().values())
            seen = checked if threads else seen
            if checked - seen > WORKERLESS_S and client.cluster is not None:
                raise OSError(
                    "No worker process is left, and none could be started again, probably because "
                    "it needs more memory than it may have. Use fewer workers or more memory. The "
                    "same command continues."
                )
            room = TASKS_PER_THREAD * max(1, threads)
        for station_day in islice(waiting, max(0, room - len(running))):
            future = client.submit(process_day, settings, tuple(station_day), pure=False)
            running[future.key] = station_day
            completed.add(future)
        if not running:
            return
        if not completed.has_ready():
            sleep(0.02)
            continue
        for future, result in completed.next_batch():
            station_day = running.pop(future.key)
            if future.status != "finished":
                error = result[1] if isinstance(result, tuple) else result
                result = write_failure(store, station_day, error)
            finished(result)
            future.release()


def write_failure(store: Store, station_day: StationDay, error: BaseException) -> str:
    """
    Write the manifest of a station-day whose workers died. Other errors of tasks end the run.

    :return: State of the station-day, failed.
    """
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    if isinstance(error, CancelledError):
        raise OSError("The Dask scheduler was lost. Run the same command again to continue.")
    if not isinstance(error, KilledWorker):
        raise error
    facts = failure(error)
    facts["message"] = (
        "Its workers died repeatedly, probably because they needed more memory than they have. "
        f"Use fewer workers or more memory. ({error})"
    )
    manifest = {"station": station_day.id, "day": station_day.day, **facts, "versions": versions()}
    store.write(station_day, {}, manifest)
    return manifest["state"]
