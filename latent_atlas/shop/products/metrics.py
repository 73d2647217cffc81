"""Metrics of the labelled products, as in metrics/products.json."""

from __future__ import annotations

import pandas as pd

from latent_atlas.metrics.tolerance import Metric
from latent_atlas.shop.products.ground_truth import truth_metrics
from latent_atlas.shop.products.label import LabelledProducts
from latent_atlas.shop.products.store import is_usable

METRICS = {
    "products": Metric("either", 0.0),
    "usable": Metric("higher", 0.0, headline=True),
    "without_category": Metric("lower", 0.0),
    "photos": Metric("either", 0.0),
    "model_photos": Metric("higher", 0.05),
    "colors_from_pixels": Metric("either", 0.05),
    "unknown_words": Metric("lower", 0.0),
}


def product_metrics(products: LabelledProducts, truth: pd.DataFrame | None) -> dict[str, float]:
    """Counts of products, photos and words, and accuracies where the truth is known.

    Args:
        products: the labelled products.
        truth: the products of the drawn shop, or None.

    Returns:
        ``products``; ``usable``: products with a category and a usable photo; ``without_category``;
        ``photos``; ``model_photos``: products with a chosen model photo; ``colors_from_pixels``:
        products whose colour was measured; ``unknown_words``: words that the vocabulary does not
        contain; with `truth` also the metrics of `truth_metrics`.
    """
    table = products.table
    counts = {
        "products": len(table),
        "usable": int(is_usable(table).sum()),
        "without_category": sum(not reading.values["category"] for reading in products.readings),
        "photos": len(products.photos),
        "model_photos": len(products.fronts),
        "colors_from_pixels": int((table["color_source"] == "pixels").sum()),
        "unknown_words": len(products.unknown_words),
    }
    if truth is None:
        return dict(counts)
    return counts | truth_metrics(table, products.photos, products.fronts, truth)
