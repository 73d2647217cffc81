"""The triplet VAE: a β-VAE with a loss that groups posterior means by label.

The loss per image is that of the VAE plus the triplet loss with the image's mean as anchor a,

    weight · mean over positives p of max(d(a, p) − d(a, n) + margin, 0),

where p are the batch's other images of the same label and n is an image of another label, chosen
for each pair (a, p) by `mining` (Ishfaq et al. 2018, "TVAE: triplet-based variational autoencoder
using metric learning"; Schroff et al. 2015, section 3.2, for semi-hard negatives). Triplets consist
of means, not of samples, so that they do not depend on the noise of the posterior.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.tvae import TVAEOptions
from latent_atlas.models.sampling import of_all_processes, own_rows
from latent_atlas.models.vae import VAE


class TVAE(VAE):
    """A β-VAE with a triplet loss.

    Its options are `TVAEOptions`.
    """

    compares = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        options = TVAEOptions.of(config.options)
        self.weight, self.margin = options.triplet, options.margin
        self.distance, self.mining = DISTANCES[options.distance], MINING[options.mining]

    def check_labels(self, labels: Tensor) -> None:
        """Raise ValueError unless there is a triplet: two of a label and one of another."""
        counts = torch.bincount(labels[labels >= 0])
        counts = counts[counts > 0]
        if len(counts) == 0:
            raise ValueError("learns from labels, and these images have none")
        if len(counts) == 1:
            raise ValueError("compares images of different labels, and all of these have the same")
        if counts.max() == 1:
            raise ValueError("compares images of a label, and no two of these share one")

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss and its terms, per image; ``triplet``, with it as anchor, is unweighted."""
        mean, log_variance = self.posterior(batch.images)
        losses = self.losses(mean, log_variance, batch)
        distances, labels = self.distance(of_all_processes(mean)), of_all_processes(batch.labels)
        triplet = triplet_loss(distances, labels, self.margin, self.mining)[own_rows()]
        return {
            **losses,
            "loss": losses["loss"] + self.weight * triplet,
            "triplet": triplet,
        }


def triplet_loss(distances: Tensor, labels: Tensor, margin: float, mining: Mining) -> Tensor:
    """The mean hinge of each anchor over its positives, B numbers; 0 without a triplet.

    Args:
        distances: B×B between codes.
        labels: B class numbers; images with −1 are in no triplet.
        margin: the distance by which a negative should be farther than the positive.
        mining: chooses the negative of each pair, see `MINING`.
    """
    labelled = labels >= 0
    same = labels[:, None] == labels[None, :]
    both = labelled[:, None] & labelled[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive, negative = both & same & ~itself, both & ~same
    chosen, exists = mining(distances, negative)
    hinges = (distances - chosen + margin).clamp_min(0)
    counted = positive & exists
    total = torch.where(counted, hinges, torch.zeros_like(hinges)).sum(1)
    return total / counted.sum(1).clamp_min(1)


Mining = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(B×B distances, B×B negatives of each anchor) → the distance of the negative chosen for each
pair of anchor and positive, B×B, and whether one exists, B×B booleans."""


def semi_hard(distances: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest negative that is farther than the positive; without one, the farthest of all.

    So a pair whose negatives are all nearer still has a loss, from the farthest of them. A negative
    beyond the margin has a hinge of 0.
    """
    # Pairs (a, p) along the first two axes, negatives n along the third.
    farther = negative[:, None, :] & (distances[:, None, :] > distances[:, :, None])
    candidates = distances[:, None, :].expand_as(farther)
    nearest = candidates.masked_fill(~farther, torch.inf).amin(2)
    farthest = distances.masked_fill(~negative, -torch.inf).amax(1, keepdim=True)
    chosen = torch.where(farther.any(2), nearest, farthest.expand_as(distances))
    return _where_any(chosen, negative)


def hardest(distances: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest negative of the anchor, for every positive (Hermans et al. 2017)."""
    nearest = distances.masked_fill(~negative, torch.inf).amin(1, keepdim=True)
    return _where_any(nearest.expand_as(distances), negative)


def _where_any(chosen: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    exists = negative.any(1, keepdim=True).expand_as(chosen)
    # An infinity that is masked later would still make the gradient NaN.
    return torch.where(exists, chosen, torch.zeros_like(chosen)), exists


def euclidean(codes: Tensor) -> Tensor:
    """The distance between all pairs of B×D codes: B×B, without the rounding of a matrix product.

    The gradient of two equal codes is 0.
    """
    return torch.cdist(codes, codes, compute_mode="donot_use_mm_for_euclid_dist")


def squared_euclidean(codes: Tensor) -> Tensor:
    """Σ (a − b)² between all pairs of B×D codes: B×B."""
    return euclidean(codes).square()


def cosine(codes: Tensor) -> Tensor:
    """1 − the cosine of the angle between all pairs of B×D codes: B×B, from 0 to 2."""
    directions = F.normalize(codes, dim=1)
    # In bfloat16 the resolution of a cosine near 1 is 1/256, too coarse for small angles.
    with torch.autocast(codes.device.type, enabled=False):
        return 1 - directions @ directions.T


DISTANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "euclidean": euclidean,
    "squared": squared_euclidean,
    "cosine": cosine,
}

MINING: dict[str, Mining] = {"semi_hard": semi_hard, "hardest": hardest}
