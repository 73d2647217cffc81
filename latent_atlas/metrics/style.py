"""Style loss and content distance between images, from the feature maps of a network.

*Style loss* (Gatys et al. 2016, equations 3 to 5): with the Gram matrices G and A of the N maps of
M positions of a layer, E = ‖G − A‖² / (4 N² M²), summed over layers with weights. Since G is
symmetric, the squared distance of two scaled upper triangles *is* E. So an image passes the network
once, and this vector is kept in place of its maps.

*Content distance*: squared differences of maps normalised at each position, means over positions,
summed over the same layers. It is LPIPS (Zhang et al. 2018, equation 1) with unit weights in place
of the learnt ones, and must not be reported as LPIPS.
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
from latent_atlas.util.console import FieldError

Floats = npt.NDArray[np.float32]

_TINY = 1e-10
_COLUMNS = 2**14


@dataclass(frozen=True)
class StyleChanges:
    """Changes of style and content along P sequences of K images.

    Attributes:
        style: P×(K−1), style loss between consecutive images.
        content: P×(K−1), content distance between them.
        smoothness: P; the style distance √E of the two ends, divided by the sum of the distances of
            all steps. 1 if the sequence is straight in style; NaN if the style never changes.
    """

    style: Floats
    content: Floats
    smoothness: Floats


class StyleMeasure:
    """Style loss and content distance from the maps of one backbone.

    Args:
        backbone: see `latent_atlas.models.backbones`.
        layers: name of a block → weight of its style loss, ≥ 0; all count alike for content.
        size: side to which images are stretched; the backbone's own by default.
        batch_size: images at once; it changes results by rounding only.

    Raises:
        FieldError: of ``layers``, if there are none or the backbone has no such block.
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
            expected = f"expected some of {', '.join(backbone.map_names)}"
            problem = f"{backbone.name} has no {unknown[0]!r}" if unknown else "found none"
            raise FieldError("layers", f"{problem}; {expected}")
        self.backbone, self.layers = backbone, dict(layers)
        self.size, self.batch_size = size, batch_size

    def title(self) -> str:
        """Backbone, size and layers in one line, for pictures."""
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
    def changes(self, sequences: Images) -> StyleChanges:
        """The changes along uint8 P×K×H×W×C `sequences` with K ≥ 2.

        Each image passes the backbone once.
        """
        count, length = sequences.shape[:2]
        images = sequences.reshape(-1, *sequences.shape[2:])
        # All images form one row. The step from one sequence to the next is computed and dropped.
        style, content = np.zeros((2, count * length), np.float32)
        end_distances = np.zeros(count, np.float32)
        previous: tuple[Tensor, ...] = ()
        first: Tensor | None = None
        done = 0
        for maps in self._maps(images):
            style_codes = self._weighted(maps)
            batch = (style_codes, *(content_code(maps[name]) for name in self.layers))
            row = batch
            if previous:
                row = tuple(torch.cat(pair) for pair in zip(previous, batch, strict=True))
            steps = [part.diff(dim=0).square().sum(1).numpy() for part in row]
            places = slice(done + len(style_codes) - len(steps[0]) - 1, done + len(style_codes) - 1)
            style[places], content[places] = steps[0], sum(steps[1:])
            for position, code in enumerate(style_codes, done):
                if position % length == 0:
                    first = code
                elif position % length == length - 1 and first is not None:
                    end_distances[position // length] = (code - first).norm()
            previous = tuple(part[-1:].clone() for part in batch)
            done += len(style_codes)
        losses = style.reshape(count, length)[:, :-1]
        total = np.sqrt(losses).sum(1)
        smoothness = np.divide(
            end_distances, total, out=np.full(count, np.nan, np.float32), where=total > 0
        )
        return StyleChanges(losses, content.reshape(count, length)[:, :-1], smoothness)

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
    for start in range(0, codes.shape[1], _COLUMNS):  # whole content codes do not fit
        block = codes[:, start : start + _COLUMNS].astype(np.float64)
        block -= block.mean(0)
        products += block @ block.T
    squares = np.diag(products)
    distances: npt.NDArray[np.float64] = squares[:, None] + squares - 2 * products
    np.fill_diagonal(distances, 0)
    return distances.clip(0)


def pair_auc(
    distances: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
    seed: int,
    draws: int = 200,
) -> tuple[float, float, float]:
    """AUC of pairs of images with equal labels against pairs with different ones, by distance.

    0.5 is chance. 1 means that any two images of one label are nearer than any two of different
    labels.

    Args:
        distances: N×N, symmetric.
        labels: N.
        counted: N×N, symmetric; the pairs to include.
        seed: of the bootstrap.
        draws: bootstrap samples. Images are drawn, not pairs, because pairs that share an image are
            dependent. An image that was drawn twice makes no pair with itself.

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
        raise ValueError("expected pairs of equal and of different labels; found only one kind")
    _, rank = np.unique(distances[first, second], return_inverse=True)

    def auc(weights: npt.NDArray[np.float64]) -> float:
        pairs = weights[first] * weights[second]
        near = np.bincount(rank, pairs * same)
        far = np.bincount(rank, pairs * ~same)
        above = far.sum() - far.cumsum()  # pairs of different labels at a larger distance
        total = near.sum() * far.sum()
        return float((near * (above + far / 2)).sum() / total) if total else np.nan

    random = np.random.default_rng(seed)
    chance = np.full(len(labels), 1 / len(labels))
    resamples = random.multinomial(len(labels), chance, draws).astype(np.float64)
    low, high = np.nanpercentile([auc(weights) for weights in resamples], [2.5, 97.5])
    return auc(np.ones(len(labels))), float(low), float(high)
