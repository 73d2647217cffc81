"""Shop files: the examples, and invalid values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.shop.crawl import shop_file
from latent_atlas.util.console import UserError

SHOPS = shop_file.SHOPS


@pytest.mark.parametrize("path", sorted(SHOPS.glob("*.yaml")), ids=lambda path: str(path.stem))
def test_the_examples_are_valid(path: Path) -> None:
    shop = shop_file.load(path)
    assert shop.page_hosts()


def test_there_are_three_examples() -> None:
    assert len(list(SHOPS.glob("*.yaml"))) == 3


def test_the_default_request_rate_is_polite() -> None:
    shop = shop_file.load(SHOPS / "sitemap.yaml")
    assert shop.requests_per_host == 1
    assert shop_file.Shop.model_fields["delay"].default == 1.0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"start": [], "sitemaps": []}, "expected a category page or a sitemap"),
        ({"start": ["ftp://x/"]}, "expected a URL with http"),
        ({"start": ["http://[x/"]}, "expected a URL with http"),
        ({"start": ["http://x:99999/"]}, "start: found .*expected a URL with http"),
        ({"start": [f"http://{'a' * 70}.de/"]}, "start: found .*expected a URL with http"),
        ({"start": ["http://a b/"]}, "start: found .*expected a URL with http"),
        (
            {"hosts": ["https://cdn.shop.example/"]},
            "hosts: found 'https.*expected only a name such as",
        ),
        ({"hosts": ["shop.example:8080"]}, "hosts: found .*expected only a name such as"),
        ({"products": None}, "products: required key is missing"),
        ({"products": "a["}, "expected a CSS selector"),
        ({"sitemaps": ["http://x/s.xml"]}, "product_urls: required key is missing"),
        ({"product_urls": "("}, "expected a regular expression"),
        ({"robots": False}, "robots: unknown key"),
        ({"requests_per_host": 1000}, "less than or equal to 64"),
        ({"fields": {"price": "b"}}, "fields.price"),
        ({"name": "../x"}, "name: "),
    ],
)
def test_invalid_values_give_a_one_line_error(
    tmp_path: Path, changes: dict[str, Any], error: str
) -> None:
    good = {"name": "x", "licence": "y", "start": ["http://x/"], "products": "a"}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(good | changes))
    with pytest.raises(UserError, match=error) as caught:
        shop_file.load(tmp_path / "shop.yaml")
    assert "\n" not in str(caught.value)
    assert "shop.yaml" in str(caught.value)
