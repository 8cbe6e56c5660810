"""S minus P at P onsets, and the estimates that rest on it."""

import numpy as np
import obspy
import pytest
from seisbench.util import Pick

from seisbench_llm import SeisMoLLM
from seisbench_llm.streams import s_minus_p
from seisbench_llm.streams.onsets import onsets_of
from seisbench_llm.streams.s_minus_p import sp_times
from seisbench_llm.streams.textbook import sp_epicentral_distance
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

START = obspy.UTCDateTime(2020, 1, 1)


def pick(phase, after, value=0.9, station="STA"):
    time = START + after
    return Pick(f"XX.{station}.00", time, time, time, value, phase)


@pytest.mark.parametrize(
    ("picks", "expected"),
    [
        ([pick("P", 10), pick("S", 14)], [4.0]),
        ([pick("P", 10)], [None]),
        # Of another station, before P, and too late.
        ([pick("P", 10), pick("S", 14, station="STB"), pick("S", 5), pick("S", 75)], [None]),
        # A probable one, the first of those, but not one of the next earthquake.
        ([pick("P", 10), pick("S", 12, 0.3), pick("S", 15, 0.6), pick("S", 17, 0.8)], [5.0]),
        ([pick("P", 10), pick("S", 14, 0.4), pick("P", 20), pick("S", 26, 0.9)], [4.0, 6.0]),
    ],
)
def test_s_of_a_p(picks, expected):
    times = sp_times(None, obspy.Stream(), onsets_of(picks), picks, None)
    assert times == pytest.approx(expected) if None not in expected else times == expected


class Stub:
    """A picker that finds the same everywhere, at one speed."""

    def __init__(self, *picks, speed=1):
        self.here, self.speed = list(picks), speed

    def classify(self, stream, **thresholds):
        self.thresholds = thresholds
        at_speed = {trace.stats.sampling_rate for trace in stream} == {100.0 * self.speed}
        self.picks = self.here if at_speed else []
        return self


def test_an_s_that_is_picked_here_agrees_with_the_network(monkeypatch):
    """Of S picks at 5 and 25 s after P, 39 and 200 km, the one that the network's distance fits."""
    stub = Stub(pick("S", 15, 0.4), pick("S", 35, 0.5))
    monkeypatch.setattr(s_minus_p, "_load", lambda cls, name: stub)
    picks = [pick("P", 10)]

    def chosen(*distances):
        stream = make_stream(6000)
        return sp_times(None, stream, onsets_of(picks), picks, "any", list(distances))

    assert chosen(40.0) == pytest.approx([5.0])
    assert chosen(170.0) == pytest.approx([25.0])
    # Without a distance it is the more probable one.
    assert chosen() == chosen(np.nan) == pytest.approx([25.0])
    assert chosen(8.0) == pytest.approx([5.0])
    # Those of a later earthquake are none.
    assert chosen(-5.0) == [None]
    stub.here = [pick("S", 55, 0.3)]
    assert chosen(15.0) == [None]
    assert chosen(200.0) == pytest.approx([45.0])
    assert stub.thresholds == {"S_threshold": s_minus_p.S_THRESHOLD}
    stub.here = []
    assert chosen(40.0) == [None]


def test_an_s_is_also_looked_for_at_higher_speeds(monkeypatch):
    """Played four times as fast, an S 80 s after P comes after 20 s."""
    stub = Stub(pick("P", 2.9), pick("S", 22.5, 0.8), speed=4)
    monkeypatch.setattr(s_minus_p, "_load", lambda cls, name: stub)
    picks, stream = [pick("P", 10)], make_stream(15000)
    # P at the onset's own time, a little later, is no other earthquake.
    (sp,) = sp_times(None, stream, onsets_of(picks), picks, "any", [500.0])
    assert sp == pytest.approx(80.0)
    assert stream[0].stats.sampling_rate == 100 and stream[0].stats.starttime == START
    # One that comes later is.
    stub.here.append(pick("P", 15))
    assert sp_times(None, stream, onsets_of(picks), picks, "any", [500.0]) == [None]


def test_data_that_are_left_out_are_told_once(caplog):
    """By the network, and by the picker at the data's own speed, not with times of another."""
    stream = make_stream(12000)
    stream[1].data = stream[1].data.astype(complex)
    model = SeisMoLLM.from_pretrained("compact_distance")
    time = stream[0].stats.starttime + 60
    out = model.classify(stream, picks=[Pick("XX.STA.00", time, time, time, 0.9, "P")])
    assert len(out.estimates) == 1
    told = [record for record in caplog.messages if stream[1].id in record]
    assert len(told) == 2 and len(out.skipped) == 1


def test_a_distance_rests_on_s_minus_p_where_there_is_an_s():
    stream = make_stream(12000)
    start = stream[0].stats.starttime
    times = {"P": start + 60, "S": start + 65}
    picks = [Pick("XX.STA.00", t, t, t, 0.9, phase) for phase, t in times.items()]
    model = tiny_model(task="distance")
    network = model.classify(stream, picks=picks).estimates[0]
    assert network.method == "network"
    (estimate,) = model.classify(stream, picks=picks, textbook=True).estimates
    value, error = sp_epicentral_distance(5.0)
    assert (estimate.value, estimate.spread, estimate.method) == (value, error, "S-P")
    (alone,) = model.classify(stream, picks=picks[:1], textbook=True).estimates
    assert (alone.value, alone.method) == (network.value, "network")


def test_a_back_azimuth_is_joined_with_the_polarisation():
    stream = make_stream(12000)
    for trace, factor in zip(stream, (1.0, -0.5, 0.5), strict=True):
        trace.data = factor * stream[0].data.copy()
    time = stream[0].stats.starttime + 60
    picks = [Pick("XX.STA.00", time, time, time, 0.9, "P")]
    model = tiny_model(task="back_azimuth")
    (network,) = model.classify(stream, picks=picks).estimates
    (joined,) = model.classify(stream, picks=picks, textbook=True).estimates
    assert joined.method == "network, polarisation"

    # Up goes with south-east: the source is in the north-west.
    def off(value):
        return abs((value - 315 + 180) % 360 - 180)

    assert off(joined.value) < off(network.value)
    assert joined.spread < 30


def test_the_packaged_distance_finds_s_itself():
    model = SeisMoLLM.from_pretrained("compact_distance")
    stream = obspy.read()
    (p,) = [
        p
        for p in SeisMoLLM.from_pretrained("compact_picking").classify(stream).picks
        if p.phase == "P"
    ][:1]
    (estimate,) = model.classify(stream, picks=[p]).estimates
    assert estimate.method == "S-P"
    assert 5 < estimate.value < 30
    (network,) = model.classify(stream, picks=[p], textbook=False).estimates
    assert network.method == "network"
    assert network.value != estimate.value
    assert np.isfinite(network.spread)
