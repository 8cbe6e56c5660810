"""A live picker that is killed at any moment and started again reports what it would have."""

import io
import json
import threading
from pathlib import Path

import numpy as np
import obspy
import pytest

from seisbench_llm.live import (
    Live,
    LivePick,
    LiveSettings,
    LiveState,
    Replay,
    SeedLink,
    StateError,
    feed_from,
)
from seisbench_llm.live.state import read_arrays, write_arrays
from tests.helpers.live_stub import (
    LEVELS,
    START,
    DataClock,
    Until,
    arrivals,
    assert_same,
    filtered_model,
    integers,
)
from tests.helpers.seedlink_server import SeedLinkServer, end_of, in_order_of_time

HIGH = {"P_threshold": 0.75, "S_threshold": 0.75}


class Kill(BaseException):
    """Stands for SIGKILL: nothing is done after it."""


class ShakyState(LiveState):
    """
    Saves at random, and dies at random.

    :param life: Number of reports after which it dies; half a line of the next is written.
    :param often: How often it saves when asked.
    """

    def __init__(self, folder, rng, life=None, often=0.03):
        super().__init__(folder / "state.npz", folder / "picks.jsonl", every=0)
        self.rng, self.life, self.often = rng, life, often

    @property
    def due(self):
        return self.rng.random() < self.often

    def append(self, pick):
        if self.life is not None and self.life <= 0:
            if self.rng.random() < 0.7:
                with open(self.picks, "ab") as file:
                    file.write(pick.to_json().encode()[: self.rng.integers(1, 50)])
            raise Kill
        if self.life is not None:
            self.life -= 1
        super().append(pick)


def replayed(stream, folder, rng, life=None):
    """Whether the replay has come to its end."""
    with ShakyState(folder, rng, life) as state:
        live = Live(filtered_model(), state.append, LiveSettings(step=4), **HIGH)
        try:
            feed_from(live, Replay(stream, 0), threading.Event(), state=state)
        except Kill:
            return False
    return True


def reports(folder):
    """All lines but for what depends on the clock."""
    rows = [json.loads(line) for line in (folder / "picks.jsonl").read_text().splitlines()]
    for row in rows:
        del row["latency"]
    return rows


def with_troubles():
    """Two instruments, one with a gap, a jump of the clock, and a component that ends."""
    stream = arrivals(9000) + arrivals(9000, code="HN", seed=1)
    for trace in stream.select(channel="HN?"):
        later = trace.slice(START + 50).copy()
        later.stats.starttime += 500
        trace.trim(endtime=START + 46)
        stream.append(later)
    stream.select(channel="HHE")[0].trim(endtime=START + 70)
    return stream


def test_replay_that_is_killed_again_and_again(tmp_path):
    stream, rng = with_troubles(), np.random.default_rng(0)
    (tmp_path / "whole").mkdir()
    assert replayed(stream, tmp_path / "whole", rng)
    expected = reports(tmp_path / "whole")
    assert len({row["id"] for row in expected}) > 20
    kills = 0
    for series in range(1):
        folder = tmp_path / str(series)
        folder.mkdir()
        while not replayed(stream, folder, rng, int(rng.integers(0, 50))):
            kills += 1
        assert reports(folder) == expected
        # Once more, as a service that restarts what has ended.
        assert replayed(stream, folder, rng)
        assert reports(folder) == expected
    assert kills > 5


def test_seedlink_goes_on_after_the_last_packet_taken(tmp_path):
    model, stream = filtered_model(), integers(arrivals(10_000))
    records = in_order_of_time(stream)
    rng, ends = np.random.default_rng(0), []
    with SeedLinkServer(records) as server:
        for life in (6, 9, 4, None):
            source = DataClock(server.address, ["XX.*.00.HH?"], 0.2, 20)
            source.ends = [end_of(record).timestamp for record in records]
            with ShakyState(tmp_path, rng, life, often=0.2) as state:
                live = Live(model, state.append, LiveSettings(step=4), **LEVELS)
                last = Until(lambda source=source: source.number == len(records))
                try:
                    feed_from(live, source, last, state=state)
                except Kill:
                    ends.append(life)
        with ShakyState(tmp_path, rng) as state:
            # Nothing comes any more: what is open is decided.
            saved, said = state.load()
            last = Live(model, state.append, LiveSettings(step=4), **LEVELS)
            last.restore(saved, said, source.clock())
            last.close(source.clock())
        resumed = [c for c in server.commands if c.startswith("DATA 0x")]
    assert ends == [6, 9, 4] and resumed
    picks = [
        LivePick.from_json(line) for line in (tmp_path / "picks.jsonl").read_text().splitlines()
    ]
    assert len({(p.id, p.status) for p in picks}) == len(picks)
    first = {p.id for p in picks if p.status == "preliminary"}
    final = [p.id for p in picks if p.status != "preliminary"]
    assert first and first <= set(final) and len(set(final)) == len(final)
    received = sum((obspy.read(io.BytesIO(r)) for r in records), obspy.Stream()).merge(-1)
    assert_same(picks, model.classify(received, **LEVELS).picks)


TREE = {
    "a": [1, 2.5, None, True, "x", [np.arange(3), {"b": np.zeros((2, 0), np.float32)}]],
    "infinite": [-np.inf],
    "empty": {},
}


def test_arrays_are_read_as_written_and_damage_is_told(tmp_path):
    file = tmp_path / "state.npz"
    write_arrays(file, TREE)
    assert [f.name for f in tmp_path.iterdir()] == ["state.npz"]
    read = read_arrays(file)
    np.testing.assert_equal(read, TREE)
    assert read["a"][5][1]["b"].dtype == np.float32
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole)
        if rng.random() < 0.5:
            del damaged[int(rng.integers(0, len(damaged))) :]
        else:
            damaged[int(rng.integers(0, len(damaged)))] ^= 1 << int(rng.integers(0, 8))
        file.write_bytes(bytes(damaged))
        try:
            # A flipped bit may be one that does not matter, as of a time.
            np.testing.assert_equal(read_arrays(file), TREE)
        except StateError as error:
            assert "state.npz is damaged" in str(error)


def test_state_of_another_picker_or_source_is_refused(tmp_path):
    stream = arrivals(4000)

    def go_on(source=None, weight="", **kwargs):
        with LiveState(tmp_path / "state.npz", tmp_path / "picks.jsonl") as state:
            live = Live(filtered_model(), state.append, weight=weight, **kwargs)
            feed_from(live, source or Replay(stream, 0), threading.Event(), state=state)

    go_on()
    go_on()
    with pytest.raises(StateError, match="weight was"):
        go_on(weight="other/1")
    with pytest.raises(StateError, match="arguments was .* and is .*0.9"):
        go_on(P_threshold=0.9)
    with pytest.raises(StateError, match="belongs to a replay from .*, not to the SeedLink server"):
        go_on(SeedLink("localhost:18000", ["XX.*..HH?"]))
    with (
        pytest.raises(StateError, match="Another process"),
        LiveState(tmp_path / "state.npz", tmp_path / "picks.jsonl"),
    ):
        go_on()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_pick_that_cannot_be_written_ends_it(tmp_path):
    with LiveState(tmp_path / "state.npz", "/dev/full") as state:
        live = Live(filtered_model(), state.append, **LEVELS)
        with pytest.raises(OSError, match="No space left"):
            feed_from(live, Replay(arrivals(9000), 0), threading.Event(), state=state)


def test_a_state_that_cannot_be_written_is_told(tmp_path, warnings_of):
    with LiveState(tmp_path / "state.npz", tmp_path / "picks.jsonl") as state:
        (tmp_path / "state.npz").mkdir()
        state.save({"a": 1})
    assert "The state cannot be written" in warnings_of()
