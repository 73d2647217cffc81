"""Projections of codes to two dimensions (PCA, t-SNE, UMAP), and their trustworthiness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from latent_atlas.analysis.latent_space.spread import Codes, Floats, Ints
from latent_atlas.data.store import Images
from latent_atlas.metrics.tolerance import Metric

METRICS = {"trust_*": Metric("higher", 0.02)}
"""The names end with the kind of map."""

Pixels = npt.NDArray[np.uint8]

TRUST_NEIGHBOURS = 10

UMAP_NEIGHBOURS = 15
UMAP_CURVE = 1.577, 0.895
"""a and b of the similarity 1 / (1 + a d^2b) of two positions at distance d.

UMAP fits them to the curve that is 1 up to a distance of 0.1 and e^(0.1 − d) beyond."""
UMAP_NEGATIVE_SAMPLES = 5
"""Random pairs that UMAP repels for each pair that it attracts."""
UMAP_STEPS = 300


@dataclass(frozen=True)
class Projection:
    """Codes in two dimensions.

    Attributes:
        name: of the method, one of `METHODS`.
        positions: N×2.
        trust: trustworthiness of the neighbourhoods (Venna & Kaski 2001): 1 if neighbours in the
            projection are neighbours in the latent space, about ½ if they are random. NaN for too
            few codes, or for codes that are all equal.
    """

    name: str
    positions: Floats
    trust: float


def pca(codes: Codes, perplexity: float, seed: int) -> Floats:
    """The first two principal components; 0 for those that do not exist."""
    positions = np.zeros((len(codes), 2))
    count = min(2, codes.shape[1], len(codes))
    components = PCA(count, svd_solver="full").fit_transform(codes.astype(np.float64))
    positions[:, :count] = components
    return positions


def t_sne(codes: Codes, perplexity: float, seed: int) -> Floats:
    """t-SNE (van der Maaten & Hinton 2008), repeatable by its initialisation with PCA.

    Equal codes, as those of a collapsed model, have one position: scikit-learn would divide by
    their standard deviation, and the process would end without a message.
    """
    if not _varies(codes):
        return np.zeros((len(codes), 2))
    wide = codes.astype(np.float64)
    most = (len(codes) - 1) / 3
    # On a line no point could pass another: a single latent starts from random positions.
    start = "pca" if wide.shape[1] > 1 else "random"
    positions = TSNE(
        perplexity=min(perplexity, most), init=start, learning_rate="auto", random_state=seed
    ).fit_transform(wide)
    return positions.astype(np.float64)


def umap(codes: Codes, perplexity: float, seed: int) -> Floats:
    """UMAP (McInnes et al. 2018) with 15 neighbours, initialised with PCA.

    UMAP attracts neighbours one after the other and repels random pairs. Here all pairs are
    repelled at once, with their expected weight over all random draws (Damrich & Hamprecht 2021,
    theorem 1). Nothing is random, but each step needs N² numbers.
    """
    if len(codes) < 3:
        return pca(codes, perplexity, seed)
    weights = torch.from_numpy(fuzzy_neighbours(codes, UMAP_NEIGHBOURS))
    degrees = weights.sum(1)
    apart = (degrees[:, None] + degrees[None]) * (UMAP_NEGATIVE_SAMPLES / (2 * len(codes)))
    apart.fill_diagonal_(0)
    start = pca(codes, perplexity, seed)
    positions = torch.from_numpy(start * (10 / max(np.abs(start).max(), 1e-12))).requires_grad_()
    optimizer = torch.optim.Adam([positions], lr=1.0)
    a, b = UMAP_CURVE
    for step in range(UMAP_STEPS):
        optimizer.param_groups[0]["lr"] = 1 - step / UMAP_STEPS
        squares = (positions[:, None] - positions[None]).square().sum(2)
        far = a * (squares + 1e-3) ** b
        # −log v = log(1 + far) and −log(1 − v) = log(1 + 1 / far).
        loss = (weights * torch.log1p(far) + apart * torch.log1p(1 / far)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    final: Floats = positions.detach().numpy()
    return final


def fuzzy_neighbours(codes: Codes, neighbours: int) -> Floats:
    """N×N memberships of UMAP's fuzzy neighbour graph (McInnes et al. 2018, section 3.1).

    The nearest neighbour of a code has membership 1 at any distance. Memberships decay with
    distance, and those of k neighbours sum to log₂ k. The fuzzy union of both directions makes the
    matrix symmetric.
    """
    count = len(codes)
    near = min(neighbours, count - 1)
    distances = cdist(codes.astype(np.float64), codes.astype(np.float64))
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :near]
    nearest = np.take_along_axis(distances, order, axis=1)
    beyond = nearest - nearest[:, :1]
    low, high = np.zeros(count), np.full(count, 1e3 * max(nearest.max(), 1e-12))
    for _ in range(64):
        widths = (low + high) / 2
        total = np.exp(-beyond / np.maximum(widths, 1e-300)[:, None]).sum(1)
        more = total > np.log2(max(near, 2))
        low, high = np.where(more, low, widths), np.where(more, widths, high)
    directed = np.zeros((count, count))
    memberships = np.exp(-beyond / np.maximum(high, 1e-300)[:, None])
    np.put_along_axis(directed, order, memberships, axis=1)
    union: Floats = directed + directed.T - directed * directed.T
    return union


METHODS: dict[str, Callable[[Codes, float, int], Floats]] = {
    "PCA": pca,
    "t-SNE": t_sne,
    "UMAP": umap,
}


def project(codes: Codes, name: str, perplexity: float, seed: int) -> Projection:
    """Project `codes` with the method `name` of `METHODS`."""
    positions = METHODS[name](codes, perplexity, seed)
    return Projection(name, positions, trust(codes, positions))


def trust(codes: Codes, positions: Floats) -> float:
    """Trustworthiness of `positions` as a projection of `codes`, see `Projection`."""
    neighbours = min(TRUST_NEIGHBOURS, (len(codes) - 1) // 2)
    if neighbours < 1 or not _varies(codes):
        return np.nan
    return float(trustworthiness(codes, positions, n_neighbors=neighbours))


def _varies(codes: Codes) -> bool:
    return bool(np.ptp(codes, axis=0).any())


def class_vectors(positions: Floats, labels: Ints) -> tuple[Floats, dict[int, Floats]]:
    """The mean position of all labelled codes, and the mean position of each label.

    In a PCA projection, their difference is the projected attribute vector: the difference of two
    means in the latent space (Liu et al. 2019). In other projections, it is only the difference of
    two mean positions.
    """
    labelled = labels >= 0
    return positions[labelled].mean(0), {
        int(label): positions[labels == label].mean(0) for label in np.unique(labels[labelled])
    }


def thumbnails(images: Images, positions: Floats, cells: int) -> list[tuple[int, float, float]]:
    """The images shown on a grid of cells×cells: for each cell, the one nearest to its centre.

    Returns:
        Rows of `images`, with x and y of the cell's centre in the units of `positions`.
    """
    low, high = positions.min(0), positions.max(0)
    size = np.where(high > low, high - low, 1) / cells
    cell = np.minimum(((positions - low) / size).astype(int), cells - 1)
    centres = low + (cell + 0.5) * size
    gaps = np.square((positions - centres) / size).sum(1)
    shown: dict[tuple[int, int], int] = {}
    for row in np.argsort(gaps, kind="stable"):
        shown.setdefault((int(cell[row, 0]), int(cell[row, 1])), int(row))
    return [
        (row, float(centres[row, 0]), float(centres[row, 1])) for _, row in sorted(shown.items())
    ]
