"""The Inception network of 2015-12-05 that defines FID and the inception score.

Heusel et al. 2017 and Salimans et al. 2016 measured with one network: TensorFlow's InceptionV3 of
that date with 1,008 outputs, images stretched to 299 pixels by TensorFlow 1's bilinear rule, and
values (x − 128) / 128. It is torchvision's InceptionV3 but for the pooling branches: means leave
the padding out, and the last block takes the maximum.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import Inception3, InceptionE

OUTPUTS = 1008
SIDE = 299


class _MaxPooled(InceptionE):  # type: ignore[misc]
    """The last block, with the maximum in its pooling branch."""

    def forward(self, x: Tensor) -> Tensor:
        """B×2048×8×8 to the same."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(F.max_pool2d(x, 3, 1, 1)),
        ]
        return torch.cat(parts, 1)


def network(weights: dict[str, Tensor] | None = None) -> Inception3:
    """The network in evaluation mode, with these weights or, for tests, at random.

    Raises:
        RuntimeError: if the weights are of another network.
    """
    net = Inception3(num_classes=OUTPUTS, aux_logits=False, init_weights=False)
    net.Mixed_7c = _MaxPooled(2048)
    for name, block in net.named_children():
        if name.startswith("Mixed") and name != "Mixed_7c" and hasattr(block, "branch_pool"):
            block.branch_pool.register_forward_pre_hook(_without_padding)
    if weights is not None:
        net.load_state_dict(weights)
    return net.eval()


def blocks_of(net: Inception3) -> list[tuple[str, nn.Module]]:
    """The network up to its mean over places, cut into named parts."""
    parts = [(name, part) for name, part in net.named_children() if name.startswith("Mixed")]
    first = nn.Sequential(net.Conv2d_1a_3x3, net.Conv2d_2a_3x3, net.Conv2d_2b_3x3, net.maxpool1)
    second = nn.Sequential(net.Conv2d_3b_1x1, net.Conv2d_4a_3x3, net.maxpool2)
    return [("first", first), ("second", second), *parts]


def stretched(images: Tensor) -> Tensor:
    """B×C×H×W to B×C×299×299 by TensorFlow 1's rule: pixel i looks at i · H / 299, rounded down."""
    for axis in (2, 3):
        size = images.shape[axis]
        place = torch.arange(SIDE, device=images.device) * (size / SIDE)
        low = place.long()
        high = (low + 1).clamp(max=size - 1)
        share = (place - low).to(images.dtype).view(-1, *[1] * (3 - axis))
        before, after = images.index_select(axis, low), images.index_select(axis, high)
        images = before + (after - before) * share
    return images


def _without_padding(module: nn.Module, given: tuple[Any, ...]) -> tuple[Tensor]:
    """Means over 3×3 places of which those in the padding counted as 0: over the others alone."""
    (means,) = given
    there = torch.ones_like(means[:1, :1])
    return (means / F.avg_pool2d(there, 3, 1, 1),)
