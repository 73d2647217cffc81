"""The share of an image's information that a model explains.

A reconstruction loss lies between two losses that need no model: that of the mean image of the
training split, and, for the Bernoulli likelihood, the entropy of the pixels, which no output can
undercut. *Explained* is the position between them: 0 for a model that knows the mean image only
(negative for a worse one), 1 for perfect reconstructions.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.models.likelihoods import LIKELIHOODS
from latent_atlas.training.checkpoint import TrainedRun

METRICS = {
    "explained": Metric("higher", 0.01, headline=True),
    "mean_image_loss": Metric("lower", 0.02, "nats per image"),
    "floor": Metric("lower", 0.02, "nats per image"),
}


def explained_share(trained: TrainedRun, store: Store) -> dict[str, float]:
    """How far the validation reconstruction loss lies between mean image and floor.

    Returns:
        ``mean_image_loss`` and ``floor`` in nats per image, see `mean_image_loss` and
        `pixel_entropy`; ``explained`` = (mean image − model) / (mean image − floor), where the
        model's loss is ``valid_reconstruction`` of the last epoch, from posterior samples if the
        model has any. NaN if all images are equal.
    """
    likelihood = trained.run.likelihood
    mean = mean_image_loss(store, likelihood, trained.batch_size)
    floor = pixel_entropy(store) if likelihood == "bernoulli" else 0.0
    model = float(trained.history["valid_reconstruction"].iloc[-1])
    explained = (mean - model) / (mean - floor) if mean > floor else math.nan
    return {"mean_image_loss": mean, "floor": floor, "explained": explained}


def mean_image_loss(store: Store, likelihood: str, batch_size: int) -> float:
    """The loss of validation images, with the mean of all training images as output, in nats.

    The output is the `inverse` of the mean image, at which a decoder starts: Bernoulli
    probabilities are clipped to [1/256, 255/256], so that every loss is finite.

    Args:
        store: the images.
        likelihood: a name in `LIKELIHOODS`.
        batch_size: images at once.
    """
    train, valid = store.rows("train"), store.rows("valid")
    total = np.zeros(store.shape, np.int64)
    for start in range(0, len(train), batch_size):
        total += store.images[train[start : start + batch_size]].sum(0, dtype=np.int64)
    mean = torch.from_numpy(total / (255 * len(train))).float().permute(2, 0, 1)
    output, losses = LIKELIHOODS[likelihood].inverse(mean)[None], []
    for start in range(0, len(valid), batch_size):
        images = to_images(torch.from_numpy(store.images[valid[start : start + batch_size]]))
        losses.append(LIKELIHOODS[likelihood].loss(output.expand_as(images), images))
    return float(torch.cat(losses).double().mean())


def pixel_entropy(store: Store) -> float:
    """Σ −x log x − (1 − x) log(1 − x) over the pixels x of validation images, in nats per image.

    The least Bernoulli loss: that of outputs equal to the images.
    """
    rows = store.rows("valid")
    counts = np.zeros(256, np.int64)
    for row in rows:
        counts += np.bincount(store.images[row].ravel(), minlength=256)
    shares = np.arange(1, 255) / 255
    entropy = -shares * np.log(shares) - (1 - shares) * np.log(1 - shares)
    return float(counts[1:255] @ entropy / len(rows))
