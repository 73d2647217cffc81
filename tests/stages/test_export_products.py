"""`stages.export_products` and `stages.model_photos` on a small crawl."""

from __future__ import annotations

import csv
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from latent_atlas.config.schema import WORN
from latent_atlas.data.store import Store, open_store
from latent_atlas.shop.crawl.drawn import catalogue
from latent_atlas.shop.products.data_set import image_paths
from latent_atlas.shop.products.schema import COLUMNS, VALUES
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.sheets import fit_image
from latent_atlas.shop.products.worn import write_worn_store
from latent_atlas.training.translation import joined
from latent_atlas.util.console import UserError
from stages import export_products, model_photos
from tests.stages.test_products import label_crawl, write_crawl


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a crawl of 24 drawn products, labelled."""
    folder = tmp_path_factory.mktemp("export")
    write_crawl(folder / "data" / "crawl", catalogue.draw_catalogue(24, seed=2))
    label_crawl(folder)
    return folder


@pytest.fixture
def here(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(labelled)
    return labelled


def call(monkeypatch: pytest.MonkeyPatch, main: Any, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    main()


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_path_of_the_csv_opens_from_its_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "thesis"
    call(monkeypatch, export_products.main, "--out", str(out))
    with (out / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    store = open_store(here / "data" / "shop")
    assert {row["id"] for row in rows} == set(store.index["id"])
    assert f"{out}: {len(rows)} of 24 products" in capsys.readouterr().err
    table = pd.read_parquet(here / "data" / "products" / "products.parquet").set_index("id")
    shards = Shards(here / "data" / "crawl")
    for row in rows:
        assert Path(row["img_path"]).parts[0] == row["category"]
        with Image.open(out / row["img_path"]) as picture:
            assert (picture.format, picture.size) == ("JPEG", (256, 256))
            pixels = np.asarray(picture).astype(int)
        original = shards.photo(str(table.loc[row["id"], "img_path"]))
        assert np.abs(pixels - fit_image(original, 256, 256)).mean() < 3
        assert all(row[column] in values for column, values in VALUES.items())
        assert isinstance(json.loads(row["model_img_urls"]), list)
    hot = pd.read_csv(out / "one_hot.csv")
    assert list(hot["img_path"]) == [row["img_path"] for row in rows]
    assert (hot.filter(like="category_").sum(axis=1) == 1).all()
    assert json.loads((out / "card.json").read_text())["licence"] == "CC0-1.0 (drawn)"
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    assert folders == {row["category"] for row in rows}
    again = tmp_path / "again"
    again.mkdir()  # an empty folder is taken
    call(monkeypatch, export_products.main, "--out", str(again))
    assert digests(again) == digests(out)


def test_a_folder_with_files_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for place, found in ((tmp_path, "a folder with files"), (tmp_path / "mine.txt", "a file")):
        with pytest.raises(UserError, match=f"--out: {place} is {found}, expected a new or an"):
            call(monkeypatch, export_products.main, "--out", str(place))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_image_that_is_missing_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Shards, "content", lambda self, path: b"")
    with pytest.raises(UserError, match=r"empty file; remove data/crawl and run"):
        call(monkeypatch, export_products.main, "--out", str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_products_that_are_not_labelled_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"found no labelled products .*run `dvc repro products`"):
        call(monkeypatch, export_products.main, "--out", "out")


def test_every_id_has_a_file_of_its_own_on_every_file_system() -> None:
    ids = ["A-1", "a-1", "b/../c", "b_c", "https://shop/x?id=1", "ü", "A-1"]
    paths = image_paths(ids[:-1], ["tops"] * 6)
    assert paths[0] == "tops/A-1.jpg"
    assert paths[3] == "tops/b_c.jpg"
    assert len({path.lower() for path in paths}) == 6
    assert all(len(Path(path).parts) == 2 for path in paths)
    assert image_paths(["a", "a"], ["tops", "skirts"]) == ["tops/a.jpg", "skirts/a.jpg"]


def test_model_photos_have_the_ids_and_splits_of_the_products(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(here / "data" / "shop")
    call(monkeypatch, model_photos.main)
    assert digests(here / "data" / "shop") == before
    shop, worn = open_store(here / "data" / "shop"), open_store(here / "data" / WORN)
    assert worn.shape == shop.shape
    own = shop.index.set_index("id").loc[worn.index["id"]]
    assert list(own["split"]) == list(worn.index["split"])
    assert list(own["label"]) == list(worn.index["label"])
    images, found = joined(shop, worn, "pairs")
    assert found.sum() == len(worn.images) >= 8
    assert (images[found] != shop.images[found]).any((1, 2, 3)).all()
    fronts = pd.read_csv(here / "data" / "products" / "model_photos.csv").set_index("id")
    photo = Shards(here / "data" / "crawl").photo(str(fronts.loc[worn.index["id"].iloc[0], "path"]))
    assert (worn.images[0] == fit_image(photo, 96, 64)).all()
    written = digests(here / "data" / WORN)
    call(monkeypatch, model_photos.main)
    assert digests(here / "data" / WORN) == written


def test_products_without_model_photos_are_one_line(labelled: Path, tmp_path: Path) -> None:
    shop: Store = open_store(labelled / "data" / "shop")
    none = pd.DataFrame(columns=["id", "url", "path", "sha256"])
    with pytest.raises(UserError, match=r"no product of .*/shop has a model photo; see plots"):
        write_worn_store(tmp_path / WORN, shop, none, Shards(labelled / "data" / "crawl"))
    assert not (tmp_path / WORN).exists()
