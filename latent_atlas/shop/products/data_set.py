"""Export of the labelled products as the thesis describes its data set (section 3.1.3).

It has 256×256 JPEG images in a folder for each category, a CSV of all products and a CSV with a
binary column per value. The paths of the images are relative to the folder of the CSV files.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.sheets import fit_image
from latent_atlas.shop.products.store import is_usable
from latent_atlas.shop.products.tables import one_hot, plain_csv
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.files import write_folder, write_json

SIDE = 256
"""Height and width of the images, in pixels (thesis, section 3.1.3)."""

QUALITY = 95
"""Of JPEG; with 4:4:4 color, so that small patterns keep their colors."""

_LONGEST = 80


def export_data_set(
    out: Path, table: pd.DataFrame, shards: Shards, card: Mapping[str, object]
) -> int:
    """Write the data set; all of it, or nothing.

    Args:
        out: folder, which must be new or empty.
        table: the labelled products, from ``data/products/products.parquet``.
        shards: images of the crawl.
        card: shop and licence, for ``card.json``.

    Returns:
        The number of products: those with a category and a usable photo.

    Raises:
        UserError: if `out` is not empty or cannot be written, an image is missing, or no product
            is usable.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        found = "a file" if out.is_file() else "a folder with files"
        raise UserError(f"--out: {out} is {found}, expected a new or an empty folder")
    usable = table[is_usable(table)].reset_index(drop=True)
    if usable.empty:
        raise UserError("no product has a category and a usable photo; see data/products")
    paths = image_paths(list(usable["id"]), list(usable["category"]))
    with (
        write_folder(out) as part,
        Progress("export products", len(usable), "images") as progress,
    ):
        for source, path in zip(usable["img_path"], paths, strict=True):
            _write_image(part / path, shards.photo(source))
            progress.advance()
        exported = usable.assign(img_path=paths)
        for name, frame in (("products", plain_csv(exported)), ("one_hot", one_hot(exported))):
            frame.to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
        write_json(part / "card.json", {**card, "products": len(usable), "side": SIDE})
    return len(usable)


def image_paths(ids: Sequence[str], categories: Sequence[str]) -> list[str]:
    """The path of each image, ``<category>/<id>.jpg``, with forward slashes.

    An id that is no plain file name, or differs from an earlier one by its case only, gets a digest
    in its name, so that every file system keeps all files.
    """
    paths, taken = list[str](), set[str]()
    for sku, category in zip(ids, categories, strict=True):
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", sku)[:_LONGEST]
        if name != sku or f"{category}/{name}".lower() in taken:
            name = f"{name}-{hashlib.sha256(sku.encode()).hexdigest()[:12]}"
        taken.add(f"{category}/{name}".lower())
        paths.append(f"{category}/{name}.jpg")
    return paths


def _write_image(path: Path, photo: Image.Image) -> None:
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(fit_image(photo, SIDE, SIDE))
    image.save(path, "JPEG", quality=QUALITY, subsampling=0)
