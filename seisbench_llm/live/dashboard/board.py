"""Content of a dashboard. The picker's thread writes it, and other threads read it."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
import obspy

from ...stations import Stations
from ...trace_ids import TraceId
from ..messages import RepeatedWarnings
from ..picker import Live
from ..picks import LivePick
from .channels import ChannelRecord, Piece, coverage, drawn

# Limits of memory use, because a server can make up names without end.
MOST_CHANNELS = 6000
MOST_PICKS = 1000
MOST_SAMPLES = 50_000_000
MOST_BUCKETS = 2000
# Number of messages that may wait for a reader. A slower reader has to connect again.
MOST_UNREAD = 500
MOST_READERS = 16

KEPT_S = 300.0
BUCKET_S = 10.0
# Seconds before and after a pick.
AROUND = 10.0, 20.0
# Seconds of an instrument's newest data.
NEWEST_S = 60.0
# Largest delays in seconds of live and of late instruments. With a longer delay they are silent.
LIVE_S, LATE_S = 30.0, 300.0

# Upper limits in seconds of the classes in which latencies are counted.
LATENCY_STEPS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass
class Noted:
    """
    A pick, and its waveform once the final report is made.

    :param pick: Last report.
    :param first: First report.
    :param wall: Unix time of the last report.
    :param waveform: Pieces of data by channel.
    """

    pick: LivePick
    first: LivePick
    wall: float
    waveform: dict[str, list[Piece]] = field(default_factory=dict)

    def entries(self) -> dict:
        """Entries of the table of picks. Latencies are those of the first report."""
        pick = self.pick
        return {
            "id": pick.id,
            "status": pick.status,
            "trace_id": pick.trace_id,
            "phase": pick.phase,
            "time": str(pick.time),
            "timestamp": pick.time.timestamp,
            "probability": round(pick.probability, 3),
            "latency": round(self.first.latency, 3),
            "data_latency": round(self.first.data_latency, 3),
            "reported": round(self.wall, 3),
        }


class Board:
    """
    An observer of a picker that keeps the content of a dashboard.

    :param live: Picker, which is only read.
    :param stations: Stations with their locations, for the map.
    """

    def __init__(self, live: Live, stations: Stations | None = None):
        self.live, self.stations_known = live, stations
        self.started = time.time()
        self.channels: dict[str, dict[str, ChannelRecord]] = {}
        self._number_of_channels = 0
        self.seconds = KEPT_S
        self.noted: dict[str, Noted] = {}
        self.said: Counter[tuple[str, str]] = Counter()
        self.picks_of: Counter[str] = Counter()
        self.latencies: dict[str, list[float]] = {}
        # Unix time, latency and data latency of each report.
        self.reports: dict[str, deque[list[float]]] = {
            status: deque(maxlen=MOST_BUCKETS) for status in ("preliminary", "confirmed")
        }
        # (Unix time, median delay, largest delay) of packets for each interval of BUCKET_S.
        self.delays: deque[tuple[float, float, float]] = deque(maxlen=MOST_BUCKETS)
        self._bucket: tuple[float, list[float]] = (0.0, [])
        self._arrivals: deque[list[float]] = deque(maxlen=61)
        self._readers: list[queue.Queue] = []
        self._lock = threading.Lock()
        self._warnings = RepeatedWarnings()

    # In the picker's thread

    def packet(self, trace: obspy.Trace, wall: float, now: float) -> None:
        """See :py:class:`seisbench_llm.live.observer.Observer`."""
        try:
            with self._lock:
                self._note(trace, wall, now)
        except Exception as error:
            # Picking must continue after any error in the dashboard.
            self._warnings.warn(("packet",), f"The dashboard does not show {trace.id}: {error}")

    def _note(self, trace: obspy.Trace, wall: float, now: float) -> None:
        name, code = TraceId.of(trace).instrument_id, trace.stats.channel
        record = self.channels.get(name, {}).get(code)
        if record is None:
            if self._number_of_channels >= MOST_CHANNELS:
                return
            self._number_of_channels += 1
            record = self.channels.setdefault(name, {})[code] = ChannelRecord()
        if record.rate != trace.stats.sampling_rate:
            rates = [c.rate for of_one in self.channels.values() for c in of_one.values()]
            whole = sum(rates) + trace.stats.sampling_rate
            self.seconds = min(KEPT_S, MOST_SAMPLES / whole)
        record.add(trace, wall, self.seconds)
        bucket = wall // BUCKET_S * BUCKET_S
        if bucket != self._bucket[0]:
            since, delays = self._bucket
            if delays:
                middle, most = float(np.median(delays)), max(delays)
                self.delays.append((since, round(middle, 3), round(most, 3)))
            self._bucket = bucket, []
        self._bucket[1].append(now - record.end)
        second = float(int(wall))
        if not self._arrivals or self._arrivals[-1][0] != second:
            self._arrivals.append([second, 0])
        self._arrivals[-1][1] += 1

    def report(self, pick: LivePick) -> None:
        """See :py:class:`seisbench_llm.live.observer.Observer`."""
        try:
            with self._lock:
                self._note_pick(pick)
        except Exception as error:
            self._warnings.warn(("pick",), f"The dashboard does not show {pick.id}: {error}")

    def _note_pick(self, pick: LivePick) -> None:
        known = self.noted.pop(pick.id, None)
        noted = Noted(pick, pick if known is None else known.first, time.time())
        self.noted[pick.id] = noted
        if pick.status != "preliminary":
            noted.waveform = self._cut(pick.trace_id, *self._around(pick))
        self.said[pick.phase, pick.status] += 1
        self.picks_of[pick.trace_id] += known is None
        if pick.status != "rejected":
            row = [noted.wall, pick.latency, pick.data_latency]
            self.reports[pick.status].append([round(value, 3) for value in row])
            counts = self.latencies.setdefault(pick.status, [0.0] * (len(LATENCY_STEPS) + 2))
            counts[int(np.searchsorted(LATENCY_STEPS, pick.latency))] += 1
            counts[-1] += pick.latency
        while len(self.noted) > MOST_PICKS:
            self.noted.pop(next(iter(self.noted)))
        for reader in list(self._readers):
            try:
                reader.put_nowait(noted.entries())
            except queue.Full:
                self._readers.remove(reader)

    @staticmethod
    def _around(pick: LivePick) -> tuple[float, float]:
        return pick.time.timestamp - AROUND[0], pick.time.timestamp + AROUND[1]

    def _cut(self, name: str, start: float, end: float) -> dict[str, list[Piece]]:
        records = self.channels.get(name, {})
        return {code: record.cut(start, end) for code, record in sorted(records.items())}

    # In the threads of the server

    def subscribe(self) -> queue.Queue | None:
        """A queue of all later reports, or None if there are too many readers already."""
        with self._lock:
            if len(self._readers) >= MOST_READERS:
                return None
            reader: queue.Queue = queue.Queue(MOST_UNREAD)
            self._readers.append(reader)
            return reader

    def is_reading(self, reader: queue.Queue) -> bool:
        """Whether a reader still receives reports. A reader that is too slow does not."""
        return reader in self._readers

    def unsubscribe(self, reader: queue.Queue) -> None:
        """Send no more reports to a queue."""
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)

    def stations(self) -> list[dict]:
        """Instruments with their locations and the health of their data."""
        now = self.live.data_now()
        with self._lock:
            copied = {
                name: [(code, record.numbers(), list(record.pieces)) for code, record in x.items()]
                for name, x in self.channels.items()
            }
            picks = dict(self.picks_of)
        found = []
        for name, channels in sorted(copied.items()):
            entries: list[dict] = []
            for code, numbers, pieces in sorted(channels, key=lambda channel: channel[0]):
                complete, rate = coverage(pieces, numbers["end"])
                measured = {"complete": round(complete, 4), "samples_per_second": round(rate, 1)}
                entries.append({"channel": code, **numbers, **measured})
            delay = now - max(entry["end"] for entry in entries)
            found.append(
                {
                    "id": name,
                    **self._place(name, now),
                    "state": "live" if delay < LIVE_S else "late" if delay < LATE_S else "silent",
                    "delay": round(delay, 2),
                    "complete": min(entry["complete"] for entry in entries),
                    "gaps": sum(entry["gaps"] for entry in entries),
                    "late": sum(entry["late"] for entry in entries),
                    "samples_per_second": round(sum(e["samples_per_second"] for e in entries), 1),
                    "picks": picks.get(name, 0),
                    "channels": entries,
                }
            )
        return found

    def _place(self, name: str, now: float) -> dict:
        place = None
        if self.stations_known is not None:
            place = self.stations_known.find(name, obspy.UTCDateTime(now))
        if place is None:
            return {"latitude": None, "longitude": None}
        return {"latitude": place.latitude, "longitude": place.longitude}

    def picks(self) -> list[dict]:
        """The last report about each pick, newest report first."""
        with self._lock:
            noted = list(self.noted.values())
        return [entry.entries() for entry in reversed(noted)]

    def latency(self) -> dict:
        """
        Latency of picks and delay of packets over time.

        :return: Rows of (Unix time, median delay, largest delay) for packets, and of (Unix time,
            latency, data latency) for each status of picks.
        """
        with self._lock:
            reports = {status: list(rows) for status, rows in self.reports.items()}
            return {"packets": list(self.delays), **reports}

    def summary(self, waiting: int | None) -> dict:
        """
        Summary of the run in a few numbers.

        :param waiting: Number of packets that wait for the picker, None if it is unknown.
        """
        live, wall, now = self.live, time.time(), self.live.data_now()
        with self._lock:
            ends = [max(c.end for c in of_one.values()) for of_one in self.channels.values()]
            arrived = sum(number for since, number in self._arrivals if since > wall - 60)
            said = {f"{status} {phase}": n for (phase, status), n in sorted(self.said.items())}
            packets = sum(c.packets for x in self.channels.values() for c in x.values())
            readers = len(self._readers)
        delays = [now - end for end in ends]
        return {
            "weight": live.weight,
            "started": self.started,
            "wall": wall,
            "now": now,
            "instruments": len(ends),
            "live": sum(delay < LIVE_S for delay in delays),
            "late": sum(LIVE_S <= delay < LATE_S for delay in delays),
            "silent": sum(delay >= LATE_S for delay in delays),
            "packets": packets,
            "packets_per_second": round(arrived / max(1.0, min(60.0, wall - self.started)), 2),
            "waiting": waiting,
            "picks": said,
            "counts": dict(live.counts),
            "ignored": len(live.ignored),
            "readers": readers,
        }

    def waveform(self, name: str, highpass: float) -> dict | None:
        """
        The newest data of an instrument with its picks, or None if the instrument is unknown.

        :param highpass: Corner frequency in Hz, 0 for no filter.
        """
        with self._lock:
            records = self.channels.get(name)
            if records is None:
                return None
            end = max(record.end for record in records.values())
            pieces = self._cut(name, end - NEWEST_S, end)
        return self._figure(name, pieces, (end - NEWEST_S, end), highpass)

    def waveform_of_pick(self, pick_id: str, highpass: float) -> dict | None:
        """
        Data around a pick with all picks there, or None if the pick is no longer known.

        :param highpass: Corner frequency in Hz, 0 for no filter.
        """
        with self._lock:
            noted = self.noted.get(pick_id)
            if noted is None:
                return None
            pick, span = noted.pick, self._around(noted.pick)
            pieces = noted.waveform or self._cut(pick.trace_id, *span)
        return {"pick": noted.entries(), **self._figure(pick.trace_id, pieces, span, highpass)}

    def _figure(
        self, name: str, pieces: dict[str, list[Piece]], span: tuple[float, float], highpass: float
    ) -> dict:
        with self._lock:
            picks = [
                noted.entries()
                for noted in self.noted.values()
                if noted.pick.trace_id == name and span[0] <= noted.pick.time.timestamp <= span[1]
            ]
        channels = []
        for code, of_one in pieces.items():
            parts, peak = drawn(of_one, highpass)
            channels.append({"channel": code, "peak": peak, "parts": parts})
        return {
            "trace_id": name,
            "start": span[0],
            "end": span[1],
            "channels": channels,
            "picks": picks,
        }
