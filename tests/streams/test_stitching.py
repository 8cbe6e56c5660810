"""What is left of a curve gives the picks of the whole curve."""

import itertools

import numpy as np
import obspy
import pytest

from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.stitching import PeakFilter, SparseAnnotation, StitchedAnnotation
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
