"""Crawls in processes of their own: Twisted's reactor starts only once in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from stages.lib import params
from stages.scrape.drawn.catalogue import ATTRIBUTES, Catalogue

ROOT = Path(__file__).resolve().parents[2]
DRAWN = ROOT / "stages" / "scrape" / "shops" / "drawn.yaml"


def prepare(folder: Path, shop: Path | str, proxy: str | None, **changes: Any) -> None:
    """Write a params.yaml for a crawl in `folder`."""
    values = params.read(ROOT / "params.yaml")
    own = {"shop": str(shop), "proxy": proxy, "retry_seconds": 0.05, **changes}
    values["scrape"] = params.merge(values["scrape"], own)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))


def shop_file(folder: Path, **changes: Any) -> Path:
    """The drawn shop's file with some keys changed."""
    values = yaml.safe_load(DRAWN.read_text())
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(values | changes, allow_unicode=True))
    return path


def start(folder: Path) -> subprocess.Popen[str]:
    """Begin ``python -m stages.scrape`` in `folder`."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        "LATENT_ATLAS_ROOT": str(folder),
        # A proxy of the environment must not be used; nobody listens there.
        "http_proxy": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "stages.scrape"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, status: int = 0) -> str:
    """Crawl to the end; returns what the door said."""
    process = start(folder)
    try:
        _, errors = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode == status, errors
    return errors


@contextmanager
def killed(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End the process when the block is left, whatever happens."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def files(folder: Path) -> Mapping[str, bytes]:
    """All outputs of a crawl, by relative name."""
    out = folder / "data" / "crawl"
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def compare(table: pd.DataFrame, catalogue: Catalogue) -> dict[str, tuple[int, int]]:
    """Field → (right, all) of the crawled table against the drawn shop's truth."""
    truth = catalogue.truth().set_index("sku")
    found = table.set_index("id").reindex(truth.index)
    rights = {
        "product": found["name"].notna(),
        "name": found["name"] == truth["name"],
        "brand": found["brand"] == truth["brand"],
        "language": found["language"] == truth["language"],
        # A shop's raw newlines are one space.
        "description": found["description"] == truth["description"],
        "image urls": pd.Series(
            [
                list(a) == list(b)
                for a, b in zip(found["image_urls"], truth["photo_urls"], strict=True)
            ]
        ),
        "attributes": pd.Series(
            [
                set(b) <= set(a)
                for a, b in zip(found["attributes"], truth["properties"], strict=True)
            ]
        ),
    }
    return {name: (int(right.sum()), len(truth)) for name, right in rights.items()}


__all__ = ["ATTRIBUTES", "compare", "files", "killed", "prepare", "run", "shop_file", "start"]
