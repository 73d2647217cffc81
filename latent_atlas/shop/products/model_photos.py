"""Choice of each product's model photo: worn, from the front, and from head to feet.

As in the thesis (section 4.1.1), k-means on features divides the photos into kinds. A rule on
measures, or a few marked examples, then choose the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from latent_atlas.shop.products.photos import Measures

COMPONENTS = 32
GARMENT = (0.02, 0.45)  # share of the pixels in a photo of a whole person
_FACE = 0.3
_CLOSE = 0.05  # kinds with scores this close to the best differ only in the clothes
_RESTARTS = 10

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Kinds of N photos, and the chosen ones.

    Attributes:
        clusters: N cluster numbers. Clusters are numbered by size, the largest first.
        scores: mean of `front_score` in each cluster, 0 to 1.
        chosen: numbers of the chosen clusters.
        distance: N distances to the centre of the photo's cluster.
        single: N scores of the single photos; all 0 if examples decide.
    """

    clusters: npt.NDArray[np.int64]
    scores: Float
    chosen: tuple[int, ...]
    distance: Float
    single: Float


def choose_kinds(
    features: npt.NDArray[np.float32],
    measures: Sequence[Measures],
    clusters: int,
    examples: Sequence[int],
    seed: int,
) -> Choice:
    """Cluster photos, and choose the kind that shows a person from the front, head to feet.

    Args:
        features: N×D features of a backbone.
        measures: measures of the same N photos.
        clusters: the largest number of kinds.
        examples: rows of the wanted kind. Without examples, the rule decides.
        seed: of k-means.
    """
    points = _reduce(features)
    with threadpool_limits(1):  # the same order of sums for any number of cores
        fitted = KMeans(min(clusters, len(points)), n_init=_RESTARTS, random_state=seed).fit(points)
    sizes = np.bincount(fitted.labels_)
    order = np.argsort(-sizes, kind="stable")
    labels = np.argsort(order)[fitted.labels_]
    centres = fitted.cluster_centers_[order]
    single = np.array([front_score(m) for m in measures])
    scores = np.array([single[labels == cluster].mean() for cluster in range(len(order))])
    if len(examples):
        chosen = np.unique(labels[list(examples)])
        single = np.zeros_like(single)
    else:
        chosen = np.flatnonzero(scores >= scores.max() - _CLOSE)
    distance = np.linalg.norm(points - centres[labels], axis=1)
    return Choice(labels.astype(np.int64), scores, tuple(chosen.tolist()), distance, single)


def front_score(m: Measures) -> float:
    """Score of a photo as a front view of a whole person, 0 to 1.

    It is the mean of four marks: skin at the head (a face, not hair), a foreground that the
    picture does not cut off, a plausible area of the garment, and symmetry.
    """
    face = min(1.0, m.face / _FACE)
    garment = 1.0 if GARMENT[0] <= m.garment <= GARMENT[1] else 0.0
    return (face + float(m.whole) + garment + m.symmetry) / 4


def best_per_product(table: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The photo with the best score of each product in the chosen clusters.

    A cluster can contain front and back views of one garment, so that the score of the single photo
    decides. Equal scores are decided by the distance to the centre.

    Args:
        table: N rows with the columns ``id`` and ``path``, in the order of the features.
        choice: the clusters of these rows.

    Returns:
        rows of `table`, at most one per ``id``, sorted by it.
    """
    ranked = table.assign(rank=-choice.single.round(2), distance=choice.distance)
    wanted = ranked[np.isin(choice.clusters, choice.chosen)]
    wanted = wanted.sort_values(["id", "rank", "distance", "path"], kind="stable")
    return wanted.drop_duplicates("id").drop(columns=["rank", "distance"])


def _reduce(features: npt.NDArray[np.float32]) -> Float:
    """The first principal components."""
    with threadpool_limits(1):
        count = min(COMPONENTS, *features.shape)
        reduced = PCA(count, svd_solver="full").fit_transform(features.astype(np.float64))
    return np.asarray(reduced, dtype=np.float64)
