"""Maps of codes on a page, and how far each of them can be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from stages.lib.latents.shape import Codes, Floats, Ints
from stages.lib.store import Images

Pixels = npt.NDArray[np.uint8]

TRUST_NEIGHBOURS = 10


@dataclass(frozen=True)
class Map:
    """Codes laid out in the plane.

    Attributes:
        name: how.
        places: N×2.
        trust: trustworthiness of the neighbourhoods that one sees (Venna & Kaski 2001), 1 if the
            nearest on the map are near in the latent space too, about ½ if they are any; not a
            number where there are too few codes to tell.
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
    """t-SNE (van der Maaten & Hinton 2008) from a principal start, so that it repeats."""
    wide = codes.astype(np.float64)
    most = (len(codes) - 1) / 3
    found = TSNE(
        perplexity=min(perplexity, most), init="pca", learning_rate="auto", random_state=seed
    ).fit_transform(wide)
    return found.astype(np.float64)


MAPS: dict[str, Callable[[Codes, float, int], Floats]] = {"PCA": principal, "t-SNE": t_sne}


def lay_out(codes: Codes, name: str, perplexity: float, seed: int) -> Map:
    """Lay out `codes` as `name` of `MAPS` says."""
    places = MAPS[name](codes, perplexity, seed)
    return Map(name, places, trust(codes, places))


def trust(codes: Codes, places: Floats) -> float:
    """The trustworthiness of `places` as a map of `codes`."""
    neighbours = min(TRUST_NEIGHBOURS, (len(codes) - 1) // 2)
    if neighbours < 1:
        return np.nan
    return float(trustworthiness(codes, places, n_neighbors=neighbours))


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
