"""How alike two images are in style and in content, as a network's maps see it.

*Style loss* (Gatys et al. 2016, equations 3 to 5): with the Gram matrices G and A of the N maps of
M positions of a layer, E = ‖G − A‖² / (4 N² M²), summed over layers with weights. Since G is
symmetric, its upper triangle, scaled, is a vector whose squared distance to another one *is* E: an
image passes the network once, and what is kept of it is that vector instead of its maps.

*Content distance*: squared differences of maps normalised at each position, means over positions,
summed over the same layers. It is LPIPS (Zhang et al. 2018, equation 1) with unit weights in place
of the learnt ones, and is no LPIPS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.models.backbones import Backbone
from latent_atlas.util.console import UserError

Floats = npt.NDArray[np.float32]

_TINY = 1e-10
_COLUMNS = 2**14


@dataclass(frozen=True)
class Along:
    """How style and content change along P paths of K images.

    Attributes:
        style: P×(K−1), style loss between consecutive images.
        content: P×(K−1), content distance between them.
        smoothness: P; how straight the way is in style: the distance √E of the end points by the
            sum of the distances of all steps, 1 where each step brings nothing but what is needed.
            NaN where the style never changes.
    """

    style: Floats
    content: Floats
    smoothness: Floats


class Measure:
    """Style and content by the maps of one backbone.

    Args:
        backbone: see `latent_atlas.models.backbones`.
        layers: name of a block → weight of its style loss, ≥ 0; content takes them all alike.
        size: side to which images are stretched; the backbone's own by default.
        batch_size: images at once; changes no result but rounding.

    Raises:
        UserError: if the backbone has no such block.
    """

    def __init__(
        self,
        backbone: Backbone,
        layers: Mapping[str, float],
        size: int | None = None,
        batch_size: int = 64,
    ) -> None:
        unknown = [name for name in layers if name not in backbone.map_names]
        if unknown or not layers:
            found = f"{backbone.name} has no {unknown[0]!r}" if unknown else "found none"
            raise UserError(
                f"paths.layers: {found}; expected some of {', '.join(backbone.map_names)}"
            )
        self.backbone, self.layers = backbone, dict(layers)
        self.size, self.batch_size = size, batch_size

    def title(self) -> str:
        """The measure in a line, for figures."""
        layers = ", ".join(f"{weight:g} {name}" for name, weight in self.layers.items())
        return f"{self.backbone.name} at {self.size or self.backbone.input_size} px: {layers}"

    @torch.no_grad()
    def codes(self, images: Images) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Style and content of each image by layer, as vectors.

        Args:
            images: uint8 N×H×W×C.

        Returns:
            Layer → N×C(C+1)/2, whose squared distances are style losses, unweighted; and layer →
            N×(C·H·W), whose squared distances are content distances. The second is large: its maps
            are kept whole.
        """
        style: dict[str, list[Floats]] = {name: [] for name in self.layers}
        content: dict[str, list[Floats]] = {name: [] for name in self.layers}
        for maps in self._maps(images):
            for name, values in maps.items():
                style[name].append(style_code(values).numpy())
                content[name].append(content_code(values).numpy())
        return (
            {name: np.concatenate(parts) for name, parts in style.items()},
            {name: np.concatenate(parts) for name, parts in content.items()},
        )

    @torch.no_grad()
    def along(self, paths: Images) -> Along:
        """The changes along `paths`, uint8 P×K×H×W×C with K ≥ 2; each image is seen once."""
        count, points = paths.shape[:2]
        images = paths.reshape(-1, *paths.shape[2:])
        # All points stand in one row; a step from one path to the next is taken too, and dropped.
        style, content = np.zeros((2, count * points), np.float32)
        ends = np.zeros(count, np.float32)
        last: tuple[Tensor, ...] = ()
        first: Tensor | None = None
        done = 0
        for maps in self._maps(images):
            codes = self._weighted(maps)
            seen = (codes, *(content_code(maps[name]) for name in self.layers))
            row = tuple(torch.cat(pair) for pair in zip(last, seen, strict=True)) if last else seen
            steps = [part.diff(dim=0).square().sum(1).numpy() for part in row]
            here = slice(done + len(codes) - len(steps[0]) - 1, done + len(codes) - 1)
            style[here], content[here] = steps[0], sum(steps[1:])
            for at, code in enumerate(codes, done):
                if at % points == 0:
                    first = code
                elif at % points == points - 1 and first is not None:
                    ends[at // points] = (code - first).norm()
            last = tuple(part[-1:].clone() for part in seen)
            done += len(codes)
        losses = style.reshape(count, points)[:, :-1]
        way = np.sqrt(losses).sum(1)
        smoothness = np.divide(ends, way, out=np.full(count, np.nan, np.float32), where=way > 0)
        return Along(losses, content.reshape(count, points)[:, :-1], smoothness)

    def _weighted(self, maps: Mapping[str, Tensor]) -> Tensor:
        """B×D, whose squared distances are the weighted style loss."""
        parts = [style_code(maps[name]) * weight**0.5 for name, weight in self.layers.items()]
        return torch.cat(parts, 1)

    def _maps(self, images: Images) -> Iterator[dict[str, Tensor]]:
        for start in range(0, len(images), self.batch_size):
            block = torch.from_numpy(np.array(images[start : start + self.batch_size]))
            yield self.backbone.maps(to_images(block), list(self.layers), self.size)


def style_code(maps: Tensor) -> Tensor:
    """B×N×H×W maps to B×N(N+1)/2: the upper triangle of the Gram matrix, as a vector.

    ‖u − v‖² of two such vectors is ‖G − A‖² / (4 N² M²), with M = H·W.
    """
    count, channels, height, width = maps.shape
    flat = maps.reshape(count, channels, height * width)
    gram = flat @ flat.mT
    rows, columns = torch.triu_indices(channels, channels, device=maps.device)
    twice = torch.where(rows == columns, 1.0, 2.0**0.5).to(gram)  # i, j and j, i are one entry
    return gram[:, rows, columns] * (twice / (2 * channels * height * width))


def content_code(maps: Tensor) -> Tensor:
    """B×N×H×W maps to B×(N·H·W), whose squared distances are content distances."""
    unit = maps / (maps.square().sum(1, keepdim=True) + _TINY).sqrt()
    return unit.flatten(1) / (maps.shape[2] * maps.shape[3]) ** 0.5


def squared_distances(codes: Floats) -> npt.NDArray[np.float64]:
    """N×D to N×N squared Euclidean distances, exact 0 on the diagonal."""
    products = np.zeros((len(codes), len(codes)))
    for start in range(0, codes.shape[1], _COLUMNS):  # content codes are too long to be copied
        block = codes[:, start : start + _COLUMNS].astype(np.float64)
        block -= block.mean(0)
        products += block @ block.T
    squares = np.diag(products)
    found: npt.NDArray[np.float64] = squares[:, None] + squares - 2 * products
    np.fill_diagonal(found, 0)
    return found.clip(0)


def separation(
    distances: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
    seed: int,
    draws: int = 200,
) -> tuple[float, float, float]:
    """AUC of pairs of one label against pairs of two, ranked by how near they are.

    0.5 says that the distance knows nothing of the label, 1 that any two images of one label are
    nearer than any two of different ones.

    Args:
        distances: N×N, symmetric.
        labels: N.
        counted: N×N, symmetric; which pairs count at all.
        seed: of the bootstrap.
        draws: bootstrap samples. Images are drawn, not pairs: pairs that share an image depend on
            each other. An image that was drawn twice makes no pair with itself.

    Returns:
        The AUC, and its 95 % interval.

    Raises:
        ValueError: if there is no pair of either kind.
    """
    first, second = np.triu_indices(len(labels), 1)
    keep = counted[first, second]
    first, second = first[keep], second[keep]
    same = labels[first] == labels[second]
    if same.all() or not same.any():
        raise ValueError("no pairs of one label, or none of two")
    _, rank = np.unique(distances[first, second], return_inverse=True)

    def auc(weights: npt.NDArray[np.float64]) -> float:
        pairs = weights[first] * weights[second]
        near = np.bincount(rank, pairs * same)
        far = np.bincount(rank, pairs * ~same)
        above = far.sum() - far.cumsum()  # pairs of two labels that are farther apart
        whole = near.sum() * far.sum()
        return float((near * (above + far / 2)).sum() / whole) if whole else np.nan

    random = np.random.default_rng(seed)
    chance = np.full(len(labels), 1 / len(labels))
    drawn = random.multinomial(len(labels), chance, draws).astype(np.float64)
    low, high = np.nanpercentile([auc(weights) for weights in drawn], [2.5, 97.5])
    return auc(np.ones(len(labels))), float(low), float(high)
