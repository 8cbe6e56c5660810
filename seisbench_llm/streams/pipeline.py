"""
SeisBench's asynchronous pipeline: its failures, and the threads it runs in.

SeisBench 0.12 cuts windows, runs the network and stacks its outputs in tasks that pass their
results on by queues. If one raises, its queue stays empty, and ``annotate`` never returns. Here the
first exception of such a task is raised instead.
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
    """One call of the pipeline: where its first failure goes, and the tasks it started."""

    failure: asyncio.Future
    tasks: set[asyncio.Task] = field(default_factory=set)

    def watch(self, task: asyncio.Task) -> None:
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() and not self.failure.done():
            self.failure.set_exception(task.exception())


# Tasks inherit the context of the call that started them, so that concurrent calls do not see each
# other's failures.
_call: ContextVar[_Call | None] = ContextVar("call", default=None)

# Event loop -> the number of calls that run in it, and its own task factory.
_watched: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple] = WeakKeyDictionary()


@contextmanager
def _tasks_are_watched(loop: asyncio.AbstractEventLoop):
    """Let the tasks that a call starts in the loop be known to it, and no others be touched."""
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
    Await a coroutine, but raise as soon as a task that it started raises.

    :param pipeline: Coroutine of SeisBench.
    :return: Its result.
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
    """Runs what is submitted at once, in the thread that submits; asyncio takes no other class."""

    def __init__(self):
        super().__init__(max_workers=1)  # threads start with the first submit, so never

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        # Not BaseException: a second Ctrl-C shall end the loop, as it does between two batches.
        except Exception as error:
            future.set_exception(error)
        return future


def run_here(coroutine: CoroutineType):
    """
    Run a coroutine to its end, in this thread alone.

    Within a running loop (Jupyter) this is ``asyncio.run``, which SeisBench makes work in
    notebooks; the loop is then the user's, and keeps its threads.

    :return: The coroutine's result.
    :raises RuntimeError: Within a running loop, as SeisBench's own ``annotate``, with the name of
        the method to await there.
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
