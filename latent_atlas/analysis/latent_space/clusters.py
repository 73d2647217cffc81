"""Whether codes fall into groups, and whether those are the groups that people name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latent_atlas.analysis.latent_space.spread import Codes, Floats, Ints

MIXTURE_COMPONENTS = 10
"""Principal components that a Gaussian mixture sees: of more, its covariances cannot be told."""

SPECTRAL_NEIGHBOURS = 10


def k_means(codes: Codes, clusters: int, seed: int, starts: int = 10) -> Ints:
    """Lloyd's k-means, the best of `starts`."""
    found = KMeans(clusters, n_init=starts, random_state=seed).fit_predict(codes)
    return found.astype(np.int64)


def spectral(codes: Codes, clusters: int, seed: int) -> Ints:
    """Normalised spectral clustering on the graph of nearest neighbours (von Luxburg 2007)."""
    neighbours = min(SPECTRAL_NEIGHBOURS, len(codes) - 1)
    with warnings.catch_warnings():
        # A graph in several parts is an answer here: they are clusters.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        found = SpectralClustering(
            clusters,
            affinity="nearest_neighbors",
            n_neighbors=neighbours,
            assign_labels="cluster_qr",
            random_state=seed,
        ).fit_predict(codes)
    return found.astype(np.int64)


def gaussian_mixture(codes: Codes, clusters: int, seed: int) -> Ints:
    """A mixture of Gaussians with full covariances, on the first principal components."""
    components = min(MIXTURE_COMPONENTS, codes.shape[1], len(codes) - 1)
    reduced = PCA(components, svd_solver="full").fit_transform(codes.astype(np.float64))
    spread = max(float(reduced[:, 0].std()), 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(clusters, n_init=3, reg_covar=1e-4, random_state=seed)
        found = mixture.fit_predict(reduced / spread)
    return found.astype(np.int64)


METHODS: dict[str, Callable[[Codes, int, int], Ints]] = {
    "k_means": k_means,
    "spectral": spectral,
    "mixture": gaussian_mixture,
}


@dataclass(frozen=True)
class Clustering:
    """The clustering of one method with the number of clusters that separates best.

    Attributes:
        labels: N cluster numbers.
        silhouettes: for each number of clusters that was tried, −1 to 1.
    """

    labels: Ints
    silhouettes: dict[int, float]

    @property
    def clusters(self) -> int:
        """The number of clusters with the largest silhouette."""
        return max(self.silhouettes, key=lambda count: self.silhouettes[count])


def cluster(codes: Codes, method: str, counts: Sequence[int], seed: int) -> Clustering:
    """Cluster with each number of `counts` and keep the one of the best silhouette.

    Raises:
        ValueError: if there are too few codes for any of the numbers.
    """
    possible = [count for count in counts if count < len(codes)]
    if not possible:
        raise ValueError(f"found {len(codes)} codes, expected more than {min(counts)} to cluster")
    tried = {count: METHODS[method](codes, count, seed) for count in possible}
    silhouettes = {
        count: float(silhouette_score(codes, labels)) if len(set(labels)) > 1 else -1.0
        for count, labels in tried.items()
    }
    best = max(silhouettes, key=lambda count: silhouettes[count])
    return Clustering(tried[best], silhouettes)


def agreement(clusters: Ints, labels: Ints) -> dict[str, float]:
    """``ami`` and ``ari``, 0 by chance and 1 for the same groups, and ``purity``.

    Vinh et al. 2010 (arithmetic mean of the entropies); Hubert & Arabie 1985. Purity, the share of
    images with the most frequent label of their cluster, is at least that of the largest label and
    grows with the number of clusters: it is here because it is reported elsewhere.
    """
    table = np.zeros((clusters.max() + 1, labels.max() + 1))
    np.add.at(table, (clusters, labels), 1)
    return {
        "ami": float(adjusted_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
        "purity": float(table.max(1).sum() / len(labels)),
    }


def halves(count: int, draws: int, seed: int) -> list[Ints]:
    """Random halves of `count` positions, ascending, always the same for a seed."""
    random = np.random.default_rng([seed, count])
    return [np.sort(random.permutation(count)[: count // 2]).astype(np.int64) for _ in range(draws)]


def half_sample_ami(codes: Codes, labels: Ints, draws: int, seed: int) -> Floats:
    """AMI of k-means with as many clusters as labels, on random halves of the images.

    Its standard deviation over halves estimates the standard error of that of all images (the
    jackknife that deletes half; Shao & Wu 1989), clustering included. Bootstrap samples would not:
    an image drawn twice lies in one cluster with itself. The halves follow from `seed` and the
    number of images, so those of two models are the same, and their differences are paired.
    """
    clusters = len(np.unique(labels))
    return np.array(
        [
            agreement(k_means(codes[half], clusters, seed, starts=3), labels[half])["ami"]
            for half in halves(len(codes), draws, seed)
        ]
    )


@dataclass(frozen=True)
class Predicted:
    """Labels told from codes.

    Attributes:
        truth, found: of the test images.
    """

    truth: Ints
    found: Ints

    def accuracy(self) -> float:
        """Balanced accuracy: the mean share of each label's images that are told right."""
        return balanced(self.truth, self.found)


def balanced(truth: Ints, found: Ints) -> float:
    """The mean over labels of the share that is told right; chance is one over their number."""
    sizes = np.bincount(truth)
    right = np.bincount(truth[truth == found], minlength=len(sizes))
    return float((right[sizes > 0] / sizes[sizes > 0]).mean())


def nearest_neighbours(
    train: tuple[Codes, Ints], test: tuple[Codes, Ints], neighbours: int
) -> Predicted:
    """The label of most of the nearest training codes, each weighed by how rare its label is.

    Without the weights, labels with many images would be named for their number alone.
    """
    codes, labels = train
    count = min(neighbours, len(codes))
    search = KNeighborsClassifier(count).fit(codes, labels)
    near = labels[search.kneighbors(test[0], return_distance=False)]
    kinds, sizes = np.unique(labels, return_counts=True)
    votes = (near[:, :, None] == kinds).sum(1) / sizes
    return Predicted(test[1], kinds[votes.argmax(1)])


def linear_probe(train: tuple[Codes, Ints], test: tuple[Codes, Ints]) -> Predicted:
    """Logistic regression on standardised codes, labels weighed to the same sum."""
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train[0].astype(np.float64), train[1])
    return Predicted(test[1], probe.predict(test[0].astype(np.float64)).astype(np.int64))


def accuracy_interval(
    predicted: Predicted, draws: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Percentiles of the balanced accuracy over bootstrap samples of the test images."""
    random = np.random.default_rng(seed)
    count = len(predicted.truth)
    samples = [random.integers(count, size=count) for _ in range(draws)]
    values = [balanced(predicted.truth[rows], predicted.found[rows]) for rows in samples]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def make_up(clusters: Ints, labels: Ints, names: Sequence[str]) -> list[Mapping[str, object]]:
    """A row a cluster and label: how many of its images have it, and their share of the cluster."""
    rows: list[Mapping[str, object]] = []
    for number in range(int(clusters.max()) + 1):
        there = labels[clusters == number]
        for label, name in enumerate(names):
            count = int((there == label).sum())
            share = count / len(there) if len(there) else 0.0
            rows.append({"cluster": number, "value": name, "count": count, "share": share})
    return rows
