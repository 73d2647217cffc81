"""Ledger of a crawl: the queue of URLs, the result of each, and the original images.

One SQLite file holds everything, so that a page and all that follows from it are recorded in one
transaction. A crawl that is killed at any moment resumes where it was: a URL that is ``done`` is
never fetched again, every other one stays ``queued``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latent_atlas.util.console import UserError
from latent_atlas.util.locks import exclusive_lock

Kind = Literal["sitemap", "listing", "product", "image"]
Status = Literal["queued", "done", "failed", "refused"]

# Order of the queue of a resumed crawl: first the URLs that complete a product.
KINDS: tuple[Kind, ...] = ("image", "product", "listing", "sitemap")
_VERSION = 1
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE urls (
    url TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    reason TEXT NOT NULL DEFAULT '',
    lasting INTEGER NOT NULL DEFAULT 1,  -- 0: the failure may pass
    passes INTEGER NOT NULL DEFAULT 0,   -- how often it has failed in this crawl
    etag TEXT NOT NULL DEFAULT '',
    modified TEXT NOT NULL DEFAULT '',
    fetched TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX urls_by_status ON urls (status, kind);
CREATE TABLE products (url TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE images (
    sha256 TEXT PRIMARY KEY,
    format TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    crawl INTEGER NOT NULL,              -- the crawl that fetched it: shards only grow
    content BLOB NOT NULL
);
"""


def _unusable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: cannot be used ({error}); wait if another crawl uses it, otherwise remove its "
        "folder to crawl anew"
    )


@contextmanager
def open_ledger(path: Path, fingerprint: str) -> Iterator[Ledger]:
    """The `Ledger` for a block; an error of SQLite inside the block becomes a `UserError`.

    Two simultaneous crawls would exceed the shop's request rate. The second one therefore waits.

    Raises:
        UserError: if the file is damaged, or belongs to another crawl.
    """
    folder = path.parent  # it may be removed meanwhile, so the lock file lies beside it
    with exclusive_lock(
        folder.with_name(f"{folder.name}.lock"), "another crawl is running", wait=True
    ):
        ledger = Ledger(path, fingerprint)
        try:
            yield ledger
        except sqlite3.Error as error:
            raise _unusable(path, error) from None
        finally:
            ledger.close()


@dataclass(frozen=True)
class Entry:
    """A URL and its result.

    Attributes:
        reason: why it failed or was refused.
        etag, modified: validators for the next crawl.
        fetched: ISO time in UTC, by the server's clock.
        bytes: size of the body.
        sha256: hash of an image's bytes.
    """

    url: str
    kind: Kind
    status: Status
    reason: str
    etag: str
    modified: str
    fetched: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class StoredImage:
    """A stored image.

    Attributes:
        sha256: hash of the original bytes.
        format: file format, e.g. ``jpeg``.
        width, height: in pixels.
        crawl: number of the crawl that fetched it.
        bytes: size of the file.
    """

    sha256: str
    format: str
    width: int
    height: int
    crawl: int
    bytes: int


@dataclass(frozen=True)
class ResponseRecord:
    """The part of an HTTP response that is recorded; see `Entry`."""

    etag: str
    modified: str
    fetched: str
    bytes: int


class Ledger:
    """Queue, results and images of one shop, in a file that is opened or created.

    Args:
        path: the SQLite file.
        fingerprint: hash of what the crawl depends on. A file with another one is refused.

    Raises:
        UserError: if the file is damaged, or belongs to another crawl.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            # A crash of the process loses nothing, a crash of the machine the last seconds.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._open(path, fingerprint)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None

    def _open(self, path: Path, fingerprint: str) -> None:
        self._db.execute("BEGIN EXCLUSIVE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._set("fingerprint", fingerprint)
            self._set("crawl", "1")
            self._set("state", "running")
        self._db.execute("COMMIT")
        if version not in (0, _VERSION) or self._get("fingerprint") != fingerprint:
            raise UserError(
                f"{path.parent}: found a crawl of another shop file or version; move or remove the "
                "folder to crawl anew"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _get(self, name: str) -> str:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    @property
    def crawl(self) -> int:
        """The number of the crawl, from 1. A resumed crawl keeps its number."""
        return int(self._get("crawl"))

    def begin(self, start: Iterable[tuple[str, Kind]]) -> bool:
        """Resume an unfinished crawl, or begin the next one.

        A crawl after a finished one requests every URL again, those that succeeded with the
        validators that the servers sent. Images that arrive after an export get new shards.

        Args:
            start: URLs to begin with, added to the queue if they are new.

        Returns:
            whether an unfinished crawl is resumed.
        """
        with self._transaction():
            resumed = self._get("state") == "running" and self.counts() != {}
            if self._get("exported") == self._get("crawl"):
                self._set("crawl", str(self.crawl + 1))
            if self._get("state") == "finished":
                self._db.execute("UPDATE urls SET status = 'queued', reason = '', passes = 0")
            self._set("state", "running")
            for url, kind in start:
                self._add(url, kind)
        return resumed

    def record_export(self, complete: bool) -> None:
        """Record that the outputs are written; after a `complete` crawl, a new one is next."""
        with self._transaction():
            self._set("exported", self._get("crawl"))
            if complete:
                self._set("state", "finished")

    def _add(self, url: str, kind: Kind) -> bool:
        added = self._db.execute(
            "INSERT OR IGNORE INTO urls (url, kind) VALUES (?, ?)", (url, kind)
        )
        return added.rowcount > 0

    def queued(self) -> list[Entry]:
        """The URLs to fetch, in a stable order."""
        entries = [entry for entry in self.entries() if entry.status == "queued"]
        return sorted(entries, key=lambda entry: (KINDS.index(entry.kind), entry.url))

    def record_page(
        self, url: str, response: ResponseRecord, links: Iterable[tuple[str, Kind]]
    ) -> list[str]:
        """Record a listing or sitemap with the URLs on it; return the new ones."""
        with self._transaction():
            new = [link for link, kind in links if self._add(link, kind)]
            self._set_done(url, response)
        return new

    def record_product(
        self, url: str, response: ResponseRecord, data: dict[str, Any], images: Iterable[str]
    ) -> list[str]:
        """Record a product with its images; return the image URLs that are new."""
        # A shop that cuts an emoji leaves half a surrogate pair. It cannot be encoded: ? instead.
        text = json.dumps(data, sort_keys=True, ensure_ascii=False).encode(errors="replace")
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO products VALUES (?, ?)", (url, text.decode()))
            new = [link for link in images if self._add(link, "image")]
            self._set_done(url, response)
        return new

    def record_image(
        self, url: str, response: ResponseRecord, image: StoredImage, content: bytes
    ) -> None:
        """Record an image; the same bytes are stored once."""
        row = (image.sha256, image.format, image.width, image.height, image.crawl, content)
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?)", row)
            self._set_done(url, response, image.sha256)

    def record_unchanged(self, url: str) -> None:
        """Record that the server still has the content of an earlier crawl."""
        self._db.execute("UPDATE urls SET status = 'done', reason = '' WHERE url = ?", (url,))

    def _set_done(self, url: str, response: ResponseRecord, sha256: str = "") -> None:
        self._db.execute(
            "UPDATE urls SET status = 'done', reason = '', etag = ?, modified = ?, fetched = ?, "
            "bytes = ?, sha256 = ? WHERE url = ?",
            (response.etag, response.modified, response.fetched, response.bytes, sha256, url),
        )

    def record_failure(self, url: str, reason: str, lasting: bool) -> None:
        """Record a failure; unless it is `lasting`, the URL is tried again in the same crawl."""
        self._db.execute(
            "UPDATE urls SET status = 'failed', reason = ?, lasting = ?, passes = passes + 1 "
            "WHERE url = ?",
            (reason, int(lasting), url),
        )

    def record_refusal(self, url: str, reason: str) -> None:
        """Record that `url` must not be fetched."""
        self._db.execute(
            "UPDATE urls SET status = 'refused', reason = ? WHERE url = ?", (reason, url)
        )

    def queue_second_pass(self) -> list[Entry]:
        """Queue once more, and return, the URLs whose failure may have passed."""
        self._db.execute(
            "UPDATE urls SET status = 'queued' "
            "WHERE status = 'failed' AND lasting = 0 AND passes = 1"
        )
        return self.queued()

    def forget_failures(self) -> None:
        """Queue failures that may pass as if never tried, because the network was dead."""
        self._db.execute(
            "UPDATE urls SET status = 'queued', reason = '', passes = 0 "
            "WHERE status = 'failed' AND lasting = 0"
        )

    def counts(self) -> dict[tuple[Kind, Status], int]:
        """Number of URLs by kind and status."""
        rows = self._db.execute("SELECT kind, status, count(*) FROM urls GROUP BY kind, status")
        return {(kind, status): count for kind, status, count in rows}

    def entries(self) -> Iterator[Entry]:
        """All URLs, sorted."""
        rows = self._db.execute(
            "SELECT url, kind, status, reason, etag, modified, fetched, bytes, sha256 "
            "FROM urls ORDER BY url"
        )
        return (Entry(*row) for row in rows)

    def entry(self, url: str) -> Entry | None:
        """The entry of `url`; None if the ledger does not contain it."""
        row = self._db.execute(
            "SELECT url, kind, status, reason, etag, modified, fetched, bytes, sha256 "
            "FROM urls WHERE url = ?",
            (url,),
        ).fetchone()
        return Entry(*row) if row else None

    def products(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The URL and data of every product, sorted by URL."""
        for url, data in self._db.execute("SELECT url, data FROM products ORDER BY url"):
            yield url, json.loads(data)

    def stored_images(self) -> list[StoredImage]:
        """All stored images in the order of the shards: by crawl, then by hash."""
        rows = self._db.execute(
            "SELECT sha256, format, width, height, crawl, length(content) FROM images "
            "ORDER BY crawl, sha256"
        )
        return [StoredImage(*row) for row in rows]

    def content(self, sha256: str) -> bytes:
        """The original bytes of a stored image."""
        (content,) = self._db.execute(
            "SELECT content FROM images WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return bytes(content)
