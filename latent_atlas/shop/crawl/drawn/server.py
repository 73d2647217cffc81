"""HTTP server of the drawn shop on loopback, with typical faults of shops and a request log.

It answers as a proxy for its own host name. The URLs in a crawl's tables therefore contain no port
and are the same each time: ``http://laden.localhost/…``.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from latent_atlas.shop.crawl.drawn import pages
from latent_atlas.shop.crawl.drawn.catalogue import HOST, PHOTO_HOST, Catalogue, Offer

_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
_SLOW_SECONDS = 0.6


@dataclass(frozen=True)
class Visit:
    """A request in the server's log.

    Attributes:
        at: time in seconds, by the process's monotonic clock.
        url: requested URL.
        status: HTTP status of the response.
        bytes: size of the body that was sent.
        agent: user agent of the client.
    """

    at: float
    url: str
    status: int
    bytes: int
    agent: str


@dataclass(frozen=True)
class _Reply:
    """Response to a URL.

    Attributes:
        body: content.
        kind: content type.
        status: HTTP status.
        location: target of a redirect, or ``""``.
        first: status of the first response, if it differs from the later ones.
        slow: answer after `_SLOW_SECONDS`.
        cut: close the connection after half of the body.
    """

    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    location: str = ""
    first: int = 200
    slow: bool = False
    cut: bool = False


class DrawnShop:
    """Responses and request log of the drawn shop; `serve` starts the server.

    Args:
        catalogue: the products.
        log: JSON Lines file to which each visit is appended, or None.

    Attributes:
        visits: the log, in the order of the responses.
        replies: URL → response.
    """

    def __init__(self, catalogue: Catalogue, log: Path | None = None) -> None:
        self.visits: list[Visit] = []
        self.replies = _replies(catalogue)
        self._requested: set[str] = set()
        self._lock = threading.Lock()
        self._log = log

    def reply(self, url: str) -> _Reply:
        """The response to the next request for `url`; some URLs fail the first time."""
        reply = self.replies.get(url, _Reply(b"not found", status=404))
        with self._lock:
            first = url not in self._requested
            self._requested.add(url)
        if reply.first != 200 and first:
            return _Reply(b"later", status=reply.first)
        return reply

    def record(self, visit: Visit) -> None:
        """Add a visit to the log, and to the log file if there is one."""
        with self._lock:
            self.visits.append(visit)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(visit)) + "\n")


@contextmanager
def serve(shop: DrawnShop) -> Iterator[str]:
    """Serve the shop on a free port of 127.0.0.1; yield the server's URL, to be used as a proxy."""

    class Handler(_Handler):
        pass

    Handler.shop = shop
    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection during a response; report all other errors."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Laden/1"
    sys_version = ""
    wbufsize = -1  # headers and body are sent together
    timeout = 30
    shop: DrawnShop

    def do_GET(self) -> None:
        url = self.path
        if not urlsplit(url).netloc:
            url = f"http://{self.headers.get('Host', HOST)}{self.path}"
        reply = self.shop.reply(url)
        tag = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
        if reply.status == 200 and self.headers.get("If-None-Match") == tag:
            reply = _Reply(status=304)
        if reply.slow:
            time.sleep(_SLOW_SECONDS)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.status == 200:
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", _DATE)
        if reply.location:
            self.send_header("Location", reply.location)
        if reply.status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        sent = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        agent = self.headers.get("User-Agent", "")
        # Before the body is sent, so that the log contains all that a crawler has finished.
        self.shop.record(Visit(time.monotonic(), url, reply.status, len(sent), agent))
        self.wfile.write(sent)
        self.close_connection = self.close_connection or reply.cut

    def date_time_string(self, timestamp: float | None = None) -> str:
        """A constant date, so that responses are reproducible."""
        return _DATE

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: `DrawnShop.record` logs the requests."""


def _replies(catalogue: Catalogue) -> dict[str, _Reply]:
    replies = {
        f"http://{HOST}/robots.txt": _Reply(pages.ROBOTS.encode(), "text/plain"),
        f"http://{PHOTO_HOST}/robots.txt": _Reply(pages.PHOTO_ROBOTS.encode(), "text/plain"),
    }
    for url, content in pages.sitemaps(catalogue).items():
        kind = "application/gzip" if url.endswith(".gz") else "application/xml"
        replies[url] = _Reply(content, kind)
    for url, text in pages.listings(catalogue).items():
        overloaded = url == pages.listing_url("en", 2)
        replies[url] = _Reply(text.encode(), first=429 if overloaded else 200)
    for offer in catalogue.offers:
        _product_replies(offer, replies)
    _trap_replies(replies)
    return replies


def _product_replies(offer: Offer, replies: dict[str, _Reply]) -> None:
    page = _Reply(pages.product_page(offer).encode(), first=500 if offer.number % 61 == 5 else 200)
    replies[offer.url] = replies[f"{offer.url}?ref=neu"] = page
    replies[pages.old_url(offer)] = _Reply(status=301, location=urlsplit(offer.url).path)
    for photo in offer.photos:
        replies[photo.url] = _Reply(photo.content, "image/jpeg", slow=offer.number % 41 == 7)
    last = offer.photos[-1]
    if last.kind not in ("front", "back", "detail", "cropped"):
        return
    fault = _PHOTO_FAULTS.get(offer.number % 30)
    if fault is not None:
        replies[last.url] = fault(last.content)


# Faults of the last photo of a product, by the product's number modulo 30.
_PHOTO_FAULTS = {
    3: lambda content: _Reply(content, "image/jpeg", cut=True),
    4: lambda content: _Reply(b"<html>Bild nicht gefunden</html>", "image/jpeg"),
    9: lambda content: _Reply(content[: len(content) * 2 // 3], "image/jpeg"),
    11: lambda content: _Reply(_bomb(), "image/png"),
    14: lambda content: _Reply(b"", "image/jpeg"),
    17: lambda content: _Reply(b"gone", status=410),
    22: lambda content: _Reply(b"broken", status=500),
    25: lambda content: _Reply(status=302, location=f"http://{HOST}/geheim/foto.jpg"),
}


def _trap_replies(replies: dict[str, _Reply]) -> None:
    for language in pages.LANGUAGES:
        root = f"http://{HOST}/{language}"
        loop = f"{root}/p/schleife.html"
        replies[loop] = _Reply(status=302, location=loop)
        replies[f"{root}/p/umweg.html"] = _Reply(
            status=302, location=f"http://{HOST}/{language}/intern/katalog.html"
        )
        replies[f"{root}/p/privat.html"] = _Reply(status=302, location="http://10.1.2.3/p/x.html")
        replies[f"{root}/p/datei.html"] = _Reply(status=302, location="file:///etc/hostname")
        replies[f"{root}/p/leer.html"] = _Reply(b"<html><title>Leer</title></html>")
        replies[f"{root}/intern/katalog.html"] = _Reply(b"<html>geheim</html>")
    replies[f"http://{HOST}/geheim/foto.jpg"] = _Reply(b"geheim", "image/jpeg")


def _bomb() -> bytes:
    """A small PNG whose header declares 40,000 × 40,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 999))
