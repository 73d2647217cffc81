"""Training of a network together with a linear classifier, on labels or on pseudo-labels."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.models.cluster_net import augment
from latent_atlas.util.console import Progress

Labels = npt.NDArray[np.int64]

BATCH = 50
RATE = 0.001
"""Learning rate: Adam's default, as in Zbinden 2019."""


def finetune(
    network: nn.Module,
    images: Images,
    labels: Labels,
    classes: int,
    epochs: int,
    seed: int,
    title: str,
    rate: float = RATE,
) -> FineTuned:
    """Train a copy of `network` and a linear layer on its features by cross-entropy.

    Images are cropped and mirrored at random as in `augment`. `network` itself does not change.

    Args:
        network: B×C×H×W in [0, 1] to B×D.
        images: N×H×W×C.
        labels: N numbers below `classes`.
        classes: number of classes.
        epochs: passes over the images.
        seed: of weights, order and crops.
        title: of the progress.
        rate: Adam's learning rate.

    Returns:
        The trained copy with its classifier, in evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tuned = FineTuned(copy.deepcopy(network), images, classes)
    optimizer = torch.optim.Adam(tuned.parameters(), rate)
    generator = torch.Generator().manual_seed(seed)
    tuned.train()
    with Progress(title, epochs * len(images), "images") as progress:
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=generator).numpy()
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                batch = augment(to_images(torch.from_numpy(images[rows])), generator)
                loss = F.cross_entropy(tuned(batch), torch.from_numpy(labels[rows]))
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                progress.advance(len(rows))
    return tuned.eval()


class FineTuned(nn.Module):
    """A network and a linear classifier on its features.

    Attributes:
        network: the network without the classifier.
        head: the classifier.
    """

    def __init__(self, network: nn.Module, images: Images, classes: int) -> None:
        super().__init__()
        self.network = network.eval()
        for weight in network.parameters():
            weight.requires_grad_(True)
        with torch.no_grad():
            features = network(to_images(torch.from_numpy(images[:1]))).shape[1]
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to B×classes logits."""
        logits: Tensor = self.head(self.network(images))
        return logits

    @torch.no_grad()
    def predict(self, images: Images) -> Labels:
        """N×H×W×C to N class numbers."""
        parts = [
            self(to_images(torch.from_numpy(images[start : start + BATCH]))).argmax(1).numpy()
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(parts)
