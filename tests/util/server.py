"""A web server with the faults of real ones."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock


class Server(ThreadingHTTPServer):
    """Server of `files`.

    Attributes:
        files: path → content.
        ranges: whether it honours Range.
        if_ranges: whether it honours If-Range.
        etags: whether it sends ETags.
        date: the Last-Modified that it sends; None for none.
        heads: whether it accepts HEAD.
        lengths: whether it sends Content-Length.
        cut: number of bytes after which it cuts the connection, for each of the next GETs.
        statuses: error statuses of the next requests.
        received: method, path and Range of every request so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = self.etags = self.heads = self.lengths = self.if_ranges = True
        self.date: str | None = None
        self.cut: list[int] = []
        self.statuses: list[int] = []
        self.received: list[tuple[str, str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection early, as some tests do."""

    def gets(self) -> list[str | None]:
        """Range of every GET so far."""
        return [span for method, _, span in self.received if method == "GET"]


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs until the end of the block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    direct = {
        "no_proxy": "127.0.0.1",
        "NO_PROXY": "127.0.0.1",
    }  # without a proxy
    try:
        with mock.patch.dict(os.environ, direct):
            yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""

    def _answer(self, body: bool) -> None:
        server, path = self.server, self.path.partition("?")[0]
        server.received.append((self.command, path, self.headers["Range"]))
        data = server.files.get(path)
        if server.statuses:
            self._refuse(server.statuses.pop(0))
        elif not body and not server.heads:
            self._refuse(405)
        elif data is None:
            self._refuse(404)
        else:
            self._send(data, body)

    def _send(self, data: bytes, body: bool) -> None:
        server = self.server
        tag = f'"{hashlib.sha256(data).hexdigest()[:8]}"'
        start = 0
        span = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        same = not server.if_ranges or self.headers["If-Range"] in (tag, server.date)
        if span and server.ranges and same:
            start = int(span[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if server.etags:
            self.send_header("ETag", tag)
        if server.date:
            self.send_header("Last-Modified", server.date)
        if server.lengths:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if body:
            rest = data[start:]
            if server.cut:
                rest = rest[: server.cut.pop(0)]
            self.wfile.write(rest)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
