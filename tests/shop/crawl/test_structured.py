"""Product data of pages, in the forms that shops use."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsel import Selector

from latent_atlas.shop.crawl.lenient_json import json_values
from latent_atlas.shop.crawl.shop_file import AttributeRows, Fields
from latent_atlas.shop.crawl.structured import Product, read_product

URL = "http://shop.example/de/p/1.html"
NODE = {"@type": "Product", "sku": "A1", "name": "Bluse", "image": "/a.jpg"}


def _page(*scripts: str, head: str = "", body: str = "", lang: str = "de") -> Selector:
    blocks = "".join(f'<script type="application/ld+json">{text}</script>' for text in scripts)
    return Selector(f'<html lang="{lang}"><head>{blocks}{head}</head><body>{body}</body></html>')


def _read(*scripts: str, head: str = "", body: str = "", fields: Fields | None = None) -> Product:
    product = read_product(_page(*scripts, head=head, body=body), URL, fields or Fields())
    assert product is not None
    return product


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2,], "b": "x",}',
        '\ufeff{"a": [1, 2], "b": "x"}',
        '<![CDATA[{"a": [1, 2], "b": "x"}]]>',
        '//<![CDATA[\n{"a": [1, 2], "b": "x"}\n//]]>',
        '/*<![CDATA[*/{"a": [1, 2], "b": "x"}/*]]>*/',
        '<!-- {"a": [1, 2], "b": "x"} -->',
        '{"a": [1, 2], "b": "x"};',
        '{"a": [1, /* two */ 2], // end\n "b": "x"}',
        "{&quot;a&quot;: [1, 2], &quot;b&quot;: &quot;x&quot;}",
    ],
)
def test_common_errors_in_json_are_corrected(text: str) -> None:
    assert list(json_values(text)) == [{"a": [1, 2], "b": "x"}]


def test_strings_are_unchanged() -> None:
    assert list(json_values('{"a": "1,} // no /* comment */ &amp;",}')) == [
        {"a": "1,} // no /* comment */ &amp;"}
    ]
    assert list(json_values('{"a": "one\n\ttwo"}')) == [{"a": "one\n\ttwo"}]
    assert list(json_values('{"a": "C:\\q",}')) == [{"a": "C:\\q"}]
    assert list(json_values('{"a": 1} {"b": 2}')) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("text", ["", "{", "var x = 1", '{"a": }', "[" * 200_000])
def test_text_that_is_not_json_yields_nothing(text: str) -> None:
    assert list(json_values(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,\n' + "//" * 200 + '\n "b": 2}',  # a line of slashes as a separator
        '{"a": 1,' + "/**/" * 200 + '"b": 2 x}',
        '{"a": 1,' + " " * 60_000 + '"b": 2}',
        '"' + '\\"' * 60_000,
        "/*" * 60_000,
        "," * 60_000 + "/*",
    ],
)
def test_parsing_time_is_bounded(text: str) -> None:
    began = time.monotonic()
    list(json_values(text))
    assert time.monotonic() - began < 2


def test_a_line_of_slashes_is_a_comment() -> None:
    text = '{"a": 1,\n////////////////////////\n// b //\n"b": 2, ////// c\n}'
    assert list(json_values(text)) == [{"a": 1, "b": 2}]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(_values)
def test_valid_json_is_read_unchanged(value: object) -> None:
    assert list(json_values(json.dumps(value, ensure_ascii=False))) == [value]


@given(st.text(max_size=300))
def test_any_text_on_a_page_is_accepted(text: str) -> None:
    read_product(_page(text, body=text), URL, Fields())


@pytest.mark.parametrize(
    "node",
    [
        NODE,
        [NODE],
        {**NODE, "@type": ["Thing", "Product"]},
        {**NODE, "@type": "http://schema.org/Product"},
        {"@graph": [{"@type": "WebPage"}, NODE]},
        {"@type": "ItemPage", "mainEntity": NODE},
        {**NODE, "image": ["/a.jpg"]},
        {**NODE, "image": {"@type": "ImageObject", "url": "/a.jpg"}},
        {**NODE, "image": [{"@type": "ImageObject", "contentUrl": "http://shop.example/a.jpg"}]},
        {"@graph": [{**NODE, "image": {"@id": "#i"}}, {"@id": "#i", "url": "/a.jpg"}]},
        {**NODE, "sku": None, "productID": "A1"},
        {**NODE, "sku": "A1", "isRelatedTo": [{**NODE, "sku": "B", "name": "Rock"}]},
        [{"@type": "ItemList", "itemListElement": [{**NODE, "sku": "B"}]}, NODE],
    ],
)
def test_forms_of_a_product_node(node: object) -> None:
    product = _read(json.dumps(node))
    assert (product.sku, product.name) == ("A1", "Bluse")
    assert product.images == ("http://shop.example/a.jpg",)
    assert product.language == "de"


def test_a_group_is_one_product_with_the_images_of_its_variants() -> None:
    group = {
        "@type": "ProductGroup",
        "productGroupID": "G",
        "name": "Kleid",
        "hasVariant": [
            {"@type": "Product", "sku": "G-S", "color": "rot", "image": "/r.jpg"},
            {"@type": "Product", "sku": "G-M", "color": "blau", "image": "/b.jpg"},
        ],
    }
    product = _read(json.dumps(group))
    assert (product.sku, product.name) == ("G", "Kleid")
    assert product.images == ("http://shop.example/r.jpg", "http://shop.example/b.jpg")


def test_all_fields_are_read() -> None:
    node = {
        **NODE,
        "brand": {"@type": "Brand", "name": "Weiß &amp; Söhne"},
        "description": "<p>Sehr  <b>schön</b></p>",
        "color": "blau",
        "additionalProperty": [{"name": "Passform", "value": "eng"}, {"name": "leer"}],
    }
    trail = {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"position": 2, "name": "Blusen"},
            {"position": 1, "item": {"name": "Damen"}},
            {"position": 3, "name": "Bluse"},
        ],
    }
    product = _read(json.dumps(trail), json.dumps(node))
    assert product.brand == "Weiß & Söhne"
    assert product.description == "Sehr schön"
    assert product.attributes == ("Passform: eng", "color: blau")
    assert product.breadcrumbs == ("Damen", "Blusen")
    assert product.sources["name"] == "json-ld"


def test_an_infinite_breadcrumb_position_is_accepted() -> None:
    steps = [{"position": 10**400, "name": "Damen"}, {"position": 1, "name": "Bluse"}]
    trail = {"@type": "BreadcrumbList", "itemListElement": steps}
    assert _read(json.dumps(trail), json.dumps(NODE)).name == NODE["name"]


def test_microdata_is_read() -> None:
    body = """
    <div itemscope itemtype="https://schema.org/Product">
      <h1 itemprop="name">Bluse <b>Anna</b></h1><meta itemprop="sku" content="A1">
      <img itemprop="image" src="a.jpg"><img itemprop="image" src="/b.jpg">
      <div itemprop="brand" itemscope><span itemprop="name">Kante</span></div>
      <div itemprop="isRelatedTo" itemscope itemtype="https://schema.org/Product">
        <span itemprop="name">Rock</span><meta itemprop="sku" content="B2"></div>
    </div>"""
    product = _read(body=body)
    assert (product.sku, product.name, product.brand) == ("A1", "Bluse Anna", "Kante")
    assert product.images == ("http://shop.example/de/p/a.jpg", "http://shop.example/b.jpg")
    assert product.sources["sku"] == "microdata"


def test_remains_of_a_template_in_attributes_are_ignored() -> None:
    body = """
    <div itemscope {{#if x}} itemtype="https://schema.org/Product">
      <h1 itemprop="name" {{y}}>Bluse</h1><meta itemprop="sku" content="A1" {{z}}>
      <b itemprop="brand" {{y}} itemscope><i itemprop="name">Kante</i></b></div>"""
    product = _read(head='<meta property="og:description" content="x" {{y}}>', body=body)
    assert (product.name, product.sku, product.brand) == ("Bluse", "A1", "Kante")
    assert product.description == "x"


def test_microdata_values_follow_the_html_standard() -> None:
    body = """<div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name">Bluse</h1>
    <data itemprop="sku" value="A1">No. A1</data><li itemprop="color" value="3">blau</li></div>"""
    product = _read(body=body)
    assert (product.sku, product.attributes) == ("A1", ("color: blau",))


def test_opengraph_counts_only_on_product_pages() -> None:
    head = """<meta property="og:title" content="Bluse"><meta property="og:image" content="/a.jpg">
    <meta property="og:image" content="/b.jpg">"""
    assert read_product(_page(head=head), URL, Fields()) is None
    head += '<meta property="product:retailer_item_id" content="A1">'
    product = _read(head=head)
    assert (product.sku, len(product.images)) == ("A1", 2)


def test_opengraph_fills_the_gaps_of_json_ld() -> None:
    head = """<meta property="og:type" content="product"><meta property="og:title" content="Nein">
    <meta property="product:brand" content="Kante">"""
    product = _read(json.dumps(NODE), head=head)
    assert (product.name, product.brand) == ("Bluse", "Kante")
    assert product.sources["brand"] == "opengraph"


def test_overrides_win_where_they_select_something() -> None:
    body = """<h1>Anders</h1><table><tr><th>Farbe:</th><td> blau </td></tr>
    <tr><th>x</th></tr></table>
    <img class="g" src="/c.jpg">"""
    fields = Fields(
        name="h1::text",
        brand="i.brand",
        images="img.g::attr(src)",
        attributes=AttributeRows(each="tr", key="th", value="td"),
    )
    product = _read(json.dumps({**NODE, "brand": "Kante"}), body=body, fields=fields)
    assert (product.name, product.brand) == ("Anders", "Kante")
    assert product.images == ("http://shop.example/c.jpg",)
    assert product.attributes == ("Farbe: blau",)
    assert product.sources["name"] == "override"


def test_links_with_other_schemes_are_dropped() -> None:
    links = ["file:///etc/passwd", "data:image/png;base64,AA", "javascript:x()", "//[", "/a.jpg#x"]
    assert _read(json.dumps({**NODE, "image": links})).images == ("http://shop.example/a.jpg",)


def test_query_parameters_are_not_character_references() -> None:
    links = ["/a.jpg?w=9&timestamp=1", "/b.jpg?w=9&currency=EUR&region=x", "/c.jpg?w=9&amp;lt=1"]
    links.append("/d.jpg?w=9&times;&#38;&nosuch;")
    assert _read(json.dumps({**NODE, "image": links})).images == (
        "http://shop.example/a.jpg?w=9&timestamp=1",
        "http://shop.example/b.jpg?w=9&currency=EUR&region=x",
        "http://shop.example/c.jpg?w=9&lt=1",
        "http://shop.example/d.jpg?w=9×&&nosuch;",
    )


@pytest.mark.parametrize(
    ("base", "image"),
    [("/shop/", "shop/b.jpg"), (" ../x/ ", "de/x/b.jpg"), ("http://[", "de/p/b.jpg")],
)
def test_image_links_are_relative_to_the_base(base: str, image: str) -> None:
    head = f'<base href="{base}">'
    product = _read(json.dumps({**NODE, "image": "b.jpg"}), head=head)
    assert product.images == (f"http://shop.example/{image}",)


def test_a_page_without_a_product_gives_none() -> None:
    assert read_product(_page("{}"), URL, Fields()) is None
    assert read_product(_page(json.dumps({"@type": "Product", "sku": "A1"})), URL, Fields()) is None
