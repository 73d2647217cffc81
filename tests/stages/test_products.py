"""The stage `products` on a small crawl: store, tables, sheets, metrics and errors."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.shop.crawl.drawn import catalogue
from latent_atlas.shop.products.schema import COLUMNS, VALUES
from latent_atlas.shop.products.store import write_store
from latent_atlas.util.console import UserError
from stages.products import main
from tests.stages.tables import read_metrics

ROOT = Path(__file__).resolve().parents[2]


def write_crawl(folder: Path, drawn: catalogue.Catalogue) -> None:
    """Write the output of `stages.scrape` without a crawl."""
    (folder / "shards").mkdir(parents=True)
    rows = []
    with tarfile.open(folder / "shards" / "shard-00000.tar", "w") as archive:
        stored: dict[str, str] = {}
        for offer in drawn.offers:
            paths = []
            for photo in offer.photos:
                digest = sha256(photo.content).hexdigest()
                if digest not in stored:
                    member = tarfile.TarInfo(f"{digest}.jpeg")
                    member.size = len(photo.content)
                    archive.addfile(member, io.BytesIO(photo.content))
                    stored[digest] = f"shards/shard-00000.tar/{member.name}"
                paths.append(stored[digest])
            urls = [photo.url for photo in offer.photos]
            rows.append(
                {
                    "id": offer.sku,
                    "img_path": paths[0],
                    "img_url": urls[0],
                    "model_img_urls": urls[1:],
                    "product_url": offer.url,
                    "brand": offer.brand,
                    "name": offer.name,
                    "attributes": [f"{key}: {value}" for key, value in offer.properties],
                    "description": offer.description,
                    "breadcrumbs": [offer.section],
                    "language": offer.language,
                    "image_urls": urls,
                    "image_paths": paths,
                    "image_sha256": [sha256(p.content).hexdigest() for p in offer.photos],
                }
            )
    pd.DataFrame(rows).to_parquet(folder / "products.parquet", index=False)
    drawn.truth().to_parquet(folder / "truth.parquet", index=False)
    (folder / "card.json").write_text(json.dumps({"shop": "drawn", "licence": "CC0-1.0 (drawn)"}))


def label_crawl(folder: Path, **changes: Any) -> None:
    values = reading.read(ROOT / "params.yaml")
    own = {"clusters": 6, **changes}
    values["products"] = reading.merge(values["products"], own)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))
    before = Path.cwd()
    os.chdir(folder)
    try:
        with patch.object(sys, "argv", ["products"]):
            main()
    finally:
        os.chdir(before)


def _bytes(folder: Path) -> Mapping[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in ("data/products", "data/shop", "plots", "metrics")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("products")
    write_crawl(folder / "data" / "crawl", catalogue.draw_catalogue(24, seed=2))
    label_crawl(folder)
    return folder


def test_the_store_is_complete(done: Path) -> None:
    store = open_store(done / "data" / "shop")
    assert store.shape == (96, 64, 3)
    assert 15 <= len(store.images) <= 24
    assert set(store.classes) <= set(VALUES["category"])
    assert store.card["attributes"] == list(VALUES)
    assert store.card["licence"] == "CC0-1.0 (drawn)"
    corner = store.images[:, :3, :3].mean()
    assert corner > 230  # padded with the bright background of the photo


def test_the_tables_have_the_columns_of_the_schema(done: Path) -> None:
    tables = done / "data" / "products"
    products = pd.read_csv(tables / "products.csv", keep_default_na=False)
    assert list(products.columns) == list(COLUMNS)
    for column, values in VALUES.items():
        assert set(products[column]) <= {*values, ""}
    hot = pd.read_csv(tables / "one_hot.csv")
    assert list(hot.columns[:2]) == ["img_path", "category_blouses"]
    assert "fit_none" not in hot.columns
    assert set(np.unique(hot.iloc[:, 1:])) <= {0, 1}
    categories = hot.filter(like="category_").sum(axis=1)
    assert (categories == 1).all()
    counts = pd.read_csv(tables / "attributes.csv", keep_default_na=False)
    assert counts.loc[counts["attribute"] == "category", "products"].sum() == 24
    words = pd.read_csv(tables / "unknown_words.csv")
    assert list(words["products"]) == sorted(words["products"], reverse=True)


def test_metrics_compare_with_the_truth(done: Path) -> None:
    headline = json.loads((done / "metrics" / "products.json").read_text())["shop"]
    names = {"usable", "category_accuracy", "color_accuracy", "photo_rule_accuracy"}
    assert set(headline) == names
    metrics = read_metrics(done, "products")["shop"]
    assert headline == {name: metrics[name] for name in names}
    assert metrics["products"] == 24
    assert metrics["without_category"] == 0
    assert metrics["category_accuracy"] == 1.0
    assert metrics["photo_rule_accuracy"] > 0.95
    assert metrics["sleeve_length_accuracy"] == 1.0


def test_sheets_are_plotted(done: Path) -> None:
    names = {path.name for path in (done / "plots" / "products").iterdir()}
    assert {"categories.png", "rejected.png", "kind-0.png"} <= names


@pytest.mark.slow
def test_a_second_run_gives_the_same_bytes(done: Path) -> None:
    before = _bytes(done)
    label_crawl(done)
    assert _bytes(done) == before


def test_unknown_examples_are_refused(done: Path) -> None:
    with pytest.raises(UserError, match=r"products\.examples: found 000"):
        label_crawl(done, examples=["0" * 64])


def test_an_example_that_is_a_product_photo_is_refused(done: Path) -> None:
    photos = pd.read_csv(done / "data" / "products" / "photos.csv")
    taken = photos.loc[photos["kind"].isna(), "sha256"].iloc[0]
    with pytest.raises(UserError, match=f"examples: found {taken}, a product's own photo"):
        label_crawl(done, examples=[taken])


def test_an_unknown_backbone_is_refused(done: Path) -> None:
    with pytest.raises(UserError, match=r"products\.backbone: no backbone 'vgg99'"):
        label_crawl(done, backbone="vgg99")


def test_a_product_without_category_or_photo_is_not_stored(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            **{column: ["", "", "", ""] for column in COLUMNS},
            "id": ["shoe", "top", "lost", "skirt"],
            "category": ["", "tops", "tops", "skirts"],
            "img_path": ["a", "b", "", "c"],
            "product_url": ["/shoe", "/top", "/lost", "/skirt"],
            "sha256": ["00" * 32, "ff" * 32, "", "0f" * 32],
        }
    )

    class Shards:
        def photo(self, path: str) -> Image.Image:
            return Image.new("RGB", (64, 96), "white")

    settings = reading.load(ROOT / "params.yaml").products
    folder = tmp_path / "shop"
    write_store(folder, table, [], Shards(), settings, "a shop", "unknown")  # type: ignore[arg-type]
    store = open_store(folder)
    assert sorted(store.index["id"]) == ["skirt", "top"]
    assert store.card["rejected"] == [
        {"origin": "/shoe", "reason": "no category of the schema"},
        {"origin": "/lost", "reason": "no usable photo"},
    ]


def test_a_missing_crawl_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no complete crawl.*dvc repro scrape"):
        label_crawl(tmp_path)


def test_rules_that_no_photo_meets_are_an_error(done: Path) -> None:
    with pytest.raises(UserError, match=r"products\.rules: no product has both.*too small"):
        label_crawl(done, rules={"min_side": 4000})
    assert open_store(done / "data" / "shop").card["images"] >= 15  # the last valid store stays
