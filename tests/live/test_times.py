"""Times of all kinds: early and late years, clocks that step, rates that change."""

import numpy as np
import obspy
import pytest

from seisbench_llm.live import Live, LiveSettings
from tests.helpers.live_stub import (
    LEVELS,
    START,
    arrivals,
    assert_same,
    fed,
    filtered_model,
    of,
    packets,
    spike_model,
)


def moved(stream, start):
    for trace in stream:
        trace.stats.starttime = start
    return stream


@pytest.mark.parametrize("start", ["1900-01-01", "1969-12-31T23:59:30.004", "2299-12-31T23:59:20"])
def test_early_and_late_years(start):
    model, stream = filtered_model(), moved(arrivals(8000), obspy.UTCDateTime(start))
    batch = model.classify(stream, **LEVELS).picks
    picks, live = fed(packets(stream), model, **LEVELS)
    assert len(batch) > 5
    assert_same(picks, batch)
    # Through a state, whose numbers are those of JSON.
    again = Live(model, print, LiveSettings(step=4), **LEVELS)
    for trace in packets(stream.slice(stream[0].stats.starttime + 20)):
        again.feed(trace, 0)
    again.process(0)
    other = Live(model, print, LiveSettings(step=4), **LEVELS)
    other.restore(again.state(0), [], 0)
    (one,), (two,) = again.instruments.values(), other.instruments.values()
    assert one.data.start == two.data.start and one.data.newest == two.data.newest
    assert not live.ignored


@pytest.mark.parametrize("year", [-5, 65535])
def test_times_that_no_calendar_has(year, warnings_of):
    trace = arrivals(500)[0]
    trace.stats.starttime = obspy.UTCDateTime(ns=int((year - 1970) * 365.25 * 86400e9))
    _, live = fed([trace, trace], spike_model())
    assert live.counts["packets without waveform"] == 2
    assert f"{trace.id} is ignored: its time is outside of the years" in warnings_of()


def test_a_rate_that_changes_is_told_once(warnings_of):
    model, first, last = filtered_model(), arrivals(8000), arrivals(4000, rate=50.0)
    moved(last, START + 80)
    picks, live = fed([*packets(first), *packets(last)], model, **LEVELS)
    batch = [p for part in (first, last) for p in model.classify(part, **LEVELS).picks]
    assert_same(picks, batch)
    assert live.counts["long gaps and jumps"] == 1 and not live.counts["packets out of time"]
    lines = {x for x in warnings_of().splitlines() if "from 100 Hz to 50 Hz" in x}
    assert len(lines) == 1


def test_a_rate_that_changes_with_each_packet(warnings_of):
    model, stream = filtered_model(), arrivals(8000)
    traces = []
    for trace in packets(stream):
        other = trace.copy()
        other.stats.sampling_rate = 50
        # What is put aside at the very end is believed, as nothing contradicts it.
        traces += [trace, other] if trace.stats.endtime < START + 76 else [trace]
    picks, live = fed(traces, model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert live.counts["packets out of time"] == 228
    assert len({x for x in warnings_of().splitlines() if "is ignored" in x}) <= 3 * 8


def test_packets_about_a_long_gap_may_come_in_any_order():
    """The last before it are late, and the first behind it are out of order."""
    model, stream = filtered_model(), arrivals(12_000)
    late = stream.slice(START + 100)
    moved(late, START + 200)
    stream = stream.slice(endtime=START + 59.99)
    traces, rng = packets(stream) + packets(late), np.random.default_rng(0)
    arrived = [
        t.stats.endtime - START - 140 * (t.stats.starttime > START + 150) + rng.uniform(0, 5)
        for t in traces
    ]
    picks = []
    live = Live(model, picks.append, LiveSettings(step=4), **LEVELS)
    for clock, trace in sorted(zip(arrived, traces, strict=True), key=lambda pair: pair[0]):
        live.feed(trace, clock)
        live.process(clock)
    live.close(max(arrived))
    assert_same(picks, model.classify(stream + late, **LEVELS).picks)
    assert live.counts["long gaps and jumps"] == 1 and not live.counts["packets out of time"]


def test_a_component_with_a_clock_of_its_own_is_left_out(warnings_of):
    model, stream = filtered_model(), arrivals(8000)
    traces = packets(stream)
    for trace in traces:
        if trace.stats.channel == "HHE" and trace.stats.starttime > START + 20:
            trace.stats.starttime -= 3600
    picks, live = fed(traces, model, **LEVELS)
    stream.select(component="E")[0].trim(endtime=START + 20.99)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert not live.counts["long gaps and jumps"]
    assert "too far from the other data" in warnings_of()


def test_a_clock_that_steps_back_a_little(warnings_of):
    """What both say of the same time is left out; what follows is as ever."""
    model, first, last = filtered_model(), arrivals(8000), arrivals(9000, seed=5)
    moved(last, START + 75)
    picks, live = fed([*packets(first), *packets(last)], model, **LEVELS)
    batch = model.classify(first + last, **LEVELS).picks
    later = START + 75 + 5 + 35
    assert_same([p for p in picks if p.time > later], [p for p in batch if p.peak_time > later])
    assert len([p for p in of(picks, "confirmed") if p.time > later]) > 3
    assert live.counts["contradicting samples"] == 1500
    assert "contradict earlier data" in warnings_of()


def test_a_clock_that_steps_back_again_and_again_costs_no_memory():
    live = Live(spike_model(), lambda pick: None, LiveSettings(step=4, max_latency=2))
    rng, clock = np.random.default_rng(0), 0
    for _ in range(12):
        for trace in packets(moved(arrivals(2000), START + rng.integers(-3, 4) * 400.0)):
            clock += 1
            live.feed(trace, clock)
    (instrument,) = live.instruments.values()
    assert len(instrument.data.buffers) == 3
    assert len(instrument.data.marks) <= instrument.data.seconds
    assert sum(map(len, instrument.aside.entries.values())) <= 100
    assert live.counts["long gaps and jumps"] >= 5
