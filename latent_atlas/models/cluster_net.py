"""Convolutional networks of DeepCluster (Caron et al. 2018), for images from 32 pixels on.

AlexNet starts with a 5×5 convolution of stride 2 in place of 11×11 and stride 4, and its two fully
connected layers are as wide as the features. Batch normalisation takes the place of dropout.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Name = Literal["alexnet", "vgg"]

SMALLEST = 32
"""Shortest side of an image, in pixels."""

_GRID = 2  # sides of the last maps, for every size of the images


class Sobel(nn.Module):
    """Horizontal and vertical gradient of the grey image, not learnt: B×3×H×W to B×2×H×W."""

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        self.kernels: Tensor
        self.register_buffer("kernels", torch.stack([across, across.T])[:, None])

    def forward(self, images: Tensor) -> Tensor:
        """Pad with the border's values, so that a flat image has no edges."""
        grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(grey, self.kernels)


class ClusterNet(nn.Module):
    """Blocks of convolutions, and an embedding without its last ReLU, which the classifier applies.

    Args:
        network: a key of `NETWORKS`.
        width: factor on the number of maps in every layer.
        features: numbers per feature vector.
        sobel: use edges only, not colours.

    Attributes:
        blocks: name → part of the network; each takes the maps of the one before.
        embed: from the last maps to B×features, before the last ReLU.
    """

    def __init__(self, network: Name, width: float, features: int, sobel: bool) -> None:
        super().__init__()
        layers, maps = NETWORKS[network](2 if sobel else 3, width)
        blocks: dict[str, nn.Module] = {"sobel": Sobel()} if sobel else {}
        self.blocks = nn.ModuleDict(blocks | layers)
        self.embed = nn.Sequential(
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Linear(maps * _GRID**2, features),
            nn.ReLU(),
            nn.Linear(features, features),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """B×features of normalised images B×3×H×W, before the last ReLU."""
        for block in self.blocks.values():
            images = block(images)
        features: Tensor = self.embed(images)
        return features


def new_head(features: int, clusters: int) -> nn.Linear:
    """An untrained linear classifier of pseudo-labels, for features after their ReLU."""
    head = nn.Linear(features, clusters)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)
    return head


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Crop each image at random to half of its sides or more; mirror it with probability ½.

    Args:
        images: B×C×H×W; the crops are resized to H×W.
        generator: on the CPU, for images on any device.
    """
    scale, x, y, mirror = torch.rand(4, len(images), generator=generator)
    scale = 0.5 + 0.5 * scale
    margin = 1 - scale
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = torch.where(mirror < 0.5, -scale, scale)
    theta[:, 1, 1] = scale
    theta[:, 0, 2] = margin * (2 * x - 1)
    theta[:, 1, 2] = margin * (2 * y - 1)
    grid = F.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _layers(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _alexnet(inputs: int, width: float) -> tuple[dict[str, nn.Module], int]:
    maps = [inputs, *(max(8, round(width * count)) for count in (96, 256, 384, 384, 256))]
    blocks: dict[str, nn.Module] = {}
    for number, (inner, outer) in enumerate(itertools.pairwise(maps), 1):
        kernel, stride = ((5, 2), (5, 1))[number - 1] if number <= 2 else (3, 1)
        pool = [nn.MaxPool2d(3, 2, padding=1)] if number in (1, 2, 5) else []
        blocks[f"conv{number}"] = nn.Sequential(*_layers(inner, outer, kernel, stride), *pool)
    return blocks, maps[-1]


def _vgg(inputs: int, width: float) -> tuple[dict[str, nn.Module], int]:
    maps = [inputs, *(max(8, round(width * count)) for count in (64, 128, 256, 512))]
    blocks: dict[str, nn.Module] = {}
    for number, (inner, outer) in enumerate(itertools.pairwise(maps), 1):
        pair = (*_layers(inner, outer, 3), *_layers(outer, outer, 3))
        blocks[f"block{number}"] = nn.Sequential(*pair, nn.MaxPool2d(2))
    return blocks, maps[-1]


NETWORKS: dict[str, Callable[[int, float], tuple[dict[str, nn.Module], int]]] = {
    "alexnet": _alexnet,
    "vgg": _vgg,
}
