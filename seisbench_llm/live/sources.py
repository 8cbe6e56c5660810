"""Where live data come from: a SeedLink server, or files played as if they came in now."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

import numpy as np
import obspy
import seisbench
from obspy.clients.seedlink.client.seedlinkconnection import SeedLinkConnection
from obspy.clients.seedlink.seedlinkexception import SeedLinkException
from obspy.clients.seedlink.slpacket import SLPacket

DATA_HEADER = re.compile(rb"SL[0-9A-Fa-f]{6}")


SELECT = re.compile(r"([A-Z0-9]{1,2})\.([A-Z0-9]{1,5})\.([A-Z0-9?]{0,2}|--)\.([A-Z0-9?*]{1,3})")


@dataclass(frozen=True)
class Packet:
    """
    A packet and its arrival.

    :param trace: Samples of one channel.
    :param wall: Unix time of its arrival.
    """

    trace: obspy.Trace
    wall: float


class Replay:
    """
    A stream, cut into packets that come at the times of their last samples.

    :param stream: Waveforms.
    :param speed: How much faster than it happened; 0 for as fast as possible.
    :param packet: Length of a packet in seconds.
    """

    def __init__(self, stream: obspy.Stream, speed: float = 1.0, packet: float = 1.0):
        if not 0 <= speed < float("inf") or not 0 < packet < float("inf"):
            raise ValueError(f"speed={speed} and packet={packet} must not be negative or zero.")
        self.speed, self.ended = speed, False
        parts = [_packets(part, packet) for trace in stream for part in trace.split()]
        self._packets = merge(*parts, key=lambda trace: trace.stats.endtime.ns)
        self._next = next(self._packets, None)
        self.ended = self._next is None
        self._first = self._next.stats.endtime if self._next else obspy.UTCDateTime(0)
        self._begun: float | None = None
        self._data_time = self._first.timestamp

    def get(self, timeout: float) -> Packet | None:
        """The next packet, or None if its time has not come within the timeout (seconds)."""
        if self._begun is None:
            self._begun = time.monotonic()
        end = self._next.stats.endtime
        if self.speed:
            wait = self._begun + (end - self._first) / self.speed - time.monotonic()
            if wait > 0:
                time.sleep(min(wait, timeout))
            if wait > timeout:
                return None
        packet, self._data_time = self._next, end.timestamp
        self._next = next(self._packets, None)
        self.ended = self._next is None
        return Packet(packet, time.time())

    def clock(self) -> float:
        """Time of the data, so that a replay gives the same at any speed."""
        return self._data_time

    data_now = clock

    def more(self) -> bool:
        """Whether another packet came at the same time."""
        return not self.ended and self._next.stats.endtime.timestamp <= self._data_time

    def received(self) -> Iterator[Packet]:
        """What has come before the end and was not taken: nothing."""
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


def _packets(trace: obspy.Trace, seconds: float) -> Iterator[obspy.Trace]:
    samples = max(1, round(seconds * trace.stats.sampling_rate))
    for at in range(0, trace.stats.npts, samples):
        header = {k: trace.stats[k] for k in ("network", "station", "location", "channel")}
        header["sampling_rate"] = trace.stats.sampling_rate
        header["starttime"] = trace.stats.starttime + at / trace.stats.sampling_rate
        yield obspy.Trace(np.ascontiguousarray(trace.data[at : at + samples]), header)


class SeedLink:
    """
    Packets of a SeedLink server, received in a thread; connects again whenever it must.

    :param server: HOST:PORT, the port 18000 by default.
    :param selections: NET.STA.LOC.CH each; ``?`` stands for any character of LOC and CH.
    :param reconnect: Seconds between attempts to connect.
    :param timeout: Seconds without any word of the server, data or keep-alive, after which the
        connection counts as lost.
    :param counts: Counter for connections and malformed packets.
    :raises ValueError: If the address or a selection cannot be understood.
    """

    def __init__(
        self,
        server: str,
        selections: list[str],
        reconnect: float = 5.0,
        timeout: float = 60.0,
        counts: Counter | None = None,
    ):
        host, _, port = server.removeprefix("seedlink://").rpartition(":")
        host, port = (host, port) if host else (port, "18000")
        if not host or ":" in host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"'{server}' is no SeedLink server: give HOST:PORT.")
        self.server, self.reconnect, self.timeout = f"{host}:{port}", reconnect, timeout
        self.stations = parse_selections(selections)
        self.counts = Counter() if counts is None else counts
        self.ended = False
        self._stop = threading.Event()
        # Bounded: when the picker cannot keep up, the server's own ring holds the data.
        self._queue: queue.Queue[Packet] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._receive, name="seedlink", daemon=True)
        self._thread.start()

    def get(self, timeout: float) -> Packet | None:
        """The next packet, or None if there is none within the timeout (seconds)."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def clock(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def data_now(self) -> float:
        """Unix time."""
        return time.time()

    def more(self) -> bool:
        """Whether another packet has come already."""
        return not self._queue.empty()

    def received(self) -> Iterator[Packet]:
        """What has come before the end and was not taken."""
        while (packet := self.get(timeout=0.001)) is not None:
            yield packet

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _receive(self) -> None:
        # One object for all connections, as it knows the sequence numbers to resume from.
        connection = _Connection(self.server, self)
        for (network, station), selectors in self.stations.items():
            connection.add_stream(network, station, " ".join(selectors), -1, None)
        told = ""
        while not self._stop.is_set():
            try:
                packet = connection.collect()
                if not isinstance(packet, SLPacket):
                    raise ConnectionError("the server ended the connection")
                if packet.get_type() not in (SLPacket.TYPE_SLINF, SLPacket.TYPE_SLINFT):
                    self._put(Packet(packet.get_trace(), time.time()))
            except Exception as error:
                # Whatever goes wrong with a server, a running observatory must try again.
                if self._stop.is_set():
                    break
                self.counts["connections lost or refused"] += 1
                # Once, not every few seconds of a night without a network.
                if str(error) != told or connection.up:
                    seisbench.logger.warning(
                        f"SeedLink {self.server}: {error}; connecting again every "
                        f"{self.reconnect:g} s"
                    )
                told, connection.up = str(error), False
                connection.disconnect()
                self._stop.wait(self.reconnect)
        connection.disconnect()

    def _put(self, packet: Packet) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(packet, timeout=0.5)
            except queue.Full:
                continue


def parse_selections(selections: list[str]) -> dict[tuple[str, str], list[str]]:
    """
    Selections by station, as SeedLink has them.

    >>> parse_selections(["XX.ABC.00.HH?", "XX.ABC..EHZ"])
    {('XX', 'ABC'): ['00HH?', 'EHZ']}

    :param selections: NET.STA.LOC.CH each.
    :raises ValueError: If one of them is not of that form.
    """
    stations: dict[tuple[str, str], list[str]] = {}
    for text in selections:
        match = SELECT.fullmatch(text.upper())
        if match is None:
            raise ValueError(
                f"'{text}' selects nothing: give NET.STA.LOC.CH, as XX.ABC.00.HH? or XX.ABC..EH? "
                f"(SeedLink knows wildcards only for location and channel)."
            )
        network, station, location, channel = match.groups()
        channel = "???" if channel == "*" else channel.replace("*", "?").ljust(3, "?")
        selector = location + channel
        stations.setdefault((network, station), []).append(selector)
    if not stations:
        raise ValueError("Nothing is selected: give at least one NET.STA.LOC.CH.")
    return stations


class _Connection(SeedLinkConnection):
    """
    ObsPy's connection without its traps (see docs/live.md), which all come from two things.

    It takes a closed socket for one without news and looks again for ``netto`` seconds; and it
    waits for data for as long, during which it neither sends keep-alives nor can be stopped.
    """

    def __init__(self, server: str, source: SeedLink):
        super().__init__()
        self.set_sl_address(server)
        self.stop, self.counts = source._stop, source.counts
        self.netto, self.keepalive = source.timeout, source.timeout / 3
        self.netdly = source.reconnect
        self.negotiating, self.up = 0.0, False

    def connect(self):
        self.negotiating = time.monotonic()
        # Only here: in collect, it would be the time after which a good connection is given up.
        self.timeout = min(10.0, self.netto)
        try:
            super().connect()
        finally:
            self.timeout = None
        # After an empty read collect sleeps for 0.5 s: long enough that this adds little latency.
        self.socket.settimeout(2.0)

    def config_link(self):
        try:
            super().config_link()
        except Exception as error:
            # collect would log it for developers, and try again on its own.
            self.counts["connections lost or refused"] += 1
            seisbench.logger.warning(f"SeedLink {self.sladdr}: no data to be had: {error}")
            raise
        self.negotiating, self.up = 0.0, True
        self.counts["connections"] += 1
        seisbench.logger.info(f"SeedLink {self.sladdr}: connected, {len(self.streams)} stations")

    def receive_data(self, maxbytes, code):
        if self.stop.is_set():
            raise SeedLinkException("stopped")
        try:
            data = self.socket.recv(maxbytes)
        except TimeoutError:
            if self.negotiating and time.monotonic() - self.negotiating > min(30, self.netto):
                raise SeedLinkException("no answer to a command") from None
            return b""
        if not data:
            # Not an OSError, which collect would take for a reason to wait.
            raise SeedLinkException("the server closed the connection")
        return data

    def collect(self):
        # Without this, collect waits in a loop of its own that cannot be stopped.
        if self.stop.is_set():
            return SLPacket.SLTERMINATE
        return super().collect()

    def update_stream(self, slpacket):
        if not DATA_HEADER.fullmatch(bytes(slpacket.slhead)):
            # ObsPy would print to standard output, and stay out of step for ever.
            raise ConnectionError(f"no packet starts with {bytes(slpacket.slhead)!r}")
        try:
            super().update_stream(slpacket)
        except SeedLinkException as error:
            self.counts["malformed packets"] += 1
            codes = bytes(slpacket.msrecord[8:20]).decode("ascii", "replace")
            seisbench.logger.warning(
                f"SeedLink {self.sladdr}: packet {bytes(slpacket.slhead).decode()} "
                f"(header '{codes}') is malformed and left out: {error.value}"
            )
            raise
