"""Records without gaps, spans of time, windows and trace ids: against what can be counted."""

import itertools
import math

import numpy as np
import obspy
from hypothesis import given
from hypothesis import strategies as st
from obspy import UTCDateTime

from seisbench_llm.preprocess import resample
from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.contiguous import ContiguousRecord, find_contiguous
from seisbench_llm.streams.picks import apart
from seisbench_llm.streams.skipped import SkippedList
from seisbench_llm.streams.spans import data_spans, finite_ranges, missing, union
from seisbench_llm.streams.windows import WindowLayout, place_on_grid
from seisbench_llm.trace_ids import TraceId, component_index, split_channel
from tests.helpers.formula import formula_model
from tests.properties.profiles import PROFILE
from tests.properties.strategies import CHANNELS, SEEDS, STARTS, make_trace

START = UTCDateTime(2020, 1, 1)
CODES = ("XX", "A", "", "HHZ")


@st.composite
def overlapping(draw):
    """(first sample, samples) of pieces of one channel on a common grid, some with other values."""
    truth = np.random.default_rng(draw(SEEDS)).integers(-99, 99, 80).astype(np.int32)
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, 70))
        data = truth[first : first + draw(st.integers(1, 40))].copy()
        if draw(st.integers(0, 3)) == 0:
            data[draw(st.integers(0, len(data) - 1)) :][:3] += 1000
        parts.append((first, data))
    return parts


def stream_of(parts, start=START):
    return [make_trace(data, 50.0, start + first / 50, CODES) for first, data in parts]


def samples_of(records, start=START):
    """Sample -> value."""
    kept = {}
    for record in records:
        first = round((record.stats.starttime - start) * 50)
        for at, value in enumerate(record.read(0, record.stats.npts), first):
            assert at not in kept
            kept[at] = value
    return kept


@PROFILE
@given(overlapping(), st.data())
def test_samples_in_conflict_are_lost_and_no_others(parts, data):
    skipped = SkippedList()
    kept = samples_of(find_contiguous(stream_of(parts), skipped))
    told = set()
    for entry in skipped:
        first, last = (round((time - START) * 50) for time in (entry.start, entry.end))
        told |= set(range(first, last + 1))
    values = {}
    for first, samples in parts:
        for at, value in enumerate(samples, first):
            values.setdefault(at, set()).add(value)
    assert set(kept) | told == set(values) and not set(kept) & told
    assert all(kept[at] in values[at] for at in kept)
    assert all(at in told for at in values if len(values[at]) > 1)
    # Only between two samples that differ is anything lost on which all agree.
    if all(len(of) == 1 for of in values.values()):
        assert not told
    shuffled = data.draw(st.permutations(parts))
    assert samples_of(find_contiguous(stream_of(shuffled), SkippedList())) == kept


@PROFILE
@given(overlapping(), STARTS)
def test_pieces_that_agree_are_joined_as_obspy_does(parts, start):
    truth = np.arange(200, dtype=np.int32) ** 2 % 97
    parts = [(first, truth[first : first + len(data)]) for first, data in parts]
    records = find_contiguous(stream_of(parts, start), SkippedList())
    merged = obspy.Stream(stream_of(parts, start)).merge(-1).sort()
    assert [r.stats.npts for r in records] == [t.stats.npts for t in merged]
    for record, trace in zip(records, merged, strict=True):
        assert abs(record.stats.starttime - trace.stats.starttime) < 1e-6
        np.testing.assert_array_equal(record.read(0, record.stats.npts), trace.data)


SPANS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=8)


def spans_from(pairs):
    return [(START + first / 100, START + (first + samples) / 100) for first, samples in pairs]


def grid_of(spans):
    covered = set()
    for start, end in spans:
        covered |= set(range(round((start - START) * 100), round((end - START) * 100) + 1))
    return covered


@PROFILE
@given(SPANS, SPANS)
def test_spans_that_are_missing(whole, covered):
    spans = union(spans_from(whole), 0.015)
    holes = missing(spans, spans_from(covered), 0.01)
    expected = grid_of(spans) - grid_of(spans_from(covered))
    # A single sample at the end of a span may be a matter of rounding.
    ends = {round((end - START) * 100) for _, end in spans}
    expected -= {at for at in ends if at - 1 not in expected}
    assert grid_of(holes) == expected
    assert holes == union(holes, 0.0)


@PROFILE
@given(st.lists(st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf]), max_size=60), st.data())
def test_finite_ranges(values, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    array = np.ma.masked_array(np.array(values, float), np.array(mask, bool))
    found = {at for first, last in finite_ranges(array) for at in range(first, last)}
    assert found == {i for i, v in enumerate(values) if math.isfinite(v) and not mask[i]}


@PROFILE
@given(
    st.integers(1, 4000), st.sampled_from([10, 20, 31.25, 40, 62.5, 128, 200, 512, 1000]), st.data()
)
def test_part_of_resampled_is_that_of_the_whole(samples, rate, data):
    trace = make_trace(np.random.default_rng(samples).normal(5, 1, samples), rate, START, CODES)
    record = ContiguousRecord.of(trace, 0, samples)
    whole = resample(trace.data - record.mean, rate, 100.0)
    assert record.resampled_stats(100.0).npts == len(whole)
    first, last = sorted(data.draw(st.tuples(*2 * [st.integers(0, len(whole))])))
    if first < last:
        part = record.resampled(first, last, 100.0)
        np.testing.assert_allclose(part, whole[first:last], atol=1e-9)


@PROFILE
@given(
    st.integers(1, 9000),
    st.floats(0, 0.95),
    st.integers(0, 120),
    st.integers(0, 120),
    st.booleans(),
)
def test_windows_see_every_sample(samples, overlap, before, after, curves):
    model = formula_model("picking" if curves else "distance")
    arguments = {"overlap": overlap, "blinding": (before, after), "stride": 1 + samples % 300}
    layout = WindowLayout.of(model, Arguments.of(model, arguments))
    padded = layout.padded(samples) - 1
    number = layout.count(padded)
    starts = [i * layout.hop for i in range(number)]
    if curves and number:
        starts[-1] = min(starts[-1], padded - layout.size)
    assert number >= 1 and starts[-1] + layout.size <= padded
    if curves and layout.covers:
        seen = np.zeros(padded, bool)
        for start in starts:
            seen[start + before : start + layout.size - after] = True
        assert seen[layout.padding[0] : layout.padding[0] + samples].all()
    for sample in (0, samples // 2, samples - 1) if layout.hop <= layout.size else ():
        first = layout.first_seeing(sample)
        assert first % layout.hop == 0 and first <= sample < first + layout.size + layout.hop
        assert first == 0 or first - layout.hop + layout.size <= sample


@PROFILE
@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=6),
    STARTS,
    st.sampled_from([20, 31.25, 100]),
)
def test_places_on_a_grid(late, start, rate):
    """No record is off by more than half a sample, and what is alike stays together."""
    times = [start + ns / 1e9 for ns in late]
    places, zero = place_on_grid(times, rate)
    assert min(places) == 0
    for time, place in zip(times, places, strict=True):
        assert abs(time - (zero + place / rate)) <= 0.5 / rate + 1e-6
    same, _ = place_on_grid([time + 0.5 / rate for time in times], rate)
    assert same == places


@PROFILE
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 4)), max_size=30), st.integers(1, 30))
def test_peaks_apart(peaks, distance):
    heights = dict(peaks)
    places = np.array(list(heights), int)
    kept = places[apart(places, np.array(list(heights.values()), float), distance)].tolist()
    expected = []
    for place in sorted(heights, key=lambda i: (-heights[i], -i)):
        if all(abs(place - other) >= distance for other in expected):
            expected.append(place)
    assert sorted(kept) == sorted(expected)


@PROFILE
@given(CHANNELS, st.sampled_from(["", "00", "a.b"]))
def test_trace_ids(channels, location):
    for code in channels:
        trace_id = TraceId.of(make_trace(np.zeros(1), 1.0, START, ("XX", "A", location, code)))
        instrument, component = split_channel(code)
        assert (trace_id.instrument, trace_id.component) == (instrument, component)
        assert str(trace_id).startswith(trace_id.station_id)
        assert trace_id.pick_id.startswith(trace_id.location_id)
        assert len(component) <= 1
        index = component_index(component, "ZNE", flexible=True)
        assert index == {"Z": 0, "N": 1, "E": 2, "1": 1, "2": 2}.get(component)
        if "." not in location + code and len(instrument) <= 2:
            assert TraceId.parse(trace_id.pick_id).pick_id == trace_id.pick_id


@PROFILE
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 50)), max_size=8))
def test_spans_of_data(pairs):
    records = [make_trace(np.zeros(n), 100.0, START + first / 100, CODES) for first, n in pairs]
    spans = data_spans(records, 100.0)
    assert grid_of(spans) == {at for first, n in pairs for at in range(first, first + n)}
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert start - end > 0.015
