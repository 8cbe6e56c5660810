"""A server with the part of S3's interface that reading needs, in this process."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

# Keys of a listing; the others are on its next pages.
PAGE = 5


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).strip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.requests.append((self.command, f"{bucket}/{key}", self.headers))
        root = self.server.root / bucket
        wanted = f"{bucket}/{key}{query.get('prefix', '')}"
        if self.server.busy:
            self.server.busy -= 1
            self.fail(503, "SlowDown")
        elif self.server.denied and wanted.startswith(self.server.denied):
            self.fail(403, "AccessDenied")
        elif not root.is_dir():
            self.fail(404, "NoSuchBucket")
        elif not key:
            self.answer(200, list_objects(root, **query) if "list-type" in query else b"")
        elif not (root / key).is_file():
            self.fail(404, "NoSuchKey")
        else:
            self.send_object((root / key).read_bytes())

    def send_object(self, content):
        part = self.headers.get("Range")
        if part is None:
            self.answer(200, content)
            return
        first, _, last = part.removeprefix("bytes=").partition("-")
        first, last = int(first), min(int(last or len(content)), len(content) - 1)
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self.answer(206, content[first : last + 1], where)

    def fail(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def answer(self, status, content, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.broken and self.server.broken in self.path:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def list_objects(root, prefix="", delimiter="", **query):
    """ListObjectsV2: keys and, up to the delimiter, common prefixes, some at a time."""
    keys = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    entries = {}
    for key in keys:
        if key.startswith(prefix):
            inside, found, _ = key[len(prefix) :].partition(delimiter or "\0")
            entries[prefix + inside + delimiter if found else key] = bool(found)
    names, begin = list(entries), int(query.get("continuation-token", 0))
    page = names[begin : begin + PAGE]
    parts = []
    for name in page:
        if entries[name]:
            parts.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
        else:
            size = (root / name).stat().st_size
            parts.append(
                f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size>"
                f"<LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents>"
            )
    more = begin + PAGE < len(names)
    if more:
        parts.append(f"<NextContinuationToken>{begin + PAGE}</NextContinuationToken>")
    return (
        f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"<KeyCount>{len(page)}</KeyCount>{''.join(parts)}</ListBucketResult>"
    ).encode()


@contextmanager
def serve(root):
    """
    Serve the folders in a folder as buckets.

    The server has the list ``requests`` of (method, bucket/key, headers). It is ``busy`` for that
    many requests, denies what begins with ``denied``, and breaks off what contains ``broken``.

    :return: The server, and its address.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.root, server.requests = Path(root), []
    server.busy, server.denied, server.broken = 0, None, None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
