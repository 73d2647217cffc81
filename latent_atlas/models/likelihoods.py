"""Likelihoods: the distribution over images that a decoder's outputs parametrise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from latent_atlas.models.fast_ops import BernoulliLoss


class Likelihood(NamedTuple):
    """A distribution over images, given a decoder's unbounded outputs.

    Attributes:
        loss: (outputs, images), both B×C×H×W → B negative log-likelihoods, summed over pixels and
            channels, up to a constant.
        mean: outputs → the expected image in [0, 1].
        inverse: an image in [0, 1] → outputs with about this mean, all finite.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    mean: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


def bernoulli_loss(outputs: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy of logits o against x in [0, 1]: Σ softplus(o) − o·x per image.

    Computed in float32 or wider, whatever the networks' precision.
    """
    logits = outputs if outputs.dtype == torch.float64 else outputs.float()
    loss: Tensor = BernoulliLoss.apply(logits, images)
    return loss


def gaussian_loss(outputs: Tensor, images: Tensor) -> Tensor:
    """½ Σ (o − x)² per image: unit variance, without the constant ½ log 2π per pixel."""
    return (outputs.float() - images).square().flatten(1).sum(1) / 2


def laplace_loss(outputs: Tensor, images: Tensor) -> Tensor:
    """Σ |o − x| per image: unit scale, without the constant log 2 per pixel."""
    return (outputs.float() - images).abs().flatten(1).sum(1)


LIKELIHOODS = {
    "bernoulli": Likelihood(
        bernoulli_loss, torch.sigmoid, lambda images: torch.logit(images, eps=1 / 256)
    ),
    "gaussian": Likelihood(
        gaussian_loss, lambda outputs: outputs.clamp(0, 1), lambda images: images
    ),
    "laplace": Likelihood(laplace_loss, lambda outputs: outputs.clamp(0, 1), lambda images: images),
}
