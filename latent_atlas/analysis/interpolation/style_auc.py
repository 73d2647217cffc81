"""Does the measure measure style? Pairs of one style against pairs of two, by each layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.store import Store
from latent_atlas.metrics.style import Measure, separation, squared_distances

Rows = npt.NDArray[np.int64]

AUTHOR = "artist"
"""Two pictures by one painter are alike for another reason than their style."""

CONTENT = "content"
"""The column that says what is painted, where it is known apart from the style."""

BAR = 0.6
"""Of ten times that a pair of one style meets a pair of two, it is to be the nearer in six: with
many images, a difference from chance is soon significant that nobody could use."""

COLUMNS = ["distance", "layer", "of", "auc", "low", "high"]


def sample(store: Store, count: int, seed: int) -> Rows:
    """At most `count` labelled validation images, of each style as many where possible."""
    valid, labels = store.rows("valid"), store.labels()
    random = np.random.default_rng([seed, 2])
    known = np.unique(labels[valid])
    known = known[known >= 0]
    each = count // max(len(known), 1)
    parts = [random.permutation(valid[labels[valid] == label])[:each] for label in known]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def separations(store: Store, rows: Rows, measure: Measure, seed: int) -> pd.DataFrame:
    """AUC of every distance for pairs of images.

    Pairs by one painter are left out, where painters are known.

    Args:
        store: the images.
        rows: of it, those that are paired, all with all.
        measure: whose layers are asked one by one, and together with their weights.
        seed: of the bootstrap.

    Returns:
        A row a ``distance`` (``pixels``; ``style`` and ``content`` of a ``layer``, or of all
        layers, weighted) and ``of`` (``style``; ``content``, where it is known), with ``auc``,
        ``low`` and ``high``.
    """
    known = {"style": store.labels()[rows]}
    if CONTENT in store.index:
        known["content"] = pd.factorize(store.index[CONTENT].iloc[rows])[0].astype(np.int64)
    if len(np.unique(known["style"])) < 2:
        return pd.DataFrame(columns=COLUMNS)
    images = store.images[rows]
    style, content = measure.codes(images)
    apart = {("pixels", ""): squared_distances(images.reshape(len(rows), -1).astype(np.float32))}
    for name, codes in (("style", style), ("content", content)):
        by_layer = {layer: squared_distances(code) for layer, code in codes.items()}
        apart |= {(name, layer): distances for layer, distances in by_layer.items()}
        weights = measure.layers if name == "style" else dict.fromkeys(measure.layers, 1.0)
        apart[name, "all"] = np.sum([weights[k] * by_layer[k] for k in by_layer], axis=0)
    counted = np.ones((len(rows), len(rows)), np.bool_)
    if AUTHOR in store.index:
        author = store.index[AUTHOR].iloc[rows].fillna("").to_numpy()
        counted = (author[:, None] != author) | (author[:, None] == "")
    found = [
        (distance, layer, of, *separation(distances, labels, counted, seed))
        for of, labels in known.items()
        for (distance, layer), distances in apart.items()
    ]
    return pd.DataFrame(found, columns=COLUMNS)


class Verdict(NamedTuple):
    """Whether the style loss of all layers knows more of styles than chance, and than pixels.

    Attributes:
        text: in a line.
        metrics: all AUCs, and ``separates``: 1, or 0.
    """

    text: str
    metrics: dict[str, float]


def verdict(table: pd.DataFrame) -> Verdict | None:
    """What `separations` found; None where there were no two styles.

    The measure separates styles if its interval lies above `BAR` and above the AUC of pixels.
    """
    if not len(table):
        return None
    rows = table[table["of"] == "style"].set_index(["distance", "layer"])
    style, pixels = rows.loc[("style", "all")], rows.loc[("pixels", "")]
    separates = style["low"] > max(BAR, pixels["auc"])
    metrics = {"separates": float(separates)}
    for row in table.to_dict("records"):
        name = "_".join(part for part in (row["distance"], row["layer"]) if part)
        metrics[f"{name}_auc" + ("_content" if row["of"] == "content" else "")] = row["auc"]
    text = (
        f"AUC {style['auc']:.2f} [{style['low']:.2f}, {style['high']:.2f}], "
        f"pixels {pixels['auc']:.2f}"
    )
    does = "separates" if separates else "does NOT separate"
    return Verdict(f"Style loss {does} the styles: {text}", metrics)
