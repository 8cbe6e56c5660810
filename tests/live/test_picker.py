import re

import numpy as np
import obspy
import pytest

from seisbench_llm.live import Live, LiveSettings
from tests.helpers.live_stub import (
    LEVELS,
    START,
    Spikes,
    arrivals,
    assert_same,
    fed,
    filtered_model,
    of,
    packets,
    spike_model,
    spikes,
)
from tests.helpers.models import tiny_model
from tests.helpers.orientation import BOREHOLE, GALPERIN, table_of, turned


@pytest.mark.parametrize("seconds", [20, 30.02, 47.3, 99.98])
@pytest.mark.parametrize("arguments", [{}, {"blinding": (0, 0), "overlap": 0.75}])
def test_confirmed_picks_are_those_of_classify(seconds, arguments):
    model, stream = filtered_model(), arrivals(int(seconds * 100))
    batch = model.classify(stream, **LEVELS, **arguments).picks
    picks, _ = fed(packets(stream, 1.7), model, **LEVELS, **arguments)
    assert len(batch) > (5 if seconds > 90 else 0)
    assert_same(picks, batch)


@pytest.mark.parametrize("gap", [0.5, 34, 36, 300])
def test_gaps_stay_gaps(gap):
    model, stream = filtered_model(), arrivals(18_000)
    for trace in stream:
        trace.stats.starttime += 0.0034
    cut = stream[0].stats.starttime + 80.005
    stream = stream.slice(None, cut) + make_later(stream.slice(cut), gap)
    batch = model.classify(stream, **LEVELS).picks
    picks, live = fed(packets(stream), model, **LEVELS)
    assert live.counts["long gaps and jumps"] == (gap > 35)
    assert_same(picks, batch)


@pytest.mark.parametrize("kind", ["apart", "every 7 s", "two at once"])
def test_picks_where_components_set_in_are_muted(kind, monkeypatch):
    model, stream = filtered_model(), arrivals(16_000)
    if kind == "apart":
        for trace, at in zip(stream, (20, 0, 55.12), strict=True):
            trace.trim(START + at)
    else:
        of_one = stream.select(component="E" if kind == "every 7 s" else "[NE]")
        for trace in list(of_one):
            stream.remove(trace)
            for at in np.arange(0, 160, 7):
                stream.append(trace.slice(START + at, START + at + 5.49))
    batch = model.classify(stream, **LEVELS).picks
    picks, _ = fed(packets(stream), model, **LEVELS)
    assert_same(picks, batch)
    monkeypatch.setattr("seisbench_llm.live.data.component_starts", lambda records: [])
    picks, _ = fed(packets(stream), model, **LEVELS)
    with pytest.raises(AssertionError):
        assert_same(picks, batch)


def make_later(stream, seconds):
    for trace in stream:
        trace.stats.starttime += seconds
    return stream


@pytest.mark.parametrize("rate", [20.0, 50.0, 200.0, 250.0])
def test_resampled_data_agree(rate):
    model, stream = filtered_model(), arrivals(int(100 * rate), rate=rate)
    batch = model.classify(stream, **LEVELS).picks
    picks, _ = fed(packets(stream), model, **LEVELS)
    assert_same(picks, batch)


def test_a_single_component_and_two_instruments():
    model = filtered_model()
    stream = arrivals(8_000, components="Z") + arrivals(8_000, code="HN", seed=1)
    batch = model.classify(stream, **LEVELS).picks
    picks, _ = fed(packets(stream), model, **LEVELS)
    assert_same(picks, batch)
    assert {p.trace_id for p in picks} == {"XX.STA.00.HH", "XX.STA.00.HN"}
    assert len({p.id for p in of(picks, "confirmed")}) == len(of(picks, "confirmed"))


def test_settling_for_a_window_leaves_only_what_batch_gives():
    model, stream = filtered_model(), arrivals(10_000)
    picks, live = fed(packets(stream), model, LiveSettings(settle=30), **LEVELS)
    assert {p.status for p in picks} == {"confirmed"}
    assert live.counts["windows"] < 12
    assert_same(picks, model.classify(stream, **LEVELS).picks)


@pytest.mark.parametrize("settle", [3.0, 5.0])
def test_preliminary_picks_come_when_settled_and_then_are_confirmed(settle):
    model, p, s = spike_model(), [40.3, 77.7, 78.9, 110.0], [44.0, 80.25]
    stream = spikes(150, p, s)
    picks, live = fed(
        packets(stream, 0.5), model, LiveSettings(settle=settle, step=1), min_separation=1.0
    )
    first = of(picks, "preliminary")
    expected = sorted([(t, "P") for t in p] + [(t, "S") for t in s])
    assert [(round(x.time - START, 2), x.phase) for x in first] == expected
    assert [x.id for x in of(picks, "confirmed")] == [x.id for x in first]
    # Step and packet round up; nothing is reported before it has settled.
    assert all(settle <= x.data_latency <= settle + 1.5 for x in first)
    assert all(x.data_latency <= 41 for x in of(picks, "confirmed") if x.time < START + 100)
    assert not of(picks, "rejected")
    assert live.statistics()["latency"]["preliminary"][2] < 2


def test_what_batch_does_not_give_is_rejected():
    class Hasty(Spikes):
        def forward(self, x, logits=False):
            answer = super().forward(x)
            answer[..., :2000] = 0
            return answer

    model = tiny_model()
    model.network = Hasty()
    picks, _ = fed(packets(spikes(120, [50.0])), model, blinding=(0, 0), overlap=0)
    first, last = of(picks, "preliminary"), of(picks, "rejected")
    # Windows begin at 0, 30, 60 s: 50 s is the 2000th sample of the second.
    assert [p.id for p in first] == [p.id for p in of(picks, "confirmed") + last]
    assert len(first) == 1


# Packets that misbehave


def test_duplicates_and_wrong_order_change_nothing():
    model, stream = filtered_model(), arrivals(10_000)
    traces, rng = packets(stream), np.random.default_rng(0)
    traces += [traces[i].copy() for i in rng.integers(0, len(traces), 100)]
    place = {id(t): t.stats.endtime.timestamp + rng.uniform(0, 5) for t in traces}
    traces.sort(key=lambda t: place[id(t)])
    picks, live = fed(traces, model, **LEVELS)
    assert live.counts["duplicate samples"] > 5000
    assert_same(picks, model.classify(stream, **LEVELS).picks)


def test_missing_packets_hold_up_for_max_latency_only():
    model, stream = spike_model(), spikes(120, [62.0])
    lost = [(c, 58.5) for c in "ZNE"] + [("N", 64.2)]
    traces = [
        t
        for t in packets(stream)
        if not any(
            t.id[-1] == c and t.stats.starttime <= START + at < t.stats.endtime for c, at in lost
        )
    ]
    latency = {}
    for wait in (2.0, 12.0):
        picks, _ = fed(traces, model, LiveSettings(max_latency=wait, step=1))
        assert [round(p.time - START, 2) for p in of(picks, "confirmed")] == [62.0]
        latency[wait] = of(picks, "preliminary")[0].data_latency
    assert latency[2.0] < 5.5 and 12 < latency[12.0] < 16


def test_late_packets_count_for_what_is_not_decided():
    model, stream = spike_model(), spikes(120, [62.0])
    traces = packets(stream)
    held = [t for t in traces if t.stats.starttime <= START + 62 <= t.stats.endtime]
    rest = [t for t in traces if t not in held]
    at = next(i for i, t in enumerate(rest) if t.stats.endtime > START + 75)
    picks, live = fed(rest[:at] + held + rest[at:], model, LiveSettings(max_latency=1))
    assert live.counts["late packets"] == 3
    assert not of(picks, "preliminary") and len(of(picks, "confirmed")) == 1


def test_components_may_come_at_different_times_or_fall_silent():
    model, stream = filtered_model(), arrivals(10_000)
    traces = packets(stream)
    delay = {"Z": 0, "N": 3.3, "E": 6.1}
    traces.sort(key=lambda t: t.stats.endtime.timestamp + delay[t.id[-1]])
    picks, _ = fed(traces, model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)

    stream = spikes(150, [50.0, 120.0])
    stream.select(component="E")[0].trim(endtime=START + 60)
    picks, _ = fed(packets(stream), spike_model(), LiveSettings(max_latency=4, step=1))
    waited = {round(p.time - START): p.data_latency for p in of(picks, "preliminary")}
    assert waited[50] < 5 and waited[120] < 5


def test_one_packet_far_away_is_ignored_but_a_clock_that_jumps_is_followed(warnings_of):
    model, stream = filtered_model(), arrivals(10_000)
    traces = packets(stream)
    stray = traces[100].copy()
    stray.stats.starttime += 86_400 * 365
    picks, live = fed(traces[:150] + [stray] + traces[150:], model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert live.counts["packets out of time"] == 1
    assert "too far from the other data" in warnings_of()

    for jump in (3600, -3600):
        moved = [t.copy() for t in traces]
        for trace in moved[150:]:
            trace.stats.starttime += jump
        picks, live = fed(moved, model, **LEVELS)
        both = [obspy.Stream(moved[:150]), obspy.Stream(moved[150:])]
        batch = [p for part in both for p in model.classify(part, **LEVELS).picks]
        assert live.counts["long gaps and jumps"] == 1
        assert_same(picks, batch)


def test_names_of_components_as_in_batch_processing(warnings_of):
    model, stream = filtered_model(), arrivals(8_000)
    for trace, channel in zip(stream, ("UD2", "NS2", "EW2"), strict=True):
        trace.stats.channel = channel
    clock = obspy.Trace(np.zeros(100), {"station": "A", "channel": "LCE", "sampling_rate": 100})
    picks, _ = fed([clock, *packets(stream)], model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
    assert {p.trace_id for p in picks} == {"XX.STA.00.2"}
    assert ".A..LCE at 1970-01-01T00:00:00.000000Z is ignored" in warnings_of()


def test_data_without_waveforms_are_named_once(warnings_of):
    text = obspy.Trace(np.array([b"a", b"b"]), {"station": "A", "channel": "HHZ"})
    other = obspy.Trace(np.zeros(5), {"station": "A", "channel": "LOG"})
    model = tiny_model()

    def refuse(stream, argdict):
        raise ValueError("no such filter")

    model.annotate_stream_pre = refuse
    _, live = fed([text, text, other, *packets(spikes(60))], model)
    assert live.counts["packets without waveform"] == 3
    text = warnings_of()
    assert live.ignored.keys() >= {".A..HHZ", ".A..LOG"} and ".A..LOG at" in text
    assert "XX.STA.00.HH is ignored from now on" in text


def test_a_cause_is_named_for_ever_fewer_of_its_traces(caplog):
    live, kinds = Live(spike_model(), lambda pick: None), {}
    for number in range(100):
        header = {"network": "XX", "station": f"S{number:03d}", "sampling_rate": 100}
        live.feed(obspy.Trace(np.zeros(5), {**header, "channel": "LOG"}))
        live.feed(obspy.Trace(np.array([b"a", b"b"]), {**header, "channel": "HHZ"}))
    texts = [record.getMessage() for record in caplog.records]
    for channel in ("LOG", "HHZ"):
        lines = [text for text in texts if f".{channel} at" in text]
        assert [re.findall(r"number (\d+)", line) for line in lines] == [
            [],
            *([str(2**n)] for n in range(1, 7)),
        ]
        kinds[channel] = {why for name, why in live.ignored.items() if name.endswith(channel)}
    assert len(live.ignored) == 200 and all(len(why) == 1 for why in kinds.values())
    assert kinds["LOG"] != kinds["HHZ"]


def test_memory_is_bounded():
    model = spike_model()
    got = []
    live = Live(model, got.append, LiveSettings(settle=20, step=5))
    rng, sizes = np.random.default_rng(0), []
    for second in range(700):
        for component in "ZNE":
            header = {"station": "A", "channel": f"HH{component}", "sampling_rate": 100}
            trace = obspy.Trace(rng.standard_normal(100), header)
            trace.stats.starttime = START + second
            if second % 50 == 7:
                trace.data[50] += 300
            live.feed(trace, second)
        live.process(second)
        if second in (250, 699):
            (instrument,) = live.instruments.values()
            sizes.append(
                (
                    sum(b.size for b in instrument.data.buffers.values()),
                    len(instrument.final.windows) <= 4,
                    len(instrument.data.marks) <= instrument.data.seconds + 2,
                    len(instrument.open) < 10,
                )
            )
    assert sizes[0] == sizes[1] and sizes[0][1:] == (True, True, True)
    assert len(got) > 20


def lies(rng):
    """A packet as no digitiser sends it."""
    rate = rng.choice([0.01, 1.0, 9.99, 100.0, 100.0, 100.0, 100.0, 100.02, 2000.0, 1e9, np.inf])
    length = int(rng.choice([0, 1, 50, 100, 100, 100, 5000, 200_000]))
    kind = rng.integers(0, 4)
    if kind == 0:
        data = rng.integers(-(2**31), 2**31, length).astype("int32")
    elif kind == 1:
        data = np.full(length, rng.choice([np.nan, np.inf, 3e38, 0.0]))
    else:
        data = rng.standard_normal(length)
        if kind == 3 and length:
            data = np.ma.masked_less(data, -1)
    header = {
        "network": "XX", "station": "STA", "location": "00",
        "channel": rng.choice(["HHZ", "HHN", "HHE", "HH1", "HH2", "LOG"]),
    }  # fmt: skip
    trace = obspy.Trace(data, header)
    trace.stats.sampling_rate = rate
    years = {0: obspy.UTCDateTime(1900, 1, 1), 1: obspy.UTCDateTime(2300, 1, 1)}
    trace.stats.starttime = years.get(int(rng.integers(0, 8)), START + rng.uniform(-500, 500))
    return trace


@pytest.mark.filterwarnings("ignore:overflow|invalid value:RuntimeWarning")
@pytest.mark.parametrize("seed", range(2))
def test_a_server_that_lies_costs_neither_memory_nor_what_is_true(seed):
    rng, got = np.random.default_rng(seed), []
    live = Live(spike_model(), got.append, LiveSettings(step=4, max_latency=2))
    true = packets(spikes(150, [30.0, 100.0]))
    for trace in true:
        trace.stats.starttime += 100_000
    clock = 0.0
    for number in range(120):
        clock += 1
        live.feed(lies(rng), clock)
        if number % 7 == 0:
            live.process(clock)
    (instrument,) = live.instruments.values()
    assert len(instrument.data.buffers) <= 5
    assert all(b.size <= instrument.data.seconds * 5000 for b in instrument.data.buffers.values())
    aside = instrument.aside.entries.values()
    assert all(sum(stray.trace.stats.npts for stray in entries) <= 600_000 for entries in aside)
    assert len(live.ignored) < 10
    got.clear()
    for trace in true:
        clock = max(clock, 1000 + (trace.stats.endtime - START))
        live.feed(trace, clock)
        live.process(clock)
    live.close(clock)
    confirmed = [round(p.time - START - 100_000, 2) for p in of(got, "confirmed")]
    assert [t for t in confirmed if 0 <= t <= 150] == [30.0, 100.0]


@pytest.mark.parametrize("rate", [0.01, 1.0, 9.9, 6000.0])
def test_sampling_rates_that_no_seismometer_has_are_named(rate, warnings_of):
    odd = obspy.Trace(np.arange(400.0), {"station": "A", "channel": "LHZ", "sampling_rate": rate})
    picks, _ = fed([odd, *packets(spikes(90, [50.0]))], spike_model())
    assert [round(p.time - START) for p in of(picks, "confirmed")] == [50]
    cause = f"is ignored: its sampling rate is {rate:g} Hz"
    assert f".A..LHZ at 1970-01-01T00:00:00.000000Z {cause}" in warnings_of()


@pytest.mark.parametrize("directions", [BOREHOLE, GALPERIN])
def test_components_that_point_elsewhere_are_rotated(directions):
    model, motion = filtered_model(), arrivals(6000)
    recorded = turned(motion, directions)
    batch = model.classify(motion, **LEVELS).picks
    picks, live = fed(packets(recorded), model, stations=table_of(recorded, directions), **LEVELS)
    assert_same(picks, batch)
    assert len(picks) > 5 and not live.ignored
