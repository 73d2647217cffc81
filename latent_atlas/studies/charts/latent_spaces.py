"""Latent spaces of a study's models, compared with each other and with the published tables.

The layout of Rich 2021: losses per pixel (tables 5.1 and 5.2), offsets of centroids (6.1), angles
of first directions (6.2) and distances of pairs (7.1), followed by further measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.analysis.latent_space import plots
from latent_atlas.analysis.latent_space.summary import (
    TABLES,
    LatentSpaceSummary,
    Partition,
    joint_table,
    paired_difference,
    partitions,
    summarise_latent_space,
)
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.plots.grid import enlargement, sample_rows, save_grid
from latent_atlas.studies import plan
from latent_atlas.studies.charts.selection import first_run_of_each_model
from latent_atlas.studies.published import read_table
from latent_atlas.studies.results import PICTURES, Outcome
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import Progress, fields_of
from latent_atlas.util.files import write_bytes

LOSSES = ("split", "model", "reconstruction", "kl", "triplet", "discriminator")
STYLES = ("style", "model", "centroid_offset_l1", "first_component_angle_deg", "mean_pair_distance")

_TERMS = {
    "reconstruction": ("reconstruction", "per_pixel"),
    "kl": ("kl", "per_pixel"),
    "triplet": ("triplet", "value"),
    "discriminator": ("discriminator_loss", "value"),
}
"""Published column → our term, and its form: per pixel, or as it is."""


def draw_latent_spaces(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_latent_spaces.md``, CSV tables and plots.

    For each data set, they show the first finished cell of each model.
    """
    settings = outcome.study.cartography
    for data, store in outcome.stores.items():
        models = first_run_of_each_model(outcome, data)
        if settings is not None and models:
            runs = [open_run(path) for path in models.values()]
            compare_latent_spaces(runs, store, settings, outcome, folder)


def compare_latent_spaces(
    runs: Sequence[TrainedRun], store: Store, settings: Cartography, outcome: Outcome, folder: Path
) -> None:
    """Measure the latent spaces of one data set, and write tables and plots.

    Args:
        runs: one of each model, trained on `store`.
        store: images with labels.
        settings: measurements.
        outcome: of the study; its folder may have ``published_losses.csv`` and
            ``published_styles.csv``.
        folder: for all files.
    """
    seed = outcome.study.seed
    summaries = []
    with Progress(f"map {store.name}", len(runs), "runs") as progress:
        for run in runs:
            with fields_of("cartography"):
                measured = summarise_latent_space(run, store, settings, seed)
            measured.run = run.run.model  # shorter than the name of the cell
            for rows in measured.tables.values():
                rows[:] = [{**row, "run": measured.run} for row in rows]
            summaries.append(measured)
            progress.advance()
    sorted_by = partitions(store, settings.partitions)
    for name in TABLES:
        csv = joint_table(summaries, name).to_csv(index=False, float_format="%.4g")
        write_bytes(folder / f"{store.name}_{name}.csv", csv.encode())
    numbers = pd.DataFrame([{"model": one.run, **one.numbers} for one in summaries])
    text = numbers.to_csv(index=False, float_format="%.4g")
    write_bytes(folder / f"{store.name}_numbers.csv", text.encode())
    first, epochs = runs[0], sorted({len(run.history) for run in runs})
    about = (
        f"{len(store.rows('valid'))} validation images of {store.name} ({store.card['source']}); "
        f"{first.run.network}, latent_dim {first.run.latent_dim}, "
        f"{' or '.join(map(str, epochs))} epochs, seed {first.run.seed}"
    )
    pictures = folder / PICTURES
    plots.plot_latent_spaces(
        summaries, store, sorted_by, settings.thumbnails, about, folder, pictures
    )
    _reconstructions(runs, store, about, pictures / f"{store.name}_reconstructions.png")
    losses, styles = _published(plan.STUDIES / outcome.name)
    title = f"{outcome.study.title}: latent spaces"
    lines = [f"# {title}", "", f"{about[0].upper()}{about[1:]}.", ""]
    lines += _losses(summaries, losses)
    lines += _shape(summaries)
    lines += _styles(summaries, runs, sorted_by[0], styles)
    for partition in sorted_by:
        lines += _agreement(summaries, partition)
    lines += _prior(summaries)
    lines += _pairs(summaries)
    write_bytes(folder / f"{store.name}_latent_spaces.md", "\n".join(lines).encode())


def _published(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The published losses and styles of a study; no rows of those that it does not have."""
    return (
        read_table(folder / "published_losses.csv", LOSSES[:2], LOSSES[2:]),
        read_table(folder / "published_styles.csv", STYLES[:2], STYLES[2:]),
    )


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line; the first column is aligned left, the others right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]


def _number(value: float, digits: int = 3) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}g}"


def _losses(summaries: Sequence[LatentSpaceSummary], published: pd.DataFrame) -> list[str]:
    """Tables 5.1 and 5.2: published and ours per pixel, and ours as sums."""
    lines = [
        "## Losses (tables 5.1 and 5.2)",
        "",
        "Published / ours. Reconstruction: mean squared error per pixel and channel. KL: nats, "
        "divided by the number of pixels and channels; the report does not describe its "
        "normalisation. Triplet: mean hinge loss without its weight. Discriminator: sum of the "
        "cross-entropies of codes and samples, 1.39 if it cannot distinguish them.",
        "",
    ]
    ours = joint_table(summaries, "losses")
    for split in ("train", "valid"):
        rows = []
        for one in summaries:
            row = published[(published["split"] == split) & (published["model"] == one.run)]
            own = ours[(ours["run"] == one.run) & (ours["split"] == split)].set_index("term")
            cells = [one.run]
            for column, (term, form) in _TERMS.items():
                first = row[column].iloc[0] if len(row) else np.nan
                second = own.loc[term, form] if term in own.index else np.nan
                both = f"{_number(first)} / {_number(second)}"
                cells.append("" if np.isnan(first) and np.isnan(second) else both)
            for term in ("reconstruction", "kl"):
                cells.append(_number(own.loc[term, "value"], 4) if term in own.index else "")
            rows.append(cells)
        lines += _rows([split, *_TERMS, "½ Σ error (summed)", "KL (summed)"], rows)
    return lines


def _shape(summaries: Sequence[LatentSpaceSummary]) -> list[str]:
    head = ["model", "first component", "ten components", "effective rank"]
    rows = [
        [
            one.run,
            f"{100 * one.numbers['first_share']:.1f} %",
            f"{100 * one.numbers['ten_shares']:.1f} %",
            f"{one.numbers['effective_rank']:.1f}",
        ]
        for one in summaries
    ]
    return ["## Variance (figures 6.1 to 6.7)", "", *_rows(head, rows)]


def _styles(
    summaries: Sequence[LatentSpaceSummary],
    runs: Sequence[TrainedRun],
    styles: Partition,
    published: pd.DataFrame,
) -> list[str]:
    """Tables 6.1, 6.2 and 7.1, a column per model: published / ours."""
    ours = joint_table(summaries, "styles")
    size = runs[0].run.latent_dim

    def part(heading: str, about: str, column: str, own: Callable[[pd.Series], str]) -> list[str]:
        names = list(dict.fromkeys([*styles.values, *published["style"]]))
        rows = []
        for style in names:
            cells = [style]
            for one in summaries:
                row = published[(published["style"] == style) & (published["model"] == one.run)]
                our_row = ours[(ours["run"] == one.run) & (ours["style"] == style)]
                left = _number(float(row[column].iloc[0]), 4) if len(row) else "–"
                cells.append(f"{left} / {own(our_row.iloc[0]) if len(our_row) else '–'}")
            rows.append(cells)
        return [
            f"## {heading}",
            "",
            about,
            "",
            *_rows(["style", *[s.run for s in summaries]], rows),
        ]

    lines = part(
        "Offsets of centroids (table 6.1)",
        "Σ |difference| over the latents: published, with 4,096 latents / ours, with "
        f"{size}. Multiply ours by {4096 / size:g} to compare the magnitudes.",
        "centroid_offset_l1",
        lambda row: _number(row["centroid_offset_l1"]),
    )
    lines += part(
        "Angles of first directions (table 6.2)",
        "Degrees to the first direction of all images: published / ours with signs. In brackets: "
        "ours without signs, from 0 to 90.",
        "first_component_angle_deg",
        lambda row: f"{row['first_angle_signed']:.0f} ({row['first_angle']:.0f})",
    )
    lines += part(
        "Mean distances of pairs (table 7.1)",
        f"L1: published, with 4,096 latents / ours, with {size}, times {4096 / size:g}.",
        "mean_pair_distance",
        lambda row: _number(row["mean_pair_distance_l1"] * 4096 / size, 4),
    )
    return lines


def _agreement(summaries: Sequence[LatentSpaceSummary], partition: Partition) -> list[str]:
    """Agreement of codes with a partition, and the models that differ in it."""
    name = partition.name
    chance = summaries[0].numbers[f"chance_{name}"]
    head = ["model", "AMI", "ARI", "purity", "AMI: k-means, spectral, mixture by silhouette"]
    head += [f"neighbours (chance {chance:.2f})", "linear probe"]
    rows = []
    for one in summaries:
        predicted = [_interval(one, f"{key}_{name}") for key in ("knn", "probe")]
        methods = [one.numbers[f"ami_{name}_{key}"] for key in ("k_means", "spectral", "mixture")]
        rows.append(
            [
                one.run,
                _interval(one, f"ami_{name}"),
                f"{one.numbers[f'ari_{name}']:.3f}",
                f"{one.numbers[f'purity_{name}']:.3f}",
                ", ".join(f"{value:.3f}" for value in methods),
                *predicted,
            ]
        )
    values = ", ".join(partition.values)
    about = f"{values}. In brackets: 95 % intervals."
    lines = [f"## Agreement with {name}", "", about, "", *_rows(head, rows)]
    different = []
    for first, second in combinations(summaries, 2):
        value, low, high = paired_difference(first, second, name)
        if low > 0 or high < 0:
            different.append(f"{first.run} − {second.run} {value:+.3f} ({low:+.3f} to {high:+.3f})")
    by_name = {one.run: one for one in summaries}
    if {"tvae", "beta_vae"} <= set(by_name):
        value, low, high = paired_difference(by_name["tvae"], by_name["beta_vae"], name)
        lines += [
            f"AMI of tvae minus that of beta_vae, on the same halves: **{value:+.3f}** "
            f"({low:+.3f} to {high:+.3f}).",
            "",
        ]
    listed = "; ".join(different) or "none"
    return [*lines, f"Differences of AMI whose interval excludes 0: {listed}.", ""]


def _interval(one: LatentSpaceSummary, name: str) -> str:
    low, high = one.numbers[f"{name}_low"], one.numbers[f"{name}_high"]
    return f"{one.numbers[name]:.3f} ({low:.3f} to {high:.3f})"


def _prior(summaries: Sequence[LatentSpaceSummary]) -> list[str]:
    head = ["model", "energy distance", "p", "standardised", "p", "latents not normal"]
    rows = [
        [
            one.run,
            _interval(one, "energy_prior"),
            f"{one.numbers['energy_prior_p']:.3f}",
            _interval(one, "energy_standardised"),
            f"{one.numbers['energy_standardised_p']:.3f}",
            f"{100 * one.numbers.get('not_normal_latents', np.nan):.0f} %",
        ]
        for one in summaries
    ]
    about = (
        "Energy distance of the aggregate posterior from N(0, I), as it is and with each latent "
        "standardised: 0 for the same distribution. With p above 0.05 these images do not "
        "distinguish them."
    )
    return ["## Distance from the prior", "", about, "", *_rows(head, rows)]


def _pairs(summaries: Sequence[LatentSpaceSummary]) -> list[str]:
    """Two-sample tests between styles, a column per model."""
    rows = joint_table(summaries, "pairs")
    lines = []
    for (first, second), part in rows.groupby(["first", "second"], sort=False):
        cells = [
            f"{row['energy']:.3f} ({row['low']:.3f} to {row['high']:.3f}), p {row['p']:.3f}"
            for _, row in part.iterrows()
        ]
        lines.append([f"{first} – {second}", *cells])
    head = ["styles", *[one.run for one in summaries]]
    return ["## Energy distances between styles", "", *_rows(head, lines)]


def _reconstructions(runs: Sequence[TrainedRun], store: Store, about: str, path: Path) -> None:
    """Validation images, two per label, and their reconstructions by each model."""
    valid, labels = store.rows("valid"), store.labels()[store.rows("valid")]
    classes = [number for number in range(len(store.classes)) if (labels == number).sum() > 1]
    rows = np.concatenate([sample_rows(valid[labels == number], 2, 0) for number in classes])
    images = store.images[rows]
    parts = [images, *(run.decode(run.encode(images)) for run in runs)]
    save_grid(
        path,
        np.stack(parts, axis=1).reshape(-1, *store.shape),
        columns=len(parts),
        title=f"Validation images and their reconstructions · {about}",
        column_labels=["input", *(run.run.model for run in runs)],
        row_labels=[store.classes[number] for number in classes for _ in range(2)],
        enlarge=enlargement(*store.shape[:2], target=96),
    )
