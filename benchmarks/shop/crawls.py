"""Crawls in separate processes, for tests and benchmarks.

Twisted's reactor starts only once in a process.
"""

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
from latent_atlas.shop.crawl.drawn.server import DrawnShop, Visit
from latent_atlas.shop.crawl.shop_file import SHOPS

ROOT = Path(__file__).resolve().parents[2]


def prepare(folder: Path, shop: Path | str, proxy: str | None, **changes: Any) -> None:
    """Write a params.yaml for a crawl in `folder`.

    Args:
        folder: working folder of the crawl, created if necessary.
        shop: path of the shop file, or ``drawn``.
        proxy: URL of the proxy, or None.
        changes: further keys of the section `scrape`.
    """
    values = reading.read(ROOT / "params.yaml")
    own = {"shop": str(shop), "proxy": proxy, "retry_seconds": 0.05, **changes}
    values["scrape"] = reading.merge(values["scrape"], own)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))


def shop_file(folder: Path, like: Path = SHOPS / "drawn.yaml", **changes: Any) -> Path:
    """Write a copy of the shop file `like` with some keys changed; return its path."""
    values = yaml.safe_load(like.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(values | changes, allow_unicode=True))
    return path


def environment(folder: Path) -> dict[str, str]:
    """Environment variables of a crawl in `folder`."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        "LATENT_ATLAS_ROOT": str(folder),
        # A proxy of the environment must not be used; nothing listens at this port.
        "http_proxy": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }


def start(folder: Path) -> subprocess.Popen[str]:
    """Start ``python -m stages.scrape`` in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages.scrape"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, status: int = 0) -> str:
    """Crawl to the end, expecting the exit status `status`; return the text on stderr."""
    process = start(folder)
    try:
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    if process.returncode != status:
        raise RuntimeError(f"exit status {process.returncode}, expected {status}: {errors}")
    return errors


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Kill the process at the end of the block, also after an exception."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finished_urls(folder: Path, shop: str = "drawn") -> set[str]:
    """URLs that are fetched according to the ledger of a finished or killed crawl."""
    path = folder / f".cache/crawls/{shop}/ledger.sqlite"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as ledger:
        tables = ledger.execute("SELECT count(*) FROM sqlite_master WHERE name = 'urls'").fetchone()
        if not tables[0]:
            return set()
        return {url for (url,) in ledger.execute("SELECT url FROM urls WHERE status = 'done'")}


def fetched_again(
    visits: Sequence[Visit], finished: Collection[str], shop: DrawnShop
) -> list[Visit]:
    """Visits to URLs that were already finished.

    A moved product has two URLs, and only a request shows that they are the same. A visit that
    follows a redirect from an unfinished URL is therefore not counted.
    """
    redirected = Counter(
        f"http://{HOST}{shop.replies[visit.url].location}"
        for visit in visits
        if visit.status in (301, 302) and visit.url not in finished
    )
    again = []
    for visit in visits:
        if redirected[visit.url]:
            redirected[visit.url] -= 1
        elif visit.url in finished:
            again.append(visit)
    return again


def output_files(folder: Path) -> Mapping[str, bytes]:
    """All output files of a crawl: relative name → bytes."""
    out = folder / "data" / "crawl"
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def compare_products(table: pd.DataFrame, catalogue: Catalogue) -> dict[str, tuple[int, int]]:
    """Compare a crawled table with the drawn shop: field → (right values, all values)."""
    truth = catalogue.truth().set_index("sku")
    crawled = table.set_index("id").reindex(truth.index)
    right = {
        "product": crawled["name"].notna(),
        "name": crawled["name"] == truth["name"],
        "brand": crawled["brand"] == truth["brand"],
        "language": crawled["language"] == truth["language"],
        # Raw newlines are read as one space.
        "description": crawled["description"] == truth["description"],
        "image urls": pd.Series(
            [
                list(a) == list(b)
                for a, b in zip(crawled["image_urls"], truth["photo_urls"], strict=True)
            ]
        ),
        "attributes": pd.Series(
            [
                set(b) <= set(a)
                for a, b in zip(crawled["attributes"], truth["properties"], strict=True)
            ]
        ),
    }
    return {name: (int(values.sum()), len(truth)) for name, values in right.items()}
