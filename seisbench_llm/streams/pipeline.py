"""
The one place that copes with SeisBench's asynchronous pipeline waiting for ever.

SeisBench 0.12 runs the network in a task of its own and waits for its results on a queue. If the
network raises, the task ends, the queue stays empty, and ``annotate`` never returns. Here the
exception is handed to the waiting side as well, which then raises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

# Tasks and worker threads inherit the context of the annotate call that started them, so that
# concurrent calls do not see each other's failures.
_failure: ContextVar[asyncio.Future | None] = ContextVar("failure", default=None)


@contextmanager
def report_failure():
    """Hand an exception raised inside to the enclosing :py:func:`fail_instead_of_hanging`."""
    try:
        yield
    except Exception as error:
        failure = _failure.get()
        if failure is not None:
            failure.get_loop().call_soon_threadsafe(_set_exception, failure, error)
        raise


def _set_exception(failure: asyncio.Future, error: Exception) -> None:
    if not failure.done():
        failure.set_exception(error)


async def fail_instead_of_hanging(pipeline: Coroutine):
    """
    Await a coroutine, but raise as soon as a failure is reported from within it.

    :param pipeline: Coroutine of SeisBench.
    :return: Its result.
    """
    loop = asyncio.get_running_loop()
    failure = loop.create_future()
    token = _failure.set(failure)
    task = loop.create_task(pipeline)
    try:
        await asyncio.wait({task, failure}, return_when=asyncio.FIRST_COMPLETED)
        if not failure.done():
            return task.result()
        raise failure.exception()
    finally:
        _failure.reset(token)
        task.cancel()
        failure.cancel()


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


def run(coroutine: Coroutine):
    """
    Run a coroutine to its end, in this thread alone.

    Within a running loop (Jupyter) this is ``asyncio.run``, which SeisBench makes work in
    notebooks; the loop is then the user's, and keeps its threads.

    :return: The coroutine's result.
    :raises RuntimeError: Within a running loop, as SeisBench's own ``annotate``. Use
        ``await model.annotate_async(stream)`` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(CallingThread())
            return runner.run(coroutine)
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()  # not started if asyncio.run refused
