"""Product data of a page: JSON-LD, then microdata, OpenGraph and the CSS overrides of a shop file.

Shops write these by hand and by template, so that all of them are read leniently. A schema.org
Product may have a list of types, be part of a graph, refer to other nodes, or be invalid JSON. The
module fetches nothing: its input is a `parsel.Selector` and the page's URL.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html.entities import html5
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from parsel import Selector

from latent_atlas.shop.crawl.lenient_json import json_values
from latent_atlas.shop.crawl.shop_file import AttributeRows, Fields

PRODUCT_TYPES = {"product", "productgroup", "productmodel", "individualproduct", "someproducts"}
# Properties that lead to other products than the page's own.
_OTHER_PRODUCTS = {
    "isRelatedTo",
    "isSimilarTo",
    "isAccessoryOrSparePartFor",
    "isConsumableFor",
    "itemListElement",
    "isVariantOf",
}
_SKU = ("sku", "productID", "mpn", "productGroupID", "gtin13", "gtin", "gtin14", "gtin12", "gtin8")
# Properties that count as attributes of the product, by schema.org's names.
_ATTRIBUTES = ("color", "pattern", "material", "size", "category")
_MAX_DEPTH = 40
_MAX_TEXT = 20_000
_MAX_IMAGES = 100

Node = dict[str, Any]


@dataclass(frozen=True)
class Product:
    """Product data of a page; a field without data is empty.

    Attributes:
        sku: the shop's number of the product.
        name: its title.
        brand: its brand.
        description: running text.
        images: absolute URLs, in the page's order.
        attributes: ``"key: value"`` or a single word, in the page's order.
        breadcrumbs: categories from wide to narrow.
        language: language of the page, e.g. ``de``.
        canonical: absolute URL that the page declares as its own.
        sources: field → ``json-ld``, ``microdata``, ``opengraph`` or ``override``.
        raw: the structured data, unchanged.
    """

    sku: str = ""
    name: str = ""
    brand: str = ""
    description: str = ""
    images: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    breadcrumbs: tuple[str, ...] = ()
    language: str = ""
    canonical: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """All fields, with lists in place of tuples as in JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def read_product(page: Selector, url: str, fields: Fields) -> Product | None:
    """Read the product of a page; None for a page without a product.

    Args:
        page: the parsed page.
        url: its address, the base of relative links.
        fields: CSS overrides of the shop; each one that selects something wins.
    """
    base = base_url(page, url)
    nodes = list(json_ld(page))
    product: dict[str, Any] = {}
    sources: dict[str, str] = {}
    raw: dict[str, Any] = {}
    readings: list[tuple[str, Mapping[str, Any]]] = []
    if node := _product_node(nodes):
        raw["json-ld"] = node
        readings.append(("json-ld", _from_node(node, base)))
    if item := _product_node(list(microdata(page))):
        raw["microdata"] = item
        readings.append(("microdata", _from_node(item, base)))
    if graph := open_graph(page):
        raw["opengraph"] = graph
        if readings or "product" in graph.get("og:type", [""])[0] or _has_product_fields(graph):
            readings.append(("opengraph", _from_open_graph(graph, base)))
    readings.append(("json-ld", {"breadcrumbs": _breadcrumbs(nodes)}))
    for source, values in readings:
        for name, value in values.items():
            if value and not product.get(name):
                product[name], sources[name] = value, source
    for name, value in _overrides(page, base, fields).items():
        product[name], sources[name] = value, "override"
    if not product.get("name") or not (product.get("sku") or product.get("images")):
        return None
    return Product(
        **{**product, "images": product.get("images", ())[:_MAX_IMAGES]},
        language=_language(page),
        canonical=_canonical(page, base),
        sources=dict(sorted(sources.items())),
        raw=raw,
    )


def base_url(page: Selector, url: str) -> str:
    """Base of the relative links of the page `url`: its ``<base href>``, or `url`."""
    try:
        return urljoin(url, (page.css("base::attr(href)").get() or "").strip())
    except ValueError:  # e.g. an unclosed bracket of an IPv6 address
        return url


def json_ld(page: Selector) -> Iterator[Any]:
    """Yield the values of all JSON-LD scripts that can be parsed."""
    for text in page.css('script[type*="ld+json"]::text').getall():
        yield from json_values(text)


def microdata(page: Selector) -> Iterator[Node]:
    """Yield every top-level item of schema.org microdata in the form of JSON-LD."""
    for item in page.xpath("//*[@itemscope][not(@itemprop)]"):
        yield _item(item, 0)


def _item(item: Selector, depth: int) -> Node:
    node: Node = {"@type": [kind.rpartition("/")[2] for kind in _words(item, "itemtype")]}
    if depth > _MAX_DEPTH:
        return node
    # Only properties whose nearest enclosing item is this one.
    level = len(item.xpath("ancestor-or-self::*[@itemscope]"))
    for element in item.xpath(
        ".//*[@itemprop][count(ancestor::*[@itemscope]) = $level]", level=level
    ):
        nested = element.root.get("itemscope") is not None
        value = _item(element, depth + 1) if nested else _item_value(element)
        for name in _words(element, "itemprop"):
            node.setdefault(name, []).append(value)
    return {key: value[0] if len(value) == 1 else value for key, value in node.items()}


def _words(element: Selector, attribute: str) -> list[str]:
    # Not `Selector.attrib`: it reads all attributes and fails at a template's remains, ``{{x}}``.
    return str(element.root.get(attribute, "")).split()


def _item_value(element: Selector) -> str:
    """The value of a property (HTML, section 5.2.4); ``content`` counts on any element."""
    valued = ("value",) if element.root.tag in ("data", "meter") else ()
    for attribute in ("content", *valued, "src", "href", "datetime", "data"):
        if (value := element.root.get(attribute)) is not None:
            return str(value)
    return _clean(" ".join(element.css("*::text").getall()))


def open_graph(page: Selector) -> dict[str, list[str]]:
    """The page's ``og:`` and ``product:`` properties as lists, since images repeat."""
    graph: dict[str, list[str]] = {}
    for meta in page.css("meta[property][content], meta[name][content]"):
        name = meta.root.get("property") or meta.root.get("name", "")
        if name.startswith(("og:", "product:")):
            graph.setdefault(name, []).append(meta.root.get("content").strip())
    return graph


def _has_product_fields(graph: Mapping[str, Sequence[str]]) -> bool:
    return any(name.startswith("product:") for name in graph)


def _from_open_graph(graph: Mapping[str, Sequence[str]], base: str) -> dict[str, Any]:
    def first(*names: str) -> str:
        return next((_clean(graph[name][0]) for name in names if graph.get(name)), "")

    images = [*graph.get("og:image", ()), *graph.get("og:image:url", ())]
    properties = (("color", "product:color"), ("material", "product:material"))
    return {
        "sku": first("product:retailer_item_id", "product:sku", "og:upc", "product:mfr_part_no"),
        "name": first("og:title"),
        "brand": first("product:brand", "og:brand"),
        "description": first("og:description")[:_MAX_TEXT],
        "images": _absolute(images, base),
        "attributes": tuple(f"{name}: {first(key)}" for name, key in properties if first(key)),
        "breadcrumbs": _trail(first("product:category")),
    }


def _product_node(nodes: Sequence[Any]) -> Node:
    """The page's own product: of several, the first one with the most properties."""
    index: dict[str, Node] = {}
    products: list[Node] = []
    _collect(nodes, index, products, 0)
    if not products:
        return {}
    resolved = [_resolve(node, index, 0) for node in products]
    named = [node for node in resolved if _text(node.get("name"))]
    return max(named or resolved, key=len)


def _collect(value: Any, index: dict[str, Node], products: list[Node], depth: int) -> None:
    """Collect products, and the nodes that others can refer to by ``@id``."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for part in value:
            _collect(part, index, products, depth + 1)
    elif isinstance(value, dict):
        if isinstance(name := value.get("@id"), str) and len(value) > 1:
            index.setdefault(name, value)
        if _types(value) & PRODUCT_TYPES:
            products.append(value)
            return
        for key, part in value.items():
            if key not in _OTHER_PRODUCTS:
                _collect(part, index, products, depth + 1)


def _types(node: Node) -> set[str]:
    kinds = node.get("@type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return {re.split(r"[/#:]", kind)[-1].lower() for kind in kinds if isinstance(kind, str)}


def _resolve(value: Any, index: Mapping[str, Node], depth: int) -> Any:
    """Replace references ``{"@id": …}`` by the nodes that they refer to."""
    if depth > 4:
        return value
    if isinstance(value, list):
        return [_resolve(part, index, depth + 1) for part in value]
    if isinstance(value, dict):
        if set(value) == {"@id"} and isinstance(value["@id"], str):
            return _resolve(index.get(value["@id"], value), index, depth + 1)
        return {key: _resolve(part, index, depth + 1) for key, part in value.items()}
    return value


def _from_node(node: Node, base: str) -> dict[str, Any]:
    variants = [part for part in _list(node.get("hasVariant")) if isinstance(part, dict)]
    first = {**variants[0], **{k: v for k, v in node.items() if v}} if variants else node
    properties = [
        f"{_text(part.get('name'))}: {_text(part.get('value'))}"
        for part in _list(first.get("additionalProperty"))
        if isinstance(part, dict) and _text(part.get("name")) and _text(part.get("value"))
    ]
    own = [f"{key}: {_text(first[key])}" for key in _ATTRIBUTES if _text(first.get(key))]
    keys = [*_SKU[3:4], *_SKU[:3], *_SKU[4:]] if variants else _SKU
    images = [link for part in (first, *variants) for link in _links(part.get("image"))]
    return {
        "sku": next((text for key in keys if (text := _text(first.get(key)))), ""),
        "name": _text(first.get("name")),
        "brand": _text(first.get("brand")) or _text(first.get("manufacturer")),
        "description": _text(first.get("description"))[:_MAX_TEXT],
        "images": _absolute(images, base),
        "attributes": tuple(dict.fromkeys([*properties, *own])),
        "breadcrumbs": _trail(_text(first.get("category"))),
    }


def _breadcrumbs(nodes: Sequence[Any]) -> tuple[str, ...]:
    """Names in the first BreadcrumbList by position, without the last one, the product itself."""
    stack = list(nodes)[::-1]
    seen = 0
    while stack and (seen := seen + 1) < 10_000:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value[::-1])
        elif isinstance(value, dict):
            if "breadcrumblist" in _types(value):
                steps = [
                    step for step in _list(value.get("itemListElement")) if isinstance(step, dict)
                ]
                steps.sort(key=lambda step: _position(step))
                names = [_text(step.get("name")) or _text(step.get("item")) for step in steps]
                return tuple(name for name in names[:-1] if name)
            stack.extend(list(value.values())[::-1])
    return ()


def _position(step: Node) -> float:
    try:
        return float(step.get("position", 0))
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _trail(category: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[>/›»|]", category) if part.strip())


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _links(value: Any) -> Iterator[str]:
    """The URLs of an image property: a string, an ImageObject, or a list of either."""
    for part in _list(value):
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            for key in ("contentUrl", "url", "@id"):
                if isinstance(part.get(key), (str, list)) and part[key]:
                    yield from _links(part[key])
                    break


def _text(value: Any) -> str:
    """A property as text: the name of a node, all parts of a list."""
    if isinstance(value, str):
        return _clean(_unescaped(value))
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:.15g}" if isinstance(value, float) else str(value)
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(text for part in value if (text := _text(part))))
    if isinstance(value, dict):
        return _text(value.get("name") or value.get("@value") or value.get("value"))
    return ""


def _unescaped(text: str) -> str:
    """`text` with its character references resolved, if they end in a semicolon.

    `html.unescape` also accepts old references without one. In a URL these are the next parameter
    of a query: ``?w=9&timestamp=1`` contains no ×.
    """

    def resolve(reference: re.Match[str]) -> str:
        is_known = reference[1].startswith("#") or reference[1] in html5
        return html.unescape(reference[0]) if is_known else reference[0]

    return re.sub(r"&(#?\w+;)", resolve, text)


def _clean(text: str) -> str:
    return " ".join(re.sub(r"<[^<>]*>", " ", text).split())


def _absolute(links: Sequence[str], base: str) -> tuple[str, ...]:
    """Absolute http(s) URLs without fragments and without repetitions."""
    urls: dict[str, None] = {}
    for link in links:
        try:
            url = urldefrag(urljoin(base, _unescaped(link.strip()))).url
            url.encode()
            if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname:
                urls[url] = None
        except ValueError:  # e.g. an unclosed bracket of an IPv6 address, or half an emoji
            continue
    return tuple(urls)


def _overrides(page: Selector, base: str, fields: Fields) -> dict[str, Any]:
    """The fields that the shop file's CSS selects."""
    values: dict[str, Any] = {}
    for name in ("sku", "name", "brand", "description"):
        if css := getattr(fields, name):
            values[name] = _clean(" ".join(_strings(page, css)))[:_MAX_TEXT]
    if fields.images:
        values["images"] = _absolute(_strings(page, fields.images), base)
    if fields.breadcrumbs:
        values["breadcrumbs"] = tuple(filter(None, map(_clean, _strings(page, fields.breadcrumbs))))
    if fields.attributes:
        values["attributes"] = tuple(_attribute_rows(page, fields.attributes))
    return {name: value for name, value in values.items() if value}


def _strings(page: Selector, css: str) -> list[str]:
    """Texts that ``…::text`` and ``…::attr(x)`` select, or all text of the selected elements."""
    selected = page.css(css)
    if "::" in css:
        return [text.strip() for text in selected.getall()]
    return [" ".join(element.css("*::text").getall()) for element in selected]


def _attribute_rows(page: Selector, rows: str | AttributeRows) -> Iterator[str]:
    if isinstance(rows, str):
        yield from filter(None, map(_clean, _strings(page, rows)))
        return
    for row in page.css(rows.each):
        key = _clean(" ".join(_strings(row, rows.key))).rstrip(":").strip()
        value = _clean(" ".join(_strings(row, rows.value)))
        if key and value:
            yield f"{key}: {value}"


def _language(page: Selector) -> str:
    language = page.css("html::attr(lang)").get() or ""
    if not language:
        language = page.css('meta[property="og:locale"]::attr(content)').get() or ""
    return re.split(r"[-_]", language.strip().lower())[0]


def _canonical(page: Selector, base: str) -> str:
    links = page.css('link[rel="canonical"]::attr(href)').getall()
    return next(iter(_absolute(links[:1], base)), "")
