"""Feature sources: networks whose features are probed, by name.

- ``encoder:<run>``: the codes of a run, given by its folder, e.g. ``models/scenes_mixing``;
- ``random:<run>``: the same encoder with untrained weights;
- ``discriminator:<run>``: the layer before the last of a mixing model's discriminator;
- ``transfer-encoder:<run>``, ``transfer-discriminator:<run>``: an AlexNet that was trained on the
  clusters of those features, on the images of the run (knowledge transfer, Noroozi et al. 2018);
- any other name: a backbone of `latent_atlas.models.backbones`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.backbones import Backbone, BackboneError, load
from latent_atlas.models.base import Autoencoder
from latent_atlas.models.build import new_model
from latent_atlas.models.cluster_net import ClusterNet
from latent_atlas.models.mixing import Mixing, signed
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import FieldError, UserError

KINDS = ("encoder", "random", "discriminator", "transfer-encoder", "transfer-discriminator")

GRID = 4
"""Side of the pooled maps of an AlexNet: 256 maps give 4,096 features, as published."""


@dataclass(frozen=True)
class FeatureSource:
    """A network to probe.

    Attributes:
        name: as given by the user.
        network: B×C×H×W images in [0, 1] to B×D features.
        teacher: for knowledge transfer, the run that `network` is a part of. A student is trained
            on the clusters of its features before the probe.
        images: height, width and channels of the training images of a run; None for a backbone.
    """

    name: str
    network: nn.Module
    teacher: TrainedRun | None = None
    images: tuple[int, int, int] | None = None

    def check(self, side: int) -> None:
        """Raise FieldError for ``size`` if the network cannot take colour images of this side."""
        if self.images is None:
            return
        height, width, channels = self.images
        # The student of knowledge transfer and fully convolutional networks take any size.
        if channels == 3 and (self.teacher is not None or _takes(self.network, side)):
            return
        square = channels == 3 and height == width
        raise FieldError(
            "size",
            f"found {side}, but {self.name} takes images of {height}×{width}×{channels}; "
            + (f"set it to {height}" if square else "choose a run on square colour images"),
        )


@torch.no_grad()
def _takes(network: nn.Module, side: int) -> bool:
    try:
        network(torch.zeros(1, 3, side, side))
    except (RuntimeError, ValueError):  # of layers for which the shape does not fit
        return False
    return True


def open_source(name: str, seed: int) -> FeatureSource:
    """Open the feature source `name`.

    Args:
        name: see the head of this module.
        seed: of untrained weights.

    Raises:
        UserError: if there is no such run or backbone, or the run has no such part.
    """
    kind, colon, path = name.partition(":")
    if not colon:
        try:
            return FeatureSource(name, BackboneFeatures(load(name, seed)))
        except BackboneError as error:
            kinds = ", ".join(f"{kind}:<run>" for kind in KINDS)
            raise UserError(f"{error}; or one of {kinds}") from None
    if kind not in KINDS:
        raise UserError(f"{name}: found {kind!r}, expected one of {', '.join(KINDS)} before ':'")
    run = open_run(Path(path))
    part = kind.removeprefix("transfer-")
    height, width, channels = run.config["shape"]
    network, teacher = PARTS[part](run, name, seed), run if part != kind else None
    return FeatureSource(name, network, teacher, (height, width, channels))


class Codes(nn.Module):
    """The codes of a model: for a VAE, the means of the posterior."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to B×latent_dim."""
        return self.model.encode(images)


class DiscriminatorFeatures(nn.Module):
    """The layer before the last of a mixing model's discriminator."""

    def __init__(self, model: Mixing) -> None:
        super().__init__()
        self.discriminator = model.discriminator

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to B×D."""
        return self.discriminator.maps(signed(images)).flatten(1)


class BackboneFeatures(nn.Module):
    """The inputs of a pretrained network's classifier."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to B×D."""
        return self.backbone.features(images)


class ConvolutionalFeatures(nn.Module):
    """The pooled maps after the last convolution of an AlexNet."""

    def __init__(self, network: ClusterNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """B×3×H×W to B×(maps·GRID²)."""
        for block in self.network.blocks.values():
            images = block(images)
        return F.adaptive_avg_pool2d(images, GRID).flatten(1)


def _encoder(run: TrainedRun, name: str, seed: int) -> nn.Module:
    return Codes(run.model)


def _random(run: TrainedRun, name: str, seed: int) -> nn.Module:
    height, width, channels = run.config["shape"]
    untrained = run.run.model_copy(update={"seed": seed})
    with torch.random.fork_rng(devices=[]):
        return Codes(new_model(untrained, (height, width, channels)).eval())


def _discriminator(run: TrainedRun, name: str, seed: int) -> nn.Module:
    if not isinstance(run.model, Mixing):
        raise UserError(
            f"{name}: model {run.run.model!r} has no discriminator; choose a run of model 'mixing'"
        )
    return DiscriminatorFeatures(run.model)


PARTS: dict[str, Callable[[TrainedRun, str, int], nn.Module]] = {
    "encoder": _encoder,
    "random": _random,
    "discriminator": _discriminator,
}
