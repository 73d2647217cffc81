"""Retrieval of images by whole codes, or by attributes such as same collar and other sleeve.

The fashion VAE thesis proposes both without a score. The attributes of drawn garments are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import pairwise_distances

from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure
from latent_atlas.studies.charts.selection import runs_by_latent_size
from latent_atlas.studies.results import Outcome
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.files import write_bytes

SHOWN = 10
"""Number of items that a search returns; scores are precisions among them."""

MISSING = "none"
"""Value of an attribute that an item does not have; its searches leave the item out."""

_NO_SCORE = {"precision": np.nan, "chance": np.nan}
"""Score of a search among fewer than two items."""

Vectors = npt.NDArray[np.float64]
Values = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Items:
    """Codes and attributes of the same N items.

    Attributes:
        codes: N×D.
        attributes: name → N values, as text.
    """

    codes: Vectors
    attributes: dict[str, Values]


def draw_retrieval(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_retrieval.csv`` and ``.png`` if two attributes of the images are names."""
    for data, runs in runs_by_latent_size(outcome).items():
        store = outcome.stores[data]
        if len(_attributes(store)) < 2:
            continue
        table = retrieval_table(runs, store)
        csv = table.to_csv(index=False, float_format="%.6g")
        write_bytes(folder / f"{data}_retrieval.csv", csv.encode())
        path = folder / f"{data}_retrieval.png"
        _plot_precision(table, runs[0], store, outcome.study.title, path)


def retrieval_table(runs: Sequence[TrainedRun], store: Store) -> pd.DataFrame:
    """Scores of both kinds of search among validation images, with the column ``latent_dim``.

    Args:
        runs: models of `store` that differ in latent size only, the smallest first.
        store: images with two attributes or more.
    """
    attributes, train, valid = _attributes(store), store.rows("train"), store.rows("valid")
    tables = []
    for run in runs:
        labelled = _items(run.encode(store.images[train]), attributes, train, store)
        searched = _items(run.encode(store.images[valid]), attributes, valid, store)
        parts = [search_by_code(searched), search_by_attribute(labelled, searched)]
        table = pd.concat(parts, ignore_index=True)
        table.insert(0, "latent_dim", run.run.latent_dim)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def search_by_code(items: Items) -> pd.DataFrame:
    """Search by the whole code: attributes that the nearest items share with the query.

    Returns:
        A row per attribute: ``same`` (its name), ``other`` (empty), ``precision`` (share of the
        `SHOWN` nearest other items that have the query's value) and ``chance``.
    """
    rows = []
    distances = pairwise_distances(items.codes)
    np.fill_diagonal(distances, np.inf)
    for name, values in items.attributes.items():
        present = np.flatnonzero(values != MISSING)
        if len(present) < 2:
            rows.append({"same": name, "other": "", **_NO_SCORE})
            continue
        hits = values[present][:, None] == values[present][None, :]
        np.fill_diagonal(hits, False)
        inner = distances[np.ix_(present, present)]
        rows.append({"same": name, "other": "", **_score(inner, hits)})
    return pd.DataFrame(rows)


def search_by_attribute(labelled: Items, searched: Items) -> pd.DataFrame:
    """Search for the same value of one attribute and another value of a second one.

    Linear discriminants are fitted to the codes of labelled items. The searched items are ranked
    by their distance in the discriminant space of the first attribute, and left out where the
    second attribute is predicted to have the query's value. A search does not use the true
    attributes of the items that it searches.

    Returns:
        A row per pair, as in `search_by_code`: ``precision`` is the share of returned items that
        have the query's value of ``same``, and another value of ``other``.
    """
    discriminants = {name: _discriminant(labelled, name) for name in labelled.attributes}
    rows = []
    for same, other in permutations(searched.attributes, 2):
        values, others = searched.attributes[same], searched.attributes[other]
        present = np.flatnonzero((values != MISSING) & (others != MISSING))
        if len(present) < 2:
            rows.append({"same": same, "other": other, **_NO_SCORE})
            continue
        codes = searched.codes[present]
        distances = pairwise_distances(discriminants[same].transform(codes))
        predicted = discriminants[other].predict(codes)
        distances[predicted[:, None] == predicted[None, :]] = np.inf
        hits = values[present][:, None] == values[present][None, :]
        hits &= others[present][:, None] != others[present][None, :]
        rows.append({"same": same, "other": other, **_score(distances, hits)})
    return pd.DataFrame(rows)


def _score(distances: Vectors, hits: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share of hits among the nearest, and among all other items.

    Places that a search leaves empty count as no hits.
    """
    shown = min(SHOWN, len(distances) - 1)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :shown]
    returned = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
    correct = np.take_along_axis(hits, nearest, axis=1) & returned
    return {
        "precision": float(correct.mean()),
        "chance": float(hits.sum() / (len(hits) * (len(hits) - 1))),
    }


def _discriminant(items: Items, name: str) -> LinearDiscriminantAnalysis:
    present = items.attributes[name] != MISSING
    return LinearDiscriminantAnalysis().fit(items.codes[present], items.attributes[name][present])


def _attributes(store: Store) -> list[str]:
    """Factors that are names, of which training images have two values or more beside `MISSING`."""
    train = store.rows("train")
    return [
        name
        for name in store.card["factors"]
        if not pd.api.types.is_numeric_dtype(store.index[name])
        and len(set(store.index[name].iloc[train]) - {MISSING}) > 1
    ]


def _items(
    codes: npt.NDArray[np.float32], names: Sequence[str], rows: npt.NDArray[np.int64], store: Store
) -> Items:
    values = {name: store.index[name].to_numpy(str)[rows] for name in names}
    return Items(codes.astype(np.float64), values)


def _plot_precision(
    table: pd.DataFrame, first: TrainedRun, store: Store, title: str, path: Path
) -> None:
    """Left: search by code, over latent sizes. Right: every pair, at the best latent size."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    whole, pairs = table[table["other"] == ""], table[table["other"] != ""]
    sizes = sorted(table["latent_dim"].unique())
    for number, (name, rows) in enumerate(whole.groupby("same", sort=False)):
        left.plot(rows["latent_dim"], rows["precision"], ".-", color=f"C{number}", label=str(name))
        left.axhline(rows["chance"].iloc[0], color=f"C{number}", linestyle=":", linewidth=1)
    left.set_xscale("log", base=2)
    left.set_xticks(sizes, labels=[f"{size}" for size in sizes])
    left.minorticks_off()
    left.set(
        xlabel="latent size", ylabel=f"share of the {SHOWN} nearest with the same", ylim=(0, 1)
    )
    left.set_title("by the whole code (dotted: chance)", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    best = int(pairs.groupby("latent_dim")["precision"].mean().fillna(0).idxmax())
    chosen = pairs[pairs["latent_dim"] == best]
    names = list(dict.fromkeys(chosen["same"]))
    shares = chosen.pivot(index="same", columns="other", values="precision").loc[names, names]
    chances = chosen.pivot(index="same", columns="other", values="chance").loc[names, names]
    right.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    for row, same in enumerate(names):
        for column, other in enumerate(names):
            if not np.isnan(shares.loc[same, other]):
                share, chance = shares.loc[same, other], chances.loc[same, other]
                colour = "white" if share < 0.6 else "black"
                text = f"{share:.2f}\n({chance:.2f})"
                right.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    right.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    right.set_yticks(range(len(names)), names, fontsize=8)
    right.set(xlabel="another", ylabel="the same")
    right.set_title(f"by one attribute, latent size {best} (in brackets: chance)", fontsize=9)
    figure.suptitle(
        f"{title}: retrieval by codes · {first.run.model} ({first.run.network}), "
        f"β {first.run.beta:g}, seed {first.run.seed} · {store.name} ({store.card['source']}), "
        f"{len(store.rows('valid')):,} validation images",
        fontsize=8,
    )
    save_figure(path, figure)
