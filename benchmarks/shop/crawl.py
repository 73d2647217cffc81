"""Completeness, politeness and resumption of a crawl, measured by the log of the server.

    python -m benchmarks.shop.crawl drawn --products 600
    python -m benchmarks.shop.crawl oscar --products 1000 --python /tmp/oscar/bin/python \
        --images CLASS_FOLDERS_OF_CLOTHES

The program crawls once without interruption with 16 simultaneous requests, then once more with
kill -9 at random moments. It prints the number of products and of correct fields, the forbidden
URLs that were fetched, the bytes of finished URLs that were fetched again, and whether the outputs
are equal. The shop is drawn or django-oscar. For django-oscar, see `oscar_shop`, `--python` is the
interpreter of its environment.
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

from benchmarks.shop import crawls
from latent_atlas.shop.crawl.drawn import catalogue, server
from latent_atlas.shop.crawl.drawn.server import Visit
from latent_atlas.shop.crawl.shop_file import SHOPS

CONNECTIONS = 16
SAME_PICTURE = 6.0  # mean difference of pixel values, 0 to 255: the shop encodes its pictures again


@dataclass(frozen=True)
class Subject:
    """A running shop with its log and its true products.

    Attributes:
        name: name of the shop in its shop file.
        shop: writes the shop file into a folder.
        proxy: URL of the proxy, or None.
        visits: the current log of the server.
        again: the visits to URLs that were finished before.
        forbidden: whether robots.txt forbids a URL.
        compare: the folder of a finished crawl → field → (correct values, all values).
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
    """Serve the drawn shop. Each call restarts it, since it fails only on first requests."""
    drawn_catalogue = catalogue.draw_catalogue(products, seed)

    def compare(folder: Path) -> Mapping[str, tuple[int, int]]:
        table = pd.read_parquet(folder / "data/crawl/products.parquet")
        return crawls.compare_products(table, drawn_catalogue)

    def begin() -> Subject:
        shop = server.DrawnShop(drawn_catalogue)
        proxy = running.enter_context(server.serve(shop))
        return Subject(
            name="drawn",
            shop=lambda folder: crawls.shop_file(folder, requests_per_host=CONNECTIONS),
            proxy=proxy,
            visits=lambda: list(shop.visits),
            again=lambda visits, finished: crawls.fetched_again(visits, finished, shop),
            forbidden=lambda url: ("/intern/" in url and "/offen" not in url) or "/geheim/" in url,
            compare=compare,
        )

    with ExitStack() as running:
        yield begin


@contextmanager
def oscar(
    products: int, python: str, images: Path, folder: Path, port: int
) -> Iterator[Callable[[], Subject]]:
    """Serve django-oscar in a separate process, with its example shop file."""
    script = Path(__file__).with_name("oscar_shop.py")
    command = [python, str(script), str(images), str(folder), f"--products={products}"]
    process = subprocess.Popen([*command, f"--port={port}"], stdout=subprocess.PIPE, text=True)
    root = f"http://127.0.0.1:{port}"
    log = folder / "visits.jsonl"
    try:
        if process.stdout is None or "open at" not in process.stdout.readline():
            raise RuntimeError(f"the shop did not start: {' '.join(command)}")
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
                    SHOPS / "oscar.yaml",
                    start=[f"{root}/catalogue/"],
                    requests_per_host=CONNECTIONS,
                ),
                proxy=None,
                visits=visits,
                again=lambda visits, finished: [visit for visit in visits if visit.url in finished],
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
    """Compare a crawled table with the products of the shop: field → (correct, all)."""
    table = pd.read_parquet(out / "products.parquet").set_index("id")
    offered = [row for row in offered if row["class"] != "hat"]  # robots.txt forbids them
    correct = dict.fromkeys(("product", "name", "description", "breadcrumbs", "picture"), 0)
    for row in offered:
        if row["upc"] not in table.index:
            continue
        product = table.loc[row["upc"]]
        title = row["title"].split(" No. ")[0].lower()
        correct["product"] += 1
        correct["name"] += product["name"] == row["title"]
        correct["description"] += product["description"] == f"A {title} as worn & photographed."
        trail = ["Home", "Clothing", row["class"].capitalize()]
        correct["breadcrumbs"] += list(product["breadcrumbs"]) == trail
        correct["picture"] += _same_picture(out, str(product["img_path"]), Path(row["file"]))
    return {name: (count, len(offered)) for name, count in correct.items()}


def _same_picture(out: Path, path: str, original: Path) -> bool:
    shard, _, member = path.rpartition("/")
    with tarfile.open(out / shard) as archive:
        file = archive.extractfile(member)
        if file is None:
            raise RuntimeError(f"{path}: not a file of the shard")
        crawled = Image.open(file).convert("RGB")
    with Image.open(original) as picture:
        expected = picture.convert("RGB").resize(crawled.size, Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(crawled, np.int16) - np.asarray(expected, np.int16)).mean()
    return bool(difference < SAME_PICTURE)


def measure_crawls(begin: Callable[[], Subject], folder: Path, kills: int, seed: int) -> None:
    """Crawl without and with interruptions, and print the results."""
    whole, killed = folder / "whole", folder / "killed"
    subject = begin()
    crawls.prepare(whole, subject.shop(whole), subject.proxy)
    began = time.monotonic()
    crawls.run(whole)
    seconds = time.monotonic() - began
    visits = subject.visits()
    fields = subject.compare(whole)
    crawled, offered = fields["product"]
    pages = sum(visit.status == 200 for visit in visits)
    print(f"products: {crawled} of {offered}, {pages} responses, {seconds:.0f} s", flush=True)
    fields_only = {name: pair for name, pair in fields.items() if name != "product"}
    total = (
        sum(right for right, _ in fields_only.values()),
        sum(count for _, count in fields_only.values()),
    )
    each = ", ".join(f"{name} {right}/{count}" for name, (right, count) in fields_only.items())
    print(f"fields: {total[0]} of {total[1]} correct ({each})", flush=True)
    ledger = pd.read_csv(whole / "data/crawl/ledger.csv", keep_default_na=False)
    refused = int((ledger["reason"] == "disallowed by robots.txt").sum())
    fetched = sum(subject.forbidden(visit.url) for visit in visits)
    print(
        f"robots.txt: {fetched} forbidden URLs fetched with {CONNECTIONS} simultaneous requests, "
        f"{refused} refused",
        flush=True,
    )
    subject = begin()
    crawls.prepare(killed, subject.shop(killed), subject.proxy)
    again = crawl_with_kills(subject, killed, kills, len(visits), random.Random(seed))  # noqa: S311
    fetched = sum(subject.forbidden(visit.url) for visit in subject.visits())
    lost = sum(v.bytes for v in subject.visits()) - sum(v.bytes for v in visits)
    print(
        f"{kills} kills: {sum(visit.bytes for visit in again)} bytes of finished URLs fetched "
        f"again ({len(again)} requests); {lost} bytes of unfinished requests lost; "
        f"{fetched} forbidden URLs fetched"
    )
    print(f"outputs equal to those without kills: {_difference(whole, killed) or 'all'}")


def crawl_with_kills(
    subject: Subject, folder: Path, kills: int, visits: int, rng: random.Random
) -> list[Visit]:
    """Crawl with `kills` kills spread over `visits`; return the visits to finished URLs."""
    again: list[Visit] = []
    for turn in range(kills + 1):
        finished, seen = crawls.finished_urls(folder, subject.name), len(subject.visits())
        if turn == kills:
            crawls.run(folder)
        else:
            pause = rng.randint(1, 3 * visits // (2 * kills + 2))
            with crawls.killed(crawls.start(folder)) as process:
                while len(subject.visits()) < seen + pause:
                    if process.poll() is not None:
                        raise RuntimeError("the crawl ended before it was killed")
                    time.sleep(0.005)
        again += subject.again(subject.visits()[seen:], finished)
    return again


def _difference(whole: Path, killed: Path) -> str:
    """Names of outputs that differ, apart from the times of the responses."""
    first, second = crawls.output_files(whole), crawls.output_files(killed)
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
    """Start the shop, and print the results of its crawls."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shop.crawl",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shop", choices=("drawn", "oscar"))
    parser.add_argument("--products", type=int, default=600)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default="python")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--folder", type=Path, help="data of django-oscar, kept between calls")
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.shop == "drawn":
            shop = drawn(options.products, options.seed)
        else:
            data = options.folder or folder / "oscar"
            shop = oscar(options.products, options.python, options.images, data, options.port)
        with shop as begin:
            measure_crawls(begin, folder, options.kills, options.seed)


if __name__ == "__main__":
    main()
