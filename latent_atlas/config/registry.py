"""The names of models and networks in params.yaml; a new one adds a file beside this and a line.

Names are resolved only when a model is built, so that params.yaml is validated without PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from latent_atlas.config.code_grid import MOST_HALVINGS, cells_of

if TYPE_CHECKING:
    from torch import nn

    from latent_atlas.models.base import Model, Recipe, Shape
    from latent_atlas.models.networks.conv import Decoder

Option = bool | int | float | str


class ModelEntry(NamedTuple):
    """A model's line.

    Attributes:
        place: file in this folder and class in that file.
        beta: the β that makes the model what its name says; None if β is a knob.
        weights: the terms of its loss that ``loss_weights`` weighs.
        options: its knobs beyond those of every model, with their defaults.
        choices: what an option of words can be.
        shares: the options that are shares, from 0 to 1.
        least: what other numbers must be at least, where 0 is too little.
        networks: those that it can be built of; empty for all.
        likelihoods: those that its reconstruction can have.
        company: whether it sees four neighbours beside each image.
        rising: whether its loss may rise for a while because its objective changes.
    """

    place: str
    beta: float | None
    weights: tuple[str, ...] = ("reconstruction",)
    options: Mapping[str, Option] = {}
    choices: Mapping[str, tuple[str, ...]] = {}
    shares: tuple[str, ...] = ()
    least: Mapping[str, int] = {}
    networks: tuple[str, ...] = ()
    likelihoods: tuple[str, ...] = ("bernoulli", "gaussian")
    company: bool = False
    rising: bool = False


class NetworkEntry(NamedTuple):
    """A network's line.

    Attributes:
        encoder, decoder: file in this folder and class in that file.
        multiple: what must divide height and width.
        cells: height, width and most halvings → what must divide the size of a code.
        size: factors that make the network what its name says.
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
    "tcvae": ModelEntry("tcvae:TCVAE", beta=None, options={"images": 10_000}, least={"images": 1}),
    "factor_vae": ModelEntry(
        "factor_vae:FactorVAE",
        beta=1.0,
        options={"gamma": 10.0, "units": 1000, "layers": 6},
        least={"units": 1},
    ),
    "dip_vae_1": ModelEntry(
        "dip_vae:DIPVAE1", beta=1.0, options={"off_diagonal": 10.0, "diagonal": 100.0}
    ),
    "dip_vae_2": ModelEntry(
        "dip_vae:DIPVAE2", beta=1.0, options={"off_diagonal": 10.0, "diagonal": 10.0}
    ),
    "annealed_vae": ModelEntry(
        "annealed_vae:AnnealedVAE",
        beta=0.0,
        options={"gamma": 1000.0, "capacity": 25.0, "until": 1.0, "stairs": 0},
        rising=True,
    ),
    "tvae": ModelEntry(
        "tvae:TVAE",
        beta=None,
        options={"triplet": 10.0, "margin": 1.0, "distance": "euclidean", "mining": "semi_hard"},
        choices={
            "distance": ("euclidean", "squared", "cosine"),
            "mining": ("semi_hard", "hardest"),
        },
    ),
    "aae": ModelEntry(
        "aae:AAE",
        beta=0.0,
        options={
            "prior": "normal",
            "components": 10,
            "radius": 4.0,
            "hidden": 1000,
            "joint": True,
            "regularisation": 50.0,
            "penalty": 10.0,
            "pace": 1.0,
        },
        choices={"prior": ("normal", "mixture")},
        least={"components": 1, "hidden": 1},
    ),
    "acai": ModelEntry(
        "acai:ACAI",
        beta=0.0,
        options={"interpolation": 0.5, "gamma": 0.2, "maps": 32},
        shares=("gamma",),
        least={"maps": 1},
    ),
    "dense_ae": ModelEntry(
        "mixing:DenseAE",
        beta=0.0,
        weights=("mixing_reconstruction",),
        options={"width": 1.0, "depth": 1.0, "halvings": MOST_HALVINGS},
        least={"halvings": 1},
        **_DENSE,
    ),
    "mixing": ModelEntry(
        "mixing:Mixing",
        beta=0.0,
        weights=("mixing_reconstruction", "adversarial", "classifier"),
        options={
            "width": 1.0,
            "depth": 1.0,
            "halvings": MOST_HALVINGS,
            "tau": 0.5,
            "warm_up": 0.0,
            "attention": False,
            "tiles": 2,
            "segments": False,
        },
        shares=("tau", "warm_up"),
        least={"halvings": 1, "tiles": 2},
        company=True,
        **_DENSE,
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
    "mlp": NetworkEntry("networks.conv:MlpEncoder", "networks.conv:MlpDecoder"),
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


def build(name: str, recipe: Recipe) -> Model:
    """The untrained model `name`.

    Raises:
        KeyError: if there is no such model.
    """
    model: Model = _at(MODELS[name].place)(recipe)
    return model


def new_encoder(name: str, shape: Shape, latent_dim: int, heads: int, **size: float) -> nn.Module:
    """The encoder of network `name`: B×C×H×W images to `heads` B×latent_dim tensors.

    `size` scales the networks that can be scaled, e.g. ``width=0.5``.
    """
    entry = NETWORKS[name]
    encoder: nn.Module = _at(entry.encoder)(shape, latent_dim, heads, **entry.size, **size)
    return encoder


def new_decoder(name: str, shape: Shape, latent_dim: int, **size: float) -> Decoder:
    """The decoder of network `name`: B×latent_dim codes to B×C×H×W outputs, unbounded."""
    entry = NETWORKS[name]
    decoder: Decoder = _at(entry.decoder)(shape, latent_dim, **entry.size, **size)
    return decoder


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"latent_atlas.models.{module}"), name)
