"""Where the network runs."""

import asyncio
import signal
import threading

import obspy
import pytest
from seisbench.util import Pick

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import run_here
from tests.helpers.models import tiny_model
from tests.helpers.streams import assert_same


def threads_of(model):
    """Threads that the network is called in, as they come."""
    seen = []
    model.register_forward_pre_hook(lambda *_: seen.append(threading.get_ident()))
    model.network.register_forward_pre_hook(lambda *_: seen.append(threading.get_ident()))
    annotate_batch_pre = model.annotate_batch_pre

    def noted(*args, **kwargs):
        seen.append(threading.get_ident())
        return annotate_batch_pre(*args, **kwargs)

    model.annotate_batch_pre = noted
    return seen


def test_network_runs_in_the_calling_thread():
    model = tiny_model()
    seen = threads_of(model)
    model.annotate(obspy.read())
    model.classify(obspy.read())
    assert set(seen) == {threading.get_ident()}


def test_same_as_in_another_thread():
    model, stream = tiny_model(), obspy.read()
    here, picks = model.annotate(stream), model.classify(stream, P_threshold=0.5).picks
    seen = threads_of(model)
    there = asyncio.run(model.annotate_async(stream))
    assert threading.get_ident() not in seen
    assert_same(here, there, 1e-7)
    other = asyncio.run(model.classify_async(stream, P_threshold=0.5)).picks
    assert [str(pick) for pick in picks] == [str(pick) for pick in other] != []


def test_errors_come_through():
    async def fail():
        await asyncio.to_thread(int, "none")

    with pytest.raises(ValueError, match="none"):
        run_here(fail())


def test_context_comes_through():
    async def current():
        return await asyncio.to_thread(asyncio.get_running_loop)

    # Runs at once, so that the loop is the one that submits.
    assert run_here(current()).is_closed()


@pytest.fixture
def interruptible():
    """Whoever starts the tests in the background has them ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it(interruptible):
    model, calls = tiny_model(), []

    def interrupt(batch, argdict):
        if not calls:
            signal.raise_signal(signal.SIGINT)
        calls.append(len(batch))
        return batch

    model.annotate_batch_pre = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.annotate(obspy.read(), overlap=0.9, batch_size=1)
    # The batch that is under way ends, the next one may have begun.
    assert len(calls) <= 2


@pytest.mark.filterwarnings("error")
def test_within_a_running_loop_as_seisbench():
    async def notebook(model):
        return model.annotate(obspy.read())

    with pytest.raises(RuntimeError, match="running event loop"):
        asyncio.run(notebook(tiny_model()))


def test_error_names_the_method_to_await():
    async def service(model):
        return model.classify(obspy.read())

    with pytest.raises(RuntimeError, match=r"use 'await model.classify_async\(\.\.\.\)'"):
        asyncio.run(service(tiny_model()))


def test_loop_is_left_as_it_was():
    async def run(model, factory):
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        await asyncio.gather(*(model.annotate_async(obspy.read()) for _ in range(3)))
        assert loop.get_task_factory() is factory

    made = []

    def factory(loop, coroutine, **kwargs):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **kwargs)

    model = tiny_model()
    asyncio.run(run(model, None))
    asyncio.run(run(model, factory))
    assert len(made) > 3


def test_failure_of_one_call_leaves_another_alone(monkeypatch):
    model, original = tiny_model(), SeisMoLLM.stream_to_array

    def fail_for_bad(self, traces, argdict):
        if len(traces) == 1:
            raise MemoryError("Unable to allocate 3 GiB")
        return original(self, traces, argdict)

    monkeypatch.setattr(SeisMoLLM, "stream_to_array", fail_for_bad)

    async def both():
        calls = (model.annotate_async(stream) for stream in (obspy.read(), obspy.read()[:1]))
        return await asyncio.gather(*calls, return_exceptions=True)

    good, bad = asyncio.run(both())
    assert len(good) == 3 and isinstance(bad, MemoryError)


def test_other_tasks_of_the_loop_fail_as_they_will():
    async def fail():
        raise ValueError("not ours")

    async def both(model):
        other = asyncio.create_task(fail())
        annotations = await model.annotate_async(obspy.read())
        with pytest.raises(ValueError, match="not ours"):
            await other
        return annotations

    assert len(asyncio.run(both(tiny_model()))) == 3


def test_estimates_at_picks_let_the_loop_breathe(monkeypatch):
    model, ticks = tiny_model("distance"), []
    picks = [Pick("BW.RJOB.", t, peak_time=t, phase="P") for t in [obspy.read()[0].stats.starttime]]
    started, release = threading.Event(), threading.Event()
    predict = model.predict

    def slow(*args, **kwargs):
        started.set()
        assert release.wait(20)
        return predict(*args, **kwargs)

    model.predict = slow

    async def run():
        task = asyncio.create_task(model.classify_async(obspy.read(), picks=picks))
        while not started.is_set():
            await asyncio.sleep(0.01)
        for _ in range(3):
            await asyncio.sleep(0.01)
            ticks.append(task.done())
        release.set()
        return await task

    result = asyncio.run(run())
    assert len(result.estimates) == 1 and ticks == [False] * 3
