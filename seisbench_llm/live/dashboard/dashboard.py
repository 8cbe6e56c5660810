"""The dashboard, which consists of a board with the content and a server."""

from __future__ import annotations

import math
import threading
from http import HTTPStatus
from pathlib import Path

import seisbench

from ...pages import plotly_script, resource
from ...stations import Stations
from ..picker import Live
from .board import Board
from .metrics import CONTENT_TYPE, metrics
from .server import Answer, Events, Once, Server, as_json, failure

PAGE = Path(__file__).parent / "page"
_TEXT = "; charset=utf-8"
# Files that are sent unchanged, by address.
_FILES = {
    "/": ("index.html", "text/html"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
    "/dashboard.css": ("dashboard.css", "text/css"),
}
_SHARED = {
    "style.css": "text/css",
    "tables.js": "text/javascript",
    "figures.js": "text/javascript",
}
_ON_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class Dashboard:
    """
    A page about a running picker, for a browser on this machine.

    The page is available within a ``with`` block, or from :py:meth:`open` to :py:meth:`close`. It
    does not change the picker and does not write files.

    :param live: Picker.
    :param port: Port of the server, 0 for any free port, see :py:attr:`url`.
    :param host: Name or address at which the server listens. With an address other than 127.0.0.1,
        other machines can read the page.
    :param stations: Stations for the map, see :py:meth:`seisbench_llm.stations.Stations.read`. By
        default they are those of the picker.
    :param source: Source of the picker's packets, for the number of packets that wait.
    :raises ImportError: If plotly is not installed.
    """

    def __init__(
        self, live: Live, port: int = 0, host: str = "127.0.0.1", stations=None, source=None
    ):
        if not 0 <= port < 65536:
            raise ValueError(f"port={port} is not possible: 0 to 65535, 0 for any that is free.")
        if stations is not None:
            stations = Stations.read(stations)
        elif live.rotation is not None:
            stations = live.rotation.stations
        self.live, self.port, self.host, self.source = live, port, host, source
        self.board = Board(live, stations)
        self._plotly = plotly_script().encode()
        self._server: Server | None = None

    def __enter__(self) -> Dashboard:
        return self.open()

    def __exit__(self, *error) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    def open(self) -> Dashboard:
        """
        Start the server and observe the picker.

        :raises OSError: If the port is not available.
        """
        try:
            self._server = Server((self.host, self.port), self._routes())
        except OSError as error:
            raise OSError(
                f"The dashboard cannot use port {self.port} of {self.host}: "
                f"{error.strerror or error}. Pass another port, or 0 for any free port."
            ) from error
        self.port = self._server.server_port
        if self.host not in _ON_THIS_MACHINE:
            seisbench.logger.warning(
                f"The dashboard listens at {self.host}: whoever reaches this machine can read it."
            )
        threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="dashboard", daemon=True
        ).start()
        self.live.observers.append(self.board)
        return self

    def close(self) -> None:
        """Stop the server and close all connections."""
        if self._server is None:
            return
        self.live.observers.remove(self.board)
        self._server.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def _waiting(self) -> int | None:
        count = getattr(self.source, "waiting", None)
        return None if count is None else count()

    def _routes(self) -> dict:
        board = self.board
        routes = {
            "/api/summary": Once(lambda: as_json(self._summary())),
            "/api/stations": Once(lambda: as_json(board.stations())),
            "/api/picks": Once(lambda: as_json(board.picks())),
            "/api/latency": Once(lambda: as_json(board.latency())),
            "/api/waveform": self._waveform,
            "/api/events": self._events,
            "/metrics": Once(
                lambda: Answer(metrics(board, self._waiting()).encode(), CONTENT_TYPE)
            ),
            "/plotly.js": _always(Answer(self._plotly, "text/javascript" + _TEXT, keep=True)),
        }
        for name, kind in _SHARED.items():
            routes[f"/{name}"] = _always(Answer(resource(name).encode(), kind + _TEXT))
        for path, (name, kind) in _FILES.items():
            routes[path] = _always(Answer((PAGE / name).read_bytes(), kind + _TEXT))
        return routes

    def _summary(self) -> dict:
        source = getattr(self.source, "name", "packets that are handed in")
        return {"source": source, **self.board.summary(self._waiting())}

    def _waveform(self, query: dict[str, str]) -> Answer:
        try:
            highpass = float(query.get("highpass", 1.0))
        except ValueError:
            highpass = math.nan
        if not 0 <= highpass <= 1000:
            return failure(HTTPStatus.BAD_REQUEST, "highpass is a frequency in Hz, 0 for none.")
        if "pick" in query:
            found = self.board.waveform_of_pick(query["pick"], highpass)
        elif "trace_id" in query:
            found = self.board.waveform(query["trace_id"], highpass)
        else:
            return failure(HTTPStatus.BAD_REQUEST, "Give a pick or a trace_id.")
        if found is None:
            return failure(HTTPStatus.NOT_FOUND, "Its data are unknown or no longer kept.")
        return as_json(found)

    def _events(self, query: dict[str, str]) -> Answer | Events:
        reader = self.board.subscribe()
        if reader is None:
            return failure(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many readers already.")
        return Events(
            reader,
            lambda: self.board.is_reading(reader),
            lambda: self.board.unsubscribe(reader),
        )


def _always(answer: Answer):
    return lambda query: answer
