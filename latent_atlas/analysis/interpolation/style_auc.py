"""Validation of the style loss: AUC of pairs of one style against pairs of two, for each layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.store import Store
from latent_atlas.metrics.style import StyleMeasure, pair_auc, squared_distances
from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "style_all_auc": Metric("either", 0.05, headline=True),
    "*_auc*": Metric("either", 0.05),
    "separates": Metric("higher", 0.0),
}

Rows = npt.NDArray[np.int64]

ARTIST = "artist"
"""Index column of the painter. Images by one painter resemble each other beyond their style."""

CONTENT = "content"
"""Index column of the content, where it is known apart from the style."""

MINIMUM_AUC = 0.6
"""Smallest useful AUC: with many images, a useless difference from chance is soon significant."""

COLUMNS = ["distance", "layer", "label", "auc", "low", "high"]


def sample_labelled_rows(store: Store, count: int, seed: int) -> Rows:
    """At most `count` labelled validation images, equally many of each style where possible."""
    valid, labels = store.rows("valid"), store.labels()
    random = np.random.default_rng([seed, 2])
    styles = np.unique(labels[valid])
    styles = styles[styles >= 0]
    each = count // max(len(styles), 1)
    parts = [random.permutation(valid[labels[valid] == label])[:each] for label in styles]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def style_auc_table(
    store: Store, rows: Rows, style_measure: StyleMeasure, seed: int
) -> pd.DataFrame:
    """AUC of every distance for pairs of images.

    Where painters are known, pairs by one painter are left out.

    Args:
        store: the images.
        rows: rows of the store; all of them are paired with each other.
        style_measure: its layers count one by one, and together with their weights.
        seed: of the bootstrap.

    Returns:
        A row per ``distance`` and ``label``, with ``auc``, ``low`` and ``high``. Distances are
        ``pixels``, and ``style`` and ``content`` of each ``layer`` and of ``all`` layers. Labels
        are ``style`` and, where it is known, ``content``.
    """
    labels = {"style": store.labels()[rows]}
    if CONTENT in store.index:
        labels["content"] = pd.factorize(store.index[CONTENT].iloc[rows])[0].astype(np.int64)
    if len(np.unique(labels["style"])) < 2:
        return pd.DataFrame(columns=COLUMNS)
    images = store.images[rows]
    style, content = style_measure.codes(images)
    pixels = squared_distances(images.reshape(len(rows), -1).astype(np.float32))
    distances = {("pixels", ""): pixels}
    for name, codes in (("style", style), ("content", content)):
        by_layer = {layer: squared_distances(code) for layer, code in codes.items()}
        distances |= {(name, layer): values for layer, values in by_layer.items()}
        layers = style_measure.layers
        weights = layers if name == "style" else dict.fromkeys(layers, 1.0)
        distances[name, "all"] = np.sum([weights[k] * by_layer[k] for k in by_layer], axis=0)
    counted = np.ones((len(rows), len(rows)), np.bool_)
    if ARTIST in store.index:
        artist = store.index[ARTIST].iloc[rows].fillna("").to_numpy()
        counted = (artist[:, None] != artist) | (artist[:, None] == "")
    aucs = [
        (distance, layer, label, *pair_auc(values, numbers, counted, seed))
        for label, numbers in labels.items()
        for (distance, layer), values in distances.items()
    ]
    return pd.DataFrame(aucs, columns=COLUMNS)


class Validation(NamedTuple):
    """Result of the validation of the style loss.

    Attributes:
        text: in a line.
        metrics: all AUCs, and ``separates``: 1 if the style loss separates styles, else 0.
    """

    text: str
    metrics: dict[str, float]


def validate_style_loss(table: pd.DataFrame) -> Validation | None:
    """Evaluate a `style_auc_table`; None for images of fewer than two styles.

    The style loss of all layers separates styles if its interval lies above `MINIMUM_AUC` and
    above the AUC of pixels.
    """
    if not len(table):
        return None
    rows = table[table["label"] == "style"].set_index(["distance", "layer"])
    style, pixels = rows.loc[("style", "all")], rows.loc[("pixels", "")]
    separates = style["low"] > max(MINIMUM_AUC, pixels["auc"])
    metrics = {"separates": float(separates)}
    for row in table.to_dict("records"):
        name = "_".join(part for part in (row["distance"], row["layer"]) if part)
        metrics[f"{name}_auc" + ("_content" if row["label"] == "content" else "")] = row["auc"]
    result = "separates" if separates else "does NOT separate"
    text = (
        f"Style loss {result} the styles: "
        f"AUC {style['auc']:.2f} [{style['low']:.2f}, {style['high']:.2f}], "
        f"pixels {pixels['auc']:.2f}"
    )
    return Validation(text, metrics)
