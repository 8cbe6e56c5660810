import io
import threading
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import obspy
import pytest
from obspy.clients.seedlink.seedlinkexception import SeedLinkException

from seisbench_llm.live import Live, LiveSettings, SeedLink, connection, run
from seisbench_llm.live.connection import LARGEST_NUMBER, stations_of
from seisbench_llm.live.selections import parse_selections, selections_of_streams
from seisbench_llm.live.sources import Packet
from tests.helpers.live_stub import (
    LEVELS,
    START,
    DataClock,
    Until,
    arrivals,
    assert_same,
    filtered_model,
    integers,
    spike_model,
)
from tests.helpers.seedlink_server import SeedLinkServer, end_of, in_order_of_time, records


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
    assert "the server has no data for the selection XX.NONE." in warnings_of()
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
    with pytest.raises(ValueError, match="is not a selection"):
        parse_selections([text])


def test_wildcards_of_stations_are_asked_of_the_server(warnings_of):
    stream = arrivals(3000) + arrivals(3000, station="STB") + arrivals(3000, station="OTHER")
    with SeedLinkServer(in_order_of_time(integers(stream))) as server:
        until = lambda live: live.counts["packets"] >= 20  # noqa: E731
        from_server(server, spike_model(), ["X?.ST*..HH?", "Y*.*..HH?"], until)
        assert {c for c in server.commands if c.startswith("STATION")} == {
            "STATION  STA XX", "STATION  STB XX",
        }  # fmt: skip
    assert "the server has no data for the selection Y*.*." in warnings_of()
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
    lines = [line for line in warnings_of().splitlines() if "it was not selected" in line]
    assert len(set(lines)) == 3


@pytest.mark.parametrize(
    "text, expected",
    [
        ("IU_*", ["IU.*.*.BH?", "IU.*.*.EH?", "IU.*.*.HH?", "IU.*.*.SH?"]),
        ("iu_anmo:00BHZ.D bh?", ["IU.ANMO.00.BHZ", "IU.ANMO.*.BH?"]),
        ("XX_A:HHZ, X?_B*:--HHZ", ["XX.A.*.HHZ", "X?.B*.--.HHZ"]),
    ],
)
def test_streams_as_slinktool_has_them(text, expected):
    assert selections_of_streams(text) == expected
    assert parse_selections(expected)


@pytest.mark.parametrize("text", ["", "IU", "IU_A:", "IU_A:Z", "IU_A:HHZ.X", "IU_A,,IU_B", "I_A B"])
def test_streams_that_are_none(text):
    with pytest.raises(ValueError, match="is not a stream"):
        selections_of_streams(text)


def test_selectors_of_a_station_add_up_however_it_is_named():
    stream = arrivals(2000) + arrivals(2000, code="EH") + arrivals(2000, code="BN")
    selections = ["XX.STA..EH?", *selections_of_streams("XX_ST*:HHZ,X?_*:HHZ BNN")]
    with SeedLinkServer(in_order_of_time(integers(stream))) as server:
        until = lambda live: live.counts["packets"]  # noqa: E731
        from_server(server, spike_model(), selections, until)
        asked = [c for c in server.commands if c.startswith("SELECT")]
    assert asked == ["SELECT EH?", "SELECT HHZ", "SELECT BNN"]


def a_lie(record, **changes):
    """A record with other bytes, by the name of what they tell."""
    places = {"station": 8, "channel": 15, "year": 20, "samples": 30, "factor": 32, "data": 44,
              "encoding": 52, "length": 54}  # fmt: skip
    record = bytearray(record)
    for name, value in changes.items():
        record[places[name] : places[name] + len(value)] = value
    return b"SL000001" + bytes(record)


def test_a_server_that_lies_in_every_way(warnings_of):
    model, stream = filtered_model(), integers(arrivals(10_000))
    true = in_order_of_time(stream)
    rng = np.random.default_rng(0)
    # Not of the future, as the clock of the test is that of the data: see test_picker.
    far = [stream.slice(START + 10, START + 12).copy() for _ in range(2)]
    for part, year in zip(far, (1900, 1970), strict=True):
        for trace in part:
            trace.stats.starttime = obspy.UTCDateTime(year, 1, 1)
    other_rate = stream.slice(START + 40, START + 42).copy()
    for trace in other_rate:
        trace.stats.sampling_rate = 50
    breaking = [
        rng.bytes(200),
        b"ERROR\r\n",
        b"END",
        b"SL00000A" + true[10][:100],
        None,
        b"SLZZZZZZ" + true[0],
        b"sl000001" + true[0],
        b"\0" * 520,
    ]
    others = [
        b"SL00000A" + rng.bytes(512),
        b"SLINFO  " + true[0],
        b"SLINFO *" + true[0],
        a_lie(true[3], samples=b"\xff\xff"),
        a_lie(true[3], samples=b"\0\0"),
        a_lie(true[3], factor=b"\0\0\0\0"),
        a_lie(true[3], factor=b"\x7f\xff\x7f\xff"),
        a_lie(true[3], data=b"\xff\xff"),
        a_lie(true[3], encoding=b"\x63"),
        a_lie(true[3], length=b"\x20"),
        a_lie(true[3], year=b"\xff\xff\xff\xff"),
        a_lie(true[3], station=b"\xff\xfe\xfd\xfc\xfb"),
        a_lie(true[3], station=b"OTHER"),
        a_lie(true[3], channel=b"LOG"),
        a_lie(true[3], encoding=b"\0"),
        *[b"SL%06X" % number + true[5] for number in (0, 5)],
        *[b"SL000001" + record for part in far for trace in part for record in records(trace)],
        *[b"SL000001" + record for trace in other_rate for record in records(trace)],
    ]
    lies = [(lie, True) for lie in breaking] + [(lie, False) for lie in others]
    places = np.linspace(10, len(true) - 10, len(lies)).astype(int)
    lies = [(n, *lies[i]) for n, i in zip(places, rng.permutation(len(lies)), strict=True)]
    with SeedLinkServer(true, chunk=300, lies=lies) as server:
        picks, live = from_server(server, model, **LEVELS)
        assert not server.lies
    received = sum((obspy.read(io.BytesIO(r)) for r in true), obspy.Stream()).merge(-1)
    assert_same(picks, model.classify(received, **LEVELS).picks)
    assert live.counts["malformed packets"] >= 5
    assert live.counts["packets out of time"] >= 3
    assert live.ignored.keys() <= {trace.id for trace in stream}
    assert len(warnings_of().splitlines()) < 200


@pytest.mark.parametrize("number", [lambda place: 7, lambda place: 0xFFFFFF - place])
def test_numbers_that_repeat_or_decrease(number):
    model, stream = filtered_model(), integers(arrivals(5000))
    sent = in_order_of_time(stream)
    with SeedLinkServer(sent, number=number) as server:
        until = lambda live: live.counts["packets"] >= len(sent)  # noqa: E731
        picks, _ = from_server(server, model, until=until, **LEVELS)
    received = sum((obspy.read(io.BytesIO(r)) for r in sent), obspy.Stream()).merge(-1)
    # The last packets are there only once the picker is closed.
    expected = model.classify(received, **LEVELS).picks
    assert_same(picks, expected)


def test_a_server_that_closes_at_each_moment(warnings_of):
    model, stream = filtered_model(), integers(arrivals(5000))
    sent = in_order_of_time(stream)
    closes = ["HELLO", "INFO", "STATION", "SELECT", "DATA", "END"]
    with SeedLinkServer(sent, closes=closes, drops=[1, 2]) as server:
        picks, live = from_server(server, model, ["XX.ST*.00.HH?"], **LEVELS)
        assert not server.closes
    received = sum((obspy.read(io.BytesIO(r)) for r in sent), obspy.Stream()).merge(-1)
    assert_same(picks, model.classify(received, **LEVELS).picks)
    assert live.counts["connections lost or refused"] >= 5
    assert "closed the connection" in warnings_of()


def test_a_banner_without_end_is_given_up(warnings_of):
    with SeedLinkServer(in_order_of_time(integers(arrivals(500))), hello=None) as server:
        until = lambda live: live.counts["connections lost or refused"] >= 2  # noqa: E731
        from_server(server, spike_model(), until=until)
    assert "no data available" in warnings_of()


@pytest.mark.parametrize(
    "garbage",
    [
        bytes(520),
        np.random.default_rng(0).bytes(520),
        b"SLINFO  " + np.random.default_rng(1).bytes(512),
        b"SLINFO  " + bytes(512),
        b"ERROR\r\n" + bytes(600),
    ],
)
def test_an_answer_to_info_that_is_none(garbage, warnings_of):
    with SeedLinkServer(in_order_of_time(integers(arrivals(500))), garbage=garbage) as server:
        until = lambda live: live.counts["connections lost or refused"] >= 2  # noqa: E731
        from_server(server, spike_model(), ["XX.ST*..HH?"], until)
    assert "INFO STATIONS" in warnings_of()


def test_an_answer_that_trickles_is_given_up(monkeypatch):
    """A byte now and then is no reason to wait for ever."""
    monkeypatch.setattr(connection.Connection, "longest_negotiation", property(lambda self: 0.3))
    now = connection.Connection("a:1", {}, 1.0, 1.0, threading.Event(), Counter(), {})
    now.socket, now.negotiating = SimpleNamespace(recv=lambda size: b"x"), time.monotonic()
    with pytest.raises(SeedLinkException, match="takes too long"):
        while time.monotonic() < now.negotiating + 20:
            now.receive_data(520, "")


@pytest.mark.parametrize("silent", ["HELLO", "INFO", "STATION", "SELECT", "DATA"])
def test_a_server_that_does_not_answer(silent, warnings_of):
    with SeedLinkServer(in_order_of_time(integers(arrivals(500))), silent=silent) as server:
        source = SeedLink(server.address, ["XX.ST*..HH?"], reconnect=0.1, timeout=1)
        lost = lambda: source.counts["connections lost or refused"] >= 1  # noqa: E731
        run(Live(spike_model(), print), source, Until(lost))
    assert "SeedLink 127.0.0.1" in warnings_of()


def test_an_answer_without_end_is_given_up(monkeypatch, warnings_of):
    monkeypatch.setattr("seisbench_llm.live.connection.MAX_INFO_BYTES", 2000)
    with SeedLinkServer(in_order_of_time(integers(arrivals(500))), endless=True) as server:
        until = lambda live: live.counts["connections lost or refused"] >= 1  # noqa: E731
        from_server(server, spike_model(), ["XX.ST*..HH?"], until)
    assert "has no end" in warnings_of()


def test_the_largest_number_is_followed_by_one_that_a_server_knows():
    """Numbers have 24 bits: the one after the largest is 0, and not 0x1000000."""
    stream = integers(arrivals(4000))
    with SeedLinkServer(in_order_of_time(stream)) as server:
        source = SeedLink(server.address, ["XX.STA..HH?"], reconnect=0.1)
        source.resume({"XX.STA": 0xFFFFFF})
        asked = lambda: any(c.startswith("DATA") for c in server.commands)  # noqa: E731
        run(Live(spike_model(), print), source, Until(asked))
        assert f"DATA {LARGEST_NUMBER + 1:#x}" in server.commands
