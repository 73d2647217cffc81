"""The Inception network of 2015-12-05 that defines FID and the inception score.

Heusel et al. 2017 and Salimans et al. 2016 measured with the same network: TensorFlow's InceptionV3
of that date with 1,008 outputs, images stretched to 299 pixels by TensorFlow 1's bilinear rule, and
values (x − 128) / 128. torch-fidelity reimplements it in PyTorch and publishes the weights.
"""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)
from torch_fidelity.interpolate_compat_tensorflow import (
    interpolate_bilinear_2d_like_tensorflow1x as stretch,
)

from latent_atlas.models.backbones import Backbone, Weights

URL = URL_INCEPTION_V3
SIDE = FeatureExtractorInceptionV3.INPUT_IMAGE_SIZE


class InceptionBackbone(Backbone):
    """torch-fidelity's feature extractor, cut into blocks.

    Args:
        name: in full, as in params.yaml.
        weights: in the names of torch-fidelity's file.
    """

    def __init__(self, name: str, weights: Weights) -> None:
        network = _network(weights)
        parts = dict(network.named_children())
        first = (parts.pop(key) for key in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"))
        stem = nn.Sequential(*first, parts.pop("MaxPool_1"))
        second = nn.Sequential(*(parts.pop(key) for key in ("Conv2d_3b_1x1", "Conv2d_4a_3x3")))
        second.append(parts.pop("MaxPool_2"))
        embed, last = nn.Sequential(parts.pop("AvgPool"), nn.Flatten()), parts.pop("fc")
        middle = (128 / 255,) * 3  # (x − 128) / 128 of values up to 255, for values up to 1
        blocks = [("first", stem), ("second", second), *parts.items()]
        super().__init__(name, blocks, embed, middle, middle, SIDE, fixed_size=True)
        self.last = last

    def stretch(self, images: Tensor, side: int) -> Tensor:
        """Resize B×3×H×W by TensorFlow 1's bilinear rule."""
        stretched: Tensor = stretch(images, size=(side, side), align_corners=False)
        return stretched

    def logits(self, features: Tensor) -> Tensor:
        """B×1008 of B×2048 features, without the bias, as the inception score uses them."""
        return features @ self.last.get_parameter("weight").T


def _network(weights: Weights) -> FeatureExtractorInceptionV3:
    """torch-fidelity's network with these weights.

    Its constructor downloads weights without a check, or unpickles a file with any code in it. It
    gets a file in memory here, made of tensors that were read without running code.
    """
    file = io.BytesIO()
    torch.save(weights, file)
    file.seek(0)
    return FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=file)
