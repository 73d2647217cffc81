"""All that is measured of one model's latent space, as numbers and as tidy tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from latent_atlas.analysis.latent_space import clusters as groups
from latent_atlas.analysis.latent_space import prior
from latent_atlas.analysis.latent_space import projections as maps
from latent_atlas.analysis.latent_space import spread as shape
from latent_atlas.analysis.latent_space.spread import Codes, Floats, Ints
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.training.loop import seed_for
from latent_atlas.util.console import UserError

FEWEST = 12
"""Validation images below which nothing is measured."""

ALL = "all"
"""What the tables call all images together, where they have a row a style."""


class Partition(NamedTuple):
    """One way to sort images: by style, by content.

    Attributes:
        name: of a column of the store's index.
        values: names of the groups.
        numbers: of each image of the store, −1 where unknown or too rare.
    """

    name: str
    values: list[str]
    numbers: Ints


@dataclass
class Survey:
    """What was measured of a run.

    Attributes:
        numbers: by name; rounded by those who write them.
        tables: by name, rows with the run's name in the first column.
        clusterings: by partition and method, of the validation images that have the partition.
        maps: of at most `Cartography.mapped` validation images.
        mapped: their rows in the store.
        halves: by partition, the adjusted mutual information on random halves of the images.
    """

    run: str
    title: str
    numbers: dict[str, float] = field(default_factory=dict)
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    maps: list[maps.Map] = field(default_factory=list)
    mapped: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    halves: dict[str, Floats] = field(default_factory=dict)

    def add(self, table: str, **row: object) -> None:
        """Append a row to a table."""
        self.tables.setdefault(table, []).append({"run": self.run, **row})


def partitions(store: Store, wanted: Sequence[str]) -> list[Partition]:
    """The ways of sorting `store` that it has: its label as ``style``, then those of `wanted`.

    A value counts where at least two validation and two training images have it; a partition, where
    two values do.

    Raises:
        UserError: if the images cannot be sorted by their label, or one is called as all together.
    """
    found = []
    columns = {"style": store.index["label"]}
    columns |= {name: store.index[name] for name in wanted if name in store.index}
    valid = (store.index["split"] == "valid").to_numpy()
    train = (store.index["split"] == "train").to_numpy()
    for name, column in columns.items():
        counts = pd.DataFrame(
            {"train": column[train].value_counts(), "valid": column[valid].value_counts()}
        ).fillna(0)
        values = sorted(str(value) for value in counts.index[counts.min(axis=1) >= 2])
        if len(values) >= 2:
            positions = {value: number for number, value in enumerate(values)}
            numbers = [positions.get(str(value), -1) for value in column]
            found.append(Partition(name, values, np.asarray(numbers, dtype=np.int64)))
            if name == "style" and ALL in values:
                raise UserError(
                    f"{store.path}: found a class {ALL!r}, expected another name: tables of a "
                    "latent space call all images together so; rename it in the source"
                )
        elif name == "style":
            sizes = ", ".join(f"{value} {count}" for value, count in column.value_counts().items())
            raise UserError(
                f"{store.path}: a latent space is measured by labels, and fewer than two of them "
                f"have two training and two validation images (found {sizes or 'no label'}); give "
                f"data.{store.name} a source with labels"
            )
    return found


def survey(trained: TrainedRun, store: Store, settings: Cartography, seed: int) -> Survey:
    """Measure the latent space of a run.

    Shape, groups and maps are of validation images; neighbours and the probe learn from training
    images and are asked about validation images. Codes of a model with a posterior are its means.

    Args:
        trained: the run.
        store: the images that it was trained on.
        settings: what to measure.
        seed: of all that is drawn at random; the same for runs that shall be compared.

    Raises:
        UserError: if there are too few validation images, in all or of a partition, or they have
            no labels.
    """
    rows = store.rows("valid")
    if len(rows) < FEWEST:
        raise UserError(
            f"{store.path}: found {len(rows)} validation images, expected at least {FEWEST} to "
            f"measure a latent space; add images or raise data.{store.name}.valid_share"
        )
    found = Survey(trained.run.name, trained.title())
    sorted_by = partitions(store, settings.partitions)
    codes, train_rows = trained.encode(store.images), store.rows("train")
    _losses(found, trained, store)
    _shape(found, codes[rows], rows, sorted_by[0], settings)
    for partition in sorted_by:
        _groups(found, codes, (train_rows, rows), partition, settings, seed)
    sample = prior.aggregate(
        codes[rows], trained.log_variance(store.images[rows]), _seed(seed, "aggregate")
    )
    _prior(found, sample, settings, seed)
    _pairs(found, codes[rows], rows, sorted_by[0], settings, seed)
    _maps(found, codes, rows, settings, seed)
    return found


def _seed(seed: int, what: str) -> int:
    """A seed of its own for `what`, of 32 bits as scikit-learn takes it."""
    return seed_for("cartography", seed, what) % 2**32


def _losses(found: Survey, trained: TrainedRun, store: Store) -> None:
    """The last epoch's terms: as the loop has them, and generation and latent loss per pixel."""
    pixels = int(np.prod(store.shape))
    last = trained.history.iloc[-1]
    for split in ("train", "valid"):
        for column in map(str, trained.history):
            term = column.removeprefix(f"{split}_")
            if term in (column, "loss"):
                continue
            value = float(last[column])
            # ½ Σ (o − x)² becomes the mean of (o − x)², as it is published.
            gaussian = term == "reconstruction" and trained.run.likelihood == "gaussian"
            summed_over_pixels = term in ("reconstruction", "kl")
            per_pixel = (2 if gaussian else 1) * value / pixels if summed_over_pixels else np.nan
            found.add("losses", split=split, term=term, value=value, per_pixel=per_pixel)
            if term in ("reconstruction", "kl") and split == "valid":
                found.numbers[f"valid_{term}"] = value
    error = [row for row in found.tables["losses"] if row["term"] == "reconstruction"]
    found.numbers["valid_reconstruction_per_pixel"] = next(
        row["per_pixel"] for row in error if row["split"] == "valid"
    )


def _shape(
    found: Survey, codes: Codes, rows: Ints, styles: Partition, settings: Cartography
) -> None:
    parts = {ALL: codes}
    for number, style in enumerate(styles.values):
        parts[style] = codes[styles.numbers[rows] == number]
    for style, part in parts.items():
        shares = shape.variance_shares(part, settings.components)
        for component, share in enumerate(shares):
            found.add("components", style=style, component=component + 1, share=float(share))
        angle, signed = shape.first_angles(part, codes)
        manhattan, euclidean = shape.mean_pair_distances(part)
        found.add(
            "styles",
            style=style,
            images=len(part),
            centroid_offset_l1=shape.centroid_offset(part, codes),
            first_angle=angle,
            first_angle_signed=signed,
            mean_pair_distance_l1=manhattan,
            mean_pair_distance_l2=euclidean,
            effective_rank=shape.effective_rank(part),
        )
    first = shape.variance_shares(codes, 10)
    found.numbers["first_share"] = float(first[0])
    found.numbers["ten_shares"] = float(first.sum())
    found.numbers["effective_rank"] = shape.effective_rank(codes)


def _groups(
    found: Survey,
    codes: Codes,
    splits: tuple[Ints, Ints],
    partition: Partition,
    settings: Cartography,
    seed: int,
) -> None:
    name, seed = partition.name, _seed(seed, partition.name)
    train, valid = (rows[partition.numbers[rows] >= 0] for rows in splits)
    labels = partition.numbers[valid]
    low, high = settings.clusters
    if len(valid) <= low:
        raise UserError(
            f"cartography.clusters: found {low} as the smallest number for the {len(valid)} "
            f"validation images with a known {name}, expected less; lower it or add images"
        )
    for method in groups.METHODS:
        clustering = groups.cluster(codes[valid], method, range(low, high + 1), seed)
        for count, silhouette in clustering.silhouettes.items():
            chosen = count == clustering.clusters
            found.add(
                "silhouettes",
                partition=name,
                method=method,
                clusters=count,
                silhouette=silhouette,
                chosen=chosen,
            )
        found.numbers[f"ami_{name}_{method}"] = groups.agreement(clustering.labels, labels)["ami"]
        for row in groups.make_up(clustering.labels, labels, partition.values):
            found.add("clusters", partition=name, method=method, **row)
    halves = groups.half_sample_ami(codes[valid], labels, settings.draws, seed)
    clusters = groups.k_means(codes[valid], len(set(labels.tolist())), seed)
    found.numbers |= {f"{key}_{name}": x for key, x in groups.agreement(clusters, labels).items()}
    half = 1.96 * float(halves.std(ddof=1))
    found.numbers[f"ami_{name}_low"] = found.numbers[f"ami_{name}"] - half
    found.numbers[f"ami_{name}_high"] = min(found.numbers[f"ami_{name}"] + half, 1.0)
    found.halves[name] = halves
    known, asked = (codes[train], partition.numbers[train]), (codes[valid], labels)
    told = {
        "knn": groups.nearest_neighbours(known, asked, settings.neighbours),
        "probe": groups.linear_probe(known, asked),
    }
    for key, predicted in told.items():
        found.numbers[f"{key}_{name}"] = predicted.accuracy()
        bounds = groups.accuracy_interval(predicted, settings.resamples, seed)
        found.numbers[f"{key}_{name}_low"], found.numbers[f"{key}_{name}_high"] = bounds
    found.numbers[f"chance_{name}"] = 1 / len(set(labels.tolist()))


def _prior(found: Survey, sample: Codes, settings: Cartography, seed: int) -> None:
    """How far the aggregate code is from N(0, I), and how far it would be once standardised."""
    if len(sample) >= prior.FEWEST:
        found.numbers["not_normal_latents"] = prior.rejected_latents(sample)
    seed = _seed(seed, "prior")
    normal = np.random.default_rng(seed).standard_normal(sample.shape).astype(np.float32)
    spread = sample.std(0)
    standard = (sample - sample.mean(0)) / np.where(spread > 0, spread, 1)
    for name, part in (("prior", sample), ("shape", standard)):
        apart = prior.energy_distance(part, normal, settings.resamples, seed)
        found.numbers |= {
            f"energy_{name}": apart.distance,
            f"energy_{name}_low": apart.low,
            f"energy_{name}_high": apart.high,
            f"energy_{name}_p": apart.p,
        }


def _pairs(
    found: Survey, codes: Codes, rows: Ints, styles: Partition, settings: Cartography, seed: int
) -> None:
    """Two-sample tests between the codes of every two styles."""
    seed, distances = _seed(seed, "pairs"), []
    for first, second in combinations(range(len(styles.values)), 2):
        a, b = (codes[styles.numbers[rows] == number] for number in (first, second))
        apart = prior.energy_distance(a, b, settings.resamples, seed)
        found.add(
            "pairs",
            first=styles.values[first],
            second=styles.values[second],
            energy=apart.distance,
            low=apart.low,
            high=apart.high,
            p=apart.p,
        )
        distances.append(apart.distance)
    found.numbers["energy_styles"] = float(np.mean(distances))


def _maps(found: Survey, codes: Codes, rows: Ints, settings: Cartography, seed: int) -> None:
    seed = _seed(seed, "maps")
    random = np.random.default_rng(seed)
    found.mapped = np.sort(random.permutation(rows)[: settings.mapped])
    for name in maps.MAPS:
        laid = maps.lay_out(codes[found.mapped], name, settings.perplexity, seed)
        found.maps.append(laid)
        found.numbers[f"trust_{name.lower().replace('-', '_')}"] = laid.trust


def paired_difference(first: Survey, second: Survey, partition: str) -> tuple[float, float, float]:
    """AMI of `first` less that of `second`, with an interval of 95 % from the same halves."""
    name = f"ami_{partition}"
    value = first.numbers[name] - second.numbers[name]
    half = 1.96 * float((first.halves[partition] - second.halves[partition]).std(ddof=1))
    return value, value - half, value + half


def table(surveys: Sequence[Survey], name: str) -> pd.DataFrame:
    """A table of all runs below each other."""
    return pd.DataFrame([row for one in surveys for row in one.tables.get(name, [])])
