"""Registry of the models and networks that params.yaml can name.

A new model or network adds a file to `latent_atlas.models` and an entry here. Entries name modules
as text, which is resolved when a model is built, so that params.yaml is validated without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

from latent_atlas.config.code_grid import cells_of
from latent_atlas.config.section import Options


class ModelEntry(NamedTuple):
    """Entry of a model.

    Attributes:
        place: module in `latent_atlas.models` and class in it, as ``module:Class``.
        beta: the β that defines the model; None if β is a parameter.
        weights: the terms of its loss that ``loss_weights`` weights.
        options: module in `latent_atlas.models.options` and class in it; None for no options.
        networks: networks that it can be built of; empty for all.
        likelihoods: likelihoods that its reconstruction loss can have.
        partners: whether a sample is an image and its partner images (neighbours of it).
        rising: whether its loss may rise for some epochs because its objective changes.
    """

    place: str
    beta: float | None
    weights: tuple[str, ...] = ("reconstruction",)
    options: str | None = None
    networks: tuple[str, ...] = ()
    likelihoods: tuple[str, ...] = ("bernoulli", "gaussian")
    partners: bool = False
    rising: bool = False


class NetworkEntry(NamedTuple):
    """Entry of a network.

    Attributes:
        encoder: module in `latent_atlas.models` and class in it, as ``module:Class``.
        decoder: likewise.
        multiple: a divisor that height and width must have.
        cells: height, width and number of halvings → a divisor that the size of a code must have.
        size: factors of size that define the network.
    """

    encoder: str
    decoder: str
    multiple: int = 1
    cells: Callable[[int, int, int], int] | None = None
    size: Mapping[str, float] = {}


_DENSE: dict[str, Any] = {
    "networks": ("dense", "dense_broadcast"),
    "likelihoods": ("laplace",),
}


MODELS = {
    "ae": ModelEntry("ae:AE", beta=0.0),
    "sampled_ae": ModelEntry("vae:VAE", beta=0.0),
    "vae": ModelEntry("vae:VAE", beta=1.0),
    "beta_vae": ModelEntry("vae:VAE", beta=None),
    "tcvae": ModelEntry("tcvae:TCVAE", beta=None, options="tcvae:TCVAEOptions"),
    "factor_vae": ModelEntry(
        "factor_vae:FactorVAE", beta=1.0, options="factor_vae:FactorVAEOptions"
    ),
    "dip_vae_1": ModelEntry("dip_vae:DIPVAE1", beta=1.0, options="dip_vae:DIPVAE1Options"),
    "dip_vae_2": ModelEntry("dip_vae:DIPVAE2", beta=1.0, options="dip_vae:DIPVAE2Options"),
    "annealed_vae": ModelEntry(
        "annealed_vae:AnnealedVAE",
        beta=0.0,
        options="annealed_vae:AnnealedVAEOptions",
        rising=True,
    ),
    "tvae": ModelEntry("tvae:TVAE", beta=None, options="tvae:TVAEOptions"),
    "aae": ModelEntry("aae:AAE", beta=0.0, options="aae:AAEOptions"),
    "acai": ModelEntry("acai:ACAI", beta=0.0, options="acai:ACAIOptions"),
    "dense_ae": ModelEntry(
        "mixing:DenseAE",
        beta=0.0,
        weights=("mixing_reconstruction",),
        options="mixing:DenseAEOptions",
        **_DENSE,
    ),
    "mixing": ModelEntry(
        "mixing:Mixing",
        beta=0.0,
        weights=("mixing_reconstruction", "adversarial", "classifier"),
        options="mixing:MixingOptions",
        partners=True,
        **_DENSE,
    ),
}


class TranslatorEntry(NamedTuple):
    """Entry of a model that generates or translates images.

    Attributes:
        place: module in `latent_atlas.models` and class in it, as ``module:Class``.
        options: module in `latent_atlas.models.options` and class in it.
        needs: what a run of it must give: two domains, attributes, pairs, or none of them.
        learning_rate: of its paper.
        batch_size: of its paper.
    """

    place: str
    options: str
    needs: Literal["task", "attributes", "pairs"] | None
    learning_rate: float
    batch_size: int


# Sources of the rates and batch sizes: docs/reference/translation.md.
TRANSLATORS = {
    "dcgan": TranslatorEntry("translation.dcgan:DCGAN", "dcgan:DCGANOptions", None, 2e-4, 128),
    "cgan": TranslatorEntry("translation.cgan:CGAN", "cgan:CGANOptions", "attributes", 2e-4, 128),
    "pix2pix": TranslatorEntry(
        "translation.pix2pix:Pix2Pix", "pix2pix:Pix2PixOptions", "pairs", 2e-4, 1
    ),
    "cyclegan": TranslatorEntry(
        "translation.cyclegan:CycleGAN", "cyclegan:CycleGANOptions", "task", 2e-4, 1
    ),
    "stargan": TranslatorEntry(
        "translation.stargan:StarGAN", "stargan:StarGANOptions", "attributes", 1e-4, 16
    ),
    "munit": TranslatorEntry("translation.munit:MUNIT", "munit:MUNITOptions", "task", 1e-4, 1),
    "fader": TranslatorEntry(
        "translation.fader:Fader", "fader:FaderOptions", "attributes", 2e-4, 32
    ),
}

NETWORKS = {
    "conv": NetworkEntry("networks.conv:ConvEncoder", "networks.conv:ConvDecoder", multiple=32),
    "conv4": NetworkEntry(
        "networks.conv4:Conv4Encoder", "networks.conv4:Conv4Decoder", multiple=16
    ),
    "conv4_quarter": NetworkEntry(
        "networks.conv4:Conv4Encoder",
        "networks.conv4:Conv4Decoder",
        multiple=16,
        size={"width": 0.25},
    ),
    "mlp": NetworkEntry("networks.mlp:MlpEncoder", "networks.mlp:MlpDecoder"),
    "broadcast": NetworkEntry(
        "networks.broadcast:BroadcastEncoder", "networks.broadcast:BroadcastDecoder"
    ),
    "broadcast_small": NetworkEntry(
        "networks.broadcast:SmallBroadcastEncoder", "networks.broadcast:SmallBroadcastDecoder"
    ),
    "dense": NetworkEntry(
        "networks.dense:DenseEncoder", "networks.dense:DenseDecoder", multiple=32, cells=cells_of
    ),
    "dense_broadcast": NetworkEntry(
        "networks.dense:DenseEncoder",
        "networks.dense:BroadcastDecoder",
        multiple=32,
        cells=cells_of,
    ),
}


def options_of(model: str) -> type[Options]:
    """The options class of `model`."""
    place = MODELS[model].options
    return Options if place is None else resolve(f"options.{place}")


def modules_of(model: str, network: str) -> list[str]:
    """The modules that a model and its network are imported from, as dotted names, sorted."""
    entry = NETWORKS[network]
    places = (MODELS[model].place, entry.encoder, entry.decoder)
    return sorted({f"latent_atlas.models.{place.partition(':')[0]}" for place in places})


def resolve(place: str) -> Any:
    """Import the class that ``module:Class`` names in `latent_atlas.models`."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"latent_atlas.models.{module}"), name)
