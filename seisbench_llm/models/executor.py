"""
The one place that decides which thread the network runs in.

SeisBench 0.12 hands each batch to ``asyncio.to_thread``, so to a worker thread. An OpenMP runtime
has one pool of threads per thread that starts parallel work: torch then computes with a second
pool beside the first one, and a forward pass takes up to 1.8 times as long. Here the event loop
gets, through asyncio's own ``set_default_executor``, an executor that works in the calling thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor


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
