"""Settings of a crawl: network of the shop, contact and user agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latent_atlas.config import reading
from latent_atlas.shop.crawl.run import crawl_config
from latent_atlas.shop.crawl.settings import CrawlConfig
from latent_atlas.shop.crawl.shop_file import Shop
from latent_atlas.util.console import FieldError, UserError

ROOT = Path(__file__).resolve().parents[3]
SCRAPE = reading.load(ROOT / "params.yaml").scrape


def _config(*start: str, **changes: Any) -> CrawlConfig:
    shop = Shop(name="x", licence="unknown", start=list(start), products="a")
    return crawl_config(shop, SCRAPE.model_copy(update=changes))


def test_a_shop_on_this_machine_needs_no_contact() -> None:
    config = _config("http://127.0.0.1:8765/", contact=None)
    assert (config.network, config.agent) == ("loopback", "latent-atlas/0.1")


def test_a_public_shop_needs_a_contact() -> None:
    with pytest.raises(FieldError, match=r"^contact: found null, expected a mail address or URL"):
        _config("http://93.184.216.34/", contact=None)
    config = _config("http://93.184.216.34/", contact="me@example.org")
    assert (config.network, config.agent) == ("public", "latent-atlas/0.1 (+me@example.org)")


def test_the_proxy_looks_up_names() -> None:
    config = _config("http://shop.invalid/", contact="me@example.org", proxy="http://127.0.0.1:9")
    assert config.network == "public"


def test_hosts_of_different_networks_are_refused() -> None:
    with pytest.raises(UserError, match=r"different networks.*10\.0\.0\.1 \(private\), 127"):
        _config("http://127.0.0.1/", "http://10.0.0.1/")


def test_an_unknown_host_is_an_error() -> None:
    with pytest.raises(UserError, match=r"shop\.invalid: the name cannot be resolved"):
        _config("http://shop.invalid/")
