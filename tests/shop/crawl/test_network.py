"""Crawls with a dead network, with a dead photo host, and with links into the private network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.shop import crawls
from latent_atlas.shop.crawl.drawn import catalogue, server
from tests.shop.crawl.replies import reply_server

DEAD = "http://127.0.0.1:9"
GONE = "http://127.0.0.3:9"


@pytest.fixture(scope="module")
def shop() -> catalogue.Catalogue:
    return catalogue.draw_catalogue(16, seed=5)  # the photos of one are on another host


class _Dying(server.DrawnShop):
    """A shop that closes every connection after a number of visits."""

    def __init__(self, shop: catalogue.Catalogue, visits: int) -> None:
        super().__init__(shop)
        self._left = visits

    def reply(self, url: str) -> server._Reply:
        self._left -= 1
        if self._left < 0:
            raise ConnectionResetError
        return super().reply(url)


def test_a_crawl_is_resumed_after_a_network_failure(
    tmp_path: Path, shop: catalogue.Catalogue
) -> None:
    whole = tmp_path / "whole"
    with server.serve(server.DrawnShop(shop)) as proxy:
        crawls.prepare(whole, crawls.shop_file(whole, requests_per_host=2), proxy)
        crawls.run(whole)
    folder = tmp_path / "broken"
    with server.serve(_Dying(shop, visits=40)) as proxy:
        crawls.prepare(folder, crawls.shop_file(folder, requests_per_host=2), proxy)
        assert "nor from the shop; run again to resume" in crawls.run(folder, status=1)
    finished = crawls.finished_urls(folder)
    assert finished
    # Still dead: nothing is lost, and nothing counts as finished.
    crawls.prepare(folder, folder / "shop.yaml", DEAD)
    output = crawls.run(folder, status=1)
    assert "robots.txt cannot be fetched" in output
    assert "run again to resume" in output
    assert not (folder / "data").exists()
    assert crawls.finished_urls(folder) == finished
    again = server.DrawnShop(shop)
    with server.serve(again) as proxy:
        crawls.prepare(folder, folder / "shop.yaml", proxy)
        crawls.run(folder)
    assert crawls.fetched_again(again.visits, finished, again) == []
    assert crawls.output_files(folder) == crawls.output_files(whole)


def _product(sku: str, *images: str) -> bytes:
    tags = "".join(f'<meta property="og:image" content="{image}">' for image in images)
    return (
        f'<meta property="og:type" content="product"><meta property="og:title" content="{sku}">'
        f'<meta property="product:sku" content="{sku}">{tags}'
    ).encode()


def _links(*paths: str) -> bytes:
    return "".join(f'<a class="produkt" href="{path}">x</a>' for path in paths).encode()


def test_a_dead_photo_host_does_not_stop_the_shop(tmp_path: Path) -> None:
    def reply(path: str) -> tuple[int, str, bytes]:
        if path == "/robots.txt":
            return 404, "", b""
        if path == "/liste":
            return 200, "", _links("/de/p/1", "/de/p/2")
        return 200, "", _product(path[-1], *(f"{GONE}/{path[-1]}-{n}.jpg" for n in range(15)))

    with reply_server("127.0.0.1", reply) as (root, requested):
        path = crawls.shop_file(tmp_path, start=[f"{root}/liste"], sitemaps=[])
        crawls.prepare(tmp_path, path, None, retries=0)
        crawls.run(tmp_path)
    table = pd.read_parquet(tmp_path / "data/crawl/products.parquet")
    assert list(table["id"]) == ["1", "2"]
    failures = {reason for row in table["image_failures"] for reason in row}
    assert failures == {"robots.txt cannot be fetched (DownloadConnectionRefusedError)"}
    pages = sorted(path for path in requested if path != "/robots.txt")
    assert pages == ["/de/p/1", "/de/p/2", "/liste"]


def test_a_dead_port_of_the_shop_itself_does_not_stop_it(tmp_path: Path) -> None:
    """For example, old pages and photos are linked with http, but only https is served."""
    dead = "http://127.0.0.1:9"

    def reply(path: str) -> tuple[int, str, bytes]:
        if path == "/robots.txt":
            return 404, "", b""
        if path == "/liste":
            return 200, "", _links(f"{dead}/de/p/0", "/de/p/1")
        return 200, "", _product("1", f"{dead}/1.jpg")

    with reply_server("127.0.0.1", reply) as (root, _):
        path = crawls.shop_file(tmp_path, start=[f"{root}/liste"], sitemaps=[])
        crawls.prepare(tmp_path, path, None, retries=0)
        crawls.run(tmp_path)
    assert list(pd.read_parquet(tmp_path / "data/crawl/products.parquet")["id"]) == ["1"]
    ledger = pd.read_csv(tmp_path / "data/crawl/ledger.csv").set_index("url")
    for url in (f"{dead}/de/p/0", f"{dead}/1.jpg"):
        assert (
            ledger.loc[url, "reason"]
            == "robots.txt cannot be fetched (DownloadConnectionRefusedError)"
        )


def test_a_crawl_that_could_not_be_written_is_only_written_again(
    tmp_path: Path, shop: catalogue.Catalogue
) -> None:
    running = server.DrawnShop(catalogue.Catalogue(shop.offers[:3]))
    (tmp_path / "data").write_text("in the way")
    with server.serve(running) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        assert "cannot be written" in crawls.run(tmp_path, status=1)
        seen = len(running.visits)
        (tmp_path / "data").unlink()
        crawls.run(tmp_path)
    assert len(running.visits) == seen
    assert len(pd.read_parquet(tmp_path / "data/crawl/products.parquet")) == 3


# 127.0.0.2 counts as a public address, and the name innen.example resolves to 127.0.0.1.
_PUBLIC = """
import socket
from latent_atlas.shop.crawl import policy, resolver, run
real = policy.network_of_address
def network_of_address(address):
    return "public" if address == "127.0.0.2" else real(address)
for module in (policy, resolver, run):
    module.network_of_address = network_of_address
# As if a photo at that name had been requested before the page that redirects to it.
resolver.CheckingResolver.refused["innen.example"] = "refused before"
lookup = socket.gethostbyname
socket.gethostbyname = lambda name: "127.0.0.1" if name == "innen.example" else lookup(name)
from stages import scrape
scrape.run_command(scrape.main)
"""


def test_links_of_a_public_shop_into_the_private_network_are_refused(tmp_path: Path) -> None:
    def inside(path: str) -> tuple[int, str, bytes]:
        return 200, "", _product("secret")

    with reply_server("127.0.0.1", inside) as (private, requested):
        named = private.replace("127.0.0.1", "innen.example")

        def shop(path: str) -> tuple[int, str, bytes]:
            if path == "/liste":
                return 200, "", _links("/de/p/1", "/de/p/2", "/de/p/3", "/de/p/4")
            targets = {"/de/p/2": f"{private}/x", "/de/p/3": f"{named}/x", "/i": f"{private}/i"}
            if path in targets:
                return 302, targets[path], b""
            if path == "/de/p/4":
                return 302, "http://169.254.169.254/latest/meta-data", b""
            return 200, "", _product("1", "/i", f"{private}/j", f"{named}/k", "file:///etc/hosts")

        with reply_server("127.0.0.2", shop) as (root, _):
            path = crawls.shop_file(tmp_path, start=[f"{root}/liste"], sitemaps=[])
            crawls.prepare(tmp_path, path, None, retries=0, contact="me@example.org")
            process = subprocess.run(
                [sys.executable, "-c", _PUBLIC],
                cwd=tmp_path,
                env=crawls.environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=100,
            )
    assert process.returncode == 0, process.stderr
    assert requested == []
    ledger = pd.read_csv(tmp_path / "data/crawl/ledger.csv", keep_default_na=False)
    reasons = ledger.set_index("url")["reason"]
    assert list(reasons[reasons == ""].index) == [f"{root}/de/p/1", f"{root}/liste"]
    refusal = "a loopback address, asked for by a public shop"
    assert list(reasons[reasons == refusal].index) == sorted(
        [f"{private}/j", f"{named}/k", f"{root}/de/p/2", f"{root}/i"]
    )
    assert reasons[f"{root}/de/p/3"].startswith("redirects to innen.example, which is not among")
    assert reasons[f"{root}/de/p/4"] == "a private address, asked for by a public shop"
    assert len(reasons) == 8
