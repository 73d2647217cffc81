"""Shop file in YAML: start pages, the way to the products, request rate and overrides of fields."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cssselect import SelectorError
from parsel import Selector
from pydantic import Field, field_validator, model_validator

from latent_atlas.config.reading import check, read
from latent_atlas.config.section import Section

SHOPS = Path(__file__).with_name("shops")
"""Folder of the example shop files."""

Css = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(min_length=1)]


class AttributeRows(Section):
    """CSS of a table of attributes on a product page.

    Attributes:
        each: selects the rows.
        key, value: select key and value within a row.
    """

    each: Css
    key: Css
    value: Css


class Fields(Section):
    """CSS that overrides fields of the structured data; may end in ``::text`` or ``::attr(x)``."""

    sku: Css | None = None
    name: Css | None = None
    brand: Css | None = None
    description: Css | None = None
    images: Css | None = None
    breadcrumbs: Css | None = None
    attributes: Css | AttributeRows | None = None


class Shop(Section):
    """Contents of a shop file.

    Attributes:
        name: name of the shop in the tables and of the folder of its crawl.
        licence: note on the right to use the images, repeated in each row of the table.
        start: URLs of the first category pages.
        sitemaps: URLs of sitemaps, or of indexes of sitemaps.
        product_urls: regular expression that the path of a product's URL matches; required with
            `sitemaps`.
        products: CSS of the links from a category page to its products.
        next: CSS of the links to further category pages.
        hosts: hosts of the shop's pages beside those of `start` and `sitemaps`.
        requests_per_host: the largest number of simultaneous requests to one host.
        delay: seconds between two requests to a host; robots.txt may ask for more.
        fields: overrides of single fields.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    licence: Annotated[str, Field(min_length=1)]
    start: list[Address] = Field(default_factory=list)
    sitemaps: list[Address] = Field(default_factory=list)
    product_urls: str | None = None
    products: Css | None = None
    next: Css | None = None
    hosts: list[str] = Field(default_factory=list)
    requests_per_host: Annotated[int, Field(ge=1, le=64)] = 1
    delay: Annotated[float, Field(ge=0)] = 1.0
    fields: Fields = Fields()

    @field_validator("start", "sitemaps")
    @classmethod
    def _check_urls(cls, urls: list[str]) -> list[str]:
        for url in urls:
            try:
                parts = urlsplit(url)
                host = ascii_host(parts.hostname or "") if parts.port != 0 else ""
            except ValueError:
                host = ""
            if not re.fullmatch(r"[a-z0-9._:-]+", host) or parts.scheme not in ("http", "https"):
                raise ValueError(f"found {url!r}, expected a URL with http:// or https://")
        return urls

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            try:
                is_name = re.fullmatch(r"[a-z0-9._-]+", ascii_host(host)) is not None
            except ValueError:
                is_name = False
            if not is_name:
                raise ValueError(f"found {host!r}, expected only a name such as www.shop.example")
        return hosts

    @model_validator(mode="after")
    def _check_shop(self) -> Shop:
        if not self.start and not self.sitemaps:
            raise ValueError(
                "start: found no URL here or under sitemaps, expected a category page or a sitemap"
            )
        if self.start and not self.products:
            raise ValueError(
                "products: required key is missing, expected the CSS of the product links on a "
                "category page"
            )
        if self.sitemaps and not self.product_urls:
            raise ValueError(
                "product_urls: required key is missing, expected a regular expression for the "
                "paths of products in a sitemap"
            )
        try:
            re.compile(self.product_urls or "")
        except re.error as error:
            raise ValueError(
                f"product_urls: found {self.product_urls!r}, expected a regular expression "
                f"({error})"
            ) from None
        for css in self._selectors():
            try:
                Selector("<html></html>").css(css)
            except (SelectorError, ValueError) as error:
                raise ValueError(f"found {css!r}, expected a CSS selector ({error})") from None
        return self

    def _selectors(self) -> list[str]:
        rows = self.fields.attributes
        parts = [rows.each, rows.key, rows.value] if isinstance(rows, AttributeRows) else [rows]
        names = ("sku", "name", "brand", "description", "images", "breadcrumbs")
        fields = [getattr(self.fields, name) for name in names]
        return [css for css in (self.products, self.next, *fields, *parts) if css]

    def page_hosts(self) -> set[str]:
        """Hosts of the shop's pages without port, see `ascii_host`."""
        urls = [*self.start, *self.sitemaps]
        hosts = [urlsplit(url).hostname or "" for url in urls]
        return {ascii_host(host) for host in (*hosts, *self.hosts)}

    def is_product(self, path: str) -> bool:
        """Whether the path of a URL belongs to a product."""
        return self.product_urls is None or re.search(self.product_urls, path) is not None


def ascii_host(host: str) -> str:
    """The name of a host as requests carry it: ``Müller.de`` becomes ``xn--mller-kva.de``.

    Raises:
        UnicodeError: if it is not a valid host name.
    """
    return host.lower().encode("idna").decode()


def load(path: Path) -> Shop:
    """Read a shop file.

    Raises:
        UserError: if the file or a value in it is not valid.
    """
    return check(Shop, read(path), str(path))
