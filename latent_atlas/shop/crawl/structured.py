"""What a product page says of its product: JSON-LD, then microdata, OpenGraph and CSS overrides.

Shops write these by hand and by template, so all of it is read leniently: schema.org's Product may
be a list of types, sit in a graph, refer to other nodes, and be no valid JSON. Nothing here
fetches; a page is a `parsel.Selector` and its URL.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html.entities import html5
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from parsel import Selector

from latent_atlas.shop.crawl.shop_file import AttributeRows, Fields

PRODUCT_TYPES = {"product", "productgroup", "productmodel", "individualproduct", "someproducts"}
# Other products that a product page mentions.
_ELSEWHERE = {
    "isRelatedTo",
    "isSimilarTo",
    "isAccessoryOrSparePartFor",
    "isConsumableFor",
    "itemListElement",
    "isVariantOf",
}
_SKU = ("sku", "productID", "mpn", "productGroupID", "gtin13", "gtin", "gtin14", "gtin12", "gtin8")
# Properties that are attributes of the product, under the names that schema.org gives them.
_ATTRIBUTES = ("color", "pattern", "material", "size", "category")
_MAX_DEPTH = 40
_MAX_TEXT = 20_000
_MAX_IMAGES = 100

Node = dict[str, Any]


@dataclass(frozen=True)
class Product:
    """A product as its shop describes it; empty where the page says nothing.

    Attributes:
        sku: the shop's number.
        images: absolute URLs, in the page's order.
        attributes: ``"key: value"`` or a mere word, in the page's order.
        breadcrumbs: categories from wide to narrow.
        language: of the page, e.g. ``de``.
        canonical: the URL that the page calls its own, absolute.
        sources: field → ``json-ld``, ``microdata``, ``opengraph`` or ``override``.
        raw: the structured data as found.
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
        """All fields, with lists for tuples, as JSON keeps them."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def read_product(page: Selector, url: str, fields: Fields) -> Product | None:
    """Read the product of a page; None where the page has none.

    Args:
        page: the parsed page.
        url: its address, against which relative links are resolved.
        fields: CSS overrides of the shop; each wins where it finds something.
    """
    base = base_of(page, url)
    nodes = list(json_ld(page))
    found: dict[str, Any] = {}
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
            if value and not found.get(name):
                found[name], sources[name] = value, source
    for name, value in _overrides(page, base, fields).items():
        found[name], sources[name] = value, "override"
    if not found.get("name") or not (found.get("sku") or found.get("images")):
        return None
    return Product(
        **{**found, "images": found.get("images", ())[:_MAX_IMAGES]},
        language=_language(page),
        canonical=_canonical(page, base),
        sources=dict(sorted(sources.items())),
        raw=raw,
    )


def base_of(page: Selector, url: str) -> str:
    """What the relative links of the page `url` start from: its ``<base href>``, or `url`."""
    try:
        return urljoin(url, (page.css("base::attr(href)").get() or "").strip())
    except ValueError:  # e.g. an unclosed bracket of an IPv6 address
        return url


def json_ld(page: Selector) -> Iterator[Any]:
    """Yield the value of every JSON-LD script that can be read at all."""
    for text in page.css('script[type*="ld+json"]::text').getall():
        yield from lenient_json(text)


def lenient_json(text: str) -> Iterator[Any]:
    """Yield the JSON values in `text`, forgiving what shops get wrong.

    Byte-order marks, CDATA and HTML comment marks around it, raw newlines and tabs in strings,
    trailing commas, comments, HTML entities for quotes, and several values in a row are forgiven;
    text that is still no JSON yields nothing.
    """
    text = text.strip().lstrip("\ufeff").strip()
    text = re.sub(r"^\s*(//|/\*)?\s*(<!\[CDATA\[|<!--)\s*(\*/)?", "", text)
    text = re.sub(r"((//|/\*)\s*)?(\]\]>|-->)\s*(\*/)?\s*;?$", "", text).strip()
    for mend in (str, _mended, lambda found: _mended(html.unescape(found))):
        try:
            values = list(_values(mend(text)))
        except (ValueError, RecursionError):
            continue
        yield from values
        return


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    position = 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        rest = re.compile(r"[\s;,]*").match(text, position)
        position = rest.end() if rest else len(text)


# A string, or outside of strings a comment or a comma before a closing bracket. Each can be read in
# one way only, and goes to the end where it is not closed: so the time grows with the length alone.
_COMMENT = r"(?://[^\n]*(?:\n|\Z)|/\*(?:(?!\*/).)*(?:\*/|\Z))"
_TOKEN = re.compile(
    rf'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|({_COMMENT})|(,(?=(?:\s|{_COMMENT})*[}}\]]))', re.DOTALL
)


def _mended(text: str) -> str:
    def mend(token: re.Match[str]) -> str:
        # Backslashes that JSON does not know stand for themselves.
        return re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", token[1]) if token[1] else ""

    return _TOKEN.sub(mend, text)


def microdata(page: Selector) -> Iterator[Node]:
    """Yield every top-level item of schema.org microdata in JSON-LD's shape."""
    for item in page.xpath("//*[@itemscope][not(@itemprop)]"):
        yield _item(item, 0)


def _item(item: Selector, depth: int) -> Node:
    node: Node = {"@type": [kind.rpartition("/")[2] for kind in _words(item, "itemtype")]}
    if depth > _MAX_DEPTH:
        return node
    # Properties whose nearest item is this one.
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
    # Not `Selector.attrib`: it reads them all, and fails at what a template left, as ``{{x}}``.
    return str(element.root.get(attribute, "")).split()


def _item_value(element: Selector) -> str:
    """The value of a property (HTML, section 5.2.4); ``content`` is heeded on any element."""
    valued = ("value",) if element.root.tag in ("data", "meter") else ()
    for attribute in ("content", *valued, "src", "href", "datetime", "data"):
        if (value := element.root.get(attribute)) is not None:
            return str(value)
    return _clean(" ".join(element.css("*::text").getall()))


def open_graph(page: Selector) -> dict[str, list[str]]:
    """The page's ``og:`` and ``product:`` properties; each a list, since images repeat."""
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
    """The page's own product: the first one, and of several the one that says the most."""
    index: dict[str, Node] = {}
    products: list[Node] = []
    _walk(nodes, index, products, 0)
    if not products:
        return {}
    resolved = [_resolve(node, index, 0) for node in products]
    named = [node for node in resolved if _text(node.get("name"))]
    return max(named or resolved, key=len)


def _walk(value: Any, index: dict[str, Node], products: list[Node], depth: int) -> None:
    """Collect products, and the nodes that others may refer to by ``@id``."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for part in value:
            _walk(part, index, products, depth + 1)
    elif isinstance(value, dict):
        if isinstance(name := value.get("@id"), str) and len(value) > 1:
            index.setdefault(name, value)
        if _types(value) & PRODUCT_TYPES:
            products.append(value)
            return
        for key, part in value.items():
            if key not in _ELSEWHERE:
                _walk(part, index, products, depth + 1)


def _types(node: Node) -> set[str]:
    kinds = node.get("@type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return {re.split(r"[/#:]", kind)[-1].lower() for kind in kinds if isinstance(kind, str)}


def _resolve(value: Any, index: Mapping[str, Node], depth: int) -> Any:
    """Replace references ``{"@id": …}`` by what they refer to."""
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
    """Names of the first BreadcrumbList, by position, without the last: the product itself."""
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
    """A property as text: of a node its name, of a list all parts."""
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
    """`text` with its character references resolved: those that end in a semicolon, as all must.

    Old ones without it, which `html.unescape` knows too, are a query's next parameter in a URL:
    ``?w=9&timestamp=1`` asks for no ×.
    """

    def letter(found: re.Match[str]) -> str:
        known = found[1].startswith("#") or found[1] in html5
        return html.unescape(found[0]) if known else found[0]

    return re.sub(r"&(#?\w+;)", letter, text)


def _clean(text: str) -> str:
    return " ".join(re.sub(r"<[^<>]*>", " ", text).split())


def _absolute(links: Sequence[str], base: str) -> tuple[str, ...]:
    """Absolute http(s) URLs without fragments, each once."""
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
    """What the shop file's CSS finds."""
    found: dict[str, Any] = {}
    for name in ("sku", "name", "brand", "description"):
        if css := getattr(fields, name):
            found[name] = _clean(" ".join(_strings(page, css)))[:_MAX_TEXT]
    if fields.images:
        found["images"] = _absolute(_strings(page, fields.images), base)
    if fields.breadcrumbs:
        found["breadcrumbs"] = tuple(filter(None, map(_clean, _strings(page, fields.breadcrumbs))))
    if fields.attributes:
        found["attributes"] = tuple(_attribute_rows(page, fields.attributes))
    return {name: value for name, value in found.items() if value}


def _strings(page: Selector, css: str) -> list[str]:
    """Texts of ``…::text`` and ``…::attr(x)``; of elements, all their text."""
    found = page.css(css)
    if "::" in css:
        return [text.strip() for text in found.getall()]
    return [" ".join(element.css("*::text").getall()) for element in found]


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
