"""Random weights of the Inception network."""

from __future__ import annotations

from unittest import mock

import torch
from torch import nn
from torch_fidelity import feature_extractor_inceptionv3 as module

from latent_atlas.models.backbones import Weights


def random_weights() -> Weights:
    """Weights with which every layer contributes to the features.

    torch-fidelity's constructor always loads a state; here it is left as it was drawn.
    """
    torch.manual_seed(0)
    extractor = module.FeatureExtractorInceptionV3
    with (
        mock.patch.object(module, "load_state_dict_from_url", return_value={}),
        mock.patch.object(extractor, "load_state_dict"),
    ):
        network = extractor("inception", ["2048"])
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight)
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.bias, std=0.3)
    weights: Weights = network.state_dict()
    return weights
