"""No picks where a component sets in."""

import numpy as np
import obspy
import pytest

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import component_starts as module
from seisbench_llm.streams import windows
from seisbench_llm.streams.component_starts import component_starts, mute_starts
from seisbench_llm.streams.contiguous import find_contiguous
from tests.helpers.streams import make_stream

START = obspy.UTCDateTime(2020, 1, 1)


def starts_of(stream):
    return [round(time - START, 3) for time in component_starts(find_contiguous(stream))]


def test_where_components_start():
    stream = make_stream(6000)
    assert starts_of(stream) == []
    stream[1].trim(START + 1.26)
    stream[2].trim(START + 4)
    assert starts_of(stream) == [1.26, 4.0]
    # Neither a short gap, nor an end, nor a gap of all components is a start.
    stream = make_stream(6000)
    short = stream[0].slice(endtime=START + 20), stream[0].slice(START + 20.5, START + 50)
    assert starts_of(obspy.Stream([*short, *stream[1:]])) == []
    assert starts_of(stream.slice(endtime=START + 20) + stream.slice(START + 30)) == []
    assert starts_of(obspy.Stream([stream[0].slice(START + 30), *stream[1:]])) == [30.0]
    assert starts_of(obspy.Stream([stream[0].slice(START + 30)])) == []


def test_only_the_lobe_at_the_start_is_muted():
    times = np.arange(6000) / 100
    peaks = {"at": 20.05, "beside": 20.6, "far": 40.0}
    lobes = {name: np.exp(-(((times - at) / 0.1) ** 2)) for name, at in peaks.items()}
    trace = obspy.Trace(sum(lobes.values()).astype(np.float32), {"sampling_rate": 100.0})
    trace.data[:10] = np.nan
    before = trace.data.copy()
    mute_starts(trace, [trace.stats.starttime + 20, trace.stats.starttime + 300])
    assert trace.data[2000:2012].max() == 0
    np.testing.assert_array_equal(trace.data[2045:], before[2045:])
    np.testing.assert_array_equal(trace.data[:1900], before[:1900])


@pytest.fixture(scope="module")
def picker():
    return SeisMoLLM.from_pretrained("compact_picking")


def staggered(seconds=90, rate=100.0):
    rng = np.random.default_rng(1)
    stream = make_stream(int(seconds * rate), rate)
    for trace, at in zip(stream, (30.0, 20.0, 33.5), strict=True):
        trace.data = rng.normal(0, 100, trace.stats.npts)
        trace.trim(START + at)
    return stream


@pytest.mark.parametrize("chunk", [7200.0, 40.0])
def test_no_pick_where_a_component_begins(picker, monkeypatch, chunk):
    monkeypatch.setattr(windows, "CHUNK_SECONDS", chunk)
    kwargs = {"P_threshold": 0.05, "S_threshold": 0.05, "batch_size": 4}

    def near(result):
        times = [pick.peak_time - START for pick in result.picks]
        return [t for t in times if min(abs(t - 30.0), abs(t - 33.5)) < 0.15]

    assert not near(picker.classify(staggered(), **kwargs))
    monkeypatch.setattr(module, "SILENCE_S", 1e9)
    monkeypatch.setattr("seisbench_llm.streams.annotate.component_starts", lambda records: [])
    assert near(picker.classify(staggered(), **kwargs))


@pytest.mark.parametrize("before", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("component", ["Z", "N"])
def test_a_pick_after_the_start_stays(picker, monkeypatch, before, component):
    stream = obspy.read()
    onset = obspy.UTCDateTime("2009-08-24T00:20:07.72")
    stream.select(component=component)[0].trim(onset - before)

    def picks():
        result = picker.classify(stream, P_threshold=0.1, S_threshold=0.1)
        return [(p.phase, p.peak_time, p.peak_value) for p in result.picks]

    with_rule = picks()
    monkeypatch.setattr("seisbench_llm.streams.annotate.component_starts", lambda records: [])
    without = [p for p in picks() if abs(p[1] - (onset - before)) > 0.2]
    # Without the rule, a later P may give way to a larger peak where the component begins.
    assert without and all(pick in with_rule for pick in without)
