"""Crawls in processes of their own: Twisted's reactor starts only once in a process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from latent_atlas.config import reading
from latent_atlas.shop.crawl.drawn.catalogue import HOST, Catalogue
from latent_atlas.shop.crawl.drawn.server import Shop, Visit

ROOT = Path(__file__).resolve().parents[3]
SHOPS = ROOT / "stages" / "scrape" / "shops"


def prepare(folder: Path, shop: Path | str, proxy: str | None, **changes: Any) -> None:
    """Write a params.yaml for a crawl in `folder`."""
    values = reading.read(ROOT / "params.yaml")
    own = {"shop": str(shop), "proxy": proxy, "retry_seconds": 0.05, **changes}
    values["scrape"] = reading.merge(values["scrape"], own)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))


def shop_file(folder: Path, like: Path = SHOPS / "drawn.yaml", **changes: Any) -> Path:
    """A shop file, the drawn shop's if not said otherwise, with some keys changed."""
    values = yaml.safe_load(like.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(values | changes, allow_unicode=True))
    return path


def environment(folder: Path) -> dict[str, str]:
    """What a crawl in `folder` needs around it."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        "LATENT_ATLAS_ROOT": str(folder),
        # A proxy of the environment must not be used; nobody listens there.
        "http_proxy": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }


def start(folder: Path) -> subprocess.Popen[str]:
    """Begin ``python -m stages.scrape`` in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages.scrape"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, status: int = 0) -> str:
    """Crawl to the end; returns what the door said."""
    process = start(folder)
    try:
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == status, errors
    return errors


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End the process when the block is left, whatever happens."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def done(folder: Path, shop: str = "drawn") -> set[str]:
    """URLs that the ledger of a crawl, finished or killed, holds as fetched."""
    path = folder / f".cache/crawls/{shop}/ledger.sqlite"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as ledger:
        tables = ledger.execute("SELECT count(*) FROM sqlite_master WHERE name = 'urls'").fetchone()
        if not tables[0]:
            return set()
        return {url for (url,) in ledger.execute("SELECT url FROM urls WHERE status = 'done'")}


def fetched_again(visits: Sequence[Visit], finished: Collection[str], shop: Shop) -> list[Visit]:
    """Visits to what was finished before.

    A product that moved has two addresses, and a crawl learns only by asking that they are one: a
    visit that an unfinished address redirected is none of these.
    """
    led = Counter(
        f"http://{HOST}{shop.replies[visit.url].location}"
        for visit in visits
        if visit.status in (301, 302) and visit.url not in finished
    )
    again = []
    for visit in visits:
        if led[visit.url]:
            led[visit.url] -= 1
        elif visit.url in finished:
            again.append(visit)
    return again


def files(folder: Path) -> Mapping[str, bytes]:
    """All outputs of a crawl, by relative name."""
    out = folder / "data" / "crawl"
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def compare(table: pd.DataFrame, catalogue: Catalogue) -> dict[str, tuple[int, int]]:
    """Field → (right, all) of the crawled table against the drawn shop's truth."""
    truth = catalogue.truth().set_index("sku")
    found = table.set_index("id").reindex(truth.index)
    rights = {
        "product": found["name"].notna(),
        "name": found["name"] == truth["name"],
        "brand": found["brand"] == truth["brand"],
        "language": found["language"] == truth["language"],
        # A shop's raw newlines are one space.
        "description": found["description"] == truth["description"],
        "image urls": pd.Series(
            [
                list(a) == list(b)
                for a, b in zip(found["image_urls"], truth["photo_urls"], strict=True)
            ]
        ),
        "attributes": pd.Series(
            [
                set(b) <= set(a)
                for a, b in zip(found["attributes"], truth["properties"], strict=True)
            ]
        ),
    }
    return {name: (int(right.sum()), len(truth)) for name, right in rights.items()}
