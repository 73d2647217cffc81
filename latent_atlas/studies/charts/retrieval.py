"""Find items by their code: the most alike, or *same collar, other sleeve*.

The fashion VAE thesis proposes both without a score; drawn garments know their attributes.
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
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.files import write_bytes

SHOWN = 10
"""How many items a search shows; scores are shares of them."""

MISSING = "none"
"""The value of an attribute that makes no sense for an item: it is in no search of it."""

_NOTHING = {"found": np.nan, "chance": np.nan}
"""Of a search for which there are fewer than two items."""

Vectors = npt.NDArray[np.float64]
Values = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Items:
    """Codes and attributes of the same N items.

    Attributes:
        codes: N×D.
        attributes: N values of each, as text.
    """

    codes: Vectors
    attributes: dict[str, Values]


def draw(runs: Sequence[TrainedRun], store: Store, title: str, folder: Path) -> None:
    """Write ``<data>_retrieval.csv`` and ``.png`` for the attributes of `store` that are names.

    Args:
        runs: models of `store` that differ in their latent size, the smallest first.
        store: images with two or more such attributes; with fewer, nothing is drawn.
        title: of the study, for the figure.
        folder: for both files.
    """
    attributes = _attributes(store)
    if len(attributes) < 2:
        return
    train, valid = store.rows("train"), store.rows("valid")
    tables = []
    for run in runs:
        known = _items(run.encode(store.images[train]), attributes, train, store)
        asked = _items(run.encode(store.images[valid]), attributes, valid, store)
        table = pd.concat([alike(asked), same_but(known, asked)], ignore_index=True)
        table.insert(0, "latent_dim", run.run.latent_dim)
        tables.append(table)
    found = pd.concat(tables, ignore_index=True)
    write_bytes(
        folder / f"{store.name}_retrieval.csv",
        found.to_csv(index=False, float_format="%.6g").encode(),
    )
    _chart(found, runs[0], store, title, folder / f"{store.name}_retrieval.png")


def alike(items: Items) -> pd.DataFrame:
    """Search by the whole code: which attributes do the nearest items share with the query?

    Returns:
        A row an attribute: ``same`` (its name), ``other`` (empty), ``found`` (share of the `SHOWN`
        nearest other items that have the query's value) and ``chance``.
    """
    rows = []
    distances = pairwise_distances(items.codes)
    np.fill_diagonal(distances, np.inf)
    for name, values in items.attributes.items():
        there = np.flatnonzero(values != MISSING)
        if len(there) < 2:
            rows.append({"same": name, "other": "", **_NOTHING})
            continue
        hits = values[there][:, None] == values[there][None, :]
        np.fill_diagonal(hits, False)
        inner = distances[np.ix_(there, there)]
        rows.append({"same": name, "other": "", **_score(inner, hits)})
    return pd.DataFrame(rows)


def same_but(known: Items, asked: Items) -> pd.DataFrame:
    """Search by one feature: the same value of one attribute, another of a second one.

    Linear discriminants of the known items' codes tell the attributes apart: items are ranked by
    their distance in the space of the one to keep, and left out where the classifier of the other
    gives them the query's own value. A search sees no attribute of the items that it searches.

    Returns:
        A row a pair, as in `alike`: ``found`` is the share of shown items that truly have the
        query's value of ``same`` and not that of ``other``.
    """
    readers = {name: _reader(known, name) for name in known.attributes}
    rows = []
    for same, other in permutations(asked.attributes, 2):
        values, others = asked.attributes[same], asked.attributes[other]
        there = np.flatnonzero((values != MISSING) & (others != MISSING))
        if len(there) < 2:
            rows.append({"same": same, "other": other, **_NOTHING})
            continue
        codes = asked.codes[there]
        distances = pairwise_distances(readers[same].transform(codes))
        guessed = readers[other].predict(codes)
        distances[guessed[:, None] == guessed[None, :]] = np.inf
        hits = values[there][:, None] == values[there][None, :]
        hits &= others[there][:, None] != others[there][None, :]
        rows.append({"same": same, "other": other, **_score(distances, hits)})
    return pd.DataFrame(rows)


def _score(distances: Vectors, hits: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share of hits among the nearest, and among all other items; queries without any count 0."""
    shown = min(SHOWN, len(distances) - 1)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :shown]
    seen = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
    right = np.take_along_axis(hits, nearest, axis=1) & seen
    return {
        "found": float(right.mean()),
        "chance": float(hits.sum() / (len(hits) * (len(hits) - 1))),
    }


def _reader(known: Items, name: str) -> LinearDiscriminantAnalysis:
    there = known.attributes[name] != MISSING
    return LinearDiscriminantAnalysis().fit(known.codes[there], known.attributes[name][there])


def _attributes(store: Store) -> list[str]:
    """Factors that are names, not numbers, of which training images have two beside `MISSING`."""
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


def _chart(found: pd.DataFrame, first: TrainedRun, store: Store, title: str, path: Path) -> None:
    """Left: the whole code, over latent sizes. Right: every pair, at the best latent size."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    whole, pairs = found[found["other"] == ""], found[found["other"] != ""]
    sizes = sorted(found["latent_dim"].unique())
    for number, (name, rows) in enumerate(whole.groupby("same", sort=False)):
        left.plot(rows["latent_dim"], rows["found"], ".-", color=f"C{number}", label=str(name))
        left.axhline(rows["chance"].iloc[0], color=f"C{number}", linestyle=":", linewidth=1)
    left.set_xscale("log", base=2)
    left.set_xticks(sizes, labels=[f"{size}" for size in sizes])
    left.minorticks_off()
    left.set(
        xlabel="latent size", ylabel=f"share of the {SHOWN} nearest with the same", ylim=(0, 1)
    )
    left.set_title("by the whole code (dotted: chance)", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    best = int(pairs.groupby("latent_dim")["found"].mean().fillna(0).idxmax())
    chosen = pairs[pairs["latent_dim"] == best]
    names = list(dict.fromkeys(chosen["same"]))
    shares = chosen.pivot(index="same", columns="other", values="found").loc[names, names]
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
    right.set_title(f"by one feature, latent size {best} (in brackets: chance)", fontsize=9)
    figure.suptitle(
        f"{title}: searching items by their codes · {first.run.model} ({first.run.network}), "
        f"β {first.run.beta:g}, seed {first.run.seed} · {store.name} ({store.card['source']}), "
        f"{len(store.rows('valid')):,} validation images",
        fontsize=8,
    )
    save_figure(path, figure)
