"""Records as they come: gaps, overlaps, fractions of samples, and what cannot be used."""

import time
import tracemalloc

import numpy as np
import obspy
import pytest

from seisbench_llm.preprocess import resample
from seisbench_llm.streams.contiguous import find_contiguous
from seisbench_llm.streams.skipped import SkippedList
from seisbench_llm.streams.spans import data_spans, missing
from tests.helpers.models import tiny_model
from tests.helpers.streams import assert_same, make_stream


def gap(stream, first, last):
    """The same stream without the seconds from first to last."""
    start = stream[0].stats.starttime
    parts = stream.slice(endtime=start + first) + stream.slice(starttime=start + last)
    return parts.copy()


def test_gaps_are_not_annotated_and_nothing_else_is_lost():
    model, stream = tiny_model(), make_stream(20000)
    for first, last in [(50, 50.5), (50, 60), (50, 120), (5, 10), (190, 195)]:
        annotations = model.annotate(gap(stream, first, last)).select(channel="*_P")
        assert len(annotations) == 2
        start = stream[0].stats.starttime
        assert abs(annotations[0].stats.endtime - (start + first)) < 0.02
        assert abs(annotations[1].stats.starttime - (start + last)) < 0.02
        assert abs(annotations[1].stats.endtime - stream[0].stats.endtime) < 0.02


def test_masked_and_not_finite_samples_are_gaps(warnings_of):
    model, stream = tiny_model(), make_stream(9000)
    start = stream[0].stats.starttime
    expected = model.annotate(gap(stream, 40, 50))
    masked, broken = stream.copy(), stream.copy()
    for trace in masked:
        trace.data = np.ma.masked_array(trace.data, np.zeros(trace.data.size, bool))
        trace.data[4001:5000] = np.ma.masked
    for trace in broken:
        trace.data[4001:5000] = np.nan
    assert_same(model.annotate(masked), expected)
    assert_same(model.annotate(broken), expected)

    broken[0].data[:] = np.inf
    assert len(model.annotate(broken)) > 0
    assert f"{broken[0].id} at {start} is ignored: all its samples" in warnings_of()


def test_gap_in_one_component_only():
    stream = make_stream(9000)
    start = stream[0].stats.starttime
    z = obspy.Stream([stream[0]])
    annotations = tiny_model().annotate(gap(z, 40, 50) + stream[1:])
    assert len(annotations) == 3
    assert annotations[0].stats.npts == 9000
    assert annotations[0].stats.starttime == start


def test_contradicting_records_are_named(warnings_of):
    stream = make_stream()
    stream += make_stream(components="Z", seed=5)
    annotations = tiny_model().annotate(stream)
    assert len(annotations) == 3
    assert (
        "XX.STA.00.HHZ at 2020-01-01T00:00:00.000000Z is ignored: its overlapping" in warnings_of()
    )


def test_equal_overlapping_records_are_merged():
    model, stream = tiny_model(), make_stream(9000)
    start = stream[0].stats.starttime
    halves = stream.slice(endtime=start + 50) + stream.slice(starttime=start + 40)
    assert_same(model.annotate(halves), model.annotate(stream))


def test_fractional_samples():
    stream = make_stream()
    for shift, trace in zip((0.0, 0.003, -0.003), stream, strict=True):
        trace.stats.starttime += shift
    annotations = tiny_model().annotate(stream)
    assert len(annotations) == 3
    assert abs(annotations[0].stats.starttime - obspy.UTCDateTime(2020, 1, 1)) < 0.011


@pytest.mark.parametrize(
    "change, cause",
    [
        (lambda t: t.stats.update({"channel": "HHX"}), "its component is not one of"),
        (lambda t: t.stats.update({"channel": ""}), "its component is not one of"),
        (lambda t: setattr(t, "data", np.array([])), "it has no samples"),
        (lambda t: setattr(t, "data", np.array([b"a"] * 100)), "not real numbers"),
    ],
)
def test_unusable_traces_are_named(change, cause, warnings_of):
    stream = make_stream()
    change(stream[2])
    assert len(tiny_model().annotate(stream)) == 3
    assert cause in warnings_of() and "XX.STA.00" in warnings_of()


def test_strict_leaves_out_incomplete_stations_and_says_so(warnings_of):
    model = tiny_model()
    stream = make_stream(9000) + make_stream(9000, components="Z", station="ONE")
    annotations = model.annotate(stream, strict=True)
    assert {t.stats.station for t in annotations} == {"STA"}
    assert (
        "XX.ONE.00.HH? at 2020-01-01T00:00:00.000000Z is ignored: with strict=True" in warnings_of()
    )


def test_spans_join_what_touches():
    stream = make_stream(100)
    later = stream.copy()
    for trace in later:
        trace.stats.starttime = stream[0].stats.endtime + 0.01
    spans = data_spans(stream + later, 100)
    assert spans == [(stream[0].stats.starttime, later[0].stats.endtime)]


def pieces(data, *spans, **header):
    """Traces over the given spans of samples."""
    start = obspy.UTCDateTime(2020, 1, 1)
    header = {"sampling_rate": 50.0, "channel": "HHZ", **header}
    return obspy.Stream(
        [obspy.Trace(data[a:b].copy(), {**header, "starttime": start + a / 50}) for a, b in spans]
    )


@pytest.mark.parametrize(
    "spans",
    [
        [(0, 100)],
        [(0, 40), (40, 41), (41, 100)],
        [(60, 100), (0, 60)],
        [(0, 60), (40, 100)],
        [(0, 100), (20, 30)],
        [(0, 50), (0, 50), (49, 80), (10, 100)],
    ],
)
def test_joined_as_obspy_merges(spans):
    data = np.random.default_rng(0).integers(-1000, 1000, 100).astype(np.int32)
    stream = pieces(data, *spans)
    (record,) = find_contiguous(stream)
    (expected,) = stream.copy().merge(-1)
    np.testing.assert_array_equal(record.read(0, record.stats.npts), expected.data)
    assert record.stats.starttime == expected.stats.starttime
    assert record.stats.endtime == expected.stats.endtime
    np.testing.assert_allclose(record.trace().data, data - data.mean())


def test_not_joined():
    data = np.arange(100.0)
    shifted = pieces(data, (0, 40), (40, 100))
    shifted[1].stats.starttime += 0.3 / 50
    assert len(find_contiguous(shifted)) == len(shifted.copy().merge(-1)) == 2
    rates = pieces(data, (0, 40)) + pieces(data, (40, 100), sampling_rate=25.0)
    assert len(find_contiguous(rates)) == 2
    assert len(find_contiguous(pieces(data, (0, 40), (41, 100)))) == 2


def test_nothing_is_copied():
    stream = make_stream(100_000)
    tracemalloc.start()
    records = find_contiguous(stream)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(records) == len(stream)
    assert kept < stream[0].data.nbytes / 2


@pytest.mark.parametrize("rate", [20, 40, 50, 62.5, 80, 100, 125, 200, 250])
def test_part_of_resampled_is_that_of_the_whole(rate):
    rng = np.random.default_rng(1)
    data = np.cumsum(rng.standard_normal(4001)) + 1e3
    stream = obspy.Stream([obspy.Trace(data, {"sampling_rate": rate, "channel": "HHZ"})])
    (record,) = find_contiguous(stream)
    whole = resample(data - data.mean(), rate, 100.0)
    samples = record.resampled_stats(100.0).npts
    assert samples == len(whole)
    for first, last in [(0, samples), (0, 10), (777, 1234), (samples - 3, samples)]:
        part = record.resampled(first, last, 100.0)
        np.testing.assert_allclose(part, whole[first:last], atol=1e-9)


def spans_of(records):
    start = obspy.UTCDateTime(2020, 1, 1)
    rate = records[0].stats.sampling_rate
    return [
        (round((r.stats.starttime - start) * rate), round((r.stats.endtime - start) * rate) + 1)
        for r in records
    ]


NOISE = np.random.default_rng(5).integers(-1000, 1000, 1000).astype(np.int32)


@pytest.mark.parametrize(
    "spans, changed, kept",
    [
        # (first, last) of records; sample of the second that differs; what is left
        ([(0, 502), (500, 1000)], [500, 501], [(0, 500), (502, 1000)]),
        ([(0, 600), (500, 1000)], [550], [(0, 550), (551, 1000)]),
        ([(0, 600), (500, 1000)], [510, 590], [(0, 510), (591, 1000)]),
        ([(0, 1000), (400, 500)], [400, 499], [(0, 400), (500, 1000)]),
        ([(0, 1000), (0, 1000)], [0, 999], []),
        ([(0, 1000), (0, 1000)], [], [(0, 1000)]),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_only_samples_in_conflict_are_lost(spans, changed, kept, swap):
    stream = pieces(NOISE, *spans)
    stream[1].data[[sample - spans[1][0] for sample in changed]] += 1
    skipped = SkippedList()
    records = find_contiguous(stream[::-1] if swap else stream, skipped)
    assert (spans_of(records) if records else []) == kept
    for record, (first, last) in zip(records, kept, strict=True):
        np.testing.assert_array_equal(record.read(0, last - first), NOISE[first:last])
    assert len(skipped) == bool(changed)
    if changed:
        lost = (skipped[0].start - stream[0].stats.starttime) * 50
        assert round(lost) == changed[0]


def test_a_third_record_does_not_decide_between_two():
    stream = pieces(NOISE, (0, 600), (400, 1000), (450, 550))
    stream[1].data[100:120] += 1
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        records = find_contiguous(obspy.Stream([stream[i] for i in order]), SkippedList())
        assert spans_of(records) == [(0, 500), (520, 1000)]


def test_same_data_twice_a_fraction_of_a_sample_apart():
    stream = pieces(NOISE, (0, 1000), (0, 1000))
    stream[1].stats.starttime += 0.04 / 50
    skipped = SkippedList()
    (record,) = find_contiguous(stream, skipped)
    assert record.stats.npts == 1000 and not skipped
    longer = pieces(NOISE, (0, 700), (0, 1000))
    longer[1].stats.starttime += 0.04 / 50
    assert spans_of(find_contiguous(longer, skipped)) == [(0, 700), (700, 1000)]
    assert not skipped


def test_clock_set_back():
    stream = pieces(NOISE, (0, 500), (500, 1000))
    stream[1].stats.starttime -= 3 / 50
    skipped = SkippedList()
    records = find_contiguous(stream, skipped)
    assert spans_of(records) == [(0, 497), (500, 997)]
    assert skipped[0].end - skipped[0].start == pytest.approx(2 / 50)


@pytest.mark.parametrize("rates", [(99.999992370605469, 100.00000762939453), (100.0, 99.9999)])
def test_rates_that_are_nearly_equal_are_one(rates):
    stream, time = obspy.Stream(), obspy.UTCDateTime(2020, 1, 1)
    for i, rate in enumerate(rates):
        header = {"sampling_rate": rate, "starttime": time, "channel": "HHZ"}
        stream.append(obspy.Trace(NOISE[500 * i : 500 * i + 500], header))
        time += 500 / rate
    (record,) = find_contiguous(stream, rate=100.0)
    assert record.stats.sampling_rate == 100 and record.stats.npts == 1000
    # A day of 99.99 Hz is another thing.
    day = np.broadcast_to(np.int8(1), 8_000_000)
    trace = obspy.Trace(header={"sampling_rate": 99.99, "channel": "HHZ"})
    trace._always_contiguous = False
    trace.data = day
    (record,) = find_contiguous([trace], rate=100.0)
    assert record.stats.sampling_rate == 99.99


@pytest.mark.parametrize("rates", [(100, 200), (200, 100), (100, 50, 100), (100, 99.99)])
def test_rate_that_changes(rates):
    start = obspy.UTCDateTime(2020, 1, 1)
    model = tiny_model()
    stream, time = make_stream(station="GOOD"), start
    for rate in rates:
        part = make_stream(int(40 * rate), rate, seed=int(rate))
        for trace in part:
            trace.stats.starttime = time
        stream += part
        time = part[0].stats.endtime + 1 / rate
    annotations = model.annotate(stream)
    found = annotations.select(station="STA", channel="*_P")
    assert not annotations.skipped
    assert len(annotations.select(station="GOOD")) == 3
    assert min(t.stats.starttime for t in found) - start < 0.01
    assert abs(max(t.stats.endtime for t in found) - time) < 0.03
    assert sum(t.stats.npts for t in found) == pytest.approx(4000 * len(rates), abs=5)


@pytest.mark.parametrize("rate", [50.0, 200.0, 1000.0])
def test_record_of_one_sample(rate):
    stream = make_stream()
    lonely = stream[1].copy()
    lonely.data, lonely.stats.sampling_rate = np.array([1000.0]), rate
    annotations = tiny_model("magnitude").annotate(obspy.Stream([stream[0], lonely, stream[2]]))
    assert len(annotations) == 1 and not annotations.skipped
    assert np.isfinite(annotations[0].data).all()


@pytest.mark.timeout(60)
def test_thousands_of_gaps_and_conflicts_take_no_time():
    samples = 100_000
    data = np.arange(samples, dtype=np.int32)
    stream = pieces(data, (0, samples), (0, samples))
    stream[1].data[::20] += 1
    for trace in stream:
        trace.data = np.ma.masked_array(trace.data, np.arange(samples) % 20 == 10)
    skipped = SkippedList()
    began = time.process_time()
    records = find_contiguous(stream, skipped)
    assert time.process_time() - began < 30
    # Of each twenty samples one is masked and one is in conflict.
    assert sum(record.stats.npts for record in records) == samples * 18 // 20
    assert len(skipped) == samples // 20


def test_missing_spans():
    start = obspy.UTCDateTime(2020, 1, 1)

    def spans(*pairs):
        return [(start + a, start + b) for a, b in pairs]

    whole = spans((0, 10), (20, 30))
    assert missing(whole, whole, 0.01) == []
    # Answers every 6.4 s, the first of them 6.2 s after data begin again.
    assert missing(spans((0, 10), (13, 19.2)), spans((0, 6.4), (19.2, 19.2)), 6.4) == []
    holes = missing(whole, spans((2, 10), (20, 22), (25, 29)), 0.01)
    expected = spans((0, 1.99), (22.01, 24.99), (29.01, 30))
    np.testing.assert_allclose(
        [(b - start, e - start) for b, e in holes], [(b - start, e - start) for b, e in expected]
    )
