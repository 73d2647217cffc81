"""Links of sitemaps and category pages that lead to products or to further such pages."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urldefrag, urljoin, urlsplit

from parsel import Selector
from scrapy.http import TextResponse
from scrapy.utils.sitemap import Sitemap

from latent_atlas.shop.crawl.ledger import Kind
from latent_atlas.shop.crawl.shop_file import Shop, ascii_host
from latent_atlas.shop.crawl.structured import base_url

Link = tuple[str, Kind]


def sitemap_links(content: bytes, url: str, shop: Shop, hosts: Collection[str]) -> list[Link]:
    """Products in a sitemap, or sitemaps in an index.

    Args:
        content: the file, uncompressed.
        url: its address.
        shop: which paths are products.
        hosts: the shop's hosts, see `Shop.page_hosts`; links to others are left out.
    """
    sitemap = Sitemap(content)
    nested = sitemap.type == "sitemapindex"
    return [
        (link, "sitemap" if nested else "product")
        for entry in sitemap
        if (link := _absolute(entry["loc"], url)) and is_on(link, hosts)
        if nested or shop.is_product(urlsplit(link).path)
    ]


def listing_links(page: TextResponse, shop: Shop, hosts: Collection[str]) -> list[Link]:
    """Products and further category pages that a category page links; see `sitemap_links`."""
    steps: tuple[tuple[str | None, Kind], ...] = (
        (shop.products, "product"),
        (shop.next, "listing"),
    )
    base = base_url(page.selector, page.url)
    return [
        (url, kind)
        for css, kind in steps
        for link in (page.css(css) if css else ())
        if (url := _absolute(_target(link), base))
        and is_on(url, hosts)
        and (kind == "listing" or shop.is_product(urlsplit(url).path))
    ]


def is_on(url: str, hosts: Collection[str]) -> bool:
    """Whether `url` is on one of `hosts`."""
    try:
        return ascii_host(urlsplit(url).hostname or "") in hosts
    except UnicodeError:  # a label that is too long for a host name
        return False


def _target(link: Selector) -> str:
    """The ``href`` of an element, or the text that ``::attr(x)`` selected."""
    return str(link.root if isinstance(link.root, str) else link.root.get("href", ""))


def _absolute(link: str | None, base: str) -> str:
    """The absolute http(s) URL without fragment, or ``""``."""
    if not link:
        return ""
    try:
        url = urldefrag(urljoin(base, link.strip())).url
        parts = urlsplit(url)
        return url if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""
