"""The crawl's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from parsel import Selector

from latent_atlas.shop.crawl.ledger import Answer, Kind, Ledger, Photo, opened
from latent_atlas.shop.crawl.shop_file import Fields
from latent_atlas.shop.crawl.structured import read_product
from latent_atlas.util.console import UserError
from tests.util.waiting import said_by_the_second

ANSWER = Answer('"tag"', "yesterday", "2026-01-01T00:00:00Z", 5)
START: list[tuple[str, Kind]] = [("http://a/list", "listing")]


def _photo(crawl: int = 1) -> Photo:
    return Photo("ab" * 32, "jpeg", 4, 3, crawl, 5)


def _queue(ledger: Ledger) -> list[str]:
    return [entry.url for entry in ledger.queued()]


def test_a_page_and_what_it_led_to_are_one_step(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    assert not ledger.begin(START)
    new = ledger.page(
        "http://a/list", ANSWER, [("http://a/2", "product"), ("http://a/1", "product")]
    )
    assert sorted(new) == ["http://a/1", "http://a/2"]
    assert ledger.page("http://a/list", ANSWER, [("http://a/1", "product")]) == []
    assert _queue(ledger) == ["http://a/1", "http://a/2"]


def test_an_unfinished_crawl_goes_on_where_it_was(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.page("http://a/list", ANSWER, [("http://a/1", "product")])
    ledger.product("http://a/1", ANSWER, {"name": "x"}, ["http://a/i", "http://a/j"])
    ledger.image("http://a/i", ANSWER, _photo(), b"bytes")
    ledger.failed("http://a/j", "HTTP 404", lasting=True)
    ledger.close()
    again = Ledger(tmp_path / "l.sqlite", "f")
    assert again.begin(START)
    assert again.crawl == 1
    assert _queue(again) == []
    assert again.content("ab" * 32) == b"bytes"


def test_the_next_crawl_asks_for_everything_with_validators(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.page("http://a/list", ANSWER, [("http://a/1", "product")])
    ledger.product("http://a/1", ANSWER, {"name": "x"}, ["http://a/i"])
    ledger.failed("http://a/i", "HTTP 500", lasting=False)
    ledger.exported(complete=True)
    assert not ledger.begin(START)
    assert ledger.crawl == 2
    assert _queue(ledger) == ["http://a/i", "http://a/1", "http://a/list"]
    entry = ledger.entry("http://a/1")
    assert entry is not None
    assert (entry.etag, entry.modified) == ('"tag"', "yesterday")
    ledger.unchanged("http://a/1")
    assert "http://a/1" not in _queue(ledger)
    assert dict(ledger.products()) == {"http://a/1": {"name": "x"}}


def test_half_an_emoji_costs_no_product(tmp_path: Path) -> None:
    """Shops cut descriptions between the two halves of a character."""
    script = r'{"@type": "Product", "name": "K \ud83d", "sku": "1", "image": ["/a", "/\ud83d"]}'
    page = Selector(f'<script type="application/ld+json">{script}</script>')
    product = read_product(page, "http://a/1", Fields())
    assert product is not None
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/1", "product")])
    assert ledger.product("http://a/1", ANSWER, product.as_dict(), product.images) == ["http://a/a"]
    assert dict(ledger.products())["http://a/1"]["name"] == "K ?"


def test_only_passing_failures_get_a_second_chance_and_only_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/1", "product"), ("http://a/2", "product")])
    ledger.failed("http://a/1", "HTTP 404", lasting=True)
    ledger.failed("http://a/2", "timeout", lasting=False)
    assert [entry.url for entry in ledger.second_pass()] == ["http://a/2"]
    ledger.failed("http://a/2", "timeout", lasting=False)
    assert ledger.second_pass() == []
    assert ledger.counts() == {("product", "failed"): 2}
    ledger.forget_failures()
    assert _queue(ledger) == ["http://a/2"]


def test_the_same_bytes_are_kept_once_and_shards_only_grow(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/i", "image"), ("http://a/j", "image")])
    ledger.image("http://a/i", ANSWER, _photo(1), b"bytes")
    ledger.image("http://a/j", ANSWER, _photo(2), b"bytes")
    assert [photo.crawl for photo in ledger.photos()] == [1]


def test_what_comes_after_an_export_gets_shards_of_its_own(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin([("http://a/i", "image"), ("http://a/j", "image")])
    ledger.image("http://a/i", ANSWER, _photo(), b"bytes")
    ledger.exported(complete=False)
    assert ledger.begin([])
    assert _queue(ledger) == ["http://a/j"]
    assert ledger.crawl == 2
    assert ledger.begin([])
    assert ledger.crawl == 2


def test_a_ledger_of_another_shop_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path / "l.sqlite", "f").close()
    with pytest.raises(UserError, match="another shop file"):
        Ledger(tmp_path / "l.sqlite", "g")


def test_a_damaged_ledger_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "l.sqlite").write_bytes(b"no database, but long enough to be taken for one" * 50)
    with pytest.raises(UserError, match="cannot be used") as caught:
        Ledger(tmp_path / "l.sqlite", "f")
    assert "\n" not in str(caught.value)


def test_what_is_unchanged_at_the_second_try_has_no_failure_left(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.sqlite", "f")
    ledger.begin(START)
    ledger.failed(START[0][0], "HTTP 503", lasting=False)
    ledger.second_pass()
    ledger.unchanged(START[0][0])
    entry = ledger.entry(START[0][0])
    assert entry is not None
    assert (entry.status, entry.reason) == ("done", "")


def test_damage_that_is_met_later_is_told_in_one_line_too(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with opened(path, "f") as ledger:
        ledger.begin([(f"http://a/{number:04d}", "product") for number in range(2000)])
    content = bytearray(path.read_bytes())
    assert len(content) > 20 * 4096
    content[15 * 4096 :] = b"\xff" * (len(content) - 15 * 4096)
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be used") as caught, opened(path, "f") as ledger:
        list(ledger.entries())
    assert "\n" not in str(caught.value)


def test_a_second_crawl_waits_for_the_end_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shop" / "ledger.sqlite"
    said = said_by_the_second(lambda: opened(path, "f"), monkeypatch)
    assert len(said) == 1
    assert "another crawl is running" in said[0]
