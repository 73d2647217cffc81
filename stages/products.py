"""`python -m stages.products`: from the crawl to tables and the image store `data/shop/`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from latent_atlas.config import reading
from latent_atlas.config.schema import PhotoRules, Products
from latent_atlas.data.store import StoreWriter, split_of
from latent_atlas.models import backbones
from latent_atlas.shop.products import model_photos, photos, sheets, tables, truth, vocabulary
from latent_atlas.shop.products.colours import measured_colour
from latent_atlas.shop.products.schema import NORMALISED
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.survey import Survey, survey
from latent_atlas.shop.products.vocabulary import Reading
from latent_atlas.util.console import UserError, run_command, say
from latent_atlas.util.files import write_json

CRAWL = Path("data/crawl")
TABLES = Path("data/products")
SHOP = Path("data/shop")
PLOTS = Path("plots/products")
METRICS = Path("metrics/products.json")


def main() -> None:
    """Read the parameters, open the crawl, and write tables, stores, sheets and metrics."""
    argparse.ArgumentParser(prog="python -m stages.products", description=__doc__).parse_args()
    settings = reading.load()
    asked = settings.products
    crawl, card = _open(CRAWL)
    shards = Shards(CRAWL)
    readings = tables.read_products(crawl, vocabulary.load())
    rows = _photo_rows(crawl)
    missing = sorted(set(asked.examples) - set(rows["sha256"]))
    if missing:
        raise UserError(
            f"products.examples: {missing[0]} is no photo of the crawl; take values of the column "
            f"sha256 in {TABLES}/photos.csv"
        )
    try:
        backbone = backbones.load(asked.backbone, settings.seed)
    except backbones.BackboneError as error:
        raise UserError(f"products.backbone: {error}") from None
    paths = list(dict.fromkeys(rows["path"]))
    if not paths:
        raise UserError(f"{CRAWL}: the crawl brought no image; see {CRAWL}/ledger.csv")
    seen = survey(paths, shards, backbone)
    place = {path: number for number, path in enumerate(paths)}
    rows = _judge(rows, seen, place, asked.rules)
    chosen = rows[rows["verdict"] == ""].drop_duplicates("id").set_index("id")

    values, sources = _colours(crawl, readings, chosen, shards)
    crawl = _with_photo(crawl, chosen)
    table = tables.product_table(crawl, values).assign(color_source=sources)
    others = rows[~rows["path"].isin(set(chosen["path"]))].drop_duplicates(["id", "path"])
    others, choice, fronts = _fronts(others, seen, place, asked, settings.seed)

    source = f"crawl of {card['shop']}"
    words = tables.unknown_words(list(crawl["id"]), readings)
    measured = pd.DataFrame([asdict(seen.measures[place[path]]) for path in rows["path"]])
    all_photos = pd.concat([rows.reset_index(drop=True), measured.round(4)], axis=1)
    all_photos["kind"] = (
        rows["path"]
        .map(dict(zip(others["path"], choice.clusters, strict=True)) if choice is not None else {})
        .astype("Int64")
        .to_numpy()
    )
    _write_tables(table, words, all_photos, fronts)
    _write_sheets(table, rows, others, choice, shards, f"{source}, {asked.backbone}")
    _write_store(table, list(rows["verdict"]), shards, asked, source, card["licence"])
    _write_metrics(table, readings, words, rows, fronts, sources)
    say(
        f"{SHOP}: {len(chosen)} of {len(table)} products have a usable photo; "
        f"{len(words)} unknown words in {TABLES}/unknown_words.csv"
    )


def _open(folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    try:
        table = pd.read_parquet(folder / "products.parquet")
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: no complete crawl ({error}); run `dvc repro scrape`, or `dvc pull` where "
            "the crawl is frozen"
        ) from None
    return table, card


def _photo_rows(crawl: pd.DataFrame) -> pd.DataFrame:
    """A row a photo of a product that was fetched: id, position, url, path, sha256."""
    rows = [
        (row["id"], position, url, path, digest)
        for row in crawl.to_dict("records")
        for position, (url, path, digest) in enumerate(
            zip(row["image_urls"], row["image_paths"], row["image_sha256"], strict=True)
        )
        if path
    ]
    return pd.DataFrame(rows, columns=["id", "position", "url", "path", "sha256"])


def _judge(
    rows: pd.DataFrame, seen: Survey, place: dict[str, int], rules: PhotoRules
) -> pd.DataFrame:
    """Add the verdict on each photo; of two alike, the one of the first product stays."""
    numbers = [place[path] for path in rows["path"]]
    verdicts = [photos.verdict(seen.measures[number], rules) for number in numbers]
    good = [row for row, verdict in enumerate(verdicts) if not verdict]
    if good:
        repeats = photos.duplicates(seen.thumbs[[numbers[row] for row in good]], rules.near)
        for row, first in zip(good, repeats, strict=True):
            if first >= 0:
                verdicts[row] = f"repeats a photo of {rows['id'].iloc[good[first]]}"
    reasons = ["repeats a photo" if v.startswith("repeats") else v for v in verdicts]
    return rows.assign(verdict=reasons, detail=verdicts)


def _colours(
    crawl: pd.DataFrame, readings: Sequence[Reading], chosen: pd.DataFrame, shards: Shards
) -> tuple[list[dict[str, str]], list[str]]:
    """The values of each product; colours that the text lacks are measured on the photo."""
    values, sources = [], []
    for sku, reading in zip(crawl["id"], readings, strict=True):
        row = dict(reading.values)
        source = "text" if row["color"] else ""
        if not source and sku in chosen.index:
            picture = shards.photo(str(chosen.loc[sku, "path"]))
            row["color"], source = measured_colour(photos.working_copy(picture)), "pixels"
        values.append(row)
        sources.append(source)
    return values, sources


def _with_photo(crawl: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The crawl's table with the accepted photo as the product's, and all others as models'."""
    table = crawl.copy()
    for column, source in (("img_path", "path"), ("img_url", "url"), ("sha256", "sha256")):
        own = dict(chosen[source])
        table[column] = [own.get(sku, "") for sku in table["id"]]
    table["model_img_urls"] = [
        [url for url in urls if url != own]
        for urls, own in zip(table["image_urls"], table["img_url"], strict=True)
    ]
    return table


def _fronts(
    others: pd.DataFrame, seen: Survey, place: dict[str, int], asked: Products, seed: int
) -> tuple[pd.DataFrame, model_photos.Choice | None, pd.DataFrame]:
    """Sort the photos that are no product photos, and choose one worn from the front a product.

    Raises:
        UserError: for an example that is a product photo; all others are photos of the crawl.
    """
    digests = list(others["sha256"])
    taken = sorted(set(asked.examples) - set(digests))
    if taken:
        raise UserError(
            f"products.examples: {taken[0]} was taken as a product's photo and is sorted no more; "
            f"take photos that have a kind in {TABLES}/photos.csv"
        )
    if others.empty:
        return others, None, others
    numbers = [place[path] for path in others["path"]]
    examples = [row for row, digest in enumerate(digests) if digest in asked.examples]
    choice = model_photos.choose(
        seen.features[numbers],
        [seen.measures[number] for number in numbers],
        asked.clusters,
        examples,
        seed,
    )
    return others, choice, model_photos.one_each(others, choice)


def _write_store(
    table: pd.DataFrame,
    verdicts: Sequence[str],
    shards: Shards,
    asked: Products,
    source: str,
    licence: str,
) -> None:
    usable = table[(table["category"] != "") & (table["img_path"] != "")]
    if usable.empty:
        counts = Counter(verdict or "product outside the schema" for verdict in verdicts)
        reason, count = counts.most_common(1)[0]
        raise UserError(
            f"products.rules: no product has both a usable photo and a category; {count} of "
            f"{len(verdicts)} photos: {reason}; see {PLOTS}/rejected.png and {TABLES}/photos.csv"
        )
    left = table.drop(usable.index)
    rejected = [
        {
            "origin": str(row["product_url"]),
            "reason": "no category of the schema" if not row["category"] else "no usable photo",
        }
        for row in left.to_dict("records")
    ]
    with StoreWriter(SHOP, asked.height, asked.width, 3) as writer:
        for row in usable.to_dict("records"):
            image = sheets.fit(shards.photo(str(row["img_path"])), asked.height, asked.width)
            index = {
                "id": row["id"],
                "split": split_of(str(row["sha256"]), asked.valid_share),
                "label": row["category"],
                "origin": row["img_url"],
                "sha256": row["sha256"],
                **{column: row[column] for column in NORMALISED},
            }
            writer.append(image[None], pd.DataFrame([index]))
        writer.finish(
            name=SHOP.name,
            source=source,
            licence=licence,
            attributes=NORMALISED,
            rejected=rejected,
        )


def _write_tables(
    table: pd.DataFrame, words: pd.DataFrame, all_photos: pd.DataFrame, fronts: pd.DataFrame
) -> None:
    part = TABLES.with_name(f".{TABLES.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    table.to_parquet(part / "products.parquet", index=False)
    files = {
        "products.csv": tables.plain_csv(table),
        "one_hot.csv": tables.one_hot(table[table["img_path"] != ""]),
        "attributes.csv": tables.attribute_counts(table),
        "unknown_words.csv": words,
        "photos.csv": all_photos,
        "model_photos.csv": fronts[["id", "url", "path", "sha256"]],
    }
    for name, frame in files.items():
        frame.to_csv(part / name, index=False, lineterminator="\n")
    shutil.rmtree(TABLES, ignore_errors=True)
    part.rename(TABLES)


def _write_sheets(
    table: pd.DataFrame,
    rows: pd.DataFrame,
    others: pd.DataFrame,
    choice: model_photos.Choice | None,
    shards: Shards,
    title: str,
) -> None:
    shutil.rmtree(PLOTS, ignore_errors=True)
    PLOTS.mkdir(parents=True)
    sheets.categories(PLOTS / "categories.png", table, shards, f"{title}: product photos")
    heading = f"{title}: photos that are no product photos, by reason"
    sheets.rejected(PLOTS / "rejected.png", rows, shards, heading)
    if choice is not None:
        sheets.clusters(PLOTS, others, choice, shards, f"{title}: model photos")


def _write_metrics(
    table: pd.DataFrame,
    readings: Sequence[Reading],
    words: pd.DataFrame,
    rows: pd.DataFrame,
    fronts: pd.DataFrame,
    sources: Sequence[str],
) -> None:
    outside = tables.outside_counts(readings)
    found: dict[str, float] = {
        "products": len(table),
        "usable": int(((table["category"] != "") & (table["img_path"] != "")).sum()),
        "outside": sum(outside.values()),
        "photos": len(rows),
        "model_photos": len(fronts),
        "colors_from_pixels": list(sources).count("pixels"),
        "unknown_words": len(words),
    }
    known = CRAWL / "truth.parquet"
    if known.is_file():
        drawn = pd.read_parquet(known)
        right = truth.accuracy(table, rows, fronts, sources, drawn)
        found |= {f"right_{name}": value for name, value in right.items()}
        found["found"] = round(len(set(table["id"]) & set(drawn["sku"])) / len(drawn), 4)
    write_json(METRICS, {"shop": found})


if __name__ == "__main__":
    run_command(main)
