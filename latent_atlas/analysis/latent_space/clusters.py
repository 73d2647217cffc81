"""Clusters of codes, their agreement with labels, and prediction of labels from codes."""

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
from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "ami_*": Metric("either", 0.3),
    "ari_*": Metric("either", 0.3),
    "purity_*": Metric("either", 0.1),
    "knn_style": Metric("either", 0.1, headline=True),
    "knn_*": Metric("either", 0.1),
    "probe_*": Metric("either", 0.1),
    "chance_*": Metric("either", 0.0),
}
"""The names end with the partition, and the method or the end of an interval."""

MIXTURE_COMPONENTS = 10
"""Principal components for a Gaussian mixture; its covariances cannot be estimated for more."""

SPECTRAL_NEIGHBOURS = 10


def k_means(codes: Codes, clusters: int, seed: int, starts: int = 10) -> Ints:
    """Lloyd's k-means, the best of `starts` initialisations."""
    labels = KMeans(clusters, n_init=starts, random_state=seed).fit_predict(codes)
    return labels.astype(np.int64)


def spectral(codes: Codes, clusters: int, seed: int) -> Ints:
    """Normalised spectral clustering on the graph of nearest neighbours (von Luxburg 2007)."""
    neighbours = min(SPECTRAL_NEIGHBOURS, len(codes) - 1)
    with warnings.catch_warnings():
        # The components of an unconnected graph are clusters, and no error.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels = SpectralClustering(
            clusters,
            affinity="nearest_neighbors",
            n_neighbors=neighbours,
            assign_labels="cluster_qr",
            random_state=seed,
        ).fit_predict(codes)
    return labels.astype(np.int64)


def gaussian_mixture(codes: Codes, clusters: int, seed: int) -> Ints:
    """A mixture of Gaussians with full covariances, on the first principal components."""
    components = min(MIXTURE_COMPONENTS, codes.shape[1], len(codes) - 1)
    reduced = PCA(components, svd_solver="full").fit_transform(codes.astype(np.float64))
    spread = max(float(reduced[:, 0].std()), 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(clusters, n_init=3, reg_covar=1e-4, random_state=seed)
        labels = mixture.fit_predict(reduced / spread)
    return labels.astype(np.int64)


METHODS: dict[str, Callable[[Codes, int, int], Ints]] = {
    "k_means": k_means,
    "spectral": spectral,
    "mixture": gaussian_mixture,
}


@dataclass(frozen=True)
class Clustering:
    """The clustering of one method with the largest silhouette.

    Attributes:
        labels: N cluster numbers.
        silhouettes: number of clusters → mean silhouette, −1 to 1, for all numbers tried.
    """

    labels: Ints
    silhouettes: dict[int, float]

    @property
    def clusters(self) -> int:
        """The number of clusters with the largest silhouette."""
        return max(self.silhouettes, key=lambda count: self.silhouettes[count])


def cluster_codes(codes: Codes, method: str, counts: Sequence[int], seed: int) -> Clustering:
    """Cluster with each number of `counts` and keep the result with the best silhouette.

    Raises:
        ValueError: if there are too few codes for every number.
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
    """``ami`` and ``ari``, 0 by chance and 1 for equal groups, and ``purity``.

    AMI: Vinh et al. 2010, with the arithmetic mean of the entropies. ARI: Hubert & Arabie 1985.
    Purity is the share of images with the most frequent label of their cluster. It is at least the
    share of the largest label and grows with the number of clusters; use it only to compare with
    published values.
    """
    table = np.zeros((clusters.max() + 1, labels.max() + 1))
    np.add.at(table, (clusters, labels), 1)
    return {
        "ami": float(adjusted_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
        "purity": float(table.max(1).sum() / len(labels)),
    }


def random_halves(count: int, draws: int, seed: int) -> list[Ints]:
    """`draws` random halves of `count` positions, ascending; they follow from the seed."""
    random = np.random.default_rng([seed, count])
    return [np.sort(random.permutation(count)[: count // 2]).astype(np.int64) for _ in range(draws)]


def half_sample_ami(codes: Codes, labels: Ints, draws: int, seed: int) -> Floats:
    """AMI of k-means, with one cluster per label, on random halves of the images.

    Its standard deviation over halves estimates the standard error of the AMI of all images,
    including the clustering (delete-half jackknife; Shao & Wu 1989). The bootstrap would fail: an
    image drawn twice is in one cluster with itself. The halves follow from `seed` and the number of
    images. Two models thus have the same halves, and their differences are paired.
    """
    clusters = len(np.unique(labels))
    return np.array(
        [
            agreement(k_means(codes[half], clusters, seed, starts=3), labels[half])["ami"]
            for half in random_halves(len(codes), draws, seed)
        ]
    )


@dataclass(frozen=True)
class Prediction:
    """Labels predicted from codes.

    Attributes:
        labels: true labels of the test images.
        predicted: their predicted labels.
    """

    labels: Ints
    predicted: Ints

    def accuracy(self) -> float:
        """Balanced accuracy."""
        return balanced_accuracy(self.labels, self.predicted)


def balanced_accuracy(labels: Ints, predicted: Ints) -> float:
    """Mean over labels of the share predicted correctly; chance is one over their number."""
    sizes = np.bincount(labels)
    right = np.bincount(labels[labels == predicted], minlength=len(sizes))
    return float((right[sizes > 0] / sizes[sizes > 0]).mean())


def predict_by_neighbours(
    train: tuple[Codes, Ints], test: tuple[Codes, Ints], neighbours: int
) -> Prediction:
    """Predict the majority label of the nearest training codes, weighted by its inverse frequency.

    Without the weights, frequent labels would be predicted for their number only.
    """
    codes, labels = train
    count = min(neighbours, len(codes))
    search = KNeighborsClassifier(count).fit(codes, labels)
    near = labels[search.kneighbors(test[0], return_distance=False)]
    kinds, sizes = np.unique(labels, return_counts=True)
    votes = (near[:, :, None] == kinds).sum(1) / sizes
    return Prediction(test[1], kinds[votes.argmax(1)])


def predict_by_linear_probe(train: tuple[Codes, Ints], test: tuple[Codes, Ints]) -> Prediction:
    """Predict by logistic regression on standardised codes, with equal total weight per label."""
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=500)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(train[0].astype(np.float64), train[1])
    return Prediction(test[1], probe.predict(test[0].astype(np.float64)).astype(np.int64))


def accuracy_interval(
    prediction: Prediction, draws: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the balanced accuracy: percentiles over bootstrap samples of the test images."""
    random = np.random.default_rng(seed)
    labels, predicted = prediction.labels, prediction.predicted
    count = len(labels)
    samples = [random.integers(count, size=count) for _ in range(draws)]
    values = [balanced_accuracy(labels[rows], predicted[rows]) for rows in samples]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def cluster_composition(
    clusters: Ints, labels: Ints, names: Sequence[str]
) -> list[Mapping[str, object]]:
    """A row per cluster and label: its number of images, and their share of the cluster."""
    rows: list[Mapping[str, object]] = []
    for number in range(int(clusters.max()) + 1):
        members = labels[clusters == number]
        for label, name in enumerate(names):
            count = int((members == label).sum())
            share = count / len(members) if len(members) else 0.0
            rows.append({"cluster": number, "value": name, "count": count, "share": share})
    return rows
