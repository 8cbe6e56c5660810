"""A small web server that only answers GET and is robust against its clients."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET6, SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET, socket
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

# Largest number of connections at a time. A browser makes six.
MOST_CONNECTIONS = 48
# Longest times in seconds for receiving a request and for sending an answer.
REQUEST_S, ANSWER_S = 10.0, 60.0
# Seconds between two keep-alive messages in a stream of events.
TICK_S = 2.0
# Only content of this server is allowed, and styles that plotly writes into the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Answer(NamedTuple):
    """
    The answer to a request.

    :param body: Content.
    :param kind: Media type of the content.
    :param keep: Whether a browser may cache the content.
    :param status: HTTP status.
    """

    body: bytes
    kind: str = "application/json"
    keep: bool = False
    status: HTTPStatus = HTTPStatus.OK


class Events(NamedTuple):
    """
    A stream of events as the answer to a request.

    :param reader: Queue of events.
    :param is_reading: Function that says whether more events may come.
    :param close: Function that is called at the end.
    """

    reader: queue.Queue
    is_reading: Callable[[], bool]
    close: Callable[[], None]


def as_json(content, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer in JSON."""
    return Answer(json.dumps(content, allow_nan=False).encode(), status=status)


def failure(status: HTTPStatus, text: str) -> Answer:
    """An answer with an error message."""
    return as_json({"error": text}, status)


class Once:
    """
    An answer that is made at most once a second, for any number of clients.

    :param make: Function that makes the answer.
    """

    def __init__(self, make: Callable[[], Answer]):
        self.make, self._lock = make, threading.Lock()
        self._made = -1e9
        self._answer: Answer | None = None

    def __call__(self, query: dict[str, str]) -> Answer:
        with self._lock:
            if self._answer is None or time.monotonic() - self._made > 1:
                self._answer, self._made = self.make(), time.monotonic()
            return self._answer


class Server(ThreadingHTTPServer):
    """
    A server for a few paths.

    :param address: Host and port.
    :param routes: Functions by path. A function takes the query and returns an answer or a stream
        of events.
    :raises OSError: If the port is not available.
    """

    daemon_threads, block_on_close = True, False
    request_queue_size = 64
    # Otherwise, on Linux, another process could use the same port.
    allow_reuse_port = False

    def __init__(
        self,
        address: tuple[str, int],
        routes: dict[str, Callable[[dict[str, str]], Answer | Events]],
    ):
        self.routes, self.host = routes, address[0]
        self.stop = threading.Event()
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._unheard: dict[socket, float] = {}
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind the socket without a name lookup, which may be slow."""
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def process_request(self, request, client_address) -> None:
        """Answer in a thread, unless there are too many connections."""
        if not self._slots.acquire(blocking=False):
            with suppress(OSError):
                request.settimeout(0)
                request.send(b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\n\r\n")
            self.shutdown_request(request)
            return
        self._unheard[request] = time.monotonic() + REQUEST_S
        try:
            super().process_request(request, client_address)
        except Exception:
            self.finished(request)
            raise

    def process_request_thread(self, request, client_address) -> None:
        """Handle a connection from beginning to end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.finished(request)

    def finished(self, request) -> None:
        """Make room for another connection."""
        self.heard(request)
        self._slots.release()

    def heard(self, request) -> None:
        """Note that a request has been received completely."""
        self._unheard.pop(request, None)

    def service_actions(self) -> None:
        """Close connections of clients that do not send a complete request in time."""
        now = time.monotonic()
        for request, until in list(self._unheard.items()):
            if now > until:
                self._unheard.pop(request, None)
                with suppress(OSError):
                    request.shutdown(SHUT_RDWR)

    def handle_error(self, request, client_address) -> None:
        """Do nothing, because clients may leave at any time."""

    def is_known(self, host: str) -> bool:
        """
        Whether a request was meant for this server.

        Otherwise the owner of a domain name could point it here, and pages of that domain could
        read the answers.

        :param host: Host in the header of the request, with or without a port.
        """
        name = urlsplit(f"//{host}").hostname or ""
        if name in ("localhost", self.host.lower()):
            return True
        try:
            ip_address(name)
        except ValueError:
            # If the server listens at all addresses, any name may be a name of this machine.
            return self.host in ("0.0.0.0", "::", "")
        return True


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    timeout = ANSWER_S
    server_version, sys_version = "seisbench_llm", ""

    def log_message(self, format, *args) -> None:
        """Log nothing, because any client could fill the log."""

    def parse_request(self) -> bool:
        """Whether the request is valid."""
        whole = super().parse_request()
        # The headers are part of the request. They may arrive as slowly as the first line.
        self.server.heard(self.connection)
        return whole

    def do_GET(self) -> None:
        """Send the answer, or an error message."""
        try:
            answer = self._find()
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            answer = failure(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        if isinstance(answer, Events):
            try:
                self._stream(answer)
            finally:
                answer.close()
        else:
            self._answer(answer)

    def _find(self) -> Answer | Events:
        try:
            if not self.server.is_known(self.headers.get("Host", "localhost")):
                return failure(HTTPStatus.FORBIDDEN, "The host is not a name of this server.")
            url = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        except ValueError:
            return failure(HTTPStatus.BAD_REQUEST, "The address cannot be understood.")
        route = self.server.routes.get(url.path)
        if route is None:
            return failure(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
        return route(query)

    def _refuse(self) -> None:
        self._answer(failure(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered."))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = _refuse  # noqa: N815

    def _begin(self, status: HTTPStatus, kind: str, keep: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "max-age=31536000, immutable" if keep else "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")

    def _answer(self, answer: Answer) -> None:
        self._begin(answer.status, answer.kind, answer.keep)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _stream(self, events: Events) -> None:
        self._begin(HTTPStatus.OK, "text/event-stream")
        self.end_headers()
        self.connection.settimeout(REQUEST_S)
        self._send("hello", {})
        while events.is_reading() and not self.server.stop.is_set():
            try:
                self._send("pick", events.reader.get(timeout=TICK_S))
            except queue.Empty:
                self._send("tick", {})

    def _send(self, event: str, content: dict) -> None:
        self.wfile.write(f"event: {event}\ndata: {json.dumps(content)}\n\n".encode())
