"""From the ledger to the crawl's outputs: shards of originals, the products, the ledger's list.

What is written depends on what was fetched, not on the order in which it came.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from latent_atlas.shop.crawl.ledger import Entry, Ledger, Photo
from latent_atlas.shop.crawl.shop_file import Shop
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_json

# The columns that the shop fills; `stages.products` adds the normalised ones.
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
_LISTS = ("model_img_urls", "attributes")


class EmptyCrawlError(UserError):
    """A crawl that found no product."""


def export(
    ledger: Ledger,
    shop: Shop,
    folder: Path,
    shard_bytes: int,
    note: str,
    extra: pd.DataFrame | None,
) -> dict[str, Any]:
    """Write ``data/crawl``: whole or not at all.

    Args:
        ledger: the crawl.
        shop: its shop.
        folder: replaced.
        shard_bytes: size from which a new shard begins.
        note: why the crawl ended early, or ``""``.
        extra: the truth of a drawn shop; written as ``truth.parquet``.

    Returns:
        the card.

    Raises:
        EmptyCrawlError: if there is no product.
        UserError: if it cannot be written.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        (part / "shards").mkdir(parents=True)
        paths = _write_shards(ledger, part / "shards", shard_bytes)
        entries = list(ledger.entries())
        table = _table(ledger, shop, {entry.url: entry for entry in entries}, paths)
        if table.empty:
            raise EmptyCrawlError(_nothing(shop, entries, note))
        table.to_parquet(part / "products.parquet", index=False)
        _csv(table).to_csv(part / "products.csv", index=False, lineterminator="\n")
        _ledger_table(entries).to_csv(part / "ledger.csv", index=False, lineterminator="\n")
        if extra is not None:
            extra.to_parquet(part / "truth.parquet", index=False)
        card = _card(shop, entries, table, len(paths), note)
        write_json(part / "card.json", card)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return card


def _write_shards(ledger: Ledger, folder: Path, shard_bytes: int) -> dict[str, str]:
    """Write all originals as tar files; SHA-256 → path of the member."""
    paths: dict[str, str] = {}
    for number, shard in enumerate(_shards(ledger, shard_bytes)):
        name = f"shard-{number:05d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as archive:
            for photo in shard:
                content = ledger.content(photo.sha256)
                member = tarfile.TarInfo(f"{photo.sha256}.{photo.format}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                paths[photo.sha256] = f"shards/{name}/{member.name}"
    return paths


def _shards(ledger: Ledger, shard_bytes: int) -> Iterator[list[Photo]]:
    """The photos of each shard. A shard is of one crawl: the next adds shards and changes none."""
    shard: list[Photo] = []
    filled = 0
    for photo in ledger.photos():
        if shard and (filled >= shard_bytes or photo.crawl != shard[-1].crawl):
            yield shard
            shard, filled = [], 0
        shard.append(photo)
        filled += photo.bytes
    if shard:
        yield shard


def _table(
    ledger: Ledger, shop: Shop, entries: dict[str, Entry], paths: dict[str, str]
) -> pd.DataFrame:
    """A row a SKU; of several addresses of one product, the canonical one, then the first."""
    rows: dict[str, dict[str, Any]] = {}
    found = sorted(
        ledger.products(), key=lambda row: (row[1]["canonical"] not in ("", row[0]), row[0])
    )
    for url, data in found:
        row = _row(url, data, shop, entries, paths)
        rows.setdefault(row["id"], row)
    return pd.DataFrame([rows[sku] for sku in sorted(rows)])


def _row(
    url: str, data: dict[str, Any], shop: Shop, entries: dict[str, Entry], paths: dict[str, str]
) -> dict[str, Any]:
    images = list(data["images"])
    hashes = [entries[image].sha256 if image in entries else "" for image in images]
    first = next((place for place, digest in enumerate(hashes) if digest), None)
    return {
        "id": data["sku"] or url,
        "img_path": "" if first is None else paths[hashes[first]],
        "img_url": images[first or 0] if images else "",
        "model_img_urls": [image for place, image in enumerate(images) if place != (first or 0)],
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
    """The columns of the data set's CSV, with lists as JSON."""
    plain = table[list(COLUMNS)].copy()
    for column in _LISTS:
        plain[column] = [json.dumps(list(value), ensure_ascii=False) for value in plain[column]]
    return plain


def _ledger_table(entries: Iterable[Entry]) -> pd.DataFrame:
    columns = ("url", "kind", "status", "reason", "bytes", "sha256", "fetched")
    rows = [[getattr(entry, column) for column in columns] for entry in entries]
    return pd.DataFrame(rows, columns=list(columns))


def _card(
    shop: Shop, entries: list[Entry], table: pd.DataFrame, images: int, note: str
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
        "ended_early": note,
    }


def _nothing(shop: Shop, entries: list[Entry], note: str) -> str:
    if note:
        return f"{shop.name}: {note} before a product was found; run again to go on"
    reasons = Counter(entry.reason for entry in entries if entry.reason)
    if reasons:
        reason, count = reasons.most_common(1)[0]
        return f"{shop.name}: no product was found; {count} of {len(entries)} URLs: {reason}"
    return (
        f"{shop.name}: no product was found on {len(entries)} pages; check `products`, `next` and "
        "`product_urls` in the shop file"
    )
