"""Fine-tuning of a copy of a network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from latent_atlas.analysis.probe.finetuning import finetune


class MeanColour(nn.Module):
    """The mean colour, through a trainable layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.layer(images.mean((2, 3))))


def test_a_copy_is_trained_and_the_network_does_not_change() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = random.integers(0, 60, (120, 8, 8, 3), dtype=np.uint8)
    images[labels == 1, :, :, 0] += 150
    torch.manual_seed(0)
    network = MeanColour()
    before = network.layer.weight.clone()
    tuned = finetune(network, images, labels, 2, 60, 0, "tune")
    assert (tuned.predict(images) == labels).mean() > 0.95
    inverted = finetune(network, images, 1 - labels, 2, 60, 0, "tune")
    assert (inverted.predict(images) == labels).mean() < 0.05
    assert torch.equal(network.layer.weight, before)
    assert not torch.equal(tuned.network.layer.weight, before)  # type: ignore[union-attr, arg-type]
    again = finetune(network, images, labels, 2, 60, 0, "tune")
    assert torch.equal(tuned.head.weight, again.head.weight)
    slow = finetune(network, images, labels, 2, 60, 0, "tune", rate=1e-6)
    moved = (slow.network.layer.weight - before).abs().max()  # type: ignore[union-attr, operator]
    # A step of Adam is about as large as its rate; there are three batches per epoch.
    assert 0 < moved <= 60 * 3 * 1.1e-6
