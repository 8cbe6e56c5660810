"""The dashboard by HTTP, and what clients may do to it."""

import http.client
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from seisbench_llm.live import Live, Replay, feed_from
from seisbench_llm.live.dashboard import Dashboard, server
from seisbench_llm.live.dashboard import board as board_module
from seisbench_llm.live.dashboard.metrics import metrics
from tests.helpers.live_stub import of, spike_model, spikes
from tests.live.dashboard.test_board import board_stations, make_pick, trace

SECURE = ("Content-Security-Policy", "X-Content-Type-Options")


@pytest.fixture(scope="module")
def shown():
    """A picker with its dashboard, after a replay."""
    said = []
    live = Live(spike_model(), said.append, weight="tiny/1")
    source = Replay(spikes(120, [50.0, 90.0], [54.0]), 0)
    with Dashboard(live, stations=board_stations(), source=source) as dashboard:
        feed_from(live, source, threading.Event())
        yield dashboard, said


@pytest.fixture
def empty():
    live = Live(spike_model(), lambda pick: None)
    with Dashboard(live) as dashboard:
        yield dashboard


def get(dashboard, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def get_json(dashboard, path):
    answer, body = get(dashboard, path)
    assert answer.status == 200, body
    return json.loads(body)


def test_picks_are_those_that_were_reported(shown):
    dashboard, said = shown
    rows = get_json(dashboard, "/api/picks")
    last = {pick.id: pick for pick in said}
    assert len(last) == 3 and {row["id"]: row["status"] for row in rows} == {
        pick.id: pick.status for pick in last.values()
    }
    about = get_json(dashboard, "/api/summary")
    assert about["picks"]["confirmed P"] == len(
        [p for p in of(said, "confirmed") if p.phase == "P"]
    )
    assert about["instruments"] == about["live"] == 1 and about["packets"] == 360
    assert about["source"].startswith("a replay from") and about["weight"] == "tiny/1"
    latency = get_json(dashboard, "/api/latency")
    for status in ("preliminary", "confirmed"):
        assert len(latency[status]) == len(of(said, status)) == 3


def test_stations(shown):
    (row,) = get_json(shown[0], "/api/stations")
    assert row["id"] == "XX.STA.00.HH" and row["latitude"] == 50 and row["complete"] == 1
    assert [channel["channel"] for channel in row["channels"]] == ["HHE", "HHN", "HHZ"]


def test_waveforms(shown):
    dashboard, said = shown
    pick = next(p for p in said if p.phase == "S")
    path = f"/api/waveform?{urllib.parse.urlencode({'pick': pick.id, 'highpass': 0})}"
    figure = get_json(dashboard, path)
    assert figure["pick"]["id"] == pick.id and {p["phase"] for p in figure["picks"]} == {"P", "S"}
    of_east = next(c for c in figure["channels"] if c["channel"] == "HHE")
    (part,) = of_east["parts"]
    # The pulse is at 54 s, and the figure begins ten seconds before.
    at = part["start"] + part["step"] * part["values"].index(max(part["values"]))
    assert at == pytest.approx(pick.time.timestamp, abs=0.02)
    newest = get_json(dashboard, "/api/waveform?trace_id=XX.STA.00.HH")
    assert newest["end"] - newest["start"] == 60 and len(newest["picks"]) == 1
    for query, status in (
        ("", 400),
        ("?pick=a&highpass=x", 400),
        ("?pick=a&highpass=nan", 400),
        ("?pick=a", 404),
        ("?trace_id=XX.A..HH", 404),
    ):
        answer, body = get(dashboard, f"/api/waveform{query}")
        assert answer.status == status and json.loads(body)["error"]


def test_pages_come_from_here_alone(shown):
    dashboard, _ = shown
    answer, page = get(dashboard, "/")
    assert answer.status == 200 and "script-src 'self'" in answer.headers[SECURE[0]]
    assert not re.search(rb"https?://", page)
    for name in re.findall(r'(?:src|href)="([^"#:]+)"', page.decode()):
        answer, body = get(dashboard, f"/{name}")
        assert answer.status == 200 and body, name
        assert answer.headers["Content-Type"].startswith(("text/css", "text/javascript"))


def test_only_get_and_only_known_paths(shown):
    dashboard, _ = shown
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        answer, _ = get(dashboard, "/api/picks", method)
        assert answer.status == 405 and answer.headers["Allow"] == "GET"
    for path in ("/nothing", "/../setup.cfg", "/page/../../picker.py", "/api", "//evil/api/picks"):
        answer, body = get(dashboard, path)
        assert answer.status == 404 and b"Traceback" not in body
    assert get(dashboard, "/[")[0].status in (400, 404)


def test_pages_of_others_cannot_read_it_by_a_name_of_theirs(shown):
    dashboard, _ = shown
    assert get(dashboard, "/api/picks", Host="evil.example")[0].status == 403
    for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
        assert get(dashboard, "/api/picks", Host=host)[0].status == 200


class Events:
    """Reads a stream of events."""

    def __init__(self, dashboard):
        url = f"{dashboard.url}api/events"
        self.answer = urllib.request.urlopen(url, timeout=60)

    def next(self):
        while line := self.answer.readline().decode():
            if line.startswith("event: ") and line != "event: tick\n":
                return line[7:].strip(), json.loads(self.answer.readline().decode()[6:])
        return None


def test_events_tell_of_picks_at_once(empty):
    events = Events(empty)
    assert events.next() == ("hello", {})
    empty.board.report(make_pick(3))
    name, pick = events.next()
    assert name == "pick" and pick == empty.board.picks()[0]
    empty.close()
    assert events.next() is None


def test_readers_that_are_too_many_or_too_slow(empty, monkeypatch):
    monkeypatch.setattr(board_module, "MOST_READERS", 2)
    readers = [Events(empty) for _ in range(2)]
    for reader in readers:
        reader.next()
    with pytest.raises(urllib.error.HTTPError, match="503"):
        Events(empty)
    # One that has gone makes room, once something was to be said.
    readers[0].answer.close()
    begun = time.monotonic()
    while empty.board.summary(None)["readers"] == 2:
        empty.board.report(make_pick(1))
        assert time.monotonic() - begun < 60
        time.sleep(0.1)
    Events(empty).next()


def test_silent_clients_are_hung_up_on_and_others_are_answered(empty, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_S", 0.5)
    silent = [socket.create_connection(("127.0.0.1", empty.port)) for _ in range(20)]
    silent[0].sendall(b"GET / HTTP/1.0\r\nHost: lo")
    assert get_json(empty, "/api/picks") == []
    begun = time.monotonic()
    for one in silent:
        one.settimeout(60)
        assert one.recv(10) == b""
    # Far less than the time that a handler would wait.
    assert time.monotonic() - begun < server.Handler.timeout - 10


def test_too_many_connections_are_refused_and_then_there_is_room_again(empty):
    held = [
        socket.create_connection(("127.0.0.1", empty.port))
        for _ in range(server.MOST_CONNECTIONS + 5)
    ]
    held[-1].settimeout(60)
    assert held[-1].recv(100).startswith(b"HTTP/1.0 503")
    for one in held:
        one.close()
    begun = time.monotonic()
    while True:
        try:
            assert get_json(empty, "/api/picks") == []
            break
        except (AssertionError, OSError, http.client.HTTPException):
            assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"GET " + b"a" * 100_000 + b" HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n",
        b"GET /api/waveform?pick=%ff%00&pick=\xff HTTP/1.0\r\nHost: [\r\n\r\n",
    ],
)
def test_what_is_no_request_does_no_harm(empty, sent, capfd):
    with socket.create_connection(("127.0.0.1", empty.port)) as one:
        one.settimeout(60)
        try:
            one.sendall(sent)
            one.shutdown(socket.SHUT_WR)
            while one.recv(10_000):
                pass
        except OSError:
            pass
    assert get_json(empty, "/api/picks") == []
    assert "Traceback" not in capfd.readouterr().err


def test_picking_does_not_wait_for_readers_that_do_not_read(empty):
    """Twenty who ask for all and take nothing."""
    held = []
    for number in range(20):
        one = socket.create_connection(("127.0.0.1", empty.port))
        path = "plotly.js" if number % 2 else "api/events"
        one.sendall(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        held.append(one)
    time.sleep(0.5)
    begun = time.process_time()
    for at in range(300):
        empty.live.feed(trace(at, 100), clock=at)
        empty.board.report(make_pick(at))
    assert time.process_time() - begun < 20
    assert len(get_json(empty, "/api/picks")) == 300
    for one in held:
        one.close()


def test_a_fault_of_ours_is_an_answer(empty, monkeypatch):
    monkeypatch.setattr(empty.board, "picks", lambda: 1 / 0)
    answer, body = get(empty, "/api/picks")
    assert answer.status == 500 and b"ZeroDivisionError" in body and b"Traceback" not in body


def test_an_answer_is_made_once_a_second_however_many_ask():
    made = []
    once = server.Once(lambda: made.append(1) or server.as_json([]))
    answers = [once({}) for _ in range(50)]
    assert len(answers) == 50 and len(made) == 1


def test_it_ends_with_the_block():
    live = Live(spike_model(), lambda pick: None)
    with Dashboard(live) as dashboard:
        assert live.observers == [dashboard.board]
        assert get(dashboard, "/")[0].status == 200
        other = Dashboard(live, dashboard.port)
        with pytest.raises(OSError, match=f"cannot use port {dashboard.port} of 127.0.0.1"):
            other.open()
    assert live.observers == []
    with pytest.raises(OSError):
        get(dashboard, "/")
    with pytest.raises(ValueError, match="port=-1"):
        Dashboard(live, -1)


def test_others_are_warned_of(caplog):
    live = Live(spike_model(), lambda pick: None)
    with Dashboard(live, host="0.0.0.0") as dashboard:
        assert get(dashboard, "/api/picks", Host="observatory.example")[0].status == 200
    assert "whoever reaches this machine can read it" in caplog.text


# https://prometheus.io/docs/instrumenting/exposition_formats
LINE = re.compile(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? ([0-9.e+-]+|NaN)')


def read_metrics(text):
    """Metric -> labels -> value, checking the format."""
    found, kinds = {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split()
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            name, labels, value = LINE.fullmatch(line).groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if name not in kinds else name
            assert base in kinds
            assert (labels or "") not in found.setdefault(name, {}), "twice"
            found[name][labels or ""] = float(value)
    return found


def test_metrics(shown):
    dashboard, said = shown
    answer, body = get(dashboard, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = read_metrics(body.decode())
    name = "seisbench_llm_live_"
    channel = '{trace_id="XX.STA.00.HH",channel="HHZ"}'
    assert found[f"{name}packets_total"][channel] == 120
    assert found[f"{name}samples_total"][channel] == 12_000
    assert found[f"{name}picks_total"]['{phase="P",status="confirmed"}'] == 2
    assert found[f"{name}delay_seconds"]['{trace_id="XX.STA.00.HH"}'] < 1
    confirmed = len(of(said, "confirmed"))
    assert found[f"{name}pick_latency_seconds_count"]['{status="confirmed"}'] == confirmed
    buckets = list(found[f"{name}pick_latency_seconds_bucket"].values())
    assert max(buckets) == len([p for p in said if p.status == "confirmed"])
    total = sum(p.latency for p in of(said, "confirmed"))
    assert found[f"{name}pick_latency_seconds_sum"]['{status="confirmed"}'] == pytest.approx(total)


def test_metrics_of_hostile_names_and_of_the_queue():
    live = Live(spike_model(), lambda pick: None, weight='a"b\\c\nd')
    dashboard = Dashboard(live)
    dashboard.board.packet(trace(0, 10, station='"}\n'), 0, 0)
    found = read_metrics(metrics(dashboard.board, waiting=7))
    assert found["seisbench_llm_live_queue_packets"] == {"": 7}
    assert list(found["seisbench_llm_live_info"]) == ['{weight="a\\"b\\\\c\\nd"}']
