"""What a dashboard remembers of packets and picks."""

import time

import numpy as np
import obspy
import pytest

from seisbench_llm.live import Live
from seisbench_llm.live.dashboard import board as board_module
from seisbench_llm.live.dashboard.board import Board
from seisbench_llm.live.dashboard.channels import MOST_POINTS, ChannelRecord, coverage, drawn
from seisbench_llm.live.picks import LivePick
from seisbench_llm.stations import Stations
from tests.helpers.live_stub import START, fed, packets, spike_model, spikes


def trace(start, samples, rate=100.0, value=1.0, channel="HHZ", station="STA"):
    header = {"network": "XX", "station": station, "location": "00", "channel": channel}
    header |= {"starttime": START + start, "sampling_rate": rate}
    return obspy.Trace(np.full(samples, value), header)


def record_of(*traces, seconds=300):
    record = ChannelRecord()
    for number, one in enumerate(traces):
        record.add(one, 1000.0 + number, seconds)
    return record


def make_pick(at, status="preliminary", phase="P", name="XX.STA.00.HH", **kwargs):
    time_ = START + at
    entries = {"probability": 0.8, "weight": "tiny/1", "latency": 0.7, "data_latency": 3.0}
    return LivePick(f"{name}/{phase}/{time_}", status, name, phase, time_, **{**entries, **kwargs})


@pytest.fixture
def live():
    live = Live(spike_model(), lambda pick: None, weight="tiny/1")
    live.data_now = lambda: (START + 100).timestamp
    return live


def test_gaps_and_late_packets_are_counted():
    record = record_of(trace(0, 100), trace(1, 100), trace(3, 100), trace(2, 100), trace(4, 100))
    assert (record.gaps, record.late, record.packets, record.samples) == (1, 1, 5, 500)
    assert record.end == (START + 5).timestamp
    # The late one has filled the gap.
    complete, rate = coverage(list(record.pieces), record.end)
    assert complete == pytest.approx(1) and rate == pytest.approx(100)


def test_share_of_data():
    record = record_of(trace(0, 100), trace(0.5, 100), trace(3, 100))
    complete, rate = coverage(list(record.pieces), record.end)
    assert complete == pytest.approx(2.5 / 4) and rate == pytest.approx(300 / 4)
    assert coverage([], 0.0) == (0.0, 0.0)
    # One that lies within another, which goes on behind it.
    record = record_of(trace(0, 300), trace(1, 50), trace(3, 100))
    assert coverage(list(record.pieces), record.end)[0] == pytest.approx(1)
    record = record_of(trace(0, 300), trace(1, 50), trace(2, 50), trace(6, 100))
    assert coverage(list(record.pieces), record.end)[0] == pytest.approx(4 / 7)
    # Only what the last five minutes have.
    record = record_of(trace(0, 100), trace(400, 100), trace(401, 100), seconds=1000)
    assert coverage(list(record.pieces), record.end)[0] == pytest.approx(1)


def test_memory_is_bounded():
    record = record_of(*(trace(at, 100) for at in range(500)), seconds=60)
    assert len(record.pieces) == 60 or len(record.pieces) == 61
    assert record.packets == 500


def test_a_clock_that_was_years_ahead_is_forgiven():
    record = record_of(trace(0, 100), trace(1e8, 100), trace(1, 100))
    assert record.end == (START + 2).timestamp


def test_what_is_drawn_is_joined_and_normalised():
    first, second = trace(0, 100), trace(1, 100)
    first.data, second.data = np.arange(100.0), np.arange(100.0, 200.0)
    record = record_of(first, second, second, trace(5, 10))
    parts, peak = drawn(record.cut(0, np.inf), highpass=0)
    assert [len(part["values"]) for part in parts] == [200, 10]
    assert peak == pytest.approx(99.5) and max(parts[0]["values"]) == 1
    assert parts[0]["start"] == START.timestamp and parts[0]["step"] == pytest.approx(0.01)


def test_thinning_keeps_peaks_and_the_high_pass_removes_an_offset():
    rng = np.random.default_rng(0)
    one = trace(0, 60_000)
    one.data = 1000 + rng.standard_normal(60_000)
    one.data[31_234] = 1500
    parts, peak = drawn(record_of(one, seconds=1e4).cut(0, np.inf), highpass=1.0)
    values = parts[0]["values"]
    assert len(values) <= MOST_POINTS and 300 < peak < 600
    assert np.abs(values).max() == 1
    at = parts[0]["step"] * int(np.argmax(np.abs(values)))
    assert at == pytest.approx(312.34, abs=0.3)


@pytest.mark.parametrize("data", [[np.nan] * 50, [np.inf, 1, 2], np.zeros(50)])
def test_what_is_no_number_is_left_out(data):
    one = trace(0, 1)
    one.data = np.array(data)
    parts, peak = drawn(record_of(one).cut(0, np.inf), highpass=1.0)
    values = parts[0]["values"]
    assert len(values) == len(data) and np.isfinite(peak)
    assert (values[0] is None) == (not np.isfinite(data[0]))


def test_masked_samples_are_no_numbers():
    one = trace(0, 3)
    one.data = np.ma.masked_array(np.arange(3, dtype="int32"), [False, True, False])
    parts, _ = drawn(record_of(one).cut(0, np.inf), highpass=0)
    assert parts[0]["values"] == [-1, None, 1]


def test_stations_and_their_health(live):
    stations = Stations.read(board_stations())
    board = Board(live, stations)
    for at, station in ((99, "STA"), (50, "LATE"), (-1000, "OLD")):
        board.packet(trace(at, 100, station=station), 1000, live.data_now())
    rows = {row["id"].split(".")[1]: row for row in board.stations()}
    assert {name: row["state"] for name, row in rows.items()} == {
        "STA": "live",
        "LATE": "late",
        "OLD": "silent",
    }
    assert rows["STA"]["delay"] == 0 and rows["LATE"]["delay"] == 49
    assert rows["STA"]["latitude"] == 50 and rows["OLD"]["latitude"] is None
    assert rows["STA"]["channels"][0]["samples"] == 100


def board_stations():
    import pandas as pd

    table = {"id": ["XX.STA", "XX.LATE"], "latitude": [50.0, 51.0], "longitude": [10.0, 11.0]}
    return pd.DataFrame({**table, "elevation": 0.0})


def test_a_pick_is_one_row_whatever_is_said_of_it(live):
    board = Board(live)
    for at in range(60):
        board.packet(trace(at, 100), 1000, live.data_now())
    board.report(make_pick(40))
    board.report(make_pick(42, phase="S"))
    board.report(make_pick(40, "confirmed", data_latency=31.0))
    rows = board.picks()
    # A pick is as late as the first word on it.
    assert [row["data_latency"] for row in rows] == [3.0, 3.0]
    latency = board.latency()
    assert [row[2] for row in latency["preliminary"]] == [3.0, 3.0]
    assert [row[2] for row in latency["confirmed"]] == [31.0]
    assert [(row["phase"], row["status"]) for row in rows] == [
        ("P", "confirmed"),
        ("S", "preliminary"),
    ]
    assert board.picks_of["XX.STA.00.HH"] == 2
    figure = board.waveform_of_pick(rows[0]["id"], highpass=0)
    assert {pick["phase"] for pick in figure["picks"]} == {"P", "S"}
    assert figure["end"] - figure["start"] == 30
    assert sum(len(part["values"]) for part in figure["channels"][0]["parts"]) == 3000
    assert board.waveform_of_pick("nothing", 0) is None and board.waveform("nothing", 0) is None


def test_the_waveform_of_a_pick_outlasts_the_data(live, monkeypatch):
    monkeypatch.setattr(board_module, "KEPT_S", 60.0)
    board = Board(live)
    for at in range(400):
        board.packet(trace(at, 100), 1000, live.data_now())
        if at == 30:
            board.report(make_pick(20))
            board.report(make_pick(21, "confirmed"))
    old = board.waveform_of_pick(make_pick(20).id, 0)
    kept = board.waveform_of_pick(make_pick(21).id, 0)
    assert not old["channels"][0]["parts"] and len(kept["channels"][0]["parts"][0]["values"]) > 1900


def test_bounds_of_memory(live, monkeypatch):
    monkeypatch.setattr(board_module, "MOST_CHANNELS", 5)
    monkeypatch.setattr(board_module, "MOST_PICKS", 10)
    monkeypatch.setattr(board_module, "MOST_SAMPLES", 10_000)
    board = Board(live)
    for number in range(9):
        board.packet(trace(0, 100, station=f"S{number}"), 1000, 0)
        for at in range(9):
            board.report(make_pick(at, name=f"XX.S{number}.00.HH"))
    assert len(board.stations()) == 5 and len(board.picks()) == 10
    assert board.seconds == pytest.approx(10_000 / 500)


def test_nothing_that_is_wrong_reaches_the_picker(live, monkeypatch, caplog):
    board = Board(live)
    monkeypatch.setattr(board, "_note", lambda *args: 1 / 0)
    board.packet(trace(0, 100), 1000, 0)
    monkeypatch.setattr(board, "_note_pick", lambda *args: 1 / 0)
    board.report(make_pick(1))
    assert "The dashboard does not show XX.STA.00.HHZ" in caplog.text
    assert "does not show XX.STA.00.HH/P/" in caplog.text


def test_a_slow_reader_is_left_behind(live, monkeypatch):
    monkeypatch.setattr(board_module, "MOST_UNREAD", 3)
    board = Board(live)
    slow, quick = board.subscribe(), board.subscribe()
    for at in range(5):
        board.report(make_pick(at))
        quick.get_nowait()
    assert board.is_reading(quick) and not board.is_reading(slow)
    board.unsubscribe(slow)
    readers = [board.subscribe() for _ in range(40)]
    assert sum(reader is not None for reader in readers) == board_module.MOST_READERS - 1


def test_the_picker_tells_its_observers():
    seen, said = [], []

    class Observer:
        def packet(self, trace, wall, now):
            seen.append((trace.id, now))

        def report(self, pick):
            said.append(pick)

    stream = spikes(90, [50.0])
    live = Live(spike_model(), lambda pick: None)
    live.observers.append(Observer())
    live.data_now = lambda: 5.0
    for packet in packets(stream):
        live.feed(packet, clock=packet.stats.endtime.timestamp)
    live.feed(trace(0, 10, channel="LOG"), clock=0)
    live.close()
    assert len(seen) == 270 and set(seen) == {(t.id, 5.0) for t in stream}
    picks, _ = fed(packets(stream), spike_model())
    assert said and {p.status for p in said} <= {p.status for p in picks}


def test_noting_costs_little(live):
    board = Board(live)
    streams = [trace(at, 100) for at in range(1000)]
    begun = time.process_time()
    for one in streams:
        board.packet(one, 1000, 0)
    # A packet of a second costs a picker some milliseconds; this is some 0.03 ms.
    assert (time.process_time() - begun) / 1000 < 1e-3
