"""Links of sitemaps and category pages."""

from __future__ import annotations

from scrapy.http import HtmlResponse

from latent_atlas.shop.crawl.links import is_on, listing_links, sitemap_links
from latent_atlas.shop.crawl.shop_file import Shop

SHOP = Shop(
    name="x",
    licence="unknown",
    start=["http://shop.example/mode"],
    products="a.p",
    next="a.next",
    product_urls="^/p/",
)
HOSTS = SHOP.page_hosts()
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def test_a_sitemap_gives_products_of_the_shop_only() -> None:
    urls = ("http://shop.example/p/1", "http://shop.example/about", "http://other.example/p/2")
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    content = f"<urlset {NAMESPACE}>{entries}</urlset>".encode()
    links = sitemap_links(content, "http://shop.example/sitemap.xml", SHOP, HOSTS)
    assert links == [("http://shop.example/p/1", "product")]


def test_an_index_gives_sitemaps() -> None:
    entry = "<sitemap><loc>http://shop.example/a.xml</loc></sitemap>"
    content = f"<sitemapindex {NAMESPACE}>{entry}</sitemapindex>".encode()
    links = sitemap_links(content, "http://shop.example/sitemap.xml", SHOP, HOSTS)
    assert links == [("http://shop.example/a.xml", "sitemap")]


def test_a_category_page_gives_products_and_further_pages() -> None:
    body = """<a class="p" href="/p/1#top">x</a><a class="p" href="/about">x</a>
    <a class="p" href="javascript:x()">x</a><a class="p" href="http://[x/p/2">x</a>
    <a class="next" href="?page=2">x</a><a class="next" href="http://other.example/">x</a>"""
    page = HtmlResponse("http://shop.example/mode", body=body.encode(), encoding="utf-8")
    assert listing_links(page, SHOP, HOSTS) == [
        ("http://shop.example/p/1", "product"),
        ("http://shop.example/mode?page=2", "listing"),
    ]


def test_hosts_are_compared_without_port_and_case() -> None:
    assert is_on("http://SHOP.example:8080/x", HOSTS)
    assert not is_on("http://www.shop.example/x", HOSTS)
    assert not is_on(f"http://{'a' * 70}.example/x", HOSTS)
