"""Ledger of a crawl."""

from __future__ import annotations

from pathlib import Path

import pytest
from parsel import Selector

from latent_atlas.shop.crawl.ledger import Kind, Ledger, ResponseRecord, StoredImage, open_ledger
from latent_atlas.shop.crawl.shop_file import Fields
from latent_atlas.shop.crawl.structured import read_product
from latent_atlas.util.console import UserError
from tests.util.waiting import messages_of_the_second

RESPONSE = ResponseRecord('"tag"', "yesterday", "2026-01-01T00:00:00Z", 5)
START: list[tuple[str, Kind]] = [("http://a/list", "listing")]


def _image(crawl: int = 1) -> StoredImage:
    return StoredImage("ab" * 32, "jpeg", 4, 3, crawl, 5)


def _queue(ledger: Ledger) -> list[str]:
    return [entry.url for entry in ledger.queued()]


def test_a_page_and_its_new_links_are_recorded_together(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    assert not ledger.begin(START)
    new = ledger.record_page(
        "http://a/list", RESPONSE, [("http://a/2", "product"), ("http://a/1", "product")]
    )
    assert sorted(new) == ["http://a/1", "http://a/2"]
    assert ledger.record_page("http://a/list", RESPONSE, [("http://a/1", "product")]) == []
    assert _queue(ledger) == ["http://a/1", "http://a/2"]


def test_an_unfinished_crawl_is_resumed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.record_page("http://a/list", RESPONSE, [("http://a/1", "product")])
    ledger.record_product("http://a/1", RESPONSE, {"name": "x"}, ["http://a/i", "http://a/j"])
    ledger.record_image("http://a/i", RESPONSE, _image(), b"bytes")
    ledger.record_failure("http://a/j", "HTTP 404", lasting=True)
    ledger.close()
    again = Ledger(tmp_path / "l.sqlite", "f")
    assert again.begin(START)
    assert again.crawl == 1
    assert _queue(again) == []
    assert again.content("ab" * 32) == b"bytes"


def test_the_next_crawl_requests_all_urls_with_validators(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.record_page("http://a/list", RESPONSE, [("http://a/1", "product")])
    ledger.record_product("http://a/1", RESPONSE, {"name": "x"}, ["http://a/i"])
    ledger.record_failure("http://a/i", "HTTP 500", lasting=False)
    ledger.record_export(complete=True)
    assert not ledger.begin(START)
    assert ledger.crawl == 2
    assert _queue(ledger) == ["http://a/i", "http://a/1", "http://a/list"]
    entry = ledger.entry("http://a/1")
    assert entry is not None
    assert (entry.etag, entry.modified) == ('"tag"', "yesterday")
    ledger.record_unchanged("http://a/1")
    assert "http://a/1" not in _queue(ledger)
    assert dict(ledger.products()) == {"http://a/1": {"name": "x"}}


def test_a_product_with_half_an_emoji_is_recorded(tmp_path: Path) -> None:
    """Shops cut descriptions between the two halves of a surrogate pair."""
    script = r'{"@type": "Product", "name": "K \ud83d", "sku": "1", "image": ["/a", "/\ud83d"]}'
    page = Selector(f'<script type="application/ld+json">{script}</script>')
    product = read_product(page, "http://a/1", Fields())
    assert product is not None
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/1", "product")])
    assert ledger.record_product("http://a/1", RESPONSE, product.as_dict(), product.images) == [
        "http://a/a"
    ]
    assert dict(ledger.products())["http://a/1"]["name"] == "K ?"


def test_only_failures_that_may_pass_are_queued_once_more(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/1", "product"), ("http://a/2", "product")])
    ledger.record_failure("http://a/1", "HTTP 404", lasting=True)
    ledger.record_failure("http://a/2", "timeout", lasting=False)
    assert [entry.url for entry in ledger.queue_second_pass()] == ["http://a/2"]
    ledger.record_failure("http://a/2", "timeout", lasting=False)
    assert ledger.queue_second_pass() == []
    assert ledger.counts() == {("product", "failed"): 2}
    ledger.forget_failures()
    assert _queue(ledger) == ["http://a/2"]


def test_the_same_bytes_are_stored_once_with_their_first_crawl(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/i", "image"), ("http://a/j", "image")])
    ledger.record_image("http://a/i", RESPONSE, _image(1), b"bytes")
    ledger.record_image("http://a/j", RESPONSE, _image(2), b"bytes")
    assert [image.crawl for image in ledger.stored_images()] == [1]


def test_images_after_an_export_belong_to_the_next_crawl(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/i", "image"), ("http://a/j", "image")])
    ledger.record_image("http://a/i", RESPONSE, _image(), b"bytes")
    ledger.record_export(complete=False)
    assert ledger.begin([])
    assert _queue(ledger) == ["http://a/j"]
    assert ledger.crawl == 2
    assert ledger.begin([])
    assert ledger.crawl == 2


def test_a_ledger_of_another_shop_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path / "l.sqlite", "f").close()
    with pytest.raises(UserError, match="another shop file"):
        Ledger(tmp_path / "l.sqlite", "g")


def test_a_damaged_ledger_gives_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"not a database, but as long as one" * 50)
    with pytest.raises(UserError, match="cannot be used") as caught:
        Ledger(tmp_path / "l.sqlite", "f")
    assert "\n" not in str(caught.value)


def test_an_unchanged_url_in_the_second_pass_has_no_failure(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.record_failure(START[0][0], "HTTP 503", lasting=False)
    ledger.queue_second_pass()
    ledger.record_unchanged(START[0][0])
    entry = ledger.entry(START[0][0])
    assert entry is not None
    assert (entry.status, entry.reason) == ("done", "")


def test_damage_during_the_crawl_gives_a_one_line_error(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with open_ledger(path, "f") as ledger:
        ledger.begin([(f"http://a/{number:04d}", "product") for number in range(2000)])
    content = bytearray(path.read_bytes())
    assert len(content) > 20 * 4096
    content[15 * 4096 :] = b"\xff" * (len(content) - 15 * 4096)
    path.write_bytes(content)
    with (
        pytest.raises(UserError, match="cannot be used") as caught,
        open_ledger(path, "f") as ledger,
    ):
        list(ledger.entries())
    assert "\n" not in str(caught.value)


def test_a_second_crawl_waits_for_the_end_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop" / "ledger.sqlite"
    messages = messages_of_the_second(lambda: open_ledger(path, "f"), monkeypatch)
    assert len(messages) == 1
    assert "another crawl is running" in messages[0]
