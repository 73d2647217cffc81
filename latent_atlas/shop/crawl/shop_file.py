"""A shop is a YAML file: where to begin, how to find products, and what is special about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cssselect import SelectorError
from parsel import Selector
from pydantic import Field, ValidationError, field_validator, model_validator

from latent_atlas.config.reading import read
from latent_atlas.config.section import Section
from latent_atlas.util.console import UserError

SHOPS = Path(__file__).with_name("shops")
"""The shop files that ship with the crawler."""

Css = Annotated[str, Field(min_length=1)]
Address = Annotated[str, Field(min_length=1)]


class AttributeRows(Section):
    """The shop's table of attributes.

    Attributes:
        each: CSS of a row.
        key, value: CSS within a row.
    """

    each: Css
    key: Css
    value: Css


class Fields(Section):
    """CSS that overrides what the structured data says; ``::text`` and ``::attr(x)`` are known."""

    sku: Css | None = None
    name: Css | None = None
    brand: Css | None = None
    description: Css | None = None
    images: Css | None = None
    breadcrumbs: Css | None = None
    attributes: Css | AttributeRows | None = None


class Shop(Section):
    """One shop.

    Attributes:
        name: for the tables and the folder of the crawl.
        licence: what is known of the right to use its pictures; goes beside each row.
        start: category pages to begin with.
        sitemaps: sitemaps (or indexes of sitemaps) to begin with.
        product_urls: expression that the path of a product's URL matches; required for sitemaps.
        products: CSS of the links from a category page to its products.
        next: CSS of the links to further category pages.
        hosts: further hosts that pages may be on, beside those of `start` and `sitemaps`.
        requests_per_host: requests at a time to one host.
        delay: seconds between two requests to a host; robots.txt may ask for more.
        fields: overrides for single fields.
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
    def _addresses(cls, urls: list[str]) -> list[str]:
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
    def _names(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            try:
                named = re.fullmatch(r"[a-z0-9._-]+", ascii_host(host)) is not None
            except ValueError:
                named = False
            if not named:
                raise ValueError(f"found {host!r}, expected a name such as www.shop.example alone")
        return hosts

    @model_validator(mode="after")
    def _complete(self) -> Shop:
        if not self.start and not self.sitemaps:
            raise ValueError("start: expected a category page, or sitemaps with a sitemap")
        if self.start and not self.products:
            raise ValueError("products: missing; the CSS of the product links on a category page")
        if self.sitemaps and not self.product_urls:
            raise ValueError("product_urls: missing; what tells a product's URL in a sitemap")
        try:
            re.compile(self.product_urls or "")
        except re.error as error:
            raise ValueError(f"product_urls: not a regular expression ({error})") from None
        for css in self._selectors():
            try:
                Selector("<html></html>").css(css)
            except (SelectorError, ValueError) as error:
                raise ValueError(f"{css!r} is not a CSS selector ({error})") from None
        return self

    def _selectors(self) -> list[str]:
        rows = self.fields.attributes
        parts = [rows.each, rows.key, rows.value] if isinstance(rows, AttributeRows) else [rows]
        names = ("sku", "name", "brand", "description", "images", "breadcrumbs")
        fields = [getattr(self.fields, name) for name in names]
        return [css for css in (self.products, self.next, *fields, *parts) if css]

    def page_hosts(self) -> set[str]:
        """Hosts that pages may be on, see `ascii_host`, without port."""
        urls = [*self.start, *self.sitemaps]
        named = [urlsplit(url).hostname or "" for url in urls]
        return {ascii_host(host) for host in (*named, *self.hosts)}

    def is_product(self, path: str) -> bool:
        """Whether the path of a URL is a product's."""
        return self.product_urls is None or re.search(self.product_urls, path) is not None


def ascii_host(host: str) -> str:
    """A host's name in lower case and as requests carry it: ``müller.de`` is ``xn--mller-kva.de``.

    Raises:
        UnicodeError: if it is no name of a host.
    """
    return host.lower().encode("idna").decode()


def load(path: Path) -> Shop:
    """Read a shop file.

    Raises:
        UserError: naming the key, what was found and what was expected.
    """
    try:
        return Shop.model_validate(read(path))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        message = str(problem["msg"]).removeprefix("Value error, ")
        known = (
            f" (known: {', '.join(Shop.model_fields)})"
            if problem["type"] == "extra_forbidden"
            else ""
        )
        raise UserError(f"{path}: {place + ': ' if place else ''}{message}{known}") from None
