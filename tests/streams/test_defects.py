"""Filled gaps and corrupt samples: found, said, and without effect on what is about them."""

import numpy as np
import pytest

from seisbench_llm.streams.defects import is_filled
from tests.helpers.models import tiny_model
from tests.helpers.streams import assert_same, make_stream

FILTER = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}}


@pytest.fixture(scope="module")
def model():
    return tiny_model(**FILTER)


def curve(model, stream):
    """P of the first part, and of the last 20 s."""
    parts = sorted(model.annotate(stream).select(channel="*_P"), key=lambda t: t.stats.starttime)
    return np.concatenate([part.data for part in parts])[-2000:]


def test_zero_filled_gap_under_an_offset(model, warnings_of):
    stream, offset = make_stream(20000), 1e5
    gap = stream.copy()
    for trace in gap:
        trace.data[5000:5400] = np.nan
    for trace in stream:
        trace.data += offset
        trace.data[5000:5400] = 0
    annotations = model.annotate(stream)
    assert len({x for x in warnings_of().splitlines() if "a gap was filled" in x}) == 1
    start = stream[0].stats.starttime
    spans = [(s.start, s.end) for s in annotations.skipped]
    assert spans == [(start + 50, start + 53.99)] * 3
    np.testing.assert_allclose(curve(model, stream), curve(model, gap), atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e6])
def test_zeros_of_a_signal_about_zero_are_data(model, scale):
    rng = np.random.default_rng(0)
    stream = make_stream(9000)
    for trace in stream:
        trace.data = scale * np.round(rng.normal(0, 0.3, 9000))  # few bits, long runs of zeros
    assert not model.annotate(stream).skipped


def test_dead_channel_is_no_gap(model):
    stream = make_stream(9000)
    stream[1].data[:] = 0
    assert not model.annotate(stream).skipped


@pytest.mark.parametrize("first, last, value", [(3000, 3001, 1.36e35), (3000, 3100, 3e38)])
def test_corrupt_samples(model, first, last, value, warnings_of):
    stream = make_stream(20000)
    clean = stream.copy()
    for trace in stream:
        trace.data = trace.data.astype(np.float32)
    stream[1].data[first:last] = value
    clean[1].data[first:last] = np.nan
    annotations = model.annotate(stream)
    assert f"{stream[1].id} at {stream[1].stats.starttime + 30} is ignored" in warnings_of()
    assert sum(t.stats.npts for t in annotations.select(channel="*_P")) == 20000
    np.testing.assert_allclose(curve(model, stream), curve(model, clean), atol=1e-3)


def test_amplitudes_beyond_single_precision_are_named(model, warnings_of):
    stream = make_stream()
    for trace in stream:
        trace.data *= 1e36
    assert len(model.annotate(stream)) == 0
    assert "single precision cannot hold" in warnings_of() and "XX.STA.00.HH" in warnings_of()


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_amplitudes_whose_sum_overflows(model, dtype, warnings_of):
    stream = make_stream()
    expected = model.annotate(stream[1:])
    largest = np.finfo(dtype).max
    stream[0].data = np.full(6000, largest, dtype)
    stream[0].data[::2] = -largest
    annotations = model.annotate(stream)
    assert_same(annotations, expected)
    (entry,) = annotations.skipped
    assert entry.trace_id == "XX.STA.00.HHZ" and "single precision cannot hold" in entry.cause


def test_samples_that_are_no_numbers_are_named(model):
    stream = make_stream(9000)
    start = stream[0].stats.starttime
    stream[0].data[[0, 100, 8999]] = np.nan, np.inf, -np.inf
    stream[1].data = np.ma.masked_array(stream[1].data, np.arange(9000) < 50)
    annotations = model.annotate(stream)
    told = [(s.trace_id, s.start, s.end) for s in annotations.skipped]
    assert told == [("XX.STA.00.HHZ", start + at, start + at) for at in (0, 1, 89.99)]


def test_one_cause_whatever_the_amplitude(model, warnings_of):
    stream = make_stream()
    for trace, scale in zip(stream, (1e35, 1e36, 1e37), strict=True):
        trace.data *= scale
    model.annotate(stream)
    assert len({x for x in warnings_of().splitlines() if "is ignored" in x}) == 1


def test_weights_that_are_no_numbers_are_named(warnings_of):
    model = tiny_model()
    next(model.parameters()).data[:] = np.nan
    result = model.classify(make_stream())
    assert not result.picks and result.skipped[0].trace_id == "XX.STA.00.HH?"
    assert "the network's output is not a finite number" in warnings_of()


@pytest.mark.parametrize("rate", [100.0, 50.0, 33.333333])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 141823.328499761, -7.7e-9])
def test_dead_channel_with_an_offset_is_zero(model, rate, value):
    stream = make_stream(int(60 * rate), rate)
    zero = stream.copy()
    stream[0].data[:], zero[0].data[:] = value, 0
    for one, other in zip(model.annotate(stream), model.annotate(zero), strict=True):
        np.testing.assert_allclose(one.data, other.data, atol=1e-6)


@pytest.mark.parametrize("value", [3.3, 1e5])
def test_channel_that_dies_is_zero_there(model, value):
    stream = make_stream(30000)
    first = [t.copy() for t in stream]
    for trace in stream:
        trace.data[8000:] = value
    quiet = make_stream(30000)
    for trace in quiet:
        trace.data[:] = 0
    dead = model.annotate(stream).select(channel="*_P")[0].data[-9000:]
    np.testing.assert_allclose(dead, model.annotate(quiet).select(channel="*_P")[0].data[-9000:])
    assert first[0].stats.npts == 30000


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e304])
def test_filled_gaps_do_not_depend_on_the_unit(scale):
    far, near = np.array([1.0, 1.01, 1.0]), np.array([1.0, -1.3, 0.5])
    assert is_filled([scale * far]) and not is_filled([scale * near])
    assert not is_filled([scale * far, scale * near]) and not is_filled([np.zeros(3)])
