"""Summary of one model's latent space: numbers, and tables in long form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from latent_atlas.analysis.latent_space import clusters, prior, projections, spread
from latent_atlas.analysis.latent_space.projections import Projection
from latent_atlas.analysis.latent_space.spread import Codes, Floats, Ints
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import FieldError, UserError
from latent_atlas.util.seeds import seed_for

MIN_IMAGES = 12
"""Smallest number of validation images."""

ALL = "all"
"""Name for all images together, in tables with a row per style."""

TABLES = ("losses", "components", "styles", "silhouettes", "clusters", "pairs")
"""Names of the tables of a summary."""


class Partition(NamedTuple):
    """A division of the images into groups, e.g. by style or by content.

    Attributes:
        name: of a column of the store's index; ``style`` for the label.
        values: names of the groups.
        numbers: the group of each image of the store, −1 where it is unknown or too small.
    """

    name: str
    values: list[str]
    numbers: Ints


@dataclass
class LatentSpaceSummary:
    """The analysis of one run's latent space.

    Attributes:
        run: name of the run.
        title: of the run, with its parameters.
        numbers: metric → value, not rounded.
        tables: name → rows, with the name of the run in the first column.
        projections: of at most `Cartography.mapped` validation images.
        projected_rows: rows of these images in the store.
        half_sample_amis: partition → AMIs on random halves of the images.
    """

    run: str
    title: str
    numbers: dict[str, float] = field(default_factory=dict)
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    projections: list[Projection] = field(default_factory=list)
    projected_rows: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    half_sample_amis: dict[str, Floats] = field(default_factory=dict)

    def add_row(self, table: str, **row: object) -> None:
        """Append a row to a table."""
        self.tables.setdefault(table, []).append({"run": self.run, **row})

    def add_with_interval(self, name: str, value: float, low: float, high: float) -> None:
        """Add a number and the ends of its 95 % interval."""
        self.numbers |= {name: value, f"{name}_low": low, f"{name}_high": high}


def partitions(store: Store, columns: Sequence[str]) -> list[Partition]:
    """The partitions of `store`: its label as ``style``, then those of `columns` that it has.

    A group counts if it has at least two validation and two training images. A partition counts if
    it has two such groups.

    Raises:
        UserError: if the label gives no partition, or a class has the name of all images together.
    """
    parts = []
    values_of = {"style": store.index["label"]}
    values_of |= {name: store.index[name] for name in columns if name in store.index}
    valid = (store.index["split"] == "valid").to_numpy()
    train = (store.index["split"] == "train").to_numpy()
    for name, column in values_of.items():
        counts = pd.DataFrame(
            {"train": column[train].value_counts(), "valid": column[valid].value_counts()}
        ).fillna(0)
        values = sorted(str(value) for value in counts.index[counts.min(axis=1) >= 2])
        if len(values) >= 2:
            positions = {value: number for number, value in enumerate(values)}
            numbers = [positions.get(str(value), -1) for value in column]
            parts.append(Partition(name, values, np.asarray(numbers, dtype=np.int64)))
            if name == "style" and ALL in values:
                raise UserError(
                    f"{store.path}: found a class {ALL!r}, expected another name: the tables use "
                    "it for all images together; rename the class in the source"
                )
        elif name == "style":
            sizes = ", ".join(f"{value} {count}" for value, count in column.value_counts().items())
            raise UserError(
                f"{store.path}: found {sizes or 'no label'}, expected at least two labels with two "
                "training and two validation images each, to analyse a latent space; choose a "
                "source with labels"
            )
    return parts


def summarise_latent_space(
    trained: TrainedRun, store: Store, settings: Cartography, seed: int
) -> LatentSpaceSummary:
    """Analyse the latent space of a run.

    Spread, clusters and projections use validation images. Labels are predicted for validation
    images from training images. The codes of a model with a posterior are its means.

    Args:
        trained: the run.
        store: the images that it was trained on.
        settings: of the analysis.
        seed: of all random choices; the same for all runs that are compared.

    Raises:
        FieldError: for a number of clusters above the number of images.
        UserError: if there are too few validation images, or they have no labels.
    """
    rows = store.rows("valid")
    if len(rows) < MIN_IMAGES:
        raise UserError(
            f"{store.path}: found {len(rows)} validation images, expected at least {MIN_IMAGES} to "
            "analyse a latent space; add images or raise `valid_share` of the data set"
        )
    summary = LatentSpaceSummary(trained.run.name, trained.title())
    parts = partitions(store, settings.partitions)
    codes, train_rows = trained.encode(store.images), store.rows("train")
    _add_losses(summary, trained, store)
    _add_spread(summary, codes[rows], rows, parts[0], settings)
    for partition in parts:
        _add_clusters(summary, codes, rows, partition, settings, seed)
        _add_predictions(summary, codes, (train_rows, rows), partition, settings, seed)
    sample = prior.sample_aggregate_posterior(
        codes[rows], trained.log_variance(store.images[rows]), _seed(seed, "aggregate")
    )
    _add_prior(summary, sample, settings, seed)
    _add_pairs(summary, codes[rows], rows, parts[0], settings, seed)
    _add_projections(summary, codes, rows, settings, seed)
    return summary


def _seed(seed: int, purpose: str) -> int:
    """A seed for `purpose`, of 32 bits as scikit-learn needs it."""
    return seed_for("cartography", seed, purpose) % 2**32


def _add_losses(summary: LatentSpaceSummary, trained: TrainedRun, store: Store) -> None:
    """The terms of the last epoch; reconstruction and KL per pixel as well."""
    pixels = int(np.prod(store.shape))
    last = trained.history.iloc[-1]
    for split in ("train", "valid"):
        for column in map(str, trained.history):
            term = column.removeprefix(f"{split}_")
            if term in (column, "loss"):
                continue
            value = float(last[column])
            # The published error is the mean of (o − x)², and the loss is ½ Σ (o − x)².
            gaussian = term == "reconstruction" and trained.run.likelihood == "gaussian"
            summed_over_pixels = term in ("reconstruction", "kl")
            per_pixel = (2 if gaussian else 1) * value / pixels if summed_over_pixels else np.nan
            summary.add_row("losses", split=split, term=term, value=value, per_pixel=per_pixel)
            if summed_over_pixels and split == "valid":
                summary.numbers[f"valid_{term}"] = value
                if term == "reconstruction":
                    summary.numbers["valid_reconstruction_per_pixel"] = per_pixel


def _add_spread(
    summary: LatentSpaceSummary,
    codes: Codes,
    rows: Ints,
    styles: Partition,
    settings: Cartography,
) -> None:
    """Principal components, distances and effective rank, of all images and of each style."""
    parts = {ALL: codes}
    for number, style in enumerate(styles.values):
        parts[style] = codes[styles.numbers[rows] == number]
    for style, part in parts.items():
        shares = spread.variance_shares(part, settings.components)
        for component, share in enumerate(shares, 1):
            summary.add_row("components", style=style, component=component, share=float(share))
        angle, signed = spread.first_angles(part, codes)
        manhattan, euclidean = spread.mean_pair_distances(part)
        summary.add_row(
            "styles",
            style=style,
            images=len(part),
            centroid_offset_l1=spread.centroid_offset(part, codes),
            first_angle=angle,
            first_angle_signed=signed,
            mean_pair_distance_l1=manhattan,
            mean_pair_distance_l2=euclidean,
            effective_rank=spread.effective_rank(part),
        )
    shares = spread.variance_shares(codes, 10)
    summary.numbers["first_share"] = float(shares[0])
    summary.numbers["ten_shares"] = float(shares.sum())
    summary.numbers["effective_rank"] = spread.effective_rank(codes)


def _add_clusters(
    summary: LatentSpaceSummary,
    codes: Codes,
    rows: Ints,
    partition: Partition,
    settings: Cartography,
    seed: int,
) -> None:
    """Clusterings of the validation images, and their agreement with a partition."""
    name, seed = partition.name, _seed(seed, partition.name)
    valid = rows[partition.numbers[rows] >= 0]
    codes, labels = codes[valid], partition.numbers[valid]
    low, high = settings.clusters
    if len(valid) <= low:
        raise FieldError(
            "clusters",
            f"found {low} as the smallest number for {len(valid)} validation images with a known "
            f"{name}, expected less; lower it or add images",
        )
    for method in clusters.METHODS:
        clustering = clusters.cluster_codes(codes, method, range(low, high + 1), seed)
        for count, silhouette in clustering.silhouettes.items():
            summary.add_row(
                "silhouettes",
                partition=name,
                method=method,
                clusters=count,
                silhouette=silhouette,
                chosen=count == clustering.clusters,
            )
        ami = clusters.agreement(clustering.labels, labels)["ami"]
        summary.numbers[f"ami_{name}_{method}"] = ami
        for row in clusters.cluster_composition(clustering.labels, labels, partition.values):
            summary.add_row("clusters", partition=name, method=method, **row)
    amis = clusters.half_sample_ami(codes, labels, settings.draws, seed)
    by_count = clusters.k_means(codes, len(set(labels.tolist())), seed)
    agreement = clusters.agreement(by_count, labels)
    summary.numbers |= {f"{key}_{name}": value for key, value in agreement.items()}
    ami, half = agreement["ami"], 1.96 * float(amis.std(ddof=1))
    summary.add_with_interval(f"ami_{name}", ami, ami - half, min(ami + half, 1.0))
    summary.half_sample_amis[name] = amis


def _add_predictions(
    summary: LatentSpaceSummary,
    codes: Codes,
    splits: tuple[Ints, Ints],
    partition: Partition,
    settings: Cartography,
    seed: int,
) -> None:
    """Accuracy of the groups of a partition, predicted from codes of training images."""
    name, seed = partition.name, _seed(seed, partition.name)
    train_rows, valid_rows = (rows[partition.numbers[rows] >= 0] for rows in splits)
    train = codes[train_rows], partition.numbers[train_rows]
    valid = codes[valid_rows], partition.numbers[valid_rows]
    predictions = {
        "knn": clusters.predict_by_neighbours(train, valid, settings.neighbours),
        "probe": clusters.predict_by_linear_probe(train, valid),
    }
    for key, prediction in predictions.items():
        low, high = clusters.accuracy_interval(prediction, settings.resamples, seed)
        summary.add_with_interval(f"{key}_{name}", prediction.accuracy(), low, high)
    summary.numbers[f"chance_{name}"] = 1 / len(set(valid[1].tolist()))


def _add_prior(
    summary: LatentSpaceSummary, sample: Codes, settings: Cartography, seed: int
) -> None:
    """Distance of the aggregate posterior to N(0, I), before and after standardisation."""
    if len(sample) >= prior.MIN_CODES:
        summary.numbers["not_normal_latents"] = prior.rejected_latents(sample)
    seed = _seed(seed, "prior")
    normal = np.random.default_rng(seed).standard_normal(sample.shape).astype(np.float32)
    deviation = sample.std(0)
    standardised = (sample - sample.mean(0)) / np.where(deviation > 0, deviation, 1)
    for name, part in (("energy_prior", sample), ("energy_standardised", standardised)):
        energy = prior.energy_distance(part, normal, settings.resamples, seed)
        summary.add_with_interval(name, energy.distance, energy.low, energy.high)
        summary.numbers[f"{name}_p"] = energy.p


def _add_pairs(
    summary: LatentSpaceSummary,
    codes: Codes,
    rows: Ints,
    styles: Partition,
    settings: Cartography,
    seed: int,
) -> None:
    """Two-sample tests between the codes of each two styles."""
    seed, distances = _seed(seed, "pairs"), []
    for first, second in combinations(range(len(styles.values)), 2):
        a, b = (codes[styles.numbers[rows] == number] for number in (first, second))
        energy = prior.energy_distance(a, b, settings.resamples, seed)
        summary.add_row(
            "pairs",
            first=styles.values[first],
            second=styles.values[second],
            energy=energy.distance,
            low=energy.low,
            high=energy.high,
            p=energy.p,
        )
        distances.append(energy.distance)
    summary.numbers["energy_styles"] = float(np.mean(distances))


def _add_projections(
    summary: LatentSpaceSummary, codes: Codes, rows: Ints, settings: Cartography, seed: int
) -> None:
    seed = _seed(seed, "maps")
    random = np.random.default_rng(seed)
    summary.projected_rows = np.sort(random.permutation(rows)[: settings.mapped])
    for name in projections.METHODS:
        projection = projections.project(
            codes[summary.projected_rows], name, settings.perplexity, seed
        )
        summary.projections.append(projection)
        summary.numbers[f"trust_{name.lower().replace('-', '_')}"] = projection.trust


def paired_difference(
    first: LatentSpaceSummary, second: LatentSpaceSummary, partition: str
) -> tuple[float, float, float]:
    """AMI of `first` minus AMI of `second`, with a 95 % interval from the same halves."""
    name = f"ami_{partition}"
    value = first.numbers[name] - second.numbers[name]
    differences = first.half_sample_amis[partition] - second.half_sample_amis[partition]
    half = 1.96 * float(differences.std(ddof=1))
    return value, value - half, value + half


def joint_table(summaries: Sequence[LatentSpaceSummary], name: str) -> pd.DataFrame:
    """The rows of one table, of all runs."""
    return pd.DataFrame([row for summary in summaries for row in summary.tables.get(name, [])])
