"""Whatever a stream holds: an answer in range and in time, or why there is none."""

import copy
import logging
import re
import time
import tracemalloc

import numpy as np
import obspy
import pytest
import seisbench
from hypothesis import given
from hypothesis import strategies as st

from seisbench_llm.monitor.monitor import SeismicMonitor
from seisbench_llm.streams import windows
from seisbench_llm.streams.spans import union
from seisbench_llm.tasks import TASKS
from seisbench_llm.trace_ids import InstrumentId, TraceId
from tests.helpers.formula import formula_model
from tests.properties.profiles import LONG, PROFILE, examples
from tests.properties.strategies import STARTS, make_trace, tame_streams, wild_streams

# Of NumPy too: nothing may overflow unnoticed.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

POINT_TASKS = [name for name in TASKS if TASKS[name].output_type == "point"]
HALF = 0.5 / 100
# Times are rounded to some hundred nanoseconds on their way through SeisBench.
ROUNDING = 5e-6
LOW = {"P_threshold": 0.05, "S_threshold": 0.05}


def instrument_of(trace):
    trace_id = TraceId.of(trace)
    return (*trace_id[:3], trace_id.instrument)


def spans_of(stream, gap=0.0):
    """(network, station, location, instrument) -> spans of its traces."""
    spans = {}
    for trace in stream:
        if trace.stats.npts:
            key, stats = instrument_of(trace), trace.stats
            spans.setdefault(key, []).append((stats.starttime, stats.endtime))
    return {key: union(of_key, gap) for key, of_key in spans.items()}


def tolerance_of(stream):
    """Half a sample; where a component's rates change, resampling goes on for one of the slower."""
    rates = {}
    for trace in stream:
        component = trace.stats.channel[-1:].translate(str.maketrans("123", "NEZ"))
        of_component = rates.setdefault((instrument_of(trace), component), set())
        of_component.add(trace.stats.sampling_rate)
    mixed = [rate for of in rates.values() if len(of) > 1 for rate in of if rate >= 10]
    return HALF + ROUNDING + (1 / min(mixed) if mixed else 0)


def inside(start, end, spans, tolerance):
    return any(a - tolerance <= start and end <= b + tolerance for a, b in spans)


@PROFILE
@given(wild_streams())
def test_probabilities(stream):
    for trace in formula_model().annotate(stream):
        assert trace.data.dtype == np.float32 and trace.stats.sampling_rate == 100
        assert np.isfinite(trace.data).all()
        assert trace.data.min() >= 0 and trace.data.max() <= 1


@pytest.mark.parametrize("task", POINT_TASKS)
@examples(0.5)
@given(wild_streams())
def test_estimates_over_time(task, stream):
    low, high = TASKS[task].value_range if TASKS[task].head != "angle" else (-1, 1)
    for trace in formula_model(task).annotate(stream):
        assert np.isfinite(trace.data).all()
        assert trace.data.min() >= low and trace.data.max() <= high


@pytest.mark.parametrize("task", POINT_TASKS)
@examples(0.5)
@given(wild_streams())
def test_estimates_at_picks(task, stream):
    """Each P gets an estimate, or an entry that says why not."""
    picks = formula_model().classify(stream, **LOW).picks
    onsets = [pick for pick in picks if pick.phase == "P"]
    # Ids of which no one can tell where the station ends can still be looked up, but not read.
    result = formula_model(task).classify(stream, picks=onsets)
    low, high = TASKS[task].value_range
    for estimate in result.estimates:
        assert low <= estimate.value <= high and estimate.spread >= 0
    answered = {(e.trace_id, e.time.ns) for e in result.estimates}
    for pick in onsets:
        told = any(e.start <= pick.peak_time <= e.end and not e.used for e in result.skipped)
        assert (pick.trace_id, pick.peak_time.ns) in answered or told


@PROFILE
@given(wild_streams())
def test_annotations_lie_where_there_are_data(stream):
    """To half a sample, and under the codes that they were made from."""
    spans = spans_of(stream, gap=0.15)
    for trace in formula_model().annotate(stream):
        stats = trace.stats
        key = (stats.network, stats.station, stats.location, stats.instrument)
        assert key in spans
        assert inside(stats.starttime, stats.endtime, spans[key], tolerance_of(stream))


@PROFILE
@given(wild_streams())
def test_every_sample_is_annotated_or_told_of(stream):
    annotations = formula_model().annotate(stream)
    covered = {}
    for trace in annotations.select(channel="*_P"):
        stats = trace.stats
        key = (stats.network, stats.station, stats.location, stats.instrument)
        covered.setdefault(key, []).append((stats.starttime, stats.endtime))
    for trace in stream:
        key, stats = instrument_of(trace), trace.stats
        if np.issubdtype(trace.data.dtype, np.inexact):
            good = np.isfinite(np.ma.getdata(trace.data))
        else:
            good = np.ones(stats.npts, bool)
        good = np.flatnonzero(good & ~np.ma.getmaskarray(trace.data))
        times = good / stats.sampling_rate
        told = [
            (entry.start, entry.end)
            for entry in annotations.skipped
            if entry.trace_id in (trace.id, f"{'.'.join(key)}?") and not entry.used
        ]
        reach = max(2 * HALF, 0.5 * stats.delta) + ROUNDING
        left = np.ones(len(times), bool)
        for start, end in [*covered.get(key, []), *told]:
            left &= (times < start - stats.starttime - reach) | (
                times > end - stats.starttime + reach
            )
        assert not left.any(), (trace, times[left][:5], told)


@PROFILE
@given(wild_streams())
def test_picks(stream):
    """In the order of their times, far enough from each other, of stations that are there."""
    spans = spans_of(stream, gap=0.15)
    names = {InstrumentId(*key).pick_id: s for key, s in spans.items()}
    result = formula_model().classify(stream, **LOW)
    times = [pick.peak_time for pick in result.picks]
    assert times == sorted(times)
    last = {}
    for pick in result.picks:
        assert pick.trace_id in names and 0.05 <= pick.peak_value <= 1
        assert pick.start_time <= pick.peak_time <= pick.end_time
        same = (pick.trace_id, pick.phase)
        assert pick.peak_time - last.get(same, pick.peak_time - 99) >= 1 - 1e-6
        last[same] = pick.peak_time
        every = [
            span
            for key, of in spans.items()
            if InstrumentId(*key).pick_id == pick.trace_id
            for span in of
        ]
        assert inside(pick.peak_time, pick.peak_time, every, tolerance_of(stream))
    for detection in result.detections:
        assert detection.trace_id in names and detection.start_time <= detection.end_time


@PROFILE
@given(wild_streams(), st.sampled_from(list(TASKS)), st.booleans(), st.booleans())
def test_stream_is_not_changed(stream, task, classify, strict):
    before = copy.deepcopy([(dict(t.stats), np.ma.copy(t.data), t.data.dtype) for t in stream])
    traces = list(stream)
    model = formula_model(task)
    (model.classify if classify else model.annotate)(stream, strict=strict)
    assert len(stream) == len(traces)
    for trace, same, (stats, data, dtype) in zip(stream, traces, before, strict=True):
        assert trace is same and dict(trace.stats) == stats and trace.data.dtype == dtype
        np.testing.assert_array_equal(np.ma.getdata(trace.data), np.ma.getdata(data))
        np.testing.assert_array_equal(np.ma.getmaskarray(trace.data), np.ma.getmaskarray(data))


@PROFILE
@given(wild_streams())
def test_what_is_left_out_is_told_once_per_cause(stream):
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    level = seisbench.logger.level
    seisbench.logger.addHandler(handler)
    seisbench.logger.setLevel(logging.WARNING)
    try:
        skipped = formula_model().annotate(stream).skipped
    finally:
        seisbench.logger.removeHandler(handler)
        seisbench.logger.setLevel(level)
    causes = {(entry.cause, entry.used) for entry in skipped}
    assert len(lines) == len(causes)
    for cause, used in causes:
        told = [e for e in skipped if (e.cause, e.used) == (cause, used)]
        (line,) = (x for x in lines if x.endswith(f"{cause}.") and ("nevertheless" in x) == used)
        assert told[0].trace_id in line
        number = re.match(r"(\d+) traces with", line)
        assert (int(number[1]) if number else 1) == len(told)
    names = {t.id for t in stream} | {f"{'.'.join(instrument_of(t))}?" for t in stream}
    for entry in skipped:
        assert entry.trace_id in names and entry.start <= entry.end and len(entry.cause) > 10


@PROFILE
@given(wild_streams(), st.sampled_from(list(TASKS)))
def test_strict_fills_nothing(stream, task):
    """With strict=True there are answers only where all three components are."""
    wanted = {}
    for trace in stream:
        code = TraceId.of(trace).component
        wanted.setdefault(instrument_of(trace), set()).add({"1": "N", "2": "E"}.get(code, code))
    for trace in formula_model(task).annotate(stream, strict=True):
        stats = trace.stats
        assert np.isfinite(trace.data).all()
        key = (stats.network, stats.station, stats.location, stats.instrument)
        assert {"Z", "N", "E"} <= wanted[key]


@examples(0.5)
@given(wild_streams())
def test_monitor_takes_any_stream(stream):
    models = [formula_model(task) for task in TASKS]
    result = SeismicMonitor(*models).classify(stream, **LOW)
    assert len(result.table) == sum(pick.phase == "P" for pick in result.picks)
    values = result.table[["magnitude", "distance_km", "p_probability"]].to_numpy(float)
    assert np.isfinite(values).all()
    assert [e.trace_id for e in result.skipped] == sorted(e.trace_id for e in result.skipped)


ARGUMENT_NAMES = ["batch_size", "overlap", "stacking", "stride", "blinding", "min_separation"]
ARGUMENT_NAMES += ["windows_per_pick", "window_jitter", "rotations", "precision", "calibration"]
ARGUMENT_NAMES += ["mirror"]
ARGUMENT_NAMES += [f"{name}_threshold" for name in ("P", "S", "detection", "polarity", "p")]
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(
            st.integers(-3, 400),
            st.floats(),
            st.sampled_from([None, "avg", "max", "x", True, (32, 32), [0, 0], (-1, 3), {}]),
        )
        for name in ARGUMENT_NAMES
    },
)


@PROFILE
@given(tame_streams(), st.sampled_from(list(TASKS)), ARGUMENTS)
def test_impossible_arguments_are_named(stream, task, arguments):
    try:
        formula_model(task).classify(stream, **arguments)
    except ValueError as error:
        assert any(name in str(error) for name in arguments), error


@pytest.mark.parametrize("what", ["annotate", "classify"])
@given(thing=st.sampled_from([None, 1, "a.mseed", b"x", [1], {}, np.zeros(5), object()]))
@examples(0.5)
def test_what_is_no_stream_is_refused(what, thing):
    with pytest.raises(TypeError, match=r"an obspy.Stream or Trace, not"):
        getattr(formula_model(), what)(thing)


@examples(0.25 if LONG else 0.2)
@given(
    hours=st.floats(0, 72 if LONG else 5),
    rate=st.sampled_from([20.0, 25.0, 50.0, 12.5]),
    components=st.sampled_from(["Z", "ZNE"]),
    start=STARTS,
)
def test_long_records_take_bounded_memory_and_time(hours, rate, components, start):
    """Memory does not grow with the length; the samples themselves take none here."""
    model = formula_model(sampling_rate=20.0)
    samples = int(hours * 3600 * rate)
    stream = obspy.Stream(
        [
            make_trace(np.broadcast_to(np.int8(0), samples), rate, start, ("XX", "A", "", f"HH{c}"))
            for c in components
        ]
    )
    tracemalloc.start()
    began = time.process_time()
    try:
        result = model.classify(stream, **LOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not result.picks
    # A chunk of two hours, with a copy of each component or two on their way through SeisBench.
    chunk = windows.CHUNK_SECONDS * max(rate, 20) * 8 * len(components)
    assert peak < 20e6 + 12 * chunk
    assert time.process_time() - began < 20 + 20 * hours
