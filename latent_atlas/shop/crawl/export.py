"""Export of a crawl from its ledger: shards of original images, table of products, list of URLs.

The files depend on what was fetched, not on the order in which it arrived.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from latent_atlas.shop.crawl.ledger import Entry, Ledger, StoredImage
from latent_atlas.shop.crawl.shop_file import Shop
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_folder, write_json

COLUMNS = (
    "id",
    "img_path",
    "img_url",
    "model_img_urls",
    "product_url",
    "brand",
    "name",
    "attributes",
)
"""Columns of products.csv; the stage `products` adds the normalised ones."""

_LISTS = ("model_img_urls", "attributes")


class EmptyCrawlError(UserError):
    """A crawl without a product."""


def export(
    ledger: Ledger,
    shop: Shop,
    folder: Path,
    shard_bytes: int,
    stopped: str,
    truth: pd.DataFrame | None,
) -> dict[str, Any]:
    """Write all outputs of a crawl to `folder`, or none of them.

    Args:
        ledger: the crawl.
        shop: its shop file.
        folder: output folder, replaced as a whole.
        shard_bytes: size in bytes from which a new shard begins.
        stopped: why the crawl ended early, or ``""``.
        truth: the true products of a drawn shop, written as ``truth.parquet``; or None.

    Returns:
        the card, as in ``card.json``.

    Raises:
        EmptyCrawlError: if there is no product.
        UserError: if the folder cannot be written.
    """
    with write_folder(folder) as part:
        (part / "shards").mkdir()
        paths = _write_shards(ledger, part / "shards", shard_bytes)
        entries = list(ledger.entries())
        table = _table(ledger, shop, {entry.url: entry for entry in entries}, paths)
        if table.empty:
            raise EmptyCrawlError(_no_product(shop, entries, stopped))
        table.to_parquet(part / "products.parquet", index=False)
        _csv(table).to_csv(part / "products.csv", index=False, lineterminator="\n")
        _ledger_table(entries).to_csv(part / "ledger.csv", index=False, lineterminator="\n")
        if truth is not None:
            truth.to_parquet(part / "truth.parquet", index=False)
        card = _card(shop, entries, table, len(paths), stopped)
        write_json(part / "card.json", card)
    return card


def _write_shards(ledger: Ledger, folder: Path, shard_bytes: int) -> dict[str, str]:
    """Write all original images as tar files; return SHA-256 → path of the member."""
    paths: dict[str, str] = {}
    for number, shard in enumerate(_shards(ledger, shard_bytes)):
        name = f"shard-{number:05d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as archive:
            for image in shard:
                content = ledger.content(image.sha256)
                member = tarfile.TarInfo(f"{image.sha256}.{image.format}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                paths[image.sha256] = f"shards/{name}/{member.name}"
    return paths


def _shards(ledger: Ledger, shard_bytes: int) -> Iterator[list[StoredImage]]:
    """The images of each shard. A shard holds one crawl, so that the next crawl changes none."""
    shard: list[StoredImage] = []
    filled = 0
    for image in ledger.stored_images():
        if shard and (filled >= shard_bytes or image.crawl != shard[-1].crawl):
            yield shard
            shard, filled = [], 0
        shard.append(image)
        filled += image.bytes
    if shard:
        yield shard


def _table(
    ledger: Ledger, shop: Shop, entries: dict[str, Entry], paths: dict[str, str]
) -> pd.DataFrame:
    """One row per SKU. Of several URLs of one product, the canonical one wins, then the first."""
    rows: dict[str, dict[str, Any]] = {}
    products = sorted(
        ledger.products(), key=lambda row: (row[1]["canonical"] not in ("", row[0]), row[0])
    )
    for url, data in products:
        row = _row(url, data, shop, entries, paths)
        rows.setdefault(row["id"], row)
    return pd.DataFrame([rows[sku] for sku in sorted(rows)])


def _row(
    url: str, data: dict[str, Any], shop: Shop, entries: dict[str, Entry], paths: dict[str, str]
) -> dict[str, Any]:
    images = list(data["images"])
    hashes = [entries[image].sha256 if image in entries else "" for image in images]
    first = next((position for position, digest in enumerate(hashes) if digest), None)
    return {
        "id": data["sku"] or url,
        "img_path": "" if first is None else paths[hashes[first]],
        "img_url": images[first or 0] if images else "",
        "model_img_urls": [
            image for position, image in enumerate(images) if position != (first or 0)
        ],
        "product_url": url,
        "brand": data["brand"],
        "name": data["name"],
        "attributes": list(data["attributes"]),
        "description": data["description"],
        "breadcrumbs": list(data["breadcrumbs"]),
        "language": data["language"],
        "image_urls": images,
        "image_paths": [paths.get(digest, "") for digest in hashes],
        "image_sha256": hashes,
        "image_failures": [_failure(entries.get(image)) for image in images],
        "sources": json.dumps(data["sources"], sort_keys=True),
        "raw": json.dumps(data["raw"], sort_keys=True, ensure_ascii=False),
        "shop": shop.name,
        "licence": shop.licence,
        "fetched": entries[url].fetched,
        "final_url": data["final_url"],
    }


def _failure(entry: Entry | None) -> str:
    return entry.reason if entry is not None and entry.status != "done" else ""


def _csv(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of products.csv, with lists as JSON."""
    plain = table[list(COLUMNS)].copy()
    for column in _LISTS:
        plain[column] = [json.dumps(list(value), ensure_ascii=False) for value in plain[column]]
    return plain


def _ledger_table(entries: Iterable[Entry]) -> pd.DataFrame:
    columns = ("url", "kind", "status", "reason", "bytes", "sha256", "fetched")
    rows = [[getattr(entry, column) for column in columns] for entry in entries]
    return pd.DataFrame(rows, columns=list(columns))


def _card(
    shop: Shop, entries: list[Entry], table: pd.DataFrame, images: int, stopped: str
) -> dict[str, Any]:
    status = Counter(f"{entry.kind} {entry.status}" for entry in entries)
    reasons = Counter(f"{entry.kind}: {entry.reason}" for entry in entries if entry.reason)
    return {
        "shop": shop.name,
        "licence": shop.licence,
        "products": len(table),
        "images": images,
        "urls": dict(sorted(status.items())),
        "reasons": dict(sorted(reasons.items())),
        "ended_early": stopped,
    }


def _no_product(shop: Shop, entries: list[Entry], stopped: str) -> str:
    """The error message of a crawl without a product."""
    if stopped:
        return f"{shop.name}: {stopped} before a product was found; run again to resume"
    reasons = Counter(entry.reason for entry in entries if entry.reason)
    if reasons:
        reason, count = reasons.most_common(1)[0]
        return (
            f"{shop.name}: no product was found; {count} of {len(entries)} URLs failed with "
            f"'{reason}'; check the shop file and the network"
        )
    return (
        f"{shop.name}: no product was found on {len(entries)} pages; check `products`, `next` and "
        "`product_urls` in the shop file"
    )
