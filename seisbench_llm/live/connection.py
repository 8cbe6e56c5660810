"""Connections to SeedLink servers: ObsPy's connection with its faults corrected."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from fnmatch import fnmatchcase
from xml.etree import ElementTree

import seisbench
from obspy.clients.seedlink.client.seedlinkconnection import SeedLinkConnection
from obspy.clients.seedlink.seedlinkexception import SeedLinkException
from obspy.clients.seedlink.slpacket import SLPacket

from .messages import RepeatedWarnings
from .selections import has_wildcard

DATA_HEADER = re.compile(rb"SL[0-9A-Fa-f]{6}")

CODE = re.compile(r"[A-Z0-9]{1,5}")

# Largest answer to INFO STATIONS in bytes. A server with 10,000 stations sends about 2 MB.
MAX_INFO_BYTES = 20_000_000

# Sequence numbers have six hexadecimal digits. ObsPy asks for the number after the last one. After
# the largest number this has seven digits. With this limit the last packet comes twice instead.
LARGEST_NUMBER = 0xFFFFFE

_NO_STATIONS = "the answer to INFO STATIONS cannot be understood"


def stations_of(text: bytes) -> set[tuple[str, str]]:
    """
    Networks and stations in an answer to INFO STATIONS.

    :raises SeedLinkException: If the text is not such an answer.
    """
    text = text.strip(b"\0 \r\n")
    try:
        # Entities could exhaust the memory of an XML parser. SeedLink does not use them.
        root = None if b"<!" in text else ElementTree.fromstring(text)
    except ElementTree.ParseError:
        root = None
    if root is None:
        raise SeedLinkException(_NO_STATIONS)
    stations = {(tag.get("network"), tag.get("name")) for tag in root.iter("station")}
    return {place for place in stations if all(map(CODE.fullmatch, map(str, place)))}


class Connection(SeedLinkConnection):
    """
    ObsPy's connection with its faults corrected, see docs/how-to/live.md. They have two causes.

    ObsPy treats a closed socket like one without new data and waits for ``netto`` seconds. While it
    waits for data, it does not send keep-alives and cannot be stopped.
    """

    def __init__(
        self,
        server: str,
        stations: dict[tuple[str, str], list[str]],
        reconnect: float,
        timeout: float,
        stop: threading.Event,
        counts: Counter,
        positions: dict[str, int],
    ):
        super().__init__()
        self.set_sl_address(server)
        self.stop, self.counts, self.positions = stop, counts, positions
        self.netto, self.keepalive, self.netdly = timeout, timeout / 3, reconnect
        self.negotiating, self.up = 0.0, False
        self.warnings = RepeatedWarnings()
        self.malformed: SLPacket | None = None
        self.wildcards: dict[tuple[str, str], list[str]] = {}
        self.accepted: set[tuple[str, str]] = set()
        self.matched: set[tuple[str, str]] = set()
        self.missing: set[tuple[str, str]] = set()
        for (network, station), selectors in stations.items():
            if has_wildcard(network) or has_wildcard(station):
                self.wildcards[network, station] = selectors
            else:
                self._add(network, station, selectors)

    def check_slcd(self):
        return bool(self.wildcards) or super().check_slcd()

    def _add(self, network: str, station: str, selectors: list[str]) -> None:
        for stream in self.streams:
            if (stream.net, stream.station) == (network, station):
                stream.selectors += [new for new in selectors if new not in stream.selectors]
                return
        number = min(self.positions.get(f"{network}.{station}", -1), LARGEST_NUMBER)
        self.add_stream(network, station, " ".join(selectors), number, None)

    def connect(self):
        self.negotiating = time.monotonic()
        # Set only here. In collect, a good connection would be given up after this time.
        self.timeout = min(10.0, self.netto)
        try:
            super().connect()
        finally:
            self.timeout = None
        # After an empty read, collect sleeps for 0.5 s, so that this adds little latency.
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
            # Without this, collect would log the error for developers and try again on its own.
            self.counts["connections lost or refused"] += 1
            self.warnings.warn((str(error),), f"SeedLink {self.sladdr}: no data available: {error}")
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
        # Warn once, but again if a station comes back and is lost again.
        new, self.missing = places - self.missing, places
        if new:
            names = ", ".join(f"{network}.{station}" for network, station in sorted(new))
            seisbench.logger.warning(
                f"SeedLink {self.sladdr}: the server has no data for the selection {names}."
            )

    def _resolve(self, stations: set[tuple[str, str]]) -> None:
        """Add the server's stations that match wildcards."""
        for pattern, selectors in self.wildcards.items():
            places = {place for place in stations if all(map(fnmatchcase, place, pattern))}
            if places:
                self.matched.add(pattern)
            for place in sorted(places):
                self._add(*place, selectors)

    def _stations(self) -> set[tuple[str, str]]:
        """
        Networks and stations of the server.

        :raises SeedLinkException: If the server does not send them.
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
            try:
                text += packet.get_string_payload()
            except Exception:
                # ObsPy's exceptions do not say where the error is.
                raise SeedLinkException(_NO_STATIONS) from None
            if len(text) > MAX_INFO_BYTES:
                raise SeedLinkException("the answer to INFO STATIONS has no end")
            if packet.get_type() == SLPacket.TYPE_SLINFT:
                break
            received = b""
        return stations_of(text)

    @property
    def longest_negotiation(self) -> float:
        """Seconds after which a connection without data is given up, whatever the server sends."""
        return 10 * min(30, self.netto)

    def receive_data(self, maxbytes, code):
        if self.stop.is_set():
            raise SeedLinkException("stopped")
        # A server may answer with a byte now and then.
        if self.negotiating and time.monotonic() - self.negotiating > self.longest_negotiation:
            raise SeedLinkException("the answer to a command takes too long")
        try:
            data = self.socket.recv(maxbytes)
        except TimeoutError:
            if self.negotiating and time.monotonic() - self.negotiating > min(30, self.netto):
                raise SeedLinkException("no answer to a command") from None
            return b""
        if not data:
            # It is not an OSError, because collect would then wait.
            raise SeedLinkException("the server closed the connection")
        return data

    def collect(self):
        # Without this, collect waits in its own loop, which cannot be stopped.
        if self.stop.is_set():
            return SLPacket.SLTERMINATE
        return super().collect()

    def update_stream(self, slpacket):
        """Note a packet's number, and set ``malformed`` if the packet is malformed."""
        self.malformed = None
        if not DATA_HEADER.fullmatch(bytes(slpacket.slhead)):
            # ObsPy would print to standard output and would never synchronise again.
            raise ConnectionError(f"no packet starts with {bytes(slpacket.slhead)!r}")
        try:
            stats = slpacket.get_trace().stats
        except Exception as error:
            self.counts["malformed packets"] += 1
            self.malformed = slpacket
            codes = bytes(slpacket.msrecord[8:20]).decode("ascii", "replace")
            cause = str(getattr(error, "value", error)).splitlines()
            self.warnings.warn(
                ("malformed",),
                f"SeedLink {self.sladdr}: packet {bytes(slpacket.slhead).decode()} "
                f"(header '{codes}') is malformed and left out: {cause[-1] if cause else ''}",
            )
            return
        for stream in self.streams:
            if (stream.net, stream.station) == (stats.network, stats.station):
                stream.seqnum = min(slpacket.get_sequence_number(), LARGEST_NUMBER)
                stream.btime = stats.starttime
