"""SeedLink servers as sources of live data."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator

import seisbench
from obspy.clients.seedlink.slpacket import SLPacket

from ..trace_ids import TraceId
from .connection import Connection
from .selections import is_selected, parse_selections
from .sources import Packet

# Channels that were not selected are named once, up to this number of channels.
MAX_STRANGERS_NAMED = 100


class SeedLink:
    """
    Packets of a SeedLink server, received in a thread that reconnects when necessary.

    :param server: HOST:PORT, the port 18000 by default.
    :param selections: NET.STA.LOC.CH each, with ``?`` and ``*``, see also
        :py:func:`seisbench_llm.live.selections.selections_of_streams`. With each new connection,
        the server is asked for its stations.
    :param reconnect: Seconds between attempts to connect.
    :param timeout: Seconds without data or keep-alive from the server after which the connection
        counts as lost.
    :param counts: Counter for connections and malformed packets.
    :raises ValueError: If the address or a selection is invalid.
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
            raise ValueError(f"'{server}' is not the address of a SeedLink server. Pass HOST:PORT.")
        self.server, self.reconnect, self.timeout = f"{host}:{port}", reconnect, timeout
        self.name = f"the SeedLink server {self.server}"
        self.stations = parse_selections(selections)
        self.counts = Counter() if counts is None else counts
        self.ended = False
        self._positions: dict[str, int] = {}
        self._strangers: set[str] = set()
        self._stop = threading.Event()
        # Packets with the monotonic times of their arrival. Bounded: when the picker cannot keep
        # up, the server's own ring holds the data.
        self._queue: queue.Queue[tuple[float, Packet]] = queue.Queue(maxsize=10_000)
        self._clock = -math.inf
        self._thread = threading.Thread(target=self._receive, name="seedlink", daemon=True)

    def resume(self, positions: dict[str, int]) -> None:
        """Begin after the packets that were taken before a restart. It has to be called first."""
        self._positions = dict(positions)

    def get(self, timeout: float) -> Packet | None:
        """The next packet, or None if there is none within the timeout (seconds)."""
        if self._thread.ident is None and not self._stop.is_set():
            self._thread.start()
        try:
            arrived, packet = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        self._clock = max(self._clock, arrived)
        return packet

    def clock(self) -> float:
        """
        Monotonic time up to which all packets that arrived have been taken.

        While packets wait here, it is the arrival time of the last packet that was taken. A slow
        picker must not give up data that arrived in time.
        """
        now = time.monotonic()
        if self._queue.empty():
            self._clock = max(self._clock, now)
        return self._clock

    def data_now(self) -> float:
        """Unix time."""
        return time.time()

    def more(self) -> bool:
        """Whether another packet has come already."""
        return not self._queue.empty()

    def waiting(self) -> int:
        """Number of packets that have arrived and were not taken."""
        return self._queue.qsize()

    def received(self) -> Iterator[Packet]:
        """Packets that arrived before the end and were not taken."""
        while (packet := self.get(timeout=0.001)) is not None:
            yield packet

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _receive(self) -> None:
        # One object serves all connections, because it knows the sequence numbers from which to
        # resume.
        connection = Connection(
            self.server,
            self.stations,
            self.reconnect,
            self.timeout,
            self._stop,
            self.counts,
            self._positions,
        )
        told = ""
        while not self._stop.is_set():
            try:
                packet = connection.collect()
                if not isinstance(packet, SLPacket):
                    raise ConnectionError("the server ended the connection")
                if packet is connection.malformed:
                    continue
                if packet.get_type() not in (SLPacket.TYPE_SLINF, SLPacket.TYPE_SLINFT):
                    self._hand_on(packet)
            except Exception as error:
                # A running observatory must try again, whatever goes wrong with a server.
                if self._stop.is_set():
                    break
                self.counts["connections lost or refused"] += 1
                # Warn once instead of every few seconds of a night without a network.
                if str(error) != told or connection.up:
                    text = f"SeedLink {self.server}: {error}; connecting again every"
                    connection.warnings.warn((str(error)[:24],), f"{text} {self.reconnect:g} s")
                told, connection.up = str(error), False
                connection.disconnect()
                self._stop.wait(self.reconnect)
        connection.disconnect()

    def _hand_on(self, packet: SLPacket) -> None:
        trace = packet.get_trace()
        if not is_selected(trace, self.stations):
            self.counts["packets not selected"] += 1
            if trace.id not in self._strangers and len(self._strangers) < MAX_STRANGERS_NAMED:
                self._strangers.add(trace.id)
                seisbench.logger.warning(
                    f"SeedLink {self.server}: {trace.id} is ignored: it was not selected."
                )
            return
        station = TraceId.of(trace).station_id
        self._put(Packet(trace, time.time(), station, packet.get_sequence_number()))

    def _put(self, packet: Packet) -> None:
        entry = time.monotonic(), packet
        while not self._stop.is_set():
            try:
                self._queue.put(entry, timeout=0.5)
                return
            except queue.Full:
                continue
