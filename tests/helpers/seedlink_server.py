"""A small SeedLink 3 server on loopback that can be told to behave badly."""

import io
import socketserver
import threading
import time

import numpy as np
import obspy

# Code of a station in a record that is broken.
BROKEN = "BADRE"


def records(trace, reclen=512):
    """The miniSEED records of a trace of integers."""
    buffer = io.BytesIO()
    trace.write(buffer, format="MSEED", reclen=reclen, encoding="STEIM2")
    data = buffer.getvalue()
    return [data[at : at + reclen] for at in range(0, len(data), reclen)]


def in_order_of_time(stream):
    """All records of a stream, sorted by the time of their last sample."""
    found = [record for trace in stream for record in records(trace)]
    return sorted(found, key=lambda record: end_of(record).ns)


def end_of(record):
    return obspy.read(io.BytesIO(record))[0].stats.endtime


class SeedLinkServer(socketserver.ThreadingTCPServer):
    """
    Sends records in the order given, whatever their times.

    :param packets: Records of 512 bytes.
    :param chunk: Bytes per send, so that packets arrive chopped.
    :param drops: Numbers of packets sent after which the connection is dropped, each once.
    :param pause: Seconds between packets.
    :param unasked: Whether to send what nobody asked for, too.
    :param lies: Bytes that are sent in between, each once: number of the packet before which, bytes
        or None to drop the connection, and whether a client has to connect again after them. Until
        then nothing but what is true follows, for what it does not read is lost.
    :param silent: Command that is not answered.
    :param endless: Whether the answer to INFO STATIONS has no end.
    :param closes: Commands at which the connection is closed, each once and in this order.
    :param garbage: Answer to INFO STATIONS instead of the true one.
    :param number: Sequence number that a packet is sent with, of its place in the order.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        packets,
        chunk=10_000,
        drops=(),
        pause=0.0,
        hello="SeedLink v3.1 (test)",
        unasked=False,
        port=0,
        lies=(),
        silent=None,
        endless=False,
        closes=(),
        garbage=None,
        number=lambda place: place,
    ):
        super().__init__(("127.0.0.1", port), Session)
        self.unasked, self.lies = unasked, list(lies)
        self.silent, self.endless = silent, endless
        self.closes, self.garbage, self.number = list(closes), garbage, number
        self.packets, self.chunk, self.drops, self.pause = packets, chunk, list(drops), pause
        self.hello, self.commands, self.sent, self.over = hello, [], 0, threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.shutdown()
        self.server_close()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"


class Session(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self):
        self.stations, self.station, self.rest = {}, None, b""
        try:
            while not self.server.over.is_set():
                if self.command(self.line()):
                    self.stream()
                    return
        except OSError:
            return

    def line(self):
        while b"\r" not in self.rest:
            data = self.request.recv(1024)
            if not data:
                raise ConnectionError
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\r")
        return line.decode().strip()

    def command(self, line):
        """Answer a command; true if data are to follow."""
        self.server.commands.append(line)
        word, *words = line.split()
        if word == self.server.silent:
            return False
        if word in self.server.closes[:1]:
            del self.server.closes[0]
            raise ConnectionError
        while word == "HELLO" and self.server.hello is None and not self.server.over.is_set():
            self.request.sendall(b"SeedLink v3.1 " + 10_000 * b"x")
        if word == "HELLO":
            self.request.sendall(f"{self.server.hello}\r\nloopback\r\n".encode())
        elif word == "CAT":
            self.request.sendall(b"XX STA test\r\nEND")
        elif word == "INFO":
            self.info(words[0])
        elif word == "STATION":
            self.station = tuple(words[::-1])
            known = {codes(packet)[:2] for packet in self.server.packets}
            if self.station in known:
                self.stations[self.station] = {"selectors": [], "since": None, "time": None}
            self.answer(self.station in known)
        elif word == "SELECT":
            self.stations[self.station]["selectors"].append(words[0])
            self.answer(True)
        elif word in ("DATA", "FETCH", "TIME"):
            if word == "TIME":
                parts = [int(part) for part in words[0].split(",")]
                self.stations[self.station]["time"] = obspy.UTCDateTime(*parts)
            elif words:
                self.stations[self.station]["since"] = int(words[0], 16)
            self.fetch = word == "FETCH"
            self.answer(True)
        elif word == "END":
            return True
        elif word == "BYE":
            raise ConnectionError
        else:
            self.answer(False)
        return False

    def answer(self, good):
        self.request.sendall(b"OK\r\n" if good else b"ERROR\r\n")

    def info(self, level):
        body = ""
        if level == "STATIONS" and self.server.garbage is not None:
            self.request.sendall(self.server.garbage)
            return
        if level == "STATIONS":
            stations = sorted({codes(packet)[:2] for packet in self.server.packets})
            body = "".join(f'<station name="{sta}" network="{net}"/>' for net, sta in stations)
        text = f'<?xml version="1.0"?><seedlink software="test">{body}</seedlink>'.encode()
        # More than one packet, unless it is a keep-alive.
        parts = [text] if not body else [text[:60], text[60:]]
        for part in parts:
            header = {"network": "SL", "station": "INFO", "channel": "INF"}
            buffer = io.BytesIO()
            trace = obspy.Trace(np.frombuffer(part, "S1"), header)
            trace.write(buffer, format="MSEED", reclen=512, encoding="ASCII")
            end = b"SLINFO  " if part is parts[-1] else b"SLINFO *"
            while self.server.endless and not self.server.over.is_set():
                self.request.sendall(b"SLINFO *" + buffer.getvalue())
            self.request.sendall(end + buffer.getvalue())

    def wanted(self, number, packet):
        network, station, location, channel = codes(packet)
        asked = self.stations.get((network, station))
        # A server cannot tell whose a broken record is; this one sends it to everybody.
        if asked is None:
            return self.server.unasked or station == BROKEN
        if asked["since"] is not None and number < asked["since"]:
            return False
        if asked["time"] is not None and end_of(packet) < asked["time"]:
            return False
        stream = location.ljust(2) + channel
        return any(matches(selector, stream) for selector in asked["selectors"])

    def stream(self):
        broken = False
        for number, packet in enumerate(self.server.packets, start=1):
            if not self.wanted(number, packet):
                continue
            while self.server.lies and self.server.lies[0][0] <= number and not broken:
                _, lie, broken = self.server.lies.pop(0)
                if lie is None:
                    return
                self.request.sendall(lie)
            data = b"SL%06X" % self.server.number(number) + packet
            for at in range(0, len(data), self.server.chunk):
                self.request.sendall(data[at : at + self.server.chunk])
            self.server.sent += 1
            if self.server.drops and self.server.sent >= self.server.drops[0]:
                del self.server.drops[0]
                return
            time.sleep(self.server.pause)
        if self.fetch:
            self.request.sendall(b"END")
            return
        self.request.settimeout(0.1)
        while not self.server.over.is_set():
            try:
                self.command(self.line())
            except TimeoutError:
                continue


def codes(packet):
    """Network, station, location, channel in a record's header."""
    text = packet[8:20].decode("ascii", "replace")
    return text[10:12].strip(), text[:5].strip(), text[5:7].strip(), text[7:10].strip()


def matches(selector, stream):
    selector = selector.partition(".")[0].replace("-", " ")
    selector = selector if len(selector) == 5 else "??" + selector
    return all(a in ("?", b) for a, b in zip(selector, stream, strict=True))
