"""How right the stage is on the drawn shop, whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.shop.products.schema import NORMALISED

PRODUCT_KINDS = ("packshot",)
FRONT = "front"


def accuracy(
    table: pd.DataFrame,
    photos: pd.DataFrame,
    fronts: pd.DataFrame,
    colour_sources: Sequence[str],
    truth: pd.DataFrame,
) -> dict[str, float]:
    """Shares that are right.

    Args:
        table: the products.
        photos: every photo with ``id``, ``url`` and ``verdict``.
        fronts: the chosen model photo of each product, with ``url``.
        colour_sources: for each product ``text``, ``pixels`` or ``""``.
        truth: what the shop drew.

    Returns:
        for each normalised column the share of products whose value is the drawn one; of measured
        colours likewise; ``photo_rule``: of photos whose verdict fits their kind; ``front``: of
        chosen model photos that are one; ``fronts_found``: of products with such a photo that got
        one.
    """
    known = truth.set_index("sku").reindex(table["id"])
    found: dict[str, float] = {}
    for column in NORMALISED:
        found[column] = _share(table[column].to_numpy() == known[column].to_numpy())
    right = table["color"].to_numpy() == known["color"].to_numpy()
    sources = pd.Series(list(colour_sources)).to_numpy()
    for source in ("pixels", "text"):
        if (sources == source).any():
            found[f"color_from_{source}"] = _share(right[sources == source])
    kinds = _kinds(truth)
    judged = photos[photos["url"].isin(list(kinds))]
    good = judged["verdict"].to_numpy() == ""
    meant = judged["url"].map(kinds).isin(PRODUCT_KINDS).to_numpy()
    found["photo_rule"] = _share(good == meant)
    if len(fronts):
        found["front"] = _share((fronts["url"].map(kinds) == FRONT).to_numpy())
    having = set(photos.loc[photos["url"].map(kinds) == FRONT, "id"])
    if having:
        found["fronts_found"] = len(having & set(fronts["id"])) / len(having)
    return {name: round(value, 4) for name, value in found.items()}


def _share(right: npt.ArrayLike) -> float:
    return float(np.asarray(right, dtype=bool).mean())


def _kinds(truth: pd.DataFrame) -> Mapping[str, str]:
    return {
        url: kind
        for urls, kinds in zip(truth["photo_urls"], truth["photo_kinds"], strict=True)
        for url, kind in zip(urls, kinds, strict=True)
    }
