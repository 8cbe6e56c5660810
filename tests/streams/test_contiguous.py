"""Records as they come: gaps, overlaps, fractions of samples, and what cannot be used."""

import numpy as np
import obspy
import pytest

from seisbench_llm.preprocess import resample
from seisbench_llm.streams.contiguous import find_contiguous
from seisbench_llm.streams.spans import data_spans
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
        (lambda t: t.stats.update({"channel": "HHX"}), "its component is none of"),
        (lambda t: t.stats.update({"channel": ""}), "its component is none of"),
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
    stream = make_stream(1000)
    records = find_contiguous(stream)
    for record in records:
        (offset, data), *rest = record._pieces
        assert offset == 0 and not rest
        assert any(np.shares_memory(data, trace.data) for trace in stream)


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
