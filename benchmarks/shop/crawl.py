"""The figures of a crawl, judged by the server's own log: of the drawn shop, or of django-oscar.

    python -m benchmarks.shop.crawl drawn --products 600
    python -m benchmarks.shop.crawl oscar --products 1000 --python /tmp/oscar/bin/python \
        --images CLASS_FOLDERS_OF_CLOTHES

One crawl without interruption at sixteen requests at a time, then the same crawl with kill -9 at
random moments. Printed are: products found, fields right, what robots.txt forbids and was fetched
all the same, bytes of finished products that were fetched again, and whether the outputs are equal.
For oscar, whose set-up is told in `oscar_shop`, `--python` is the environment that has it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from latent_atlas.shop.crawl.drawn import catalogue, server
from latent_atlas.shop.crawl.drawn.server import Visit
from tests.shop.crawl import crawls

CONNECTIONS = 16
SAME_PICTURE = 6.0  # mean difference of pixels, 0 to 255: the shop encodes its pictures anew


@dataclass(frozen=True)
class Subject:
    """A running shop and what is known of it.

    Attributes:
        name: of the shop, as its file says.
        shop: what to write into the shop file.
        proxy: URL of the proxy, or None.
        visits: the server's log so far.
        again: visits to what was finished before.
        forbidden: whether robots.txt forbids a URL.
        compare: the folder of a finished crawl → field → (right, all).
    """

    name: str
    shop: Callable[[Path], Path]
    proxy: str | None
    visits: Callable[[], Sequence[Visit]]
    again: Callable[[Sequence[Visit], set[str]], list[Visit]]
    forbidden: Callable[[str], bool]
    compare: Callable[[Path], Mapping[str, tuple[int, int]]]


@contextmanager
def drawn(products: int, seed: int) -> Iterator[Callable[[], Subject]]:
    """The drawn shop; each call opens it anew, since it fails only on first requests."""
    made = catalogue.make(products, seed)

    def compare(folder: Path) -> Mapping[str, tuple[int, int]]:
        return crawls.compare(pd.read_parquet(folder / "data/crawl/products.parquet"), made)

    def begin() -> Subject:
        shop = server.Shop(made)
        proxy = running.enter_context(server.serve(shop))
        return Subject(
            name="drawn",
            shop=lambda folder: crawls.shop_file(folder, requests_per_host=CONNECTIONS),
            proxy=proxy,
            visits=lambda: list(shop.visits),
            again=lambda visits, done: crawls.fetched_again(visits, done, shop),
            forbidden=lambda url: ("/intern/" in url and "/offen" not in url) or "/geheim/" in url,
            compare=compare,
        )

    with ExitStack() as running:
        yield begin


@contextmanager
def oscar(
    products: int, python: str, images: Path, folder: Path, port: int
) -> Iterator[Callable[[], Subject]]:
    """Django-oscar in a process of its own, crawled by the shop file that the stage brings."""
    script = Path(__file__).with_name("oscar_shop.py")
    command = [python, str(script), str(images), str(folder), f"--products={products}"]
    process = subprocess.Popen([*command, f"--port={port}"], stdout=subprocess.PIPE, text=True)
    root = f"http://127.0.0.1:{port}"
    log = folder / "visits.jsonl"
    try:
        assert process.stdout is not None
        assert "open at" in process.stdout.readline()
        begun = 0

        def visits() -> list[Visit]:
            lines = log.read_text().splitlines()[begun:] if log.exists() else []
            return [_visit(root, json.loads(line)) for line in lines]

        def begin() -> Subject:
            nonlocal begun
            begun = len(log.read_text().splitlines()) if log.exists() else 0
            return Subject(
                name="oscar",
                shop=lambda place: crawls.shop_file(
                    place,
                    crawls.SHOPS / "oscar.yaml",
                    start=[f"{root}/catalogue/"],
                    requests_per_host=CONNECTIONS,
                ),
                proxy=None,
                visits=visits,
                again=lambda visits, done: [visit for visit in visits if visit.url in done],
                forbidden=lambda url: any(
                    part in url
                    for part in ("/basket/", "/accounts/", "/reviews/", "/catalogue/hat-")
                ),
                compare=lambda place: _compare_oscar(
                    place / "data/crawl", json.loads((folder / "offered.json").read_text())
                ),
            )

        yield begin
    finally:
        process.terminate()
        process.wait()


def _visit(root: str, line: Mapping[str, object]) -> Visit:
    query = f"?{line['query']}" if line["query"] else ""
    return Visit(
        at=float(str(line["at"])),
        url=f"{root}{line['path']}{query}",
        status=int(str(line["status"])),
        bytes=int(str(line["bytes"])),
        agent="",
    )


def _compare_oscar(
    out: Path, offered: Sequence[Mapping[str, str]]
) -> Mapping[str, tuple[int, int]]:
    """Field → (right, all) against what was put into the shop."""
    table = pd.read_parquet(out / "products.parquet").set_index("id")
    offered = [row for row in offered if row["class"] != "hat"]  # robots.txt forbids them
    right = dict.fromkeys(("product", "name", "description", "breadcrumbs", "picture"), 0)
    for row in offered:
        if row["upc"] not in table.index:
            continue
        found = table.loc[row["upc"]]
        title = row["title"].split(" No. ")[0].lower()
        right["product"] += 1
        right["name"] += found["name"] == row["title"]
        right["description"] += found["description"] == f"A {title} as worn & photographed."
        trail = ["Home", "Clothing", row["class"].capitalize()]
        right["breadcrumbs"] += list(found["breadcrumbs"]) == trail
        right["picture"] += _same_picture(out, str(found["img_path"]), Path(row["file"]))
    return {name: (count, len(offered)) for name, count in right.items()}


def _same_picture(out: Path, path: str, original: Path) -> bool:
    shard, _, member = path.rpartition("/")
    with tarfile.open(out / shard) as archive:
        file = archive.extractfile(member)
        assert file is not None
        found = Image.open(file).convert("RGB")
    with Image.open(original) as picture:
        wanted = picture.convert("RGB").resize(found.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(found, np.int16) - np.asarray(wanted, np.int16)).mean()
    return bool(difference < SAME_PICTURE)


def measure(begin: Callable[[], Subject], folder: Path, kills: int, seed: int) -> None:
    """Crawl without and with interruptions, and print the figures."""
    whole, killed = folder / "whole", folder / "killed"
    subject = begin()
    crawls.prepare(whole, subject.shop(whole), subject.proxy)
    began = time.monotonic()
    crawls.run(whole)
    seconds = time.monotonic() - began
    visits = subject.visits()
    fields = subject.compare(whole)
    found, offered = fields["product"]
    pages = sum(visit.status == 200 for visit in visits)
    print(f"products: {found} of {offered} offered, {pages} answers, {seconds:.0f} s", flush=True)
    rights = {name: pair for name, pair in fields.items() if name != "product"}
    total = sum(right for right, _ in rights.values()), sum(count for _, count in rights.values())
    each = ", ".join(f"{name} {right}/{count}" for name, (right, count) in rights.items())
    print(f"fields: {total[0]} of {total[1]} right ({each})", flush=True)
    ledger = pd.read_csv(whole / "data/crawl/ledger.csv", keep_default_na=False)
    held_back = int((ledger["reason"] == "disallowed by robots.txt").sum())
    fetched = sum(subject.forbidden(visit.url) for visit in visits)
    print(
        f"robots.txt: {fetched} forbidden URLs fetched at {CONNECTIONS} requests at a time, "
        f"{held_back} held back",
        flush=True,
    )
    subject = begin()
    crawls.prepare(killed, subject.shop(killed), subject.proxy)
    again = interrupt(subject, killed, kills, len(visits), random.Random(seed))  # noqa: S311
    fetched = sum(subject.forbidden(visit.url) for visit in subject.visits())
    lost = sum(v.bytes for v in subject.visits()) - sum(v.bytes for v in visits)
    print(
        f"{kills} kills: {sum(visit.bytes for visit in again)} bytes of finished work fetched "
        f"again ({len(again)} requests); {lost} bytes of unfinished requests lost; "
        f"{fetched} forbidden URLs fetched"
    )
    print(f"outputs equal to those without kills: {_difference(whole, killed) or 'all'}")


def interrupt(
    subject: Subject, folder: Path, kills: int, visits: int, rng: random.Random
) -> list[Visit]:
    """Crawl with so many kills, spread over `visits`; returns visits to what was finished."""
    again: list[Visit] = []
    for turn in range(kills + 1):
        done, seen = crawls.done(folder, subject.name), len(subject.visits())
        if turn == kills:
            crawls.run(folder)
        else:
            pause = rng.randint(1, 3 * visits // (2 * kills + 2))
            with crawls.killed(crawls.start(folder)) as process:
                while len(subject.visits()) < seen + pause:
                    assert process.poll() is None, "it ended before it was killed"
                    time.sleep(0.005)
        again += subject.again(subject.visits()[seen:], done)
    return again


def _difference(whole: Path, killed: Path) -> str:
    """Names of outputs that differ, times aside: a real server's clock goes on."""
    first, second = crawls.files(whole), crawls.files(killed)
    names = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    return ", ".join(name for name in names if not _same_rows(whole, killed, name))


def _same_rows(whole: Path, killed: Path, name: str) -> bool:
    if name not in ("products.parquet", "ledger.csv"):
        return False
    read = pd.read_parquet if name.endswith(".parquet") else pd.read_csv
    tables = [read(folder / "data/crawl" / name) for folder in (whole, killed)]
    first, second = (table.drop(columns="fetched").astype(str) for table in tables)
    return bool(first.equals(second))


def main() -> None:
    """Open the shop that was asked for, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shop", choices=("drawn", "oscar"))
    parser.add_argument("--products", type=int, default=600)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default="python")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--folder", type=Path, help="of oscar, kept from one call to the next")
    parser.add_argument("--port", type=int, default=8765)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.shop == "drawn":
            opened = drawn(asked.products, asked.seed)
        else:
            own = asked.folder or folder / "oscar"
            opened = oscar(asked.products, asked.python, asked.images, own, asked.port)
        with opened as begin:
            measure(begin, folder, asked.kills, asked.seed)


if __name__ == "__main__":
    main()
