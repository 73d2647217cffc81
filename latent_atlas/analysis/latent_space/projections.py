"""Maps of codes on a page, and how far each of them can be believed."""

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

Pixels = npt.NDArray[np.uint8]

TRUST_NEIGHBOURS = 10

UMAP_NEIGHBOURS = 15
UMAP_CURVE = 1.577, 0.895
"""a and b of 1 / (1 + a d^2b), which says how near places at a distance d are: the curve that is 1
up to a distance of 0.1 and falls as e^(0.1 − d) beyond, as UMAP fits it."""
UMAP_REPULSED = 5
"""Pairs that UMAP draws at random to push apart, for each that it pulls together."""
UMAP_STEPS = 300


@dataclass(frozen=True)
class Map:
    """Codes laid out in the plane.

    Attributes:
        name: how.
        places: N×2.
        trust: trustworthiness of the neighbourhoods that one sees (Venna & Kaski 2001), 1 if the
            nearest on the map are near in the latent space too, about ½ if they are any; not a
            number where there are too few codes to tell, or all of them are the same.
    """

    name: str
    places: Floats
    trust: float


def principal(codes: Codes, perplexity: float, seed: int) -> Floats:
    """The first two principal components; 0 where there are fewer."""
    places = np.zeros((len(codes), 2))
    count = min(2, codes.shape[1], len(codes))
    found = PCA(count, svd_solver="full").fit_transform(codes.astype(np.float64))
    places[:, :count] = found
    return places


def t_sne(codes: Codes, perplexity: float, seed: int) -> Floats:
    """t-SNE (van der Maaten & Hinton 2008) from a principal start, so that it repeats.

    Codes that are all the same, as those of a collapsed model, lie in one place: scikit-learn would
    divide by their spread, and the process would end without a word.
    """
    if not _varies(codes):
        return np.zeros((len(codes), 2))
    wide = codes.astype(np.float64)
    most = (len(codes) - 1) / 3
    # On a line no point could pass another: a single latent starts from random places.
    start = "pca" if wide.shape[1] > 1 else "random"
    found = TSNE(
        perplexity=min(perplexity, most), init=start, learning_rate="auto", random_state=seed
    ).fit_transform(wide)
    return found.astype(np.float64)


def umap(codes: Codes, perplexity: float, seed: int) -> Floats:
    """UMAP (McInnes et al. 2018) from a principal start, with 15 neighbours.

    UMAP pulls neighbours together in turn, and pushes pairs apart that it draws at random. Here all
    pairs are pushed at once with the weight that they have in the mean of all draws (Damrich &
    Hamprecht 2021, theorem 1), so that nothing is random; that takes N² numbers a step.
    """
    if len(codes) < 3:
        return principal(codes, perplexity, seed)
    weights = torch.from_numpy(fuzzy_neighbours(codes, UMAP_NEIGHBOURS))
    degrees = weights.sum(1)
    apart = (degrees[:, None] + degrees[None]) * (UMAP_REPULSED / (2 * len(codes)))
    apart.fill_diagonal_(0)
    start = principal(codes, perplexity, seed)
    places = torch.from_numpy(start * (10 / max(np.abs(start).max(), 1e-12))).requires_grad_()
    optimizer = torch.optim.Adam([places], lr=1.0)
    a, b = UMAP_CURVE
    for step in range(UMAP_STEPS):
        optimizer.param_groups[0]["lr"] = 1 - step / UMAP_STEPS
        squares = (places[:, None] - places[None]).square().sum(2)
        far = a * (squares + 1e-3) ** b
        # −log v = log(1 + far) and −log(1 − v) = log(1 + 1 / far).
        loss = (weights * torch.log1p(far) + apart * torch.log1p(1 / far)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found: Floats = places.detach().numpy()
    return found


def fuzzy_neighbours(codes: Codes, neighbours: int) -> Floats:
    """N×N: how surely two codes are neighbours, as either of them sees it (section 3.1 there).

    The nearest neighbour of a code is one surely, whatever its distance; the sureness of the others
    falls so that it sums to the binary logarithm of their number.
    """
    count = len(codes)
    near = min(neighbours, count - 1)
    distances = cdist(codes.astype(np.float64), codes.astype(np.float64))
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :near]
    known = np.take_along_axis(distances, order, axis=1)
    beyond = known - known[:, :1]
    low, high = np.zeros(count), np.full(count, 1e3 * max(known.max(), 1e-12))
    for _ in range(64):
        widths = (low + high) / 2
        total = np.exp(-beyond / np.maximum(widths, 1e-300)[:, None]).sum(1)
        more = total > np.log2(max(near, 2))
        low, high = np.where(more, low, widths), np.where(more, widths, high)
    seen = np.zeros((count, count))
    sureness = np.exp(-beyond / np.maximum(high, 1e-300)[:, None])
    np.put_along_axis(seen, order, sureness, axis=1)
    either: Floats = seen + seen.T - seen * seen.T
    return either


MAPS: dict[str, Callable[[Codes, float, int], Floats]] = {
    "PCA": principal,
    "t-SNE": t_sne,
    "UMAP": umap,
}


def lay_out(codes: Codes, name: str, perplexity: float, seed: int) -> Map:
    """Lay out `codes` as `name` of `MAPS` says."""
    places = MAPS[name](codes, perplexity, seed)
    return Map(name, places, trust(codes, places))


def trust(codes: Codes, places: Floats) -> float:
    """The trustworthiness of `places` as a map of `codes`."""
    neighbours = min(TRUST_NEIGHBOURS, (len(codes) - 1) // 2)
    if neighbours < 1 or not _varies(codes):
        return np.nan
    return float(trustworthiness(codes, places, n_neighbors=neighbours))


def _varies(codes: Codes) -> bool:
    return bool(np.ptp(codes, axis=0).any())


def class_vectors(places: Floats, labels: Ints) -> tuple[Floats, dict[int, Floats]]:
    """The middle of all labelled places, and where the middle of each label is.

    On a map by PCA this is the projection of the attribute vector, the difference of two means in
    the latent space (Liu et al. 2019); on another map it is the difference of middles on the page.
    """
    known = labels >= 0
    return places[known].mean(0), {
        int(label): places[labels == label].mean(0) for label in np.unique(labels[known])
    }


def thumbnails(images: Images, places: Floats, cells: int) -> list[tuple[int, float, float]]:
    """Which images to show on a map of cells×cells, and where: the one nearest each cell's middle.

    Returns:
        Rows of `images`, with x and y in the units of `places`, at the cell's middle.
    """
    low, high = places.min(0), places.max(0)
    size = np.where(high > low, high - low, 1) / cells
    cell = np.minimum(((places - low) / size).astype(int), cells - 1)
    middles = low + (cell + 0.5) * size
    gaps = np.square((places - middles) / size).sum(1)
    shown: dict[tuple[int, int], int] = {}
    for row in np.argsort(gaps, kind="stable"):
        shown.setdefault((int(cell[row, 0]), int(cell[row, 1])), int(row))
    return [
        (row, float(middles[row, 0]), float(middles[row, 1])) for _, row in sorted(shown.items())
    ]
