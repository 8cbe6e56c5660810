import io
import time
from types import SimpleNamespace

import numpy as np
import obspy
import pytest
from obspy.clients.seedlink.seedlinkexception import SeedLinkException

from seisbench_llm.live import Live, LiveSettings, SeedLink, run
from seisbench_llm.live.seedlink import parse_selections, stations_of
from seisbench_llm.live.sources import Packet
from tests.helpers.live_stub import (
    LEVELS,
    DataClock,
    Until,
    arrivals,
    assert_same,
    filtered_model,
    integers,
    spike_model,
)
from tests.helpers.seedlink_server import SeedLinkServer, end_of, in_order_of_time


def from_server(server, model, selections=("XX.STA.00.HH?",), until=None, **kwargs):
    """Picks until the last packet has been taken, or until something else."""
    got = []
    live = Live(model, got.append, LiveSettings(step=4), **kwargs)
    source = DataClock(server.address, list(selections), 0.2, 20, live.counts)
    until = until or (lambda live: source.number >= len(server.packets))
    run(live, source, Until(lambda: until(live)))
    return got, live


def test_seedlink_with_everything_that_goes_wrong(warnings_of):
    model, stream = filtered_model(), integers(arrivals(10_000))
    good = in_order_of_time(stream)
    rng = np.random.default_rng(1)
    lost = set(rng.choice(np.arange(10, len(good) - 10), 4, replace=False))
    kept = [r for i, r in enumerate(good) if i not in lost]
    sent = kept + [kept[i] for i in rng.integers(0, len(kept), 15)]
    place = [end_of(record).timestamp + rng.uniform(0, 5) for record in sent]
    sent = [sent[i] for i in np.argsort(place)]
    broken = bytearray(kept[5])
    broken[8:20] = b"BADRE00HHZXX"
    broken[30:32] = b"\xff\xff"
    broken[44:46] = b"\xff\xff"
    sent.insert(30, bytes(broken))
    with SeedLinkServer(sent, chunk=700, drops=[20, 50]) as server:
        picks, live = from_server(server, model, **LEVELS)
        resumed = [c for c in server.commands if c.startswith("DATA 0x")]
    received = sum((obspy.read(io.BytesIO(r)) for r in kept), obspy.Stream()).merge(-1)
    assert_same(picks, model.classify(received, **LEVELS).picks)
    assert live.counts["connections"] == 3 and len(resumed) == 2
    assert live.counts["malformed packets"] >= 1
    assert live.counts["duplicate samples"] > 0
    text = warnings_of()
    assert "BADRE" in text and "SL00001F" in text and "closed the connection" in text


def test_the_clock_waits_for_packets_that_wait(monkeypatch):
    """Late data that arrived in time are not given up because the picker was busy."""
    now = [100.0]
    times = SimpleNamespace(monotonic=lambda: now[0], time=time.time)
    monkeypatch.setattr("seisbench_llm.live.seedlink.time", times)
    source = SeedLink("localhost:18000", ["XX.STA.00.HH?"])
    assert source.clock() == 100
    for arrival in (101.0, 102.0):
        now[0] = arrival
        source._put(Packet(obspy.Trace(), arrival))
    source._stop.set()
    now[0] = 150.0
    seen = []
    while source.more():
        seen.append(source.clock())
        source.get(timeout=0)
    assert seen == [100, 101] and source.clock() == 150


def test_seedlink_selects_and_survives_a_server_that_is_not_there(warnings_of):
    stream = integers(arrivals(3000) + arrivals(3000, code="HN"))
    with SeedLinkServer(in_order_of_time(stream)) as server:
        until = lambda live: live.counts["packets"] >= 20  # noqa: E731
        from_server(server, spike_model(), ["XX.STA.00.HN?", "XX.NONE..HH?"], until)
        assert "SELECT 00HN?" in server.commands
    assert "the server has nothing of XX.NONE that was selected" in warnings_of()
    address = server.address
    source = SeedLink(address, ["XX.STA.00.HN?"], reconnect=0.1)
    lost = lambda: source.counts["connections lost or refused"] > 2  # noqa: E731
    run(Live(spike_model(), print), source, Until(lost))
    assert "connecting again every 0.1 s" in warnings_of()


@pytest.mark.parametrize("hello", ["HTTP/1.1 400 Bad Request", "SeedLink v2.0 (old)"])
def test_seedlink_refuses_other_servers_without_hanging(hello, warnings_of):
    with SeedLinkServer(in_order_of_time(integers(arrivals(500))), hello=hello) as server:
        source = SeedLink(server.address, ["XX.STA.00.HH?"], reconnect=0.2)
        lost = lambda: source.counts["connections lost or refused"] >= 1  # noqa: E731
        run(Live(spike_model(), print), source, Until(lost))
    assert "SeedLink 127.0.0.1" in warnings_of()


def test_seedlink_keeps_a_quiet_connection_alive():
    with SeedLinkServer(in_order_of_time(integers(arrivals(500)))) as server:
        # It looks up every 2.5 s; a third of the timeout is shorter, and the rest is room.
        source = SeedLink(server.address, ["XX.STA.00.HH?"], reconnect=0.2, timeout=7)
        run(Live(spike_model(), print), source, Until(lambda: "INFO ID" in server.commands))
    assert source.counts["connections"] == 1


@pytest.mark.parametrize(
    "text, selector",
    [("XX.ABC.00.HH?", "00HH?"), ("xx.abc..ehz", "EHZ"), ("XX.ABC..HH", "HH?"),
     ("XX.ABC.--.*", "--???"), ("XX.ABC..HH*", "HH?"), ("XX.ABC.*.HH?", "HH?")],
)  # fmt: skip
def test_selections(text, selector):
    assert parse_selections([text]) == {("XX", "ABC"): [selector]}


@pytest.mark.parametrize("text", ["XX.ABC", "XXX.ABC..HHZ", "XX.ABC.00.HHZZ", "", "XX ABC HHZ"])
def test_selections_that_are_none(text):
    with pytest.raises(ValueError, match="selects nothing"):
        parse_selections([text])


def test_wildcards_of_stations_are_asked_of_the_server(warnings_of):
    stream = arrivals(3000) + arrivals(3000, station="STB") + arrivals(3000, station="OTHER")
    with SeedLinkServer(in_order_of_time(integers(stream))) as server:
        until = lambda live: live.counts["packets"] >= 20  # noqa: E731
        from_server(server, spike_model(), ["X?.ST*..HH?", "Y*.*..HH?"], until)
        assert {c for c in server.commands if c.startswith("STATION")} == {
            "STATION  STA XX", "STATION  STB XX",
        }  # fmt: skip
    assert "the server has nothing of Y*.* that was selected" in warnings_of()
    with SeedLinkServer(in_order_of_time(integers(stream))) as server:
        until = lambda live: live.counts["connections lost or refused"] > 0  # noqa: E731
        from_server(server, spike_model(), ["Y*.*..HH?"], until)
    assert "has none of the stations selected" in warnings_of()


@pytest.mark.parametrize(
    "text",
    [b"", b"<seedlink", b"\xff\xfe", b'<!DOCTYPE a [<!ENTITY b "c">]><seedlink/>'],
)
def test_an_answer_about_stations_that_is_none(text):
    with pytest.raises(SeedLinkException, match="cannot be understood"):
        stations_of(text)


def test_codes_of_stations_that_are_none_are_left_out():
    text = (
        b'<seedlink><station name="A B" network="XX"/><station name="OK" network="XX"/></seedlink>'
    )
    assert stations_of(text) == {("XX", "OK")}


def test_packets_that_were_not_asked_for_are_named_once(warnings_of):
    stream = integers(arrivals(3000) + arrivals(3000, station="OTHER"))
    with SeedLinkServer(in_order_of_time(stream), unasked=True) as server:
        until = lambda live: live.counts["packets not selected"] > 3  # noqa: E731
        from_server(server, spike_model(), until=until)
    lines = [line for line in warnings_of().splitlines() if "it was not asked for" in line]
    assert len(set(lines)) == 3
