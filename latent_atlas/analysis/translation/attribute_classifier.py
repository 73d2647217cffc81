"""Classifier of the attributes of images: a small network with a head for each attribute.

It is trained on real training images only, so that an attribute that it finds in a translated image
looks like that of real ones. Its accuracy on validation images bounds what the scores can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.data.domains import LEAST, Attributes
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images, Store
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.seeds import seed_for

Numbers = npt.NDArray[np.int64]

Floats = npt.NDArray[np.float32]

MOST_VALUES = 20
"""Largest number of values of an attribute whose preservation is scored."""

_WIDTHS = (16, 32, 64, 64)
_HIDDEN = 128
_GRID = 4
_BATCH = 64
_RATE = 2e-3


def scored_attributes(store: Store, required: Sequence[str], where: str) -> Attributes:
    """The attributes of the images of a store that a classifier can learn.

    Those are `required`, then every column with factors, attributes or labels that has two to
    `MOST_VALUES` values and does not repeat an earlier column. A value counts from `LEAST` training
    images on; images with another value lack the attribute.

    Raises:
        UserError: if a required column has fewer than two such values.
    """
    listed = [*required, *store.card["factors"], *store.card["attributes"], "label"]
    values: dict[str, tuple[str, ...]] = {}
    numbers: list[Numbers] = []
    for name in dict.fromkeys(listed):
        known, codes = _coded(store, name)
        if name in required and len(known) < 2:
            raise UserError(
                f"{where}: {name} of {store.path} has {len(known)} values with {LEAST} or more "
                "training images, expected two or more for the attribute classifier; add images"
            )
        repeated = any((codes == other).all() for other in numbers)
        if name in required or (2 <= len(known) <= MOST_VALUES and not repeated):
            values[name] = known
            numbers.append(codes)
    every = np.stack(numbers, 1) if numbers else np.empty((len(store.index), 0), np.int64)
    return Attributes(values, every)


def _coded(store: Store, name: str) -> tuple[tuple[str, ...], Numbers]:
    """The values of a column that count, and the number of each image's value, −1 for others."""
    column = store.index[name]
    if column.dtype.kind == "f":
        return (), np.full(len(column), -1, np.int64)
    text = column.where(column.isna(), column.astype(str))
    counts = text.iloc[store.rows("train")].value_counts()
    known = tuple(sorted(counts[counts >= LEAST].index))
    return known, np.asarray(pd.Index(known).get_indexer(text), np.int64)


class AttributeNet(nn.Module):
    """Four convolutions, a 4×4 grid, and a linear head for each attribute.

    Args:
        channels: of the images.
        sizes: number of values of each attribute.
    """

    def __init__(self, channels: int, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, width in enumerate(_WIDTHS):
            stride = 1 if place == 0 else 2
            layers += [
                nn.Conv2d(channels, width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        hidden = nn.Linear(channels * _GRID**2, _HIDDEN)
        self.trunk = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(_GRID), nn.Flatten(), hidden, nn.ReLU()
        )
        self.heads = nn.ModuleList(nn.Linear(_HIDDEN, size) for size in sizes)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W in [0, 1] to the B×size logits of each attribute."""
        hidden = self.trunk(images - 0.5)
        return [head(hidden) for head in self.heads]


@dataclass(frozen=True)
class AttributeClassifier:
    """A trained classifier.

    Attributes:
        values: attribute → its values, in the order of their numbers.
        network: in evaluation mode.
        accuracy: attribute → share of correct predictions for held-out images.
    """

    values: Mapping[str, tuple[str, ...]]
    network: AttributeNet
    accuracy: Mapping[str, float]

    def probabilities(self, images: Images) -> list[Floats]:
        """The N×size probabilities of the values of each attribute, of N×H×W×C uint8 images."""
        batches = list(_logits(self.network, images))
        return [
            torch.cat([batch[place] for batch in batches]).softmax(1).numpy()
            for place in range(len(self.values))
        ]

    def predict(self, images: Images) -> Numbers:
        """N×K numbers of the most probable value of each attribute."""
        return _predict(self.network, images, len(self.values))


def train_attribute_classifier(
    attributes: Attributes,
    images: Images,
    train: Numbers,
    held_out: Numbers,
    epochs: int,
    seed: int,
) -> AttributeClassifier:
    """Train a classifier.

    Args:
        attributes: of all images; an image does not count for attributes that it lacks.
        images: uint8 N×H×W×C.
        train: rows of the training images.
        held_out: rows of the images for the accuracy.
        epochs: passes over the training images.
        seed: of weights and order.
    """
    numbers = torch.from_numpy(attributes.numbers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "attribute classifier"))
        network = AttributeNet(images.shape[3], attributes.sizes)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), _RATE)
    steps = epochs * -(-len(train) // _BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    with Progress("attribute classifier", epochs * len(train), "images") as progress:
        for epoch in range(epochs):
            order = np.random.default_rng(seed_for(seed, "classifier", epoch)).permutation(train)
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                logits = network(to_images(torch.from_numpy(images[rows])))
                loss = _loss(logits, numbers[torch.from_numpy(rows)])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                progress.advance(len(rows))
    network.eval()
    predicted = _predict(network, images[held_out], len(attributes.values))
    accuracy = _accuracies(attributes, predicted, attributes.numbers[held_out])
    return AttributeClassifier(attributes.values, network, accuracy)


def _loss(logits: Sequence[Tensor], numbers: Tensor) -> Tensor:
    """Cross-entropy of all attributes, summed over them, as a mean over images."""
    losses = [
        F.cross_entropy(one, numbers[:, place], ignore_index=-1, reduction="sum")
        for place, one in enumerate(logits)
    ]
    return torch.stack(losses).sum() / len(numbers)


def _accuracies(attributes: Attributes, predicted: Numbers, true: Numbers) -> dict[str, float]:
    found = {}
    for place, name in enumerate(attributes.values):
        known = true[:, place] >= 0
        right = (predicted[known, place] == true[known, place]).astype(np.float64)
        found[name] = float(right.mean()) if known.any() else np.nan
    return found


@torch.no_grad()
def _logits(network: AttributeNet, images: Images) -> Iterator[list[Tensor]]:
    for start in range(0, len(images), _BATCH):
        yield network(to_images(torch.from_numpy(np.array(images[start : start + _BATCH]))))


def _predict(network: AttributeNet, images: Images, count: int) -> Numbers:
    parts = [np.empty((0, count), np.int64)]
    parts += [
        torch.stack([one.argmax(1) for one in b], 1).numpy() for b in _logits(network, images)
    ]
    return np.concatenate(parts)
