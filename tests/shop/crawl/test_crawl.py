"""Complete crawls of the drawn shop over HTTP, compared with the server's log."""

from __future__ import annotations

import collections
import random
import signal
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from benchmarks.shop import crawls
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.shop.crawl.drawn import catalogue, server
from tests.shop.crawl.replies import reply_server

COUNT = 62


@pytest.fixture(scope="module")
def shop() -> catalogue.Catalogue:
    return catalogue.draw_catalogue(COUNT, seed=3)


@pytest.fixture(scope="module")
def crawled(
    shop: catalogue.Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, server.DrawnShop]:
    """The folder of one uninterrupted crawl with 16 simultaneous requests, and the server."""
    folder = tmp_path_factory.mktemp("crawl")
    running = server.DrawnShop(shop)
    with server.serve(running) as proxy:
        crawls.prepare(folder, crawls.shop_file(folder), proxy, contact="me@example.org")
        crawls.run(folder)
    return folder, running


def test_products_are_the_first_garments_of_the_store_of_the_same_seed(
    shop: catalogue.Catalogue,
) -> None:
    stored = DRAWINGS["garments"].factors(COUNT + 40, seed=3)[: len(shop.offers)]
    for offer, row in zip(shop.offers, stored.to_dict("records"), strict=True):
        assert offer.truth == {column: row[column] for column in catalogue.ATTRIBUTES}


def test_every_product_is_crawled_with_its_true_fields(
    crawled: tuple[Path, server.DrawnShop], shop: catalogue.Catalogue
) -> None:
    table = pd.read_parquet(crawled[0] / "data/crawl/products.parquet")
    offered = sum(offer.open for offer in shop.offers)
    assert offered == COUNT - 1
    assert len(table) == offered
    assert table["id"].is_unique
    for field, (right, count) in crawls.compare_products(table, shop).items():
        assert right == count, field


def test_forbidden_urls_are_not_fetched(crawled: tuple[Path, server.DrawnShop]) -> None:
    visits = crawled[1].visits
    assert len(visits) > 300
    assert [visit.url for visit in visits if "/intern/" in visit.url] == []
    assert [visit.url for visit in visits if "/geheim/" in visit.url] == []


def test_the_user_agent_contains_project_and_contact(
    crawled: tuple[Path, server.DrawnShop],
) -> None:
    agents = {visit.agent for visit in crawled[1].visits}
    assert agents == {"latent-atlas/0.1 (+me@example.org)"}


def test_robots_txt_is_the_first_request_to_each_host(
    crawled: tuple[Path, server.DrawnShop],
) -> None:
    first: dict[str, str] = {}
    for visit in crawled[1].visits:
        first.setdefault(visit.url.split("/")[2], visit.url)
    assert len(first) == 2
    assert all(url.endswith("/robots.txt") for url in first.values())


def test_the_crawl_delay_of_the_photo_host_is_kept(crawled: tuple[Path, server.DrawnShop]) -> None:
    times = [visit.at for visit in crawled[1].visits if visit.url.startswith("http://bilder.")]
    # robots.txt is requested without a delay and logged before its body is sent. The photos follow
    # with the delay between them, which a busy machine only lengthens.
    assert len(times) >= 5
    assert times[-1] - times[0] > 0.99 * 0.1 * (len(times) - 2)


def test_the_retry_after_header_is_kept(crawled: tuple[Path, server.DrawnShop]) -> None:
    visits = [visit for visit in crawled[1].visits if visit.url.endswith("/en/mode?seite=2")]
    assert [visit.status for visit in visits] == [429, 200]
    assert visits[1].at - visits[0].at > 0.99


def test_failures_are_recorded_with_their_reasons(crawled: tuple[Path, server.DrawnShop]) -> None:
    ledger = pd.read_csv(crawled[0] / "data/crawl/ledger.csv", keep_default_na=False)
    reasons = set(ledger.loc[ledger["kind"] == "image", "reason"])
    assert {"HTTP 410", "HTTP 500", "empty file", "not an image", "truncated"} <= reasons
    assert "more than 60000000 pixels" in reasons
    assert "disallowed by robots.txt" in reasons
    by_url = ledger.set_index("url")
    root = "http://laden.localhost/de"
    assert by_url.loc[f"{root}/p/verkauft-1.html", "reason"] == "HTTP 404"
    assert "private address" in by_url.loc[f"{root}/p/privat.html", "reason"]
    assert by_url.loc[f"{root}/p/umweg.html", "reason"] == "disallowed by robots.txt"
    assert by_url.loc[f"{root}/p/leer.html", "reason"] == "no product on the page"
    assert "http://anderswo.example/p/fremd.html" not in by_url.index
    assert set(ledger["status"]) == {"done", "failed", "refused"}


def test_failing_images_are_requested_again_in_a_second_pass(
    crawled: tuple[Path, server.DrawnShop],
) -> None:
    visits = collections.Counter(v.url for v in crawled[1].visits if v.status == 500)
    # Three requests at once and three in the second pass; pages fail only the first time.
    assert {count for url, count in visits.items() if "/fotos/" in url} == {6}
    assert {count for url, count in visits.items() if "/p/" in url} == {1}


def test_shards_contain_each_original_once(
    crawled: tuple[Path, server.DrawnShop], shop: catalogue.Catalogue
) -> None:
    out = crawled[0] / "data/crawl"
    table = pd.read_parquet(out / "products.parquet")
    members: dict[str, bytes] = {}
    for path in sorted((out / "shards").iterdir()):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                assert member.name not in members
                members[f"shards/{path.name}/{member.name}"] = file.read()
    paths = {path for row in table["image_paths"] for path in row if path}
    assert paths == set(members)
    for name, content in members.items():
        assert sha256(content).hexdigest() in name
    served = {photo.content for offer in shop.offers for photo in offer.photos}
    assert set(members.values()) <= served


def test_the_csv_has_the_columns_of_the_data_set(crawled: tuple[Path, server.DrawnShop]) -> None:
    table = pd.read_csv(crawled[0] / "data/crawl/products.csv")
    assert list(table.columns) == [
        "id", "img_path", "img_url", "model_img_urls", "product_url", "brand", "name", "attributes",
    ]  # fmt: skip


def test_two_runs_of_the_default_stage_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        crawls.prepare(tmp_path / name, "drawn", None, products={"sample": 24, "full": 24})
        crawls.run(tmp_path / name)
    first, second = (
        crawls.output_files(tmp_path / "first"),
        crawls.output_files(tmp_path / "second"),
    )
    assert first == second
    assert "truth.parquet" in first
    remaining = list((tmp_path / "first" / ".cache" / "crawls").iterdir())
    assert [(path.suffix, path.stat().st_size) for path in remaining] == [(".lock", 0)]


@pytest.mark.slow
def test_no_finished_url_is_fetched_again_after_ten_kills(
    tmp_path: Path, crawled: tuple[Path, server.DrawnShop], shop: catalogue.Catalogue
) -> None:
    running, rng = server.DrawnShop(shop), random.Random(0)  # noqa: S311
    again: list[server.Visit] = []
    with server.serve(running) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        for _ in range(10):
            finished, seen = crawls.finished_urls(tmp_path), len(running.visits)
            pause = rng.randint(1, len(crawled[1].visits) // 11)
            with crawls.killed(crawls.start(tmp_path)) as process:
                deadline = time.monotonic() + 60
                while len(running.visits) < seen + pause and time.monotonic() < deadline:
                    time.sleep(0.002)
                assert process.poll() is None
            again += crawls.fetched_again(running.visits[seen:], finished, running)
        finished, seen = crawls.finished_urls(tmp_path), len(running.visits)
        output = crawls.run(tmp_path)
        again += crawls.fetched_again(running.visits[seen:], finished, running)
    assert "resuming the crawl" in output
    assert again == []
    assert crawls.output_files(tmp_path) == crawls.output_files(crawled[0])


@pytest.mark.slow
def test_an_interrupted_crawl_is_resumed(
    tmp_path: Path, crawled: tuple[Path, server.DrawnShop], shop: catalogue.Catalogue
) -> None:
    running = server.DrawnShop(shop)
    with server.serve(running) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        with crawls.killed(crawls.start(tmp_path)) as process:
            while len(running.visits) < 80 and process.poll() is None:
                time.sleep(0.002)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, errors
        assert "finished work is kept" in errors
        assert not (tmp_path / "data").exists()
        crawls.run(tmp_path)
    assert crawls.output_files(tmp_path) == crawls.output_files(crawled[0])


def test_the_next_crawl_gets_304_for_unchanged_urls(
    tmp_path: Path, shop: catalogue.Catalogue
) -> None:
    small = catalogue.Catalogue(shop.offers[:12])
    running = server.DrawnShop(small)
    with server.serve(running) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        crawls.run(tmp_path)
        before = crawls.output_files(tmp_path)
        seen = len(running.visits)
        crawls.run(tmp_path)
    statuses = {v.url: v.status for v in running.visits[seen:] if v.url in running.replies}
    products = [offer for offer in small.offers if offer.open]
    assert all(statuses[offer.url] == 304 for offer in products)
    good = [p.url for offer in products for p in offer.photos if statuses[p.url] == 304]
    assert len(good) > 40
    assert crawls.output_files(tmp_path) == before


def test_a_run_ends_at_a_limit_and_the_next_one_resumes_it(
    tmp_path: Path, shop: catalogue.Catalogue
) -> None:
    small = catalogue.Catalogue(shop.offers[:12])
    running = server.DrawnShop(small)
    with server.serve(running) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy, limits={"pages": 8})
        output = crawls.run(tmp_path)
        assert "the limit of 8 pages is reached" in output
        fetched = [v for v in running.visits if v.status == 200 and "/fotos/" not in v.url]
        assert len(fetched) <= 8 + 16 + 1  # requests in progress, and robots.txt
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy, limits={"bytes": 50_000})
        assert "the limit of 50000 bytes is reached" in crawls.run(tmp_path)
        shards = {
            name: data for name, data in crawls.output_files(tmp_path).items() if ".tar" in name
        }
        assert shards
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        crawls.run(tmp_path)
    table = pd.read_parquet(tmp_path / "data/crawl/products.parquet")
    assert len(table) == 12
    now = crawls.output_files(tmp_path)
    assert {name: now[name] for name in shards} == shards
    assert len(list((tmp_path / "data/crawl/shards").iterdir())) > len(shards)


@contextmanager
def _one_page_server(robots: int, page: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve one page; requests for robots.txt get the status `robots`."""
    with reply_server(
        "127.0.0.1",
        lambda path: (robots, "", b"") if path == "/robots.txt" else (200, "", page),
    ) as server_and_log:
        yield server_and_log


def test_a_server_error_for_robots_txt_ends_the_crawl(tmp_path: Path) -> None:
    with _one_page_server(503, b"<a class=produkt href=/p/1>") as (root, requested):
        path = crawls.shop_file(
            tmp_path, start=[f"{root}/a", f"{root}/b", f"{root}/c"], sitemaps=[]
        )
        crawls.prepare(tmp_path, path, None, limits={"wait_seconds": 5.0})
        output = crawls.run(tmp_path, status=1)
    assert "robots.txt answers 503" in output
    assert set(requested) == {"/robots.txt"}


def test_without_robots_txt_all_pages_are_allowed(tmp_path: Path) -> None:
    page = b"<html><h1>x</h1></html>"
    with _one_page_server(404, page) as (root, requested):
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path, start=[f"{root}/a"], sitemaps=[]), None)
        output = crawls.run(tmp_path, status=1)
    assert "no product was found" in output
    assert requested == ["/robots.txt", "/a"]


PRODUCT = b"""<script type="application/ld+json">
{"@type": "Product", "name": "Kleid", "sku": "1", "image": "/a.jpg"}</script>"""


@contextmanager
def _page_server(pages: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve pages by path; other paths, such as robots.txt, give 404."""
    with reply_server(
        "127.0.0.1", lambda path: (200, "", pages[path]) if path in pages else (404, "", b"")
    ) as server_and_log:
        yield server_and_log


@pytest.mark.parametrize("products", ["a.produkt", "a.produkt::attr(href)"])
def test_links_of_a_category_page_are_relative_to_its_base(tmp_path: Path, products: str) -> None:
    """In addition, a file above the size limit is requested only once."""
    links = b'<base href="/shop/"><a class="produkt" href="p/1">x</a><a class="produkt" {{x}}>y</a>'
    with _page_server({"/list": links, "/shop/p/1": PRODUCT, "/a.jpg": bytes(5000)}) as (
        root,
        requested,
    ):
        path = crawls.shop_file(
            tmp_path, start=[f"{root}/list"], sitemaps=[], product_urls=None, products=products
        )
        crawls.prepare(tmp_path, path, None, limits={"image_bytes": 1000})
        crawls.run(tmp_path)
    assert requested == ["/robots.txt", "/list", "/shop/p/1", "/a.jpg"]
    ledger = pd.read_csv(tmp_path / "data/crawl/ledger.csv").set_index("url")
    assert ledger.loc[f"{root}/a.jpg", "reason"] == "larger than the limit"


def test_a_host_name_with_an_umlaut_is_the_shop_itself(tmp_path: Path) -> None:
    """Requests carry the name in another spelling than the shop file."""
    own = "http://lädchen.localhost/p/2"
    links = f'<a class="produkt" href="/p/1">x</a><a class="produkt" href="{own}">x</a>'
    pages = {"/list": links.encode(), "/p/1": PRODUCT, "/p/2": PRODUCT.replace(b'"1"', b'"2"')}

    def reply(url: str) -> tuple[int, str, bytes]:
        path = urlsplit(url).path
        return (200, "", pages[path]) if path in pages else (404, "", b"")

    with reply_server("127.0.0.1", reply) as (proxy, _):
        start = ["http://Lädchen.localhost/list"]
        path = crawls.shop_file(tmp_path, start=start, sitemaps=[], product_urls=None)
        crawls.prepare(tmp_path, path, proxy)
        crawls.run(tmp_path)
    assert list(pd.read_parquet(tmp_path / "data/crawl/products.parquet")["id"]) == ["1", "2"]


def test_redirects_to_a_foreign_host_are_refused(tmp_path: Path) -> None:
    links = b"".join(b'<a class="produkt" href="/p/%d">x</a>' % number for number in (1, 2))
    own = {"/list": (200, "", links), "/p/1": (200, "", PRODUCT)}
    redirects = {"/p/2": (302, "http://foreign.localhost/p/2", b"")}
    foreign = {"http://foreign.localhost/p/2": (200, "", PRODUCT.replace(b'"1"', b'"2"'))}

    def reply(url: str) -> tuple[int, str, bytes]:
        return foreign.get(url) or (own | redirects).get(urlsplit(url).path) or (404, "", b"")

    with reply_server("127.0.0.1", reply) as (proxy, requested):
        path = crawls.shop_file(
            tmp_path, start=["http://shop.localhost/list"], sitemaps=[], product_urls=None
        )
        crawls.prepare(tmp_path, path, proxy)
        crawls.run(tmp_path)
    assert not [url for url in requested if "foreign" in url]
    assert list(pd.read_parquet(tmp_path / "data/crawl/products.parquet")["id"]) == ["1"]
    ledger = pd.read_csv(tmp_path / "data/crawl/ledger.csv").set_index("url")
    assert ledger.loc["http://shop.localhost/p/2", ["status", "reason"]].to_list() == [
        "refused",
        "redirects to foreign.localhost, which is not among the shop's hosts",
    ]


def test_missing_pages_count_towards_the_limit(tmp_path: Path) -> None:
    links = b"".join(b'<a class="produkt" href="/de/p/%d">x</a>' % number for number in range(40))
    with _page_server({"/list": links}) as (root, requested):
        path = crawls.shop_file(tmp_path, start=[f"{root}/list"], sitemaps=[], requests_per_host=1)
        crawls.prepare(tmp_path, path, None, limits={"pages": 5})
        output = crawls.run(tmp_path, status=1)
    assert "the limit of 5 pages is reached" in output
    assert len(requested) <= 2 + 5


def test_a_long_crawl_delay_ends_at_the_limit_of_seconds(tmp_path: Path) -> None:
    robots = b"User-agent: *\nCrawl-delay: 100000\n"
    links = b'<a class="produkt" href="/de/p/1">x</a>'
    pages = {"/robots.txt": robots, "/list": links, "/de/p/1": PRODUCT}
    with _page_server(pages) as (root, requested):
        path = crawls.shop_file(tmp_path, start=[f"{root}/list"], sitemaps=[])
        crawls.prepare(tmp_path, path, None, limits={"seconds": 3.0})
        output = crawls.run(tmp_path, status=1)
    assert "the limit of 3 seconds is reached before a product was found" in output
    # On a busy machine, the time may be over before the listing or even robots.txt is requested.
    assert requested == ["/robots.txt", "/list"][: len(requested)]


def test_a_dead_network_gives_a_one_line_error(tmp_path: Path) -> None:
    starts = [f"http://127.0.0.1:9/{number}" for number in range(40)]
    crawls.prepare(tmp_path, crawls.shop_file(tmp_path, start=starts, sitemaps=[]), None)
    output = crawls.run(tmp_path, status=1)
    assert output.count("error:") == 1
    assert "robots.txt cannot be fetched" in output


def test_a_shop_elsewhere_is_not_crawled_without_a_contact(tmp_path: Path) -> None:
    path = crawls.shop_file(tmp_path, start=["http://192.0.2.1/mode"], sitemaps=[])
    crawls.prepare(tmp_path, path, None)
    output = crawls.run(tmp_path, status=1)
    assert output.startswith("error: scrape.contact: found null, expected a mail address")
    assert not (tmp_path / ".cache").exists()


def test_an_old_crawl_of_another_shop_file_is_refused(
    tmp_path: Path, shop: catalogue.Catalogue
) -> None:
    small = catalogue.Catalogue(shop.offers[:2])
    with server.serve(server.DrawnShop(small)) as proxy:
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path), proxy)
        crawls.run(tmp_path)
        crawls.prepare(tmp_path, crawls.shop_file(tmp_path, next="a.weiter"), proxy)
        output = crawls.run(tmp_path, status=1)
    assert "found a crawl of another shop file" in output
