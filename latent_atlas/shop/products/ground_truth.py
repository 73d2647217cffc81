"""Comparison of the labelled products with the drawn shop, whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.metrics.tolerance import Metric
from latent_atlas.shop.products.schema import NORMALISED

METRICS = {
    "products_found": Metric("higher", 0.0),
    **{
        f"{column}_accuracy": Metric("higher", 0.02, headline=column in ("category", "color"))
        for column in NORMALISED
    },
    "color_from_pixels_accuracy": Metric("higher", 0.02),
    "color_from_text_accuracy": Metric("higher", 0.02),
    "photo_rule_accuracy": Metric("higher", 0.02, headline=True),
    "model_photo_accuracy": Metric("higher", 0.02),
    "model_photo_rate": Metric("higher", 0.02),
}

PRODUCT_KINDS = ("packshot",)
FRONT = "front"


def truth_metrics(
    table: pd.DataFrame, photos: pd.DataFrame, fronts: pd.DataFrame, truth: pd.DataFrame
) -> dict[str, float]:
    """Shares of correct values, rounded to four decimals.

    Args:
        table: the products, with the normalised columns and ``color_source``.
        photos: all photos with ``id``, ``url`` and ``verdict``.
        fronts: the chosen model photo of each product, with ``url``.
        truth: the drawn products, see `Catalogue.truth`.

    Returns:
        ``products_found``: share of the drawn products that are in `table`;
        ``<column>_accuracy``: share of products with the drawn value, for each normalised column;
        ``color_from_pixels_accuracy`` and ``color_from_text_accuracy``: the same by source;
        ``photo_rule_accuracy``: share of photos whose verdict fits their kind;
        ``model_photo_accuracy``: share of chosen model photos that are front views;
        ``model_photo_rate``: share of products with a front view for which a photo was chosen.
    """
    drawn = truth.set_index("sku").reindex(table["id"])
    metrics = {"products_found": len(set(table["id"]) & set(truth["sku"])) / len(truth)}
    for column in NORMALISED:
        metrics[f"{column}_accuracy"] = _share(table[column].to_numpy() == drawn[column].to_numpy())
    correct = table["color"].to_numpy() == drawn["color"].to_numpy()
    sources = table["color_source"].to_numpy()
    for source in ("pixels", "text"):
        if (sources == source).any():
            metrics[f"color_from_{source}_accuracy"] = _share(correct[sources == source])
    kinds = _kinds(truth)
    served = photos[photos["url"].isin(list(kinds))]
    accepted = served["verdict"].to_numpy() == ""
    acceptable = served["url"].map(kinds).isin(PRODUCT_KINDS).to_numpy()
    metrics["photo_rule_accuracy"] = _share(accepted == acceptable)
    if len(fronts):
        metrics["model_photo_accuracy"] = _share((fronts["url"].map(kinds) == FRONT).to_numpy())
    with_front = set(photos.loc[photos["url"].map(kinds) == FRONT, "id"])
    if with_front:
        metrics["model_photo_rate"] = len(with_front & set(fronts["id"])) / len(with_front)
    return {name: round(value, 4) for name, value in metrics.items()}


def _share(correct: npt.ArrayLike) -> float:
    return float(np.asarray(correct, dtype=bool).mean())


def _kinds(truth: pd.DataFrame) -> Mapping[str, str]:
    """URL → kind of every drawn photo."""
    return {
        url: kind
        for urls, kinds in zip(truth["photo_urls"], truth["photo_kinds"], strict=True)
        for url, kind in zip(urls, kinds, strict=True)
    }
