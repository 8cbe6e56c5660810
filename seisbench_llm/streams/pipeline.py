"""
SeisBench's asynchronous pipeline: failures and threads.

SeisBench 0.12 cuts windows, runs the network and stacks its outputs in tasks that pass their
results on through queues. If a task raises an exception, its queue stays empty, and ``annotate``
never returns. This module raises the first exception of such a task instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CoroutineType
from weakref import WeakKeyDictionary


@dataclass
class _Call:
    """One call of the pipeline: a future for its first failure, and the tasks that it started."""

    failure: asyncio.Future
    tasks: set[asyncio.Task] = field(default_factory=set)

    def watch(self, task: asyncio.Task) -> None:
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() and not self.failure.done():
            self.failure.set_exception(task.exception())


# Tasks inherit the context of the call that started them. Concurrent calls therefore do not see
# each other's failures.
_call: ContextVar[_Call | None] = ContextVar("call", default=None)

# Event loop -> number of calls that run in it, and its original task factory.
_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple] = WeakKeyDictionary()


@contextmanager
def _tasks_are_watched(loop: asyncio.AbstractEventLoop):
    """Register the tasks that a call starts in the loop. Other tasks are not affected."""
    calls, previous = _watched.get(loop, (0, loop.get_task_factory()))

    def factory(loop, coroutine, **kwargs):
        if previous is None:
            task = asyncio.Task(coroutine, loop=loop, **kwargs)
        else:
            task = previous(loop, coroutine, **kwargs)
        call = _call.get()
        if call is not None:
            call.watch(task)
        return task

    if not calls:
        loop.set_task_factory(factory)
    _watched[loop] = calls + 1, previous
    try:
        yield
    finally:
        calls, previous = _watched.pop(loop)
        if calls > 1:
            _watched[loop] = calls - 1, previous
        else:
            loop.set_task_factory(previous)


async def fail_instead_of_hanging(pipeline: Coroutine):
    """
    Await a coroutine, but raise an exception as soon as one of its tasks does.

    :param pipeline: Coroutine of SeisBench.
    :return: Result of the coroutine.
    """
    loop = asyncio.get_running_loop()
    call = _Call(loop.create_future())
    with _tasks_are_watched(loop):
        token = _call.set(call)
        try:
            task = loop.create_task(pipeline)
        finally:
            _call.reset(token)
        try:
            await asyncio.wait({task, call.failure}, return_when=asyncio.FIRST_COMPLETED)
            if call.failure.done():
                raise call.failure.exception()
            return task.result()
        finally:
            for left in call.tasks:
                left.cancel()
            call.failure.cancel()


class CallingThread(ThreadPoolExecutor):
    """
    Executor that runs functions at once in the calling thread. asyncio requires this base class.
    """

    def __init__(self):
        super().__init__(max_workers=1)  # threads start with the first submit, so never

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        # BaseException is not caught, so that a second Ctrl-C ends the loop, as between two
        # batches.
        except Exception as error:
            future.set_exception(error)
        return future


def run_here(coroutine: CoroutineType):
    """
    Run a coroutine to its end, in this thread only.

    Within a running loop (Jupyter) this is ``asyncio.run``, which SeisBench makes work in
    notebooks. The loop then belongs to the user and keeps its threads.

    :return: The coroutine's result.
    :raises RuntimeError: Within a running loop, as for SeisBench's own ``annotate``. The message
        names the method to await there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(CallingThread())
            return runner.run(coroutine)
    try:
        return asyncio.run(coroutine)
    except RuntimeError as error:
        if "running event loop" not in str(error):
            raise
        name = coroutine.__qualname__.rpartition(".")[2]
        raise RuntimeError(
            f"{name.removesuffix('_async')} cannot be called from a running event loop: use "
            f"'await model.{name}(...)' there."
        ) from error
    finally:
        coroutine.close()  # not started if asyncio.run refused
