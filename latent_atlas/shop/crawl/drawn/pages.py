"""Pages of the drawn shop: category pages, product pages in many irregular forms, and sitemaps."""

from __future__ import annotations

import gzip
import html
import json
from typing import Any
from urllib.parse import urlsplit

from latent_atlas.shop.crawl.drawn.catalogue import HOST, Catalogue, Offer, section_name

PER_PAGE = 24
LANGUAGES = ("de", "en")

ROBOTS = f"""\
User-agent: *
Disallow: /de/intern/
Disallow: /en/intern/
Disallow: /geheim/
Allow: /de/intern/offen
Sitemap: http://{HOST}/sitemap.xml
"""
# Rules of a second host, for photos, that asks for slow requests.
PHOTO_ROBOTS = """\
User-agent: *
Crawl-delay: 0.1
"""


def listing_url(language: str, page: int) -> str:
    """The URL of a category page; pages count from 1."""
    return f"http://{HOST}/{language}/mode" + (f"?seite={page}" if page > 1 else "")


def in_listing(offer: Offer) -> bool:
    """Whether category pages link the offer; every eleventh is in the sitemap only."""
    return offer.number % 11 != 10


def has_moved(offer: Offer) -> bool:
    """Whether category pages link an old URL of the offer that redirects."""
    return offer.number % 23 == 6


def old_url(offer: Offer) -> str:
    """The old URL of an offer."""
    return f"http://{HOST}/{offer.language}/alt/{offer.number}"


def listings(catalogue: Catalogue) -> dict[str, str]:
    """The category pages: URL → HTML."""
    pages: dict[str, str] = {}
    for language in LANGUAGES:
        offers = [o for o in catalogue.offers if o.language == language and in_listing(o)]
        count = max(1, -(-len(offers) // PER_PAGE))
        for page in range(1, count + 1):
            shown = offers[(page - 1) * PER_PAGE : page * PER_PAGE]
            links = [old_url(offer) if has_moved(offer) else offer.url for offer in shown]
            # The same product under a second URL, as in campaigns.
            links += [f"{offer.url}?ref=neu" for offer in shown[:1]]
            links += _traps(language) if page == 1 else []
            next_url = listing_url(language, page + 1) if page < count else ""
            pages[listing_url(language, page)] = _listing_page(language, links, next_url)
    return pages


def _traps(language: str) -> list[str]:
    """Links to test a crawler: pages that are gone, loop, redirect to forbidden URLs or leave."""
    root = f"http://{HOST}/{language}"
    return [
        f"{root}/p/verkauft-1.html",
        f"{root}/p/verkauft-2.html",
        f"{root}/p/schleife.html",
        f"{root}/p/umweg.html",
        f"{root}/p/privat.html",
        f"{root}/p/datei.html",
        f"{root}/p/leer.html",
        f"{root}/intern/katalog.html",
        "http://anderswo.example/p/fremd.html",
        "javascript:alert(1)",
        "http://[kaputt/p/x.html",
    ]


def _listing_page(language: str, links: list[str], next_url: str) -> str:
    items = "\n".join(
        f'<li><a class="produkt" href="{html.escape(link)}">Produkt</a></li>' for link in links
    )
    more = f'<a rel="next" href="{html.escape(next_url)}">weiter</a>' if next_url else ""
    body = f"<ul>{items}</ul>{more}<a href='/{language}/mode'>Anfang</a>"
    return f'<!doctype html><html lang="{language}"><title>Mode</title><body>{body}</body></html>'


def sitemaps(catalogue: Catalogue) -> dict[str, bytes]:
    """The sitemaps: URL → content. One index and one sitemap per language; one is compressed."""
    files: dict[str, bytes] = {}
    addresses = {"de": f"http://{HOST}/sitemap-de.xml", "en": f"http://{HOST}/sitemap-en.xml.gz"}
    for language, address in addresses.items():
        urls = [offer.url for offer in catalogue.offers if offer.language == language]
        urls.append(f"http://{HOST}/{language}/seite/impressum.html")
        entries = "".join(f"<url><loc>{html.escape(url)}</loc></url>" for url in urls)
        text = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
        content = text.encode()
        files[address] = gzip.compress(content, mtime=0) if address.endswith(".gz") else content
    entries = "".join(f"<sitemap><loc>{address}</loc></sitemap>" for address in addresses.values())
    index = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</sitemapindex>'
    files[f"http://{HOST}/sitemap.xml"] = f'<?xml version="1.0" encoding="UTF-8"?>{index}'.encode()
    return files


def product_page(offer: Offer) -> str:
    """The page of an offer, in the form `Offer.form`."""
    return _FORMS[offer.form](offer) if offer.form in _FORMS else _page(offer, _script(offer))


def _page(offer: Offer, head: str = "", body: str = "") -> str:
    # OpenGraph has no such properties. They are in a table that only the shop file's CSS selects.
    listed = offer.properties if offer.form == "opengraph" else []
    rows = "".join(
        f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>"
        for key, value in listed
    )
    return (
        f'<!doctype html>\n<html lang="{offer.language}"><head><title>{html.escape(offer.name)}'
        f'</title><link rel="canonical" href="{offer.url}">{head}</head>'
        f'<body><h1>{html.escape(offer.name)}</h1>{body}<table class="merkmale">{rows}</table>'
        f"<p>{html.escape(offer.description)}</p></body></html>"
    )


def _node(offer: Offer) -> dict[str, Any]:
    return {
        "@context": "https://schema.org",
        "@type": "Product",
        "sku": offer.sku,
        "name": offer.name,
        "brand": {"@type": "Brand", "name": offer.brand},
        "description": offer.description,
        "category": section_name(offer.language, offer.section),
        "image": [photo.url for photo in offer.photos],
        "additionalProperty": [
            {"@type": "PropertyValue", "name": key, "value": value}
            for key, value in offer.properties
        ],
        "offers": {"@type": "Offer", "price": "29.95", "priceCurrency": "EUR"},
    }


def _wrapped(text: str, before: str = "", after: str = "") -> str:
    return f'<script type="application/ld+json">{before}{text}{after}</script>'


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1).replace("</", "<\\/")


def _script(offer: Offer) -> str:
    node = _node(offer)
    form = offer.form
    if form == "type_list":
        return _wrapped(_json([{**node, "@type": ["Product", "Thing"], "brand": offer.brand}]))
    if form == "graph":
        return _wrapped(_json(_graph(offer, node)))
    if form == "image_objects":
        # Relative to the host, or without the scheme: both are common.
        node["image"] = [
            {"@type": "ImageObject", "contentUrl": _relative(photo.url)} for photo in offer.photos
        ]
        return _wrapped(_json(node))
    if form == "trailing_commas":
        text = _json(node).replace('"EUR"\n', '"EUR",\n')
        return _wrapped(text[: text.rindex("}")].rstrip() + ",\n}")
    if form == "cdata":
        return _wrapped(_json(node), "\n//<![CDATA[\n", "\n//]]>\n")
    if form == "raw_newlines":
        broken = offer.description.replace(" ", "\n\t", 1)
        text = _json({**node, "description": "@@"}).replace('"@@"', f'"{broken}"')
        return _wrapped(text)
    if form == "comment":
        return _wrapped(_json(node), "\ufeff<!-- ", " -->")
    if form == "group":
        return _wrapped(_json(_group(node)))
    if form == "main_entity":
        other = {**node, "sku": "X-1", "name": "Anderes", "image": "/fotos/anderes.jpg"}
        page = {"@type": "ItemPage", "mainEntity": {**node, "isRelatedTo": [other]}}
        return _wrapped("{kein json") + _wrapped(_json(page))
    return _wrapped(_json(node))


def _relative(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.netloc == HOST else f"//{parts.netloc}{parts.path}"


def _graph(offer: Offer, node: dict[str, Any]) -> dict[str, Any]:
    steps = [section_name(offer.language, offer.section), offer.name]
    trail = {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": position, "name": name}
            for position, name in reversed(list(enumerate(steps, 1)))
        ],
    }
    brand = {"@type": "Brand", "@id": "#marke", "name": offer.brand}
    return {
        "@context": "https://schema.org",
        "@graph": [trail, brand, {**node, "brand": {"@id": "#marke"}}],
    }


def _group(node: dict[str, Any]) -> dict[str, Any]:
    sizes = [
        {
            "@type": "Product",
            "sku": f"{node['sku']}-{size}",
            "size": size,
            "image": node["image"][:1],
        }
        for size in ("S", "M", "L")
    ]
    group = {key: value for key, value in node.items() if key not in ("sku", "offers")}
    return {**group, "@type": "ProductGroup", "productGroupID": node["sku"], "hasVariant": sizes}


def _microdata(offer: Offer) -> str:
    def prop(name: str, value: str) -> str:
        return f'<meta itemprop="{name}" content="{html.escape(value)}">'

    images = "".join(f'<img itemprop="image" src="{_relative(p.url)}">' for p in offer.photos)
    rows = "".join(
        '<div itemprop="additionalProperty" itemscope itemtype="https://schema.org/PropertyValue">'
        f'<span itemprop="name">{html.escape(key)}</span>'
        f'<span itemprop="value">{html.escape(value)}</span></div>'
        for key, value in offer.properties
    )
    brand = (
        '<div itemprop="brand" itemscope itemtype="https://schema.org/Brand">'
        f'<b itemprop="name">{html.escape(offer.brand)}</b></div>'
    )
    item = (
        '<div itemscope itemtype="https://schema.org/Product">'
        f'<h2 itemprop="name">{html.escape(offer.name)}</h2>{prop("sku", offer.sku)}'
        f"{prop('category', section_name(offer.language, offer.section))}"
        f'<p itemprop="description">{html.escape(offer.description)}</p>{brand}{images}{rows}</div>'
    )
    return _page(offer, body=item)


def _opengraph(offer: Offer) -> str:
    values = [
        ("og:type", "product"),
        ("og:title", offer.name),
        ("og:description", offer.description),
        ("product:brand", offer.brand),
        ("product:retailer_item_id", offer.sku),
        ("product:category", section_name(offer.language, offer.section)),
        *(("og:image", photo.url) for photo in offer.photos),
    ]
    metas = "".join(
        f'<meta property="{name}" content="{html.escape(value)}">' for name, value in values
    )
    return _page(offer, metas)


_FORMS = {"microdata": _microdata, "opengraph": _opengraph}
