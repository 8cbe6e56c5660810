"""Components fractions of a sample apart, and two channels of one component, as in a batch."""

import numpy as np
import pytest

from tests.helpers.live_stub import (
    LEVELS,
    START,
    arrivals,
    assert_same,
    fed,
    filtered_model,
    of,
    packets,
)


def later(stream, seconds):
    """The stream with its components, or its traces, so many seconds later."""
    for trace, late in zip(stream, seconds, strict=True):
        trace.stats.starttime += late
    return stream


@pytest.mark.parametrize(
    "milliseconds", [(0, 3.2, 4.9), (4.9, 5.1, 4.8), (0, 4, 8), (9.7, 0, 2.5), (6, 6, 0)]
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_components_fractions_of_a_sample_apart(milliseconds, shuffled):
    model = filtered_model()
    stream = later(arrivals(8000), [late / 1000 for late in milliseconds])
    traces = packets(stream)
    if shuffled:
        rng = np.random.default_rng(0)
        place = [trace.stats.endtime.timestamp + rng.uniform(0, 4) for trace in traces]
        traces = [traces[i] for i in np.argsort(place)]
    picks, _ = fed(traces, model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)


def test_packets_fractions_of_a_sample_off():
    """As libmseed joins them, which allows for half a sample."""
    model, stream = filtered_model(), arrivals(8000)
    traces, rng = packets(stream), np.random.default_rng(0)
    for trace in traces[3:]:
        trace.stats.starttime += rng.uniform(-0.004, 0.004)
    picks, live = fed(traces, model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert not live.counts["contradicting samples"]


def renamed(stream, names):
    for trace in stream:
        code = trace.stats.channel[-1]
        trace.stats.channel = trace.stats.channel[:-1] + names.get(code, code)
    return stream


@pytest.mark.parametrize("kind", ["beside", "instead", "in a gap"])
def test_horizontals_by_number_and_by_name(kind, warnings_of):
    """1 and 2 are used where N and E have no data, and only there."""
    model, stream = filtered_model(), arrivals(8000)
    other = renamed(arrivals(8000, seed=6), {"N": "1", "E": "2"}).select(channel="HH[12]")
    named, vertical = stream.select(channel="HH[NE]"), stream.select(channel="HHZ")
    if kind == "instead":
        other, named = other.slice(endtime=START + 39.99), named.slice(START + 40)
    elif kind == "in a gap":
        named = named.slice(endtime=START + 29.99) + named.slice(START + 50)
    stream = vertical + named + other
    traces = sorted(packets(stream), key=lambda trace: trace.stats.endtime)
    batch = model.classify(stream, **LEVELS).picks
    picks, _ = fed(traces, model, **LEVELS)
    assert len(of(picks, "confirmed")) > 10
    # A window may end within what fills a gap, so that its mean is that of a part.
    assert_same(picks, batch, atol=5e-3)
    assert "HH1 fills gaps of HHN only" in warnings_of()


def test_uncertainty_of_times_is_that_of_a_batch():
    model, stream = filtered_model(), arrivals(6000)
    levels = {**LEVELS, "calibration": {"P": 0.05, "P_power": 0.9, "S": 0.1}}
    batch = sorted(model.classify(stream, **levels).picks, key=lambda p: (p.peak_time, p.phase))
    picks, _ = fed(packets(stream), model, **levels)
    found = of(picks, "confirmed")
    expected = [pick.time_uncertainty for pick in batch]
    assert [pick.time_uncertainty for pick in found] == pytest.approx(expected, rel=1e-3)
    assert {pick.phase for pick in found} == {"P", "S"}
    again = [type(pick).from_json(pick.to_json()) for pick in found]
    assert [p.time_uncertainty for p in again] == pytest.approx(expected, rel=1e-2)
