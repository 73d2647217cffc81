"""The latent spaces of a study's models, side by side, and beside the published tables.

The layout of Rich 2021: losses per pixel (tables 5.1, 5.2), offsets of centroids (6.1), angles of
first directions (6.2), distances of pairs (7.1), and what this repository measures beyond them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.analysis.latent_space import plots
from latent_atlas.analysis.latent_space.summary import (
    Partition,
    Survey,
    paired_difference,
    partitions,
    survey,
    table,
)
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.plots.grid import enlargement, save_grid
from latent_atlas.plots.latent_plane import choose
from latent_atlas.studies.published import read_table
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import Progress
from latent_atlas.util.files import write_bytes

TABLES = ("losses", "components", "styles", "silhouettes", "clusters", "pairs")

LOSSES = ("split", "model", "reconstruction", "kl", "triplet", "discriminator")
STYLES = ("style", "model", "centroid_offset_l1", "first_component_angle_deg", "mean_pair_distance")

_TERMS = {
    "reconstruction": ("reconstruction", "per_pixel"),
    "kl": ("kl", "per_pixel"),
    "triplet": ("triplet", "value"),
    "discriminator": ("discriminator_loss", "value"),
}
"""Published column → our term, and in which of its two forms."""


def write(
    runs: Sequence[TrainedRun],
    store: Store,
    settings: Cartography,
    seed: int,
    title: str,
    published: Path,
    folder: Path,
) -> None:
    """Measure the runs, and write ``<data>_latents.md``, CSV tables and figures into `folder`.

    Args:
        runs: one of each model, trained on `store`.
        store: images with labels.
        settings: what to measure.
        seed: of all that is drawn.
        title: of the study.
        published: folder with ``published_losses.csv`` and ``published_styles.csv``, if any.
        folder: for everything; what shows images goes below ``pictures``.
    """
    surveys = []
    with Progress(f"map {store.name}", len(runs), "runs") as progress:
        for run in runs:
            found = survey(run, store, settings, seed)
            found.run = run.run.model  # the names of cells are long
            for rows in found.tables.values():
                rows[:] = [{**row, "run": found.run} for row in rows]
            surveys.append(found)
            progress.advance()
    sorted_by = partitions(store, settings.partitions)
    for name in TABLES:
        csv = table(surveys, name).to_csv(index=False, float_format="%.4g")
        write_bytes(folder / f"{store.name}_{name}.csv", csv.encode())
    numbers = pd.DataFrame([{"model": one.run, **one.numbers} for one in surveys])
    text = numbers.to_csv(index=False, float_format="%.4g")
    write_bytes(folder / f"{store.name}_numbers.csv", text.encode())
    first, epochs = runs[0], sorted({len(run.history) for run in runs})
    about = (
        f"{len(store.rows('valid'))} validation images of {store.name} ({store.card['source']}); "
        f"{first.run.network}, latent_dim {first.run.latent_dim}, "
        f"{' or '.join(map(str, epochs))} epochs, seed {first.run.seed}"
    )
    pictures = folder / "pictures"
    plots.draw(surveys, store, sorted_by, settings.thumbnails, about, folder, pictures)
    _reconstructions(runs, store, about, pictures / f"{store.name}_reconstructions.png")
    losses, styles = _published(published)
    lines = [f"# {title}: latent spaces", "", f"{about[0].upper()}{about[1:]}.", ""]
    lines += _losses(surveys, losses)
    lines += _shape(surveys)
    lines += _styles(surveys, runs, sorted_by[0], styles)
    for partition in sorted_by:
        lines += _order(surveys, partition)
    lines += _prior(surveys)
    lines += _pairs(surveys)
    write_bytes(folder / f"{store.name}_latents.md", "\n".join(lines).encode())


def _published(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The published losses and styles of a study, or no rows of those that it lacks."""
    return (
        read_table(folder / "published_losses.csv", LOSSES[:2], LOSSES[2:]),
        read_table(folder / "published_styles.csv", STYLES[:2], STYLES[2:]),
    )


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line: the first column to the left, the others to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]


def _number(value: float, digits: int = 3) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}g}"


def _losses(surveys: Sequence[Survey], published: pd.DataFrame) -> list[str]:
    """Tables 5.1 and 5.2: published and ours, and ours summed over pixels and latents."""
    lines = [
        "## Losses (tables 5.1 and 5.2)",
        "",
        "Published / ours. Reconstruction: mean squared error a pixel and channel. KL: nats, "
        "divided by the number of those; how the published ones are normalised is not said. "
        "Triplet: mean hinge, before its weight. Discriminator: the cross-entropy of its two "
        "answers, 1.39 where it cannot tell.",
        "",
    ]
    ours = table(surveys, "losses")
    for split in ("train", "valid"):
        rows = []
        for one in surveys:
            theirs = published[(published["split"] == split) & (published["model"] == one.run)]
            own = ours[(ours["run"] == one.run) & (ours["split"] == split)].set_index("term")
            cells = [one.run]
            for column, (term, form) in _TERMS.items():
                known = theirs[column].iloc[0] if len(theirs) else np.nan
                mine = own.loc[term, form] if term in own.index else np.nan
                both = f"{_number(known)} / {_number(mine)}"
                cells.append("" if np.isnan(known) and np.isnan(mine) else both)
            for term in ("reconstruction", "kl"):
                cells.append(_number(own.loc[term, "value"], 4) if term in own.index else "")
            rows.append(cells)
        lines += _rows([split, *_TERMS, "½ Σ error (summed)", "KL (summed)"], rows)
    return lines


def _shape(surveys: Sequence[Survey]) -> list[str]:
    head = ["model", "first component", "ten components", "effective rank"]
    rows = [
        [
            one.run,
            f"{100 * one.numbers['first_share']:.1f} %",
            f"{100 * one.numbers['ten_shares']:.1f} %",
            f"{one.numbers['effective_rank']:.1f}",
        ]
        for one in surveys
    ]
    return ["## Variance (figures 6.1 to 6.7)", "", *_rows(head, rows)]


def _styles(
    surveys: Sequence[Survey],
    runs: Sequence[TrainedRun],
    styles: Partition,
    published: pd.DataFrame,
) -> list[str]:
    """Tables 6.1, 6.2 and 7.1, a column a model: published / ours."""
    ours = table(surveys, "styles")
    size = runs[0].run.latent_dim

    def part(heading: str, about: str, theirs: str, own: Callable[[pd.Series], str]) -> list[str]:
        names = list(dict.fromkeys([*styles.values, *published["style"]]))
        rows = []
        for style in names:
            cells = [style]
            for one in surveys:
                known = published[(published["style"] == style) & (published["model"] == one.run)]
                mine = ours[(ours["run"] == one.run) & (ours["style"] == style)]
                left = _number(float(known[theirs].iloc[0]), 4) if len(known) else "–"
                cells.append(f"{left} / {own(mine.iloc[0]) if len(mine) else '–'}")
            rows.append(cells)
        return [f"## {heading}", "", about, "", *_rows(["style", *[s.run for s in surveys]], rows)]

    lines = part(
        "Offsets of centroids (table 6.1)",
        "Σ |difference| over the latents: of a published code of 4,096 / of ours of "
        f"{size}, to be multiplied by {4096 / size:g} for a comparison of sizes.",
        "centroid_offset_l1",
        lambda row: _number(row["centroid_offset_l1"]),
    )
    lines += part(
        "Angles of first directions (table 6.2)",
        "Degrees to the first direction of all images: published / ours with signs, and in "
        "brackets without, from 0 to 90.",
        "first_component_angle_deg",
        lambda row: f"{row['first_angle_signed']:.0f} ({row['first_angle']:.0f})",
    )
    lines += part(
        "Mean distances of pairs (table 7.1)",
        f"L1: of a published code of 4,096 / of ours of {size} times {4096 / size:g}.",
        "mean_pair_distance",
        lambda row: _number(row["mean_pair_distance_l1"] * 4096 / size, 4),
    )
    return lines


def _order(surveys: Sequence[Survey], partition: Partition) -> list[str]:
    """How far a partition is found again, and which models differ in that."""
    name = partition.name
    chance = surveys[0].numbers[f"chance_{name}"]
    head = ["model", "AMI", "ARI", "purity", "AMI: k-means, spectral, mixture by silhouette"]
    head += [f"neighbours (chance {chance:.2f})", "linear probe"]
    rows = []
    for one in surveys:
        told = [_interval(one, f"{key}_{name}") for key in ("knn", "probe")]
        methods = [one.numbers[f"ami_{name}_{key}"] for key in ("k_means", "spectral", "mixture")]
        rows.append(
            [
                one.run,
                _interval(one, f"ami_{name}"),
                f"{one.numbers[f'ari_{name}']:.3f}",
                f"{one.numbers[f'purity_{name}']:.3f}",
                ", ".join(f"{value:.3f}" for value in methods),
                *told,
            ]
        )
    values = ", ".join(partition.values)
    lines = [f"## Ordered by {name}?", "", f"{values}. In brackets: 95 %.", "", *_rows(head, rows)]
    apart = []
    for first, second in combinations(surveys, 2):
        value, low, high = paired_difference(first, second, name)
        if low > 0 or high < 0:
            apart.append(f"{first.run} − {second.run} {value:+.3f} ({low:+.3f} to {high:+.3f})")
    by_name = {one.run: one for one in surveys}
    if {"tvae", "beta_vae"} <= set(by_name):
        value, low, high = paired_difference(by_name["tvae"], by_name["beta_vae"], name)
        lines += [
            f"AMI of tvae less that of beta_vae, on the same halves: **{value:+.3f}** "
            f"({low:+.3f} to {high:+.3f}).",
            "",
        ]
    found = "; ".join(apart) or "none"
    return [*lines, f"Differences of AMI whose interval leaves 0 out: {found}.", ""]


def _interval(one: Survey, name: str) -> str:
    low, high = one.numbers[f"{name}_low"], one.numbers[f"{name}_high"]
    return f"{one.numbers[name]:.3f} ({low:.3f} to {high:.3f})"


def _prior(surveys: Sequence[Survey]) -> list[str]:
    head = ["model", "energy distance", "p", "standardised", "p", "latents not normal"]
    rows = [
        [
            one.run,
            _interval(one, "energy_prior"),
            f"{one.numbers['energy_prior_p']:.3f}",
            _interval(one, "energy_shape"),
            f"{one.numbers['energy_shape_p']:.3f}",
            f"{100 * one.numbers.get('not_normal_latents', np.nan):.0f} %",
        ]
        for one in surveys
    ]
    about = (
        "The aggregate code against N(0, I), as it is and with each latent standardised: 0 for the "
        "same distribution. A p above 0.05 means that these images cannot tell them apart."
    )
    return ["## Is the code distributed as the prior?", "", about, "", *_rows(head, rows)]


def _pairs(surveys: Sequence[Survey]) -> list[str]:
    """Two-sample tests between styles, a column a model."""
    rows = table(surveys, "pairs")
    lines = []
    for (first, second), part in rows.groupby(["first", "second"], sort=False):
        cells = [
            f"{row['energy']:.3f} ({row['low']:.3f} to {row['high']:.3f}), p {row['p']:.3f}"
            for _, row in part.iterrows()
        ]
        lines.append([f"{first} – {second}", *cells])
    head = ["styles", *[one.run for one in surveys]]
    return ["## Energy distances between styles", "", *_rows(head, lines)]


def _reconstructions(runs: Sequence[TrainedRun], store: Store, about: str, path: Path) -> None:
    """Validation images of each label, two a label, and what each model makes of them."""
    valid, labels = store.rows("valid"), store.labels()[store.rows("valid")]
    there = [number for number in range(len(store.classes)) if (labels == number).sum() > 1]
    rows = np.concatenate([choose(valid[labels == number], 2, 0) for number in there])
    images = store.images[rows]
    parts = [images, *(run.decode(run.encode(images)) for run in runs)]
    save_grid(
        path,
        np.stack(parts, axis=1).reshape(-1, *store.shape),
        columns=len(parts),
        title=f"Validation images and their reconstructions · {about}",
        column_labels=["input", *(run.run.model for run in runs)],
        row_labels=[store.classes[number] for number in there for _ in range(2)],
        enlarge=enlargement(*store.shape[:2], target=96),
    )
