"""What is left of a curve gives the picks of the whole curve."""

import itertools

import numpy as np
import obspy
import pytest

from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.stitching import (
    PeakFilter,
    SparseAnnotation,
    StitchedAnnotation,
    finite_spans,
    trim,
)
from tests.helpers.models import soft_model


@pytest.fixture(scope="module")
def model():
    return soft_model()


def random_curves(samples=6000, seed=0):
    """Probabilities with peaks of all widths and heights, flat tops and holes."""
    rng = np.random.default_rng(seed)
    output = obspy.Stream()
    header = {"network": "XX", "station": "A", "sampling_rate": 100.0}
    for label in ("P", "S", "Detection"):
        curve = 0.05 * rng.random(samples)
        for at in rng.integers(0, samples, 40):
            width = rng.integers(2, 60)
            shape = np.clip(1 - np.abs(np.arange(samples) - at) / width, 0, 0.9)
            curve = np.maximum(curve, rng.uniform(0.1, 1) * shape)
        curve[1000:1003] = np.nan
        stats = {**header, "channel": f"SeisMoLLM_{label}"}
        trace = obspy.Trace(curve.astype(np.float32), stats)
        trace.stats.instrument = "HH"
        output.append(trace)
    return output


def summary(result):
    return [str(p) for p in result.picks], [str(d) for d in result.detections]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("separation", [0, 0.3, 1.0])
@pytest.mark.parametrize("level", [0.3, 0.6])
def test_excerpts_give_the_same_picks(model, seed, separation, level):
    whole = random_curves(seed=seed)
    argdict = {"min_separation": separation, "P_threshold": level, "detection_threshold": level}
    peak_filter = PeakFilter(model, Arguments.of(model, argdict))
    spans = [(t.stats.starttime + 3, t.stats.endtime - 4) for t in whole[:1]]
    spans = [(spans[0][0], spans[0][0] + 12), (spans[0][0] + 12.5, spans[0][1])]
    expected, parts = obspy.Stream(), obspy.Stream()
    for trace in whole:
        curve = StitchedAnnotation(trace.stats, 6000, spans, 100)
        excerpts = SparseAnnotation(trace.stats, 6000, spans, 100, peak_filter)
        borders = [0, 700, 701, 2500, 2600, 5999, 6000]
        for begin, end in itertools.pairwise(borders):
            # Chunks reach beyond what is kept of them.
            first, last = max(0, begin - 50), end + 50
            curve.take(begin, end, first, trace.data[first:last])
            excerpts.take(begin, end, first, trace.data[first:last])
        expected += obspy.Stream(curve.parts())
        parts += obspy.Stream(excerpts.parts())
    assert sum(t.stats.npts for t in expected) == 3 * (1201 + 4050)
    result = model.classify_aggregate(parts, argdict)
    assert summary(result) == summary(model.classify_aggregate(expected, argdict))
    assert len(result.picks) > 10 and len(result.detections) > 3
    if level > 0.5:
        assert sum(t.stats.npts for t in parts) < sum(t.stats.npts for t in expected)


def test_threshold_zero_keeps_all(model):
    trace = random_curves()[0]
    peak_filter = PeakFilter(model, Arguments.of(model, {"P_threshold": 0.0}))
    (excerpt,), done = peak_filter.excerpts(trace)
    assert excerpt.stats.npts == done == 6000
    assert peak_filter.excerpts(trace, closed=False) == ([], 0)


START = obspy.UTCDateTime(2020, 1, 1)


def curve_of(values, late=0.0, label="P"):
    header = {"sampling_rate": 100.0, "starttime": START + late, "channel": f"SeisMoLLM_{label}"}
    trace = obspy.Trace(header=header)
    trace.data = np.asarray(values, np.float32)
    return trace


def span(first, last):
    return (START + first / 100, START + last / 100)


@pytest.mark.parametrize(
    "first, last, kept",
    [
        (2, 5, [2, 3, 4, 5]),
        # To half a sample of the waveforms.
        (2.49, 4.51, [2, 3, 4, 5]),
        (2.51, 4.49, [3, 4]),
        (-9, 1, [0, 1]),
        (8, 30, [8, 9]),
        (-9, -1, []),
        (10, 30, []),
        (-9, -0.5, [0]),
        (9.5, 30, [9]),
    ],
)
def test_parts_within_spans(first, last, kept):
    trace = curve_of(range(10))
    for copy in (True, False):
        parts = trim(trace, [span(first, last)], 100.0, copy)
        assert [part.data.tolist() for part in parts] == ([kept] if kept else [])
        for part in parts:
            assert part.stats.starttime == START + kept[0] / 100
            assert "processing" not in part.stats
            assert np.shares_memory(part.data, trace.data) is not copy
    two = trim(trace, [span(0, 1), span(5, 5)], 100.0)
    assert [part.data.tolist() for part in two] == [[0, 1], [5]]


def test_spans_with_numbers():
    nan = np.nan
    found = finite_spans(curve_of([nan, 1, 2, nan, 3, nan, nan]))
    assert found == [span(1, 2), span(4, 4)]


def test_chunks_are_put_in_their_places():
    whole = StitchedAnnotation(curve_of([]).stats, 10, [span(0, 9)], 100.0)
    assert whole.parts() == [] and whole.covered == []
    whole.take(0, 2, 0, np.zeros(0))
    # Reaches beyond what is asked of it, to both sides.
    whole.take(2, 4, 1, np.array([91, 2, 3, 94]))
    # Has nothing of its first sample.
    whole.take(4, 7, 5, np.array([5, 6, 97]))
    whole.take(7, 99, 7, np.array([7, 8, 9, 90]))
    (part,) = whole.parts()
    assert part.stats.starttime == START + 0.02
    np.testing.assert_array_equal(part.data, [2, 3, np.nan, 5, 6, 7, 8, 9])
    assert whole.covered == [span(2, 3), span(5, 9)]


def test_what_a_peak_needs_is_kept(model):
    separation = {"min_separation": 0.02, "P_threshold": 0.6}
    peak_filter = PeakFilter(model, Arguments.of(model, separation))
    # Two samples apart, a margin of two on either side of both, and two more.
    assert peak_filter.quiet == 2 + 2 * 2 + 2
    # Half of the threshold counts; what is below does not.
    values = np.full(40, 0.29)
    values[[5, 6, 15]] = 0.31
    values[30] = 0.3 + 1e-6
    excerpts, done = peak_filter.excerpts(curve_of(values))
    assert done == 40
    spans = [(round((e.stats.starttime - START) * 100), e.stats.npts) for e in excerpts]
    # A quiet of more than eight samples divides.
    assert spans == [(3, 6), (13, 5), (28, 5)]
    values[14] = 0.31
    excerpts, _ = peak_filter.excerpts(curve_of(values))
    assert [e.stats.npts for e in excerpts] == [15, 5]
    # What reaches the end of a curve that goes on is kept back.
    excerpts, done = peak_filter.excerpts(curve_of(values), closed=False)
    assert [e.stats.npts for e in excerpts] == [15, 5] and done == 32
    values[33] = 0.5
    excerpts, done = peak_filter.excerpts(curve_of(values), closed=False)
    assert [e.stats.npts for e in excerpts] == [15] and done == 28
    # At the very edges nothing is in front or behind.
    excerpts, _ = peak_filter.excerpts(curve_of([0.9] + 20 * [0.0] + [0.9]))
    assert [e.stats.npts for e in excerpts] == [3, 3]
    # What is no number is no peak.
    assert peak_filter.excerpts(curve_of(np.full(9, np.nan)))[0] == []
    assert PeakFilter(model, Arguments.of(model, {"min_separation": 0.0})).quiet == 7
