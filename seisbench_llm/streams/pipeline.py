"""
The one place that copes with SeisBench's asynchronous pipeline waiting for ever.

SeisBench 0.12 runs the network in a task of its own and waits for its results on a queue. If the
network raises, the task ends, the queue stays empty, and ``annotate`` never returns. Here the
exception is handed to the waiting side as well, which then raises it.
"""

import asyncio
from collections.abc import Coroutine
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
