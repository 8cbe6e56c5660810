"""Filled gaps and corrupt samples: live picks are those of batch processing."""

import numpy as np
import obspy
import pytest

from seisbench_llm.live.buffer import TraceBuffer
from seisbench_llm.live.defects import beginning_gap, mark_defects
from seisbench_llm.trace_ids import TraceId
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

# Components and seconds that are zero. A gap of more than 30 s begins a new series of windows.
GAPS = {
    "all": ("ZNE", 50.0, 54.0),
    "one": ("N", 50.3, 57.1),
    "long": ("ZNE", 41.38, 85.0),
    "first": ("ZNE", 0.0, 12.34),
    "first for long": ("ZNE", 0.0, 47.3),
    "one first": ("E", 0.0, 42.0),
    "last": ("ZNE", 80.74, 100.0),
}


def with_zeros(components, start, stop, offset=1e5, samples=10_000):
    stream = arrivals(samples)
    for trace in stream:
        trace.data += offset
        if trace.stats.channel[-1] in components:
            trace.data[round(start * 100) : round(stop * 100)] = 0
    return stream


@pytest.mark.parametrize("kind", GAPS)
def test_picks_about_gaps_filled_with_zeros(kind, warnings_of):
    model, stream = filtered_model(), with_zeros(*GAPS[kind])
    batch = model.classify(stream, **LEVELS)
    picks, live = fed(packets(stream, 1.7), model, **LEVELS)
    assert len(batch.picks) > 5
    assert_same(picks, batch.picks)
    found = {entry.trace_id for entry in batch.skipped if "filled" in entry.cause}
    assert live.counts["defects"] == len(found)
    lines = [x for x in warnings_of().splitlines() if "is left out from" in x]
    # The first, second, fourth trace with the same cause.
    assert len(set(lines)) == len(found).bit_length()
    assert live.counts["long gaps and jumps"] == (kind == "long")


def test_corrupt_samples():
    model, stream = filtered_model(), arrivals(10_000)
    stream[1].data = stream[1].data.astype(np.float32)
    stream[1].data[5000:5002] = 1e35
    picks, live = fed(packets(stream), model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert live.counts["defects"] == 1


def test_zeros_of_a_quiet_channel_are_data():
    stream = arrivals(6000)
    rng = np.random.default_rng(0)
    for trace in stream:
        trace.data = np.round(rng.normal(0, 0.3, 6000))
    _, live = fed(packets(stream), filtered_model(), **LEVELS)
    assert not live.counts["defects"]


def test_a_dead_station_that_comes_back_costs_nothing_and_is_picked():
    model, stream = filtered_model(), with_zeros("ZNE", 60.0, 700.0, samples=78_000)
    whole = stream.copy()
    for trace in stream:
        trace.data[70_000:] = arrivals(8000).select(channel=trace.stats.channel)[0].data + 1e5
    picks, live = fed(packets(stream, 5.0), model, **LEVELS)
    last = stream.slice(START + 700)
    late = [p for p in of(picks, "confirmed") if p.time > START + 700]
    assert_same(late, model.classify(last, **LEVELS).picks)
    # Windows of the hour without data were not answered.
    assert live.counts["windows"] < 60 and len(whole) == 3


def marked(buffer, values, start):
    buffer.add_samples(start, np.ma.asarray(values))
    mark_defects(buffer, TraceId("XX", "A", "", "HHZ"), start, start + len(values))
    return [(at, len(piece)) for at, piece in buffer.contiguous(-1000, 100_000)]


def test_a_gap_is_judged_anew_when_its_end_is_known():
    buffer = TraceBuffer(100.0, obspy.UTCDateTime(0), 30)
    data = 1e4 + np.random.default_rng(0).standard_normal(300)
    assert marked(buffer, data, 0) == [(0, 300)]
    buffer.add_samples(300, np.ma.zeros(40))
    assert beginning_gap(buffer, 340) == 40 and beginning_gap(buffer, 300) == 0
    assert marked(buffer, np.zeros(60), 340) == [(0, 300)]
    assert buffer.good_end == 300
    # Data about zero behind it: so the zeros were data, too.
    assert marked(buffer, data - 1e4, 400) == [(0, 700)]
    assert buffer.good_end == 700


def test_what_a_gap_was_told_by_is_not_forgotten():
    buffer = TraceBuffer(100.0, obspy.UTCDateTime(0), 10)
    data = 1e4 + np.random.default_rng(0).standard_normal(200)
    marked(buffer, data, 0)
    for start in range(200, 3000, 100):
        marked(buffer, np.zeros(100), start)
    assert buffer.contiguous(0, 3000) == [] and buffer.good_end == 200
    assert marked(buffer, data, 3000) == [(3000, 200)]
    assert marked(buffer, np.zeros(10), 2990) == [(3000, 200)]
    # Data in place of zeros contradict them, like any others.
    assert marked(buffer, data[:100], 2900) == [(3000, 200)]
    assert buffer.leading == 0
