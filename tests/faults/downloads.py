"""Downloads of weights from a server on this machine, which are killed at random moments."""

from __future__ import annotations

import collections
import os
import random
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import seisbench

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.seisbench_private import cache_folder
from seisbench_llm.weight_files import sha256
from tests.helpers.models import tiny_model

# Seconds between two pieces of a file, and their number.
PAUSE_S, PIECES = 0.02, 20


class Repository(BaseHTTPRequestHandler):
    """A WebDAV folder that is slow."""

    folder: Path

    def log_message(self, *args):
        """Print nothing."""

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_PROPFIND(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = ["", *(file.name for file in sorted(self.folder.iterdir()))]
        entries = "".join(f"<d:response><d:href>/x/{name}</d:href></d:response>" for name in names)
        self._answer(f'<d:multistatus xmlns:d="DAV:">{entries}</d:multistatus>'.encode())

    def do_GET(self):
        file = self.folder / self.path.rpartition("/")[2]
        self._answer(file.read_bytes(), PAUSE_S if file.name.startswith("a.pt") else 0)

    def _answer(self, content: bytes, pause: float = 0.0):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        size = len(content) // PIECES + 1
        for start in range(0, len(content), size):
            try:
                self.wfile.write(content[start : start + size])
            except OSError:
                return
            time.sleep(pause)


def killed_downloads(folder: Path, kills: int) -> tuple[dict, list[str]]:
    """Counts of kills and of downloads that came to their end, and what did not hold."""
    remote = folder / "remote"
    tiny_model().save(remote / "a", "remote", "1")
    Repository.folder = remote
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seisbench.cache_model_root = folder / "cache"
    seisbench.remote_model_root = f"http://127.0.0.1:{server.server_port}/"
    cache, counts, faults = cache_folder(SeisMoLLM), collections.Counter(), []
    random.seed(0)
    began = time.monotonic()
    _attempt(None)
    longest = time.monotonic() - began
    while counts["kills"] < kills:
        for file in cache.iterdir():
            file.unlink()
        while not _attempt(random.uniform(0, longest)):
            counts["kills"] += 1
            counts["of these with a file half fetched"] += any(cache.glob("*.partial"))
            for file in cache.glob("a.*.v1"):
                if sha256(file) != sha256(remote / file.name):
                    faults.append(f"{file.name} is half")
        counts["downloads"] += 1
        if SeisMoLLM.from_pretrained("a").weights_docstring != "remote":
            faults.append("another weight")
    server.shutdown()
    return counts, faults


def _attempt(seconds: float | None) -> bool:
    """Fetch in a process that is killed after a time; whether it came to its end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            SeisMoLLM.from_pretrained("a")
        except BaseException:
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise RuntimeError("An undisturbed attempt failed.")
    return code == 0
