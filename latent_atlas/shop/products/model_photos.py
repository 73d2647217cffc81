"""Which of a product's many photos shows it worn, from the front and whole.

As in the thesis (section 4.1.1), k-means on features sorts the photos into kinds; which kind is
wanted is then told by a rule on measures, or by a few marked examples.
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
GARMENT = (0.02, 0.45)  # of the picture, in a photo that shows a whole person
_FACE = 0.3
_CLOSE = 0.05  # kinds that score so close to the best one show the same in other clothes
_RESTARTS = 10

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """The kinds of photos, and the wanted one.

    Attributes:
        clusters: N cluster numbers; clusters are numbered by size, the largest first.
        scores: the rule's score of each cluster, see `front_score`; 0 to 1.
        chosen: the wanted clusters.
        distance: N distances to the own cluster's centre.
        single: N scores of the photos by themselves; all 0 where examples decide.
    """

    clusters: npt.NDArray[np.int64]
    scores: Float
    chosen: tuple[int, ...]
    distance: Float
    single: Float


def choose(
    features: npt.NDArray[np.float32],
    measures: Sequence[Measures],
    clusters: int,
    examples: Sequence[int],
    seed: int,
) -> Choice:
    """Cluster photos and choose the kind that shows a person from the front, head to feet.

    Args:
        features: N×D of a backbone.
        measures: of the same N photos.
        clusters: how many kinds there may be at most.
        examples: rows that show what is wanted; without any, the rule decides.
        seed: of k-means.
    """
    points = _reduce(features)
    with threadpool_limits(1):  # sums in one order, whatever the number of cores
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
    """How much a photo looks like a whole person from the front, 0 to 1.

    The mean of four marks: skin where the head is (a face, not hair), a figure that the picture
    does not cut off, a garment that fills neither nothing nor everything, and symmetry.
    """
    face = min(1.0, m.face / _FACE)
    garment = 1.0 if GARMENT[0] <= m.garment <= GARMENT[1] else 0.0
    return (face + float(m.whole) + garment + m.symmetry) / 4


def one_each(table: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """The wanted photo of each product: of those in a chosen cluster the one that scores best.

    A cluster may hold front and back of one garment. Of photos alike, the one nearest its centre.

    Args:
        table: N rows with the column ``id``, in the order of the features.

    Returns:
        rows of `table`, at most one an ``id``, sorted by it.
    """
    ranked = table.assign(rank=-choice.single.round(2), distance=choice.distance)
    wanted = ranked[np.isin(choice.clusters, choice.chosen)]
    wanted = wanted.sort_values(["id", "rank", "distance", "path"], kind="stable")
    return wanted.drop_duplicates("id").drop(columns=["rank", "distance"])


def _reduce(features: npt.NDArray[np.float32]) -> Float:
    """The largest principal components."""
    with threadpool_limits(1):
        count = min(COMPONENTS, *features.shape)
        reduced = PCA(count, svd_solver="full").fit_transform(features.astype(np.float64))
    return np.asarray(reduced, dtype=np.float64)
