"""A local stand-in for the interface of the Hugging Face hub that serves files."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """
    What the stand-in serves, and what was asked of it.

    :param repository: As org/name.
    :param revision: The commit that is asked for.
    """

    def __init__(self, repository, revision):
        self.prefix = f"/{repository}/resolve/{revision}/"
        self.revision = revision
        self.files, self.asked, self.etags, self.url = {}, [], {}, ""

    def content(self, path):
        name = path.partition("?")[0].removeprefix(self.prefix)
        return (name, self.files.get(name)) if path.startswith(self.prefix) else (name, None)


@contextmanager
def serving(hub):
    """Serve on a free port of the loopback, with the address as ``hub.url``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body):
            name, content = hub.content(self.path)
            hub.asked.append((self.command, name))
            self.send_response(404 if content is None else 200)
            self.send_header("X-Repo-Commit", hub.revision)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
                content = b""
            else:
                etag = hub.etags.get(name, hashlib.sha256(content).hexdigest())
                self.send_header("ETag", '"of the small file that points to it"')
                self.send_header("X-Linked-ETag", f'"{etag}"')
                self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def do_GET(self):
            self.answer(True)

        def do_HEAD(self):
            self.answer(False)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
