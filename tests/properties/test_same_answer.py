"""The same waveforms get the same answer, however they come and whoever else asks."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache
from unittest import mock

import numpy as np
import obspy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seisbench_llm.pick_files import pick_files
from seisbench_llm.streams import windows
from seisbench_llm.tasks import TASKS
from tests.helpers.formula import formula_model
from tests.helpers.models import soft_model
from tests.properties.profiles import PROFILE, examples
from tests.properties.strategies import (
    SEEDS,
    STARTS,
    USABLE_RATES,
    make_trace,
    samples_of,
    tame_streams,
    wild_streams,
)

LOW = {"P_threshold": 0.05, "S_threshold": 0.05}
TASK_NAMES = st.sampled_from(list(TASKS))


@lru_cache
def small_model():
    """A network of the published structure, with windows of 512 samples."""
    model = soft_model(in_samples=512, pred_sample=100).eval()
    model.default_args.update(blinding=(50, 50))
    return model


def key(trace):
    stats = trace.stats
    place = (stats.network, stats.station, stats.location, stats.instrument, stats.channel)
    return (*place, stats.starttime.ns)


def assert_same(one, other, tolerance=0.0, late=0.0):
    """Annotations of the same places and times, with the same values."""
    one, other = (sorted(stream, key=key) for stream in (one, other))
    assert [key(trace)[:5] for trace in one] == [key(trace)[:5] for trace in other]
    for a, b in zip(one, other, strict=True):
        assert abs(a.stats.starttime - b.stats.starttime - late) < 1e-5
        np.testing.assert_allclose(a.data, b.data, rtol=0, atol=tolerance)


def told(result):
    return [(e.trace_id, e.start, e.end, e.cause, e.used) for e in result.skipped]


@PROFILE
@given(wild_streams(), st.data(), TASK_NAMES)
def test_order_of_traces(stream, data, task):
    model = formula_model(task)
    expected = model.annotate(stream)
    shuffled = obspy.Stream(data.draw(st.permutations(list(stream))))
    found = model.annotate(shuffled)
    assert_same(found, expected)
    assert told(found) == told(expected)


@PROFILE
@given(tame_streams(), st.integers(1, 70))
def test_batch_size(stream, size):
    model = small_model()
    assert_same(model.annotate(stream, batch_size=size), model.annotate(stream), 1e-5)


@examples(0.5)
@given(tame_streams(), st.integers(2, 4))
def test_number_of_threads_of_torch(stream, number):
    model, before = small_model(), torch.get_num_threads()
    expected = model.annotate(stream)
    torch.set_num_threads(number)
    try:
        found = model.annotate(stream)
    finally:
        torch.set_num_threads(before)
    assert_same(found, expected, 1e-5)


@examples(0.5)
@given(st.lists(tame_streams(), min_size=2, max_size=5))
def test_concurrent_threads(streams):
    model = small_model()
    expected = [model.annotate(stream) for stream in streams]
    with ThreadPoolExecutor(len(streams)) as pool:
        found = list(pool.map(model.annotate, streams))
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@examples(0.5)
@given(st.lists(wild_streams(), min_size=2, max_size=4), TASK_NAMES)
def test_gathered_coroutines(streams, task):
    model = formula_model(task)
    expected = [model.annotate(stream) for stream in streams]

    async def all_at_once():
        return await asyncio.gather(*map(model.annotate_async, streams))

    for one, other in zip(asyncio.run(all_at_once()), expected, strict=True):
        assert_same(one, other)
        assert told(one) == told(other)


@examples(0.2)
@given(st.lists(tame_streams(), min_size=2, max_size=4))
def test_processes(streams):
    expected = [small_model().annotate(stream) for stream in streams]
    # Forked: a new interpreter would import for seconds.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = list(pool.map(small_model().annotate, streams))
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


# Without 99.99 Hz, which is taken for 100 Hz in short records only.
STEADY_RATES = USABLE_RATES.filter(lambda rate: rate != 99.99)


@PROFILE
@given(tame_streams(STEADY_RATES, st.just("noise")), st.data())
def test_split_or_whole(stream, data):
    """Cut anywhere, with samples that come twice, in any order."""
    parts = []
    for trace in stream:
        samples, stats = trace.stats.npts, trace.stats
        cuts = data.draw(st.lists(st.integers(0, samples), max_size=4).map(sorted))
        for first, last in zip([0, *cuts], [*cuts, samples], strict=True):
            first = max(0, first - data.draw(st.sampled_from([0, 0, 1, 7])))
            codes = (stats.network, stats.station, stats.location, stats.channel)
            start = stats.starttime + first * stats.delta
            parts.append(make_trace(trace.data[first:last], stats.sampling_rate, start, codes))
    parts = obspy.Stream(data.draw(st.permutations(parts)))
    model = formula_model()
    expected, found = model.annotate(stream), model.annotate(parts)
    assert_same(found, expected, 1e-4)
    picks = [model.classify(s, **LOW).picks for s in (stream, parts)]
    assert len(picks[0]) == len(picks[1])


@PROFILE
@given(tame_streams(), st.integers(1, 3))
def test_every_trace_several_times(stream, times):
    model = formula_model()
    copies = obspy.Stream([trace.copy() for _ in range(times) for trace in stream])
    assert_same(model.annotate(stream + copies), model.annotate(stream))


@PROFILE
@given(tame_streams(), wild_streams())
def test_other_stations_make_no_difference(stream, others):
    model = formula_model()
    for trace in others:
        trace.stats.station = "OTHER"
    found = [t for t in model.annotate(stream + others) if t.stats.station != "OTHER"]
    assert_same(found, model.annotate(stream), 1e-6)


@PROFILE
@given(wild_streams(), st.floats(0.02, 1), st.floats(0.02, 1))
def test_classify_is_annotate_and_then_picks(stream, p_threshold, s_threshold):
    """Although classify keeps of the curves only what can make a pick."""
    model = formula_model()
    levels = {"P_threshold": p_threshold, "S_threshold": s_threshold}
    expected = model.classify_aggregate(model.annotate(stream), {**model.default_args, **levels})
    found = model.classify(stream, **levels)
    for kind in ("picks", "detections"):
        assert list(map(str, getattr(found, kind))) == list(map(str, getattr(expected, kind)))
    assert told(found) == told(expected)


@PROFILE
@given(wild_streams(), st.floats(1, 20), TASK_NAMES, st.booleans())
def test_chunks_or_whole(stream, seconds, task, strict):
    model = formula_model(task)
    expected = model.annotate(stream, strict=strict)
    with mock.patch.object(windows, "CHUNK_SECONDS", seconds):
        found = model.annotate(stream, strict=strict)
    scale = TASKS[task].value_range[1] if TASKS[task].head == "scalar" else 1
    assert_same(found, expected, 1e-4 * scale)


@PROFILE
@given(tame_streams(), STARTS)
def test_any_year(stream, start):
    """The same samples at another time; fractions of a sample stay what they are."""
    late = round(start.ns / 1e6) / 1e3 - stream[0].stats.starttime.timestamp
    late = round(late)
    model, moved = formula_model(), stream.copy()
    for trace in moved:
        trace.stats.starttime += late
    assert_same(model.annotate(moved), model.annotate(stream), 1e-6, late=late)


@PROFILE
@given(tame_streams(), st.floats(-0.02, 0.02))
def test_shift_by_a_fraction_of_a_sample(stream, late):
    late = round(late, 6)
    model, moved = formula_model(), stream.copy()
    for trace in moved:
        trace.stats.starttime += late
    assert_same(model.annotate(moved), model.annotate(stream), 1e-6, late=late)


@PROFILE
@given(tame_streams(kinds=st.just("noise")), st.integers(-99, 99), st.floats(-12, 12))
def test_offset_and_unit(stream, offset, decades):
    """Counts, volts or metres, about any mean."""
    model, other = formula_model(), stream.copy()
    for trace in other:
        trace.data = (trace.data + 100.0 * offset) * 10**decades
    assert_same(model.annotate(other), model.annotate(stream), 1e-3)


@PROFILE
@given(tame_streams(kinds=st.just("int8")), st.sampled_from(["i2", ">i4", "i8", "f4", ">f8", "f8"]))
def test_type_of_the_samples(stream, dtype):
    model, other = formula_model(), stream.copy()
    for trace in other:
        trace.data = trace.data.astype(dtype)
    assert_same(model.annotate(other), model.annotate(stream))


@PROFILE
@given(tame_streams(kinds=st.just("noise")), st.data())
def test_a_gap_however_it_is_written(stream, data):
    """Masked, not a number, infinite, or cut out."""
    forms = {name: obspy.Stream() for name in ("masked", "nan", "infinite", "cut")}
    for trace in stream:
        bounds = st.integers(0, trace.stats.npts)
        first, last = sorted((data.draw(bounds), data.draw(bounds)))
        for name, form in forms.items():
            part = trace.copy()
            if name == "masked":
                part.data = np.ma.masked_array(part.data, np.zeros(part.stats.npts, bool))
                part.data[first:last] = np.ma.masked
            elif name != "cut":
                part.data[first:last] = np.nan if name == "nan" else -np.inf
            else:
                later = trace.copy()
                later.data = trace.data[last:].copy()
                later.stats.starttime += last * trace.stats.delta
                part.data = part.data[:first]
                form.append(later)
            form.append(part)
    answers = {name: formula_model().annotate(form) for name, form in forms.items()}
    for name in ("masked", "nan", "infinite"):
        assert_same(answers[name], answers["cut"])


@PROFILE
@given(tame_streams())
def test_names_of_horizontals(stream):
    """1 and 2 are taken for north and east."""
    model, renamed = formula_model(), stream.copy()
    for trace in renamed:
        code = trace.stats.channel
        trace.stats.channel = code[:2] + {"N": "1", "E": "2", "1": "N", "2": "E"}.get(code[2], "Z")
    assert_same(model.annotate(renamed), model.annotate(stream))


@PROFILE
@given(tame_streams(kinds=st.sampled_from(["noise", "int32"])), st.data())
def test_horizontals_beside_north_and_east(stream, data):
    """1 and 2 are left alone, and that is told, where N and E are there."""
    other = stream.copy()
    for trace in other:
        code = trace.stats.channel
        trace.stats.channel = code[:2] + {"N": "1", "E": "2"}.get(code[2], "X")
        trace.data = trace.data[::-1].copy()
    north = [trace for trace in stream if trace.stats.channel[2] in "NEZ"]
    other = [trace for trace in other if trace.stats.channel[2] in "12"]
    model = formula_model()
    both = model.annotate(obspy.Stream(data.draw(st.permutations(north + other))))
    assert_same(both, model.annotate(obspy.Stream(north)))
    assert {entry.trace_id for entry in both.skipped if not entry.used} == {t.id for t in other}


@examples(0.5)
@given(
    records=st.lists(
        st.tuples(SEEDS, st.integers(300, 6000), USABLE_RATES), min_size=1, max_size=3
    ),
    start=STARTS.filter(lambda start: 1970 < start.year < 2100),
    largest=st.integers(1000, 20_000),
)
def test_files_at_once_or_part_by_part(records, start, largest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    stream = obspy.Stream()
    for number, (seed, samples, rate) in enumerate(records):
        for i, code in enumerate("ZNE"):
            data = samples_of("float32", samples, seed + i)
            # About midnight.
            time = obspy.UTCDateTime(start.date) - samples / rate / 2
            stream.append(make_trace(data, rate, time, ("XX", f"S{number}", "", f"HH{code}")))
    stream.write(str(folder / "a.mseed"), format="MSEED")
    stream = obspy.read(str(folder / "a.mseed"))
    # Few picks, as which of many that are too close is kept may depend on those far away. Windows
    # of a part begin elsewhere, so that picks near the threshold are found in one of both only.
    levels, model = {"P_threshold": 0.8, "S_threshold": 0.8}, formula_model()
    expected = model.classify(stream, **levels)
    for limit in (largest, 10**9):
        found = pick_files(model, [folder], largest=limit, **levels)
        for one, other in ((found, expected), (expected, found)):
            for pick in one.picks:
                same = [
                    p for p in other.picks if (p.trace_id, p.phase) == (pick.trace_id, pick.phase)
                ]
                near = any(abs(pick.peak_time - p.peak_time) <= 0.0101 for p in same)
                assert near or (pick.peak_value < 0.85 and limit < 10**9)
        assert {e.trace_id for e in found.skipped} == {e.trace_id for e in expected.skipped}


@PROFILE
@given(USABLE_RATES, STARTS, st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=3), SEEDS)
def test_time_of_an_onset(rate, start, fractions, seed):
    """A pulse on Z is found to half a sample, whatever rates and fractions of a sample."""
    model, samples = formula_model(), int(rate * 12)
    rng, stream = np.random.default_rng(seed), obspy.Stream()
    onset = start + 6 + rng.uniform(0, 0.1)
    for code, fraction in zip("ZNE", fractions, strict=True):
        data = rng.normal(0, 1, samples)
        time = start + fraction / rate
        stream.append(make_trace(data, rate, time, ("XX", "A", "", f"HH{code}")))
    z = stream[0]
    late = (z.stats.starttime - onset) + np.arange(samples) / rate
    z.data += 5000 * np.exp(-((late / max(0.06, 1.5 / rate)) ** 2))
    found = model.classify(stream, P_threshold=0.5).picks
    off = min(abs(pick.peak_time - onset) for pick in found if pick.phase == "P")
    # Half a sample of the pulse's place on the grid, and half a sample of the component's.
    assert off <= 0.0101


@pytest.mark.parametrize("task", TASKS)
@examples(0.3)
@given(stream=wild_streams())
def test_once_more(task, stream):
    model = formula_model(task)
    first, second = model.annotate(stream), model.annotate(stream)
    assert_same(first, second)
    assert told(first) == told(second)
