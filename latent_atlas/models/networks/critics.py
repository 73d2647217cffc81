"""The discriminator of mixed scenes, and the classifier of the origins of their quadrants.

Source: Zbinden 2019, section 3.6, tables 3.5 and 3.6; what the tables leave open follows the
author's code, whose parameter counts are the published ones.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from latent_atlas.models.networks.dense import scaled

_PATCH_MAPS = (42, 84, 168, 336)
_ALEXNET_MAPS = (96, 256, 384, 384, 256)
_LINEAR = 4096


class PatchDiscriminator(nn.Module):
    """Four 4×4 convolutions of stride 2 with leaky ReLU, then 1×1: a logit per patch.

    Isola et al. 2017 (PatchGAN). The receptive field of a logit is 46 pixels wide. Layers 2 to 4
    are spectrally normalised.

    Args:
        channels: of the images.
        width: factor on all maps.
        attention: add self-attention after the second layer, as in one of the author's variants.
    """

    def __init__(self, channels: int, width: float = 1.0, attention: bool = False) -> None:
        super().__init__()
        widths = (channels, *(scaled(maps, width) for maps in _PATCH_MAPS))
        first, *others = (
            nn.Conv2d(inner, outer, 4, stride=2, padding=1) for inner, outer in pairwise(widths)
        )
        self.layers = nn.ModuleList([first, *(spectral_norm(layer) for layer in others)])
        self.attention = SelfAttention(widths[2]) if attention else None
        self.last = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W images to B×(H/16)×(W/16) logits of being real."""
        logits: Tensor = self.last(self.maps(images))
        return logits.squeeze(1)

    def maps(self, images: Tensor) -> Tensor:
        """Outputs of the layer before the last, which the thesis probes: B×maps×(H/16)×(W/16)."""
        for number, layer in enumerate(self.layers):
            images = F.leaky_relu(layer(images), 0.2)
            if number == 1 and self.attention is not None:
                images = self.attention(images)
        return images


class SelfAttention(nn.Module):
    """Self-attention: adds a weighted sum of all positions, times a factor that starts at 0.

    Zhang et al. 2019 (SAGAN), equations 1 to 3.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        inner = max(1, maps // 8)
        self.key = spectral_norm(nn.Conv2d(maps, inner, 1))
        self.query = spectral_norm(nn.Conv2d(maps, inner, 1))
        self.value = spectral_norm(nn.Conv2d(maps, maps, 1))
        self.factor = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """B×maps×H×W to the same."""
        key, query, value = (part(maps).flatten(2) for part in (self.key, self.query, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, 2)
        attended = (value @ weights.transpose(1, 2)).view_as(maps)
        return maps + self.factor * attended


class OriginClassifier(nn.Module):
    """AlexNet with batch norm on two stacked images: a logit for each quadrant of the first.

    A logit states whether the quadrant comes from the second image. Krizhevsky et al. 2012, with
    its three grouped convolutions, without dropout; the first convolution is 8×8 with stride 2. For
    images up to 64×64, or with a side of 32, the last pooling is 2×2 with stride 1; others are
    pooled as in AlexNet. Batch norm follows the ReLU.

    Args:
        height, width_: of the images, at least 32.
        channels: of one image.
        width: factor on all maps.
        tiles: of a scene, 4 if they are quadrants.
    """

    def __init__(
        self, height: int, width_: int, channels: int, width: float = 1.0, tiles: int = 4
    ) -> None:
        super().__init__()
        # Two groups share the maps evenly.
        maps = [2 * scaled(maps // 2, width) for maps in _ALEXNET_MAPS]
        first, second, third, fourth, fifth = maps
        # A side of 32 pixels leaves two for the last pooling.
        large = max(height, width_) > 64 and min(height, width_) > 32
        self.features = nn.Sequential(
            *_block(2 * channels, first, 8, stride=2),
            nn.MaxPool2d(3, 2),
            *_block(first, second, 5, padding=2, groups=2),
            nn.MaxPool2d(3, 2),
            *_block(second, third, 3, padding=1),
            *_block(third, fourth, 3, padding=1, groups=2),
            *_block(fourth, fifth, 3, padding=1, groups=2),
            nn.MaxPool2d(3, 2) if large else nn.MaxPool2d(2, 1),
        )
        with torch.no_grad():
            features = self.features(torch.zeros(1, 2 * channels, height, width_)).numel()
        linear = scaled(_LINEAR, width)
        self.linear = nn.Sequential(
            nn.Linear(features, linear),
            nn.ReLU(),
            nn.Linear(linear, linear),
            nn.ReLU(),
            nn.Linear(linear, tiles),
        )

    def forward(self, mixed: Tensor, others: Tensor) -> Tensor:
        """Two times B×C×H×W to B×tiles logits, one per quadrant or other tile of `mixed`."""
        features = self.features(torch.cat([mixed, others], 1))
        logits: Tensor = self.linear(features.flatten(1))
        return logits


def _block(inner: int, outer: int, size: int, **settings: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inner, outer, size, **settings),  # type: ignore[arg-type]
        nn.ReLU(),
        nn.BatchNorm2d(outer),
    )
