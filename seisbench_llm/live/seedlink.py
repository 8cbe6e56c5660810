"""SeedLink servers as sources of live data."""

from __future__ import annotations

import math
import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from xml.etree import ElementTree

import obspy
import seisbench
from obspy.clients.seedlink.client.seedlinkconnection import SeedLinkConnection
from obspy.clients.seedlink.seedlinkexception import SeedLinkException
from obspy.clients.seedlink.slpacket import SLPacket

from ..trace_ids import TraceId
from .sources import Packet

DATA_HEADER = re.compile(rb"SL[0-9A-Fa-f]{6}")


SELECTION = re.compile(
    r"([A-Z0-9?*]{1,2})\.([A-Z0-9?*]{1,5})\.([A-Z0-9?]{0,2}|--|\*)\.([A-Z0-9?*]{1,3})"
)

CODE = re.compile(r"[A-Z0-9]{1,5}")

# Of an answer to INFO STATIONS; a server with 10,000 stations sends some 2 MB.
MAX_INFO_BYTES = 20_000_000

# Packets that are none of the selected channels are named once, and no more than so many channels.
MAX_STRANGERS_NAMED = 100


class SeedLink:
    """
    Packets of a SeedLink server, received in a thread; connects again whenever it must.

    :param server: HOST:PORT, the port 18000 by default.
    :param selections: NET.STA.LOC.CH each, with ``?`` and ``*``. Which stations match is asked of
        the server, with each new connection.
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
        """Begin with the packets after those taken before a restart; to be called first."""
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
        Monotonic time up to which all that arrived has been taken.

        While packets wait here, it is the time at which the last one taken arrived: a picker that
        cannot keep up must not give up late data that arrived in time.
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

    def received(self) -> Iterator[Packet]:
        """What has come before the end and was not taken."""
        while (packet := self.get(timeout=0.001)) is not None:
            yield packet

    def close(self) -> None:
        """Disconnect."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _receive(self) -> None:
        # One object for all connections, as it knows the sequence numbers to resume from.
        connection = _Connection(self)
        told = ""
        while not self._stop.is_set():
            try:
                packet = connection.collect()
                if not isinstance(packet, SLPacket):
                    raise ConnectionError("the server ended the connection")
                if packet.get_type() not in (SLPacket.TYPE_SLINF, SLPacket.TYPE_SLINFT):
                    self._hand_on(packet)
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

    def _hand_on(self, packet: SLPacket) -> None:
        trace = packet.get_trace()
        if not is_selected(trace, self.stations):
            self.counts["packets not selected"] += 1
            if trace.id not in self._strangers and len(self._strangers) < MAX_STRANGERS_NAMED:
                self._strangers.add(trace.id)
                seisbench.logger.warning(
                    f"SeedLink {self.server}: {trace.id} is ignored: it was not asked for."
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


def parse_selections(selections: list[str]) -> dict[tuple[str, str], list[str]]:
    """
    Selections by station, as SeedLink has them.

    >>> parse_selections(["XX.ABC.00.HH?", "XX.ABC..EHZ", "X?.*..HH?"])
    {('XX', 'ABC'): ['00HH?', 'EHZ'], ('X?', '*'): ['HH?']}

    :param selections: NET.STA.LOC.CH each.
    :raises ValueError: If one of them is not of that form.
    """
    stations: dict[tuple[str, str], list[str]] = {}
    for text in selections:
        match = SELECTION.fullmatch(text.upper())
        if match is None:
            raise ValueError(
                f"'{text}' selects nothing: give NET.STA.LOC.CH, as XX.ABC.00.HH?, XX.ABC..EH? or "
                f"XX.*.*.HH?."
            )
        network, station, location, channel = match.groups()
        location = "" if location == "*" else location
        channel = "???" if channel == "*" else channel.replace("*", "?").ljust(3, "?")
        stations.setdefault((network, station), []).append(location + channel)
    if not stations:
        raise ValueError("Nothing is selected: give at least one NET.STA.LOC.CH.")
    return stations


def has_wildcard(text: str) -> bool:
    """Whether a code stands for several."""
    return "?" in text or "*" in text


def is_selected(trace: obspy.Trace, stations: dict[tuple[str, str], list[str]]) -> bool:
    """Whether a trace is of the stations and selectors of :py:func:`parse_selections`."""
    stats = trace.stats
    stream = stats.location.ljust(2) + stats.channel
    return any(
        fnmatchcase(stats.network, network)
        and fnmatchcase(stats.station, station)
        and any(fnmatchcase(stream, s.replace("-", " ").rjust(5, "?")) for s in selectors)
        for (network, station), selectors in stations.items()
    )


def stations_of(text: bytes) -> set[tuple[str, str]]:
    """
    Networks and stations in an answer to INFO STATIONS.

    :raises SeedLinkException: If it is none.
    """
    text = text.strip(b"\0 \r\n")
    try:
        # Entities are the way to blow up an XML parser; SeedLink has none.
        root = None if b"<!" in text else ElementTree.fromstring(text)
    except ElementTree.ParseError:
        root = None
    if root is None:
        raise SeedLinkException("the answer to INFO STATIONS cannot be understood")
    stations = {(tag.get("network"), tag.get("name")) for tag in root.iter("station")}
    return {place for place in stations if all(map(CODE.fullmatch, map(str, place)))}


class _Connection(SeedLinkConnection):
    """
    ObsPy's connection without its traps (see docs/how-to/live.md), which all come from two things.

    It takes a closed socket for one without news and looks again for ``netto`` seconds; and it
    waits for data for as long, during which it neither sends keep-alives nor can be stopped.
    """

    def __init__(self, source: SeedLink):
        super().__init__()
        self.set_sl_address(source.server)
        self.stop, self.counts = source._stop, source.counts
        self.netto, self.keepalive = source.timeout, source.timeout / 3
        self.netdly = source.reconnect
        self.negotiating, self.up = 0.0, False
        self.positions, self.wildcards = source._positions, {}
        self.accepted: set[tuple[str, str]] = set()
        self.matched: set[tuple[str, str]] = set()
        self.missing: set[tuple[str, str]] = set()
        for (network, station), selectors in source.stations.items():
            if has_wildcard(network) or has_wildcard(station):
                self.wildcards[network, station] = selectors
            else:
                self._add(network, station, selectors)

    def check_slcd(self):
        return bool(self.wildcards) or super().check_slcd()

    def _add(self, network: str, station: str, selectors: list[str]) -> None:
        number = self.positions.get(f"{network}.{station}", -1)
        self.add_stream(network, station, " ".join(selectors), number, None)

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
            if self.wildcards:
                self._resolve(self._stations())
            if not self.streams:
                raise SeedLinkException("the server has none of the stations selected")
            self.accepted.clear()
            super().config_link()
        except Exception as error:
            # collect would log it for developers, and try again on its own.
            self.counts["connections lost or refused"] += 1
            seisbench.logger.warning(f"SeedLink {self.sladdr}: no data to be had: {error}")
            raise
        self.negotiating, self.up = 0.0, True
        self.counts["connections"] += 1
        asked = {(stream.net, stream.station) for stream in self.streams}
        self._tell_missing((asked - self.accepted) | (self.wildcards.keys() - self.matched))
        seisbench.logger.info(f"SeedLink {self.sladdr}: connected, {len(self.accepted)} stations")

    def negotiate_station(self, curstream):
        super().negotiate_station(curstream)
        self.accepted.add((curstream.net, curstream.station))

    def _tell_missing(self, places: set[tuple[str, str]]) -> None:
        # Once, but again if one comes back and is lost again.
        new, self.missing = places - self.missing, places
        if new:
            names = ", ".join(f"{network}.{station}" for network, station in sorted(new))
            seisbench.logger.warning(
                f"SeedLink {self.sladdr}: the server has nothing of {names} that was selected."
            )

    def _resolve(self, stations: set[tuple[str, str]]) -> None:
        """Add the server's stations that wildcards stand for."""
        known = {(stream.net, stream.station) for stream in self.streams}
        for pattern, selectors in self.wildcards.items():
            places = {place for place in stations if all(map(fnmatchcase, place, pattern))}
            if places:
                self.matched.add(pattern)
            for place in sorted(places - known):
                self._add(*place, selectors)

    def _stations(self) -> set[tuple[str, str]]:
        """
        Networks and stations that the server has.

        :raises SeedLinkException: If it does not tell.
        """
        self.send_info_request("STATIONS", 3)
        text, received = b"", b""
        size = SLPacket.SLHEADSIZE + SLPacket.SLRECSIZE
        while True:
            received += self.receive_data(size - len(received), self.sladdr)
            if len(received) < size:
                continue
            packet = SLPacket(received, 0)
            if not received.startswith(b"SLINFO"):
                raise SeedLinkException("no answer to INFO STATIONS, which wildcards need")
            text += packet.get_string_payload()
            if len(text) > MAX_INFO_BYTES:
                raise SeedLinkException("the answer to INFO STATIONS has no end")
            if packet.get_type() == SLPacket.TYPE_SLINFT:
                break
            received = b""
        return stations_of(text)

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

    def _asked_for(self, packet: SLPacket) -> bool:
        """Of others ObsPy would log each packet; :py:class:`SeedLink` names them once."""
        try:
            stats = packet.get_trace().stats
        except Exception:
            # A malformed one, which update_stream tells better.
            return True
        return any((s.net, s.station) == (stats.network, stats.station) for s in self.streams)

    def update_stream(self, slpacket):
        if not DATA_HEADER.fullmatch(bytes(slpacket.slhead)):
            # ObsPy would print to standard output, and stay out of step for ever.
            raise ConnectionError(f"no packet starts with {bytes(slpacket.slhead)!r}")
        try:
            if self._asked_for(slpacket):
                super().update_stream(slpacket)
        except SeedLinkException as error:
            self.counts["malformed packets"] += 1
            codes = bytes(slpacket.msrecord[8:20]).decode("ascii", "replace")
            seisbench.logger.warning(
                f"SeedLink {self.sladdr}: packet {bytes(slpacket.slhead).decode()} "
                f"(header '{codes}') is malformed and left out: {error.value}"
            )
            raise
