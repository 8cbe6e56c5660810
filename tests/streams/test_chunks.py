"""Long records in chunks: what the whole would give, in bounded memory."""

import json
import subprocess
import sys

import numpy as np
import obspy
import pytest

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import Arguments, chunks, windows
from seisbench_llm.streams.selection import select_records
from seisbench_llm.streams.skipped import SkippedList
from tests.helpers.models import soft_model, tiny_model
from tests.helpers.streams import make_stream

FILTER = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}}
THRESHOLDS = {"P_threshold": 0.7, "S_threshold": 0.7, "detection_threshold": 0.8}


@pytest.fixture(scope="module")
def picker():
    return soft_model(**FILTER)


def drifting(seconds=300, rate=100.0, seed=0, **kwargs):
    """Noise far from zero, with long periods that a filter must get rid of."""
    stream = make_stream(int(seconds * rate), rate, seed=seed, **kwargs)
    rng = np.random.default_rng(seed)
    for trace in stream:
        trace.data += 1e4 + 0.3 * np.cumsum(rng.standard_normal(trace.stats.npts))
    return stream


def divide(stream, model, **kwargs):
    arguments, skipped = Arguments.of(model, kwargs), SkippedList()
    records = select_records(stream, model, arguments, skipped).values()
    return chunks.divide(records, model, arguments, skipped)


def by_id(traces):
    return sorted(traces, key=lambda t: (t.id, t.stats.instrument, t.stats.starttime.ns))


def found(result):
    picks = [(p.trace_id, p.phase, p.start_time, p.peak_time, p.end_time) for p in result.picks]
    return picks, [(d.trace_id, d.start_time, d.end_time) for d in result.detections]


@pytest.fixture
def same(monkeypatch):
    """Annotate and classify in chunks and in one piece, and compare."""

    def check(model, stream, in_pieces=True, tolerance=2e-5, seconds=60, batch_size=8, **kwargs):
        kwargs["batch_size"] = batch_size  # few windows a batch make short chunks
        monkeypatch.setattr(windows, "CHUNK_SECONDS", 1e9)
        whole = model.annotate(stream, **kwargs)
        all_of_it = model.classify_aggregate(whole, kwargs)
        monkeypatch.setattr(windows, "CHUNK_SECONDS", seconds)
        cut, original = [], chunks.Segment.cut
        monkeypatch.setattr(
            chunks.Segment, "cut", lambda self, chunk: cut.append(chunk) or original(self, chunk)
        )
        before = stream.copy()
        parts = by_id(model.annotate(stream, **kwargs))
        assert len(cut) >= 3 if in_pieces else cut == []
        for trace, old in zip(stream, before, strict=True):
            np.testing.assert_array_equal(trace.data, old.data)
            assert trace.stats == old.stats
        assert len(parts) == len(whole) > 0
        for part, expected in zip(parts, by_id(whole), strict=True):
            assert part.id == expected.id
            assert part.stats.instrument == expected.stats.instrument
            assert part.stats.starttime == expected.stats.starttime
            assert part.data.dtype == np.float32
            # Batches of other sizes differ as much.
            np.testing.assert_allclose(part.data, expected.data, atol=tolerance)
        result = model.classify(stream, **kwargs)
        monkeypatch.setattr(chunks.Segment, "cut", original)
        if model.output_type == "array":
            assert found(result) == found(all_of_it)
            assert len(result.picks) > 5
        else:
            pairs = zip(result.estimates, all_of_it.estimates, strict=True)
            assert all(a.time == b.time and a.trace_id == b.trace_id for a, b in pairs)

    return check


@pytest.mark.parametrize("rate", [40, 50, 62.5, 100, 200])
def test_sampling_rates(same, picker, rate):
    same(picker, drifting(rate=rate), **THRESHOLDS)


@pytest.mark.parametrize("rate, kwargs", [(99.99, {}), (200, {"zerophase_resample": False})])
def test_in_one_piece_where_it_must_be(same, picker, rate, kwargs):
    same(picker, drifting(200, rate), in_pieces=False, **THRESHOLDS, **kwargs)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"overlap": 0.75, "blinding": (0, 0), "stacking": "max"},
        {"overlap": 0, "blinding": (100, 100), "batch_size": 4},
        {"overlap": 2001, "batch_size": 7},
    ],
)
def test_windows(same, picker, kwargs):
    same(picker, drifting(), **THRESHOLDS, **kwargs)


def broken():
    """Gaps short and long, in one component and in all, masked and not a number; fractions."""
    stream = drifting(500)
    start = stream[0].stats.starttime
    for trace, offset in zip(stream, (0.0, 0.003, -0.0035), strict=True):
        trace.stats.starttime += offset
        trace.data[10000:10500] = np.nan
    stream[1].data[15000:15100] = np.inf
    stream[2].data = np.ma.masked_array(stream[2].data, np.zeros(50000, bool))
    stream[2].data[23000:23010] = np.ma.masked
    return stream.slice(endtime=start + 260) + stream.slice(starttime=start + 320)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("task", ["picking", "distance"])
def test_gaps(same, picker, task, strict):
    if task == "picking":
        same(picker, broken(), strict=strict, **THRESHOLDS)
    else:
        same(tiny_model(task, **FILTER), broken(), True, 1e-3, strict=strict, stride=301)


def test_many_short_gaps(same, picker):
    """At another rate they fit several grids, of which SeisBench's own merging would choose one."""
    stream = drifting(300, 125)
    rng = np.random.default_rng(0)
    for trace in stream:
        trace.data[rng.integers(0, trace.stats.npts, 200)] = np.nan
    same(picker, stream, **THRESHOLDS)


@pytest.mark.parametrize("task", ["magnitude", "back_azimuth"])
def test_estimates(same, task):
    same(tiny_model(task), drifting(rate=50), stride=499)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {
            "filter_args": ["bandpass"],
            "filter_kwargs": {"freqmin": 0.3, "freqmax": 20.0, "zerophase": True},
        },
        {"filter_args": {"??Z": ["highpass"]}, "filter_kwargs": {"??Z": {"freq": 0.3}}},
    ],
)
def test_filters(same, kwargs):
    same(soft_model(**kwargs), drifting(), **THRESHOLDS)


def test_stations_and_instruments(same, picker):
    stream = drifting() + drifting(seed=1, code="HN", rate=50.0)
    stream += drifting(seed=2, station="B", components="Z") + make_stream(station="SHORT")
    same(picker, stream, **THRESHOLDS)


def test_short_records_share_a_pipeline_call(monkeypatch):
    model, calls = tiny_model(), []
    network = model.annotate_batch_pre
    monkeypatch.setattr(
        model, "annotate_batch_pre", lambda b, argdict: calls.append(len(b)) or network(b, argdict)
    )
    stream = obspy.Stream()
    for i in range(10):
        stream += make_stream(station=f"S{i}")
    assert len(model.annotate(stream)) == 30
    assert calls == [32, 8]


def test_day_in_pieces_of_two_hours(picker):
    model = picker
    data = np.broadcast_to(np.int8(0), 8_640_000)
    trace = obspy.Trace(header={"channel": "HHZ", "sampling_rate": 100.0})
    trace._always_contiguous = False
    trace.data = data
    short, (segment,) = divide(obspy.Stream([trace]), model)
    assert short == []
    assert len(segment.chunks) == 12
    for chunk in segment.chunks:
        assert chunk.samples < 8000 * 100


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.005, 0.00499])
@pytest.mark.parametrize("samples", [30000, 30001, 33333, 34999, 35000, 36007])
def test_chunks_have_the_windows_of_the_whole(monkeypatch, picker, samples, fraction):
    """By what SeisBench makes of each chunk, and its rule: every 1500 samples, and at the end."""
    stream = make_stream(samples)
    for trace, factor in zip(stream, (0, 1, -1), strict=True):
        trace.stats.starttime += factor * fraction
    arrays, original = [], SeisMoLLM.stream_to_array

    def record(*args, **kwargs):
        arrays.append(original(*args, **kwargs))
        return arrays[-1]

    monkeypatch.setattr(SeisMoLLM, "stream_to_array", record)
    monkeypatch.setattr(windows, "CHUNK_SECONDS", 1e9)
    picker.annotate(stream, batch_size=4)
    monkeypatch.setattr(windows, "CHUNK_SECONDS", 50)
    picker.annotate(stream, batch_size=4)
    _, (segment,) = divide(stream, picker, batch_size=4)

    def starts(array):
        first = round((array.start_time - arrays[0].start_time) * 100)
        last = first + array.data.shape[-1] - 3000
        return {*range(first, last + 1, 1500), last}

    whole, reached = starts(arrays[0]), 0
    for chunk, array in zip(segment.chunks, arrays[1:], strict=True):
        begin, end = chunk.keep
        assert begin == reached
        reached = end
        seen = {w for w in starts(array) if w < end and w + 3000 > begin}
        assert seen == {w for w in whole if w < end and w + 3000 > begin}
    assert reached == arrays[0].data.shape[-1]
    assert len(segment.chunks) > 2


def test_failure_in_a_chunk_raises(monkeypatch):
    monkeypatch.setattr(windows, "CHUNK_SECONDS", 60)
    model, calls = tiny_model(), []
    hook = model.annotate_batch_pre

    def fail_late(batch, argdict):
        calls.append(len(batch))
        if len(calls) == 3:
            raise MemoryError("out of memory")
        return hook(batch, argdict)

    monkeypatch.setattr(model, "annotate_batch_pre", fail_late)
    with pytest.raises(MemoryError, match="out of memory"):
        model.annotate(drifting(), batch_size=8)
    assert len(calls) == 3


def test_unknown_argument_is_named_once(monkeypatch, warnings_of):
    monkeypatch.setattr(windows, "CHUNK_SECONDS", 60)
    model = tiny_model()
    model.annotate(make_stream(), colour="blue")
    once = warnings_of().count("Unknown argument 'colour'")
    model.annotate(drifting(), colour="blue", batch_size=8)
    assert warnings_of().count("Unknown argument 'colour'") == 2 * once > 0


def test_own_aggregation_gets_whole_curves(monkeypatch):
    class Own(SeisMoLLM):
        def classify_aggregate(self, annotations, argdict):
            return annotations

    monkeypatch.setattr(windows, "CHUNK_SECONDS", 60)
    model = tiny_model()
    model.__class__ = Own
    annotations = model.classify(drifting(), batch_size=8)
    assert [trace.stats.npts for trace in annotations] == [30000] * 3


def test_real_records(same, shared):
    (path,) = (shared / "data" / "continuous" / "ridgecrest_pb").glob("*.mseed")
    stream = obspy.read(path)
    station = sorted({trace.stats.station for trace in stream})[0]
    model = SeisMoLLM.from_pretrained("compact_picking")
    stream = stream.select(station=station)
    start = stream[0].stats.starttime
    same(model, stream.slice(start, start + 1500), tolerance=1e-5, seconds=300, batch_size=8)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_memory_does_not_grow_with_the_stream():
    program = """
import json, re
from pathlib import Path
import numpy as np, obspy
from seisbench_llm.streams import windows
from tests.helpers.models import tiny_model

def peak():
    # Not ru_maxrss, which is at least that of the process that started this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

windows.CHUNK_SECONDS = 1200
model = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 1.0, "corners": 2})
rng, samples = np.random.default_rng(0), 6 * 360_000
stream = obspy.Stream()
for component in "ZNE":
    data = rng.integers(-1000, 1000, samples, dtype=np.int16)
    data[samples // 3] = 30000
    stream.append(obspy.Trace(data, {"channel": "HH" + component, "sampling_rate": 100.0}))
start = stream[0].stats.starttime
model.annotate(stream.slice(endtime=start + 3600))
base, rows = peak(), []
for hours in (2, 6):
    annotations = model.annotate(stream.slice(endtime=start + hours * 3600))
    size = sum(trace.data.nbytes for trace in annotations) / 2**20
    del annotations
    rows.append(peak() - base - size)
# Few picks, as each needs memory of its own.
assert len(model.classify(stream, P_threshold=0.9, min_separation=3000).picks) < 100
print(json.dumps([*rows, peak() - base - size]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    short, long, classified = json.loads(done.stdout.splitlines()[-1])
    # One copy of the longer stream in double precision has 49 MB.
    assert long < max(short, 0) + 30, (short, long)
    # The curves of this model are above half the threshold nearly everywhere, the worst case. All
    # of one in double precision, with the indices of what is below, took 50 MB; runs of samples
    # take 15 to 30. What is measured varies by ten.
    assert classified < max(long, 0) + 45, (long, classified)


@pytest.mark.parametrize("strict", [False, True])
def test_single_estimate(strict):
    model = tiny_model("magnitude")
    for trace in model.annotate(make_stream(3200), stride=5000, strict=strict):
        assert trace.stats.npts == 1
        assert 0 <= trace.data[0] <= 8
