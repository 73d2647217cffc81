"""The crawl's memory: what is to be fetched, what came of it, and the original images.

One SQLite file holds all of it, so that a page and everything that was learnt from it are recorded
in one transaction. A crawl that is killed at any moment goes on where it was: what is ``done`` is
never fetched again, what is not stays ``queued``.
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
from latent_atlas.util.locks import alone

Kind = Literal["sitemap", "listing", "product", "image"]
Status = Literal["queued", "done", "failed", "refused"]

# In this order a resumed crawl goes on: first whatever completes a product.
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
    passes INTEGER NOT NULL DEFAULT 0,   -- how often this crawl has given up on it
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
    crawl INTEGER NOT NULL,              -- the crawl that brought it: shards only grow
    content BLOB NOT NULL
);
"""


def _unusable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: cannot be used ({error}); another crawl may be running on it, or remove its "
        "folder to begin anew"
    )


@contextmanager
def opened(path: Path, fingerprint: str) -> Iterator[Ledger]:
    """The `Ledger` for a block; whatever SQLite finds wrong with it there becomes one line.

    Two crawls at a time would be twice as fast as the shop allows: the second one waits.

    Raises:
        UserError: if the file is damaged, or of another crawl.
    """
    folder = path.parent  # it may be removed and made meanwhile, so the lock lies beside it
    with alone(folder.with_name(f"{folder.name}.lock"), "another crawl is running", wait=True):
        ledger = Ledger(path, fingerprint)
        try:
            yield ledger
        except sqlite3.Error as error:
            raise _unusable(path, error) from None
        finally:
            ledger.close()


@dataclass(frozen=True)
class Entry:
    """A URL and what became of it.

    Attributes:
        reason: why it failed or was refused.
        etag, modified: validators for the next crawl.
        fetched: when, by the server's clock, as an ISO time in UTC.
        sha256: of an image's bytes.
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
class Photo:
    """A stored image; `content` are the bytes as the shop sent them."""

    sha256: str
    format: str
    width: int
    height: int
    crawl: int
    bytes: int


@dataclass(frozen=True)
class Answer:
    """The part of an HTTP answer that is recorded."""

    etag: str
    modified: str
    fetched: str
    bytes: int


class Ledger:
    """Open or create the ledger of one shop.

    Args:
        path: the SQLite file.
        fingerprint: what the crawl depends on; another one than the file's is refused.

    Raises:
        UserError: if the file is damaged or of another crawl.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            # A crash of the process loses nothing; one of the machine at most the last seconds.
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
                f"{path.parent}: holds a crawl of another shop file or version; move or remove "
                "the folder to crawl anew"
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
        """The number of the crawl, from 1; going on with one keeps it."""
        return int(self._get("crawl"))

    def begin(self, start: Iterable[tuple[str, Kind]]) -> bool:
        """Go on with an unfinished crawl, or begin the next one.

        The crawl after a finished one asks again for everything: for what failed anew, for the
        rest with the validators that the servers gave. What comes in after an export gets shards
        of its own.

        Returns:
            whether an unfinished crawl goes on.
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

    def exported(self, complete: bool) -> None:
        """The outputs are written; `complete` if nothing is queued, so that a new crawl is next."""
        with self._transaction():
            self._set("exported", self._get("crawl"))
            if complete:
                self._set("state", "finished")

    def _add(self, url: str, kind: Kind) -> bool:
        done = self._db.execute("INSERT OR IGNORE INTO urls (url, kind) VALUES (?, ?)", (url, kind))
        return done.rowcount > 0

    def queued(self) -> list[Entry]:
        """What is to be fetched, in a stable order."""
        entries = [entry for entry in self.entries() if entry.status == "queued"]
        return sorted(entries, key=lambda entry: (KINDS.index(entry.kind), entry.url))

    def page(self, url: str, answer: Answer, found: Iterable[tuple[str, Kind]]) -> list[str]:
        """Record a listing or sitemap with the URLs on it; returns the new ones."""
        with self._transaction():
            new = [link for link, kind in found if self._add(link, kind)]
            self._done(url, answer)
        return new

    def product(
        self, url: str, answer: Answer, data: dict[str, Any], images: Iterable[str]
    ) -> list[str]:
        """Record a product with its images; returns the image URLs that are new."""
        # Half a surrogate pair, as a shop that cuts an emoji leaves it, is no text: a ? instead.
        text = json.dumps(data, sort_keys=True, ensure_ascii=False).encode(errors="replace")
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO products VALUES (?, ?)", (url, text.decode()))
            new = [link for link in images if self._add(link, "image")]
            self._done(url, answer)
        return new

    def image(self, url: str, answer: Answer, photo: Photo, content: bytes) -> None:
        """Record an image; the same bytes are kept once."""
        row = (photo.sha256, photo.format, photo.width, photo.height, photo.crawl, content)
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?)", row)
            self._done(url, answer, photo.sha256)

    def unchanged(self, url: str) -> None:
        """Record that the server still has what an earlier crawl brought."""
        self._db.execute("UPDATE urls SET status = 'done', reason = '' WHERE url = ?", (url,))

    def _done(self, url: str, answer: Answer, sha256: str = "") -> None:
        self._db.execute(
            "UPDATE urls SET status = 'done', reason = '', etag = ?, modified = ?, fetched = ?, "
            "bytes = ?, sha256 = ? WHERE url = ?",
            (answer.etag, answer.modified, answer.fetched, answer.bytes, sha256, url),
        )

    def failed(self, url: str, reason: str, lasting: bool) -> None:
        """Record a failure; one that is not lasting is tried again later in the same crawl."""
        self._db.execute(
            "UPDATE urls SET status = 'failed', reason = ?, lasting = ?, passes = passes + 1 "
            "WHERE url = ?",
            (reason, int(lasting), url),
        )

    def refused(self, url: str, reason: str) -> None:
        """Record that `url` must not be fetched."""
        self._db.execute(
            "UPDATE urls SET status = 'refused', reason = ? WHERE url = ?", (reason, url)
        )

    def second_pass(self) -> list[Entry]:
        """Queue once more what failed for a reason that may have passed; returns it."""
        self._db.execute(
            "UPDATE urls SET status = 'queued' "
            "WHERE status = 'failed' AND lasting = 0 AND passes = 1"
        )
        return self.queued()

    def forget_failures(self) -> None:
        """The network was dead: what failed for it counts as never tried."""
        self._db.execute(
            "UPDATE urls SET status = 'queued', reason = '', passes = 0 "
            "WHERE status = 'failed' AND lasting = 0"
        )

    def counts(self) -> dict[tuple[Kind, Status], int]:
        """How many URLs of each kind have each status."""
        rows = self._db.execute("SELECT kind, status, count(*) FROM urls GROUP BY kind, status")
        return {(kind, status): count for kind, status, count in rows}

    def entries(self) -> Iterator[Entry]:
        """Every URL, sorted."""
        rows = self._db.execute(
            "SELECT url, kind, status, reason, etag, modified, fetched, bytes, sha256 "
            "FROM urls ORDER BY url"
        )
        return (Entry(*row) for row in rows)

    def entry(self, url: str) -> Entry | None:
        """What is known of `url`."""
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

    def photos(self) -> list[Photo]:
        """Every stored image, in the order of the shards: by crawl, then by content."""
        rows = self._db.execute(
            "SELECT sha256, format, width, height, crawl, length(content) FROM images "
            "ORDER BY crawl, sha256"
        )
        return [Photo(*row) for row in rows]

    def content(self, sha256: str) -> bytes:
        """The original bytes of a stored image."""
        (content,) = self._db.execute(
            "SELECT content FROM images WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return bytes(content)
