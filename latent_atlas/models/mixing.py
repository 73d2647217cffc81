"""The mixing autoencoder: it learns objects by exchanging the quadrants of codes.

Source: Zbinden 2019, "Learning object representations by mixing scenes", sections 3.2 to 3.6, and
the author's code where the two differ. A sample is a reference and four partner images; the k-th
resembles the reference in quadrant k. Some quadrants of the reference's code are replaced by those
of the partners (`choose`), and the mixed code is decoded. Four losses train encoder and decoder:

- reconstruction: |x − Dec(Enc(x))| of the reference x;
- cycle: |x − x″|, where x″ decodes the code of x after its kept quadrants passed through decoder
  and encoder as parts of the mixed scene;
- adversarial: a discriminator should classify the mixed scene as real;
- classification: a classifier of the mixed scene and one of the partners should recognise the
  quadrants, if any, that come from this partner.

The published objective consists of *means*: over pixels with values from −1 to 1, patches, outputs,

    λ_rec · (reconstruction + cycle) + λ_adv · adversarial + λ_cls · classification.

Here ``reconstruction`` and ``cycle`` are summed over pixels with values from 0 to 1, as in every
model, and ``loss`` is that objective times the number of pixels: the minimum is the same and, for
Adam, the steps are the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.config.code_grid import check_tiles, grid_of
from latent_atlas.models import foreground
from latent_atlas.models.base import Autoencoder, Batch, ModelConfig, Phase
from latent_atlas.models.build import new_decoder, new_encoder
from latent_atlas.models.likelihoods import laplace_loss
from latent_atlas.models.networks.critics import OriginClassifier, PatchDiscriminator
from latent_atlas.models.options.mixing import DenseAEOptions, MixingOptions

BETAS = (0.5, 0.999)
"""β₁ and β₂ of Adam."""


class DenseAE(Autoencoder):
    """The mixing model's encoder and decoder on their own, trained to reconstruct.

    Codes are grids of cells, see `latent_atlas.models.networks.dense`. The networks use values from
    −1 to 1; the last activation is the published tanh.

    Attributes:
        grid: rows and columns of cells in a code.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_dim, self.noise_dim = config.latent_dim, 0
        options = DenseAEOptions.of(config.options)
        size = {"width": options.width, "depth": options.depth, "halvings": options.halvings}
        self.grid = grid_of(*config.shape[:2], options.halvings)
        self.encoder = new_encoder(
            config.network, config.shape, config.latent_dim, 1, config.layers, **size
        )
        self.decoder = new_decoder(
            config.network, config.shape, config.latent_dim, config.layers, **size
        )
        self.pixels = config.shape[0] * config.shape[1] * config.shape[2]
        self.reconstruction_weight = 2 * config.weights["mixing_reconstruction"]

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image."""
        self.decoder.start_at(torch.logit(mean_image, eps=1 / 256) / 2)

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The reconstruction loss per image."""
        reconstruction = laplace_loss(self.decode(self.encode(batch.images)), batch.images)
        return {
            "loss": self.reconstruction_weight * reconstruction,
            "reconstruction": reconstruction,
        }

    def encode(self, images: Tensor) -> Tensor:
        """B×latent_dim codes."""
        codes: Tensor = self.encoder(signed(images))[0]
        return codes.float()

    def decode(self, codes: Tensor) -> Tensor:
        """B×C×H×W images in [0, 1]."""
        return (torch.tanh(self.decoder(codes).float()) + 1) / 2

    def log_variance(self, images: Tensor) -> None:
        """None: the codes of this model are points."""
        return


class Mixing(DenseAE):
    """Encoder and decoder with a discriminator and a classifier, trained on mixed codes.

    A step updates the generator (encoder and decoder) twice, then the classifier, then the
    discriminator. Spectral norms and the classifier's running statistics change with every image
    that a network processes, in every phase; its weights change in its own phase only.

    With `warm_up`, encoder and decoder begin as an autoencoder: in that share of the epochs they
    only reconstruct, at about twelve times the speed of a whole step, and the other two networks
    are not trained. The thesis trains all networks from the first step.

    Extensions that the author left open are options. `tiles` × `tiles` tiles take the place of
    quadrants, with as many partners. With `segments`, only the cells are exchanged that contain
    foreground of the reference's or of the partner's tile.

    Attributes:
        tau: quantile of the distances above which only the nearest partner is used.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        height, width, channels = config.shape
        options = MixingOptions.of(config.options)
        factor = options.width
        self.tau, self.warm_up = options.tau, options.warm_up
        self.tiles, self.segments = options.tiles, options.segments
        check_tiles(self.grid, self.tiles)
        self.adversarial = self.pixels * config.weights["adversarial"]
        self.classification = self.pixels * config.weights["classifier"]
        self.discriminator = PatchDiscriminator(channels, factor, attention=options.attention)
        self.classifier = OriginClassifier(height, width, channels, factor, self.tiles**2)

    def phases(self) -> dict[str, Phase]:
        """Generator, generator, classifier, discriminator, as in the author's code."""
        generator, begin = ("encoder", "decoder"), self.warm_up
        warm_up = {"warm_up": Phase(generator, end=begin)} if begin else {}
        return warm_up | {
            "generator": Phase(generator, "loss", BETAS, repeat=2, begin=begin),
            "classifier": Phase(
                ("classifier",), "classifier_loss", BETAS, rate=decaying, begin=begin
            ),
            "discriminator": Phase(
                ("discriminator",), "discriminator_loss", BETAS, rate=doubled, begin=begin
            ),
        }

    def forward(self, batch: Batch, phase: str = "generator") -> dict[str, Tensor]:
        """The terms of a phase.

        ``warm_up``: those of `DenseAE`. ``generator``: ``loss``, ``reconstruction`` and ``cycle``
        (summed over pixels), ``adversarial`` and ``classification`` (means). ``classifier``:
        ``classifier_loss``, and ``origin_accuracy``, the share of the partners whose own quadrant
        it classifies correctly. ``discriminator``: ``discriminator_loss``, and ``real`` and
        ``fake``, the shares of patches of real and mixed images that it classifies as real.
        """
        if phase == "warm_up":
            return super().forward(batch)
        if phase == "generator":
            return self._generator_losses(batch)
        with torch.no_grad():
            scene = self.mix_batch(batch)
            mixed = self.decode(scene.mixed)
        if phase == "classifier":
            logits, origins = self._origins(mixed, batch, scene.replaced)
            own = logits.diagonal(dim1=1, dim2=2) > 0
            return {
                "classifier_loss": _cross_entropy(logits, origins),
                "origin_accuracy": (own == scene.replaced).float().mean(1),
            }
        real, fake = (self.discriminator(signed(x)).float() for x in (batch.images, mixed))
        return {
            "discriminator_loss": _cross_entropy(real, torch.ones_like(real))
            + _cross_entropy(fake, torch.zeros_like(fake)),
            "real": (real > 0).float().flatten(1).mean(1),
            "fake": (fake > 0).float().flatten(1).mean(1),
        }

    def _generator_losses(self, batch: Batch) -> dict[str, Tensor]:
        scene = self.mix_batch(batch)
        reconstructed, mixed = self.decode(torch.cat([scene.codes, scene.mixed])).chunk(2)
        again = mix(self.encode(mixed), scene.codes, scene.where)
        cycle = laplace_loss(self.decode(again), batch.images)
        reconstruction = laplace_loss(reconstructed, batch.images)
        fake = self.discriminator(signed(mixed)).float()
        adversarial = _cross_entropy(fake, torch.ones_like(fake))
        classification = _cross_entropy(*self._origins(mixed, batch, scene.replaced))
        loss = (
            self.reconstruction_weight * (reconstruction + cycle)
            + self.adversarial * adversarial
            + self.classification * classification
        )
        return {
            "loss": loss,
            "reconstruction": reconstruction,
            "cycle": cycle,
            "adversarial": adversarial,
            "classification": classification,
        }

    def mix_batch(self, batch: Batch) -> Scene:
        """Encode references and partners, and mix their codes."""
        others, distances = self._partners(batch)
        codes = self.encode(torch.cat([batch.images, others.flatten(0, 1)]))
        codes, rest = codes[: len(others)], codes[len(others) :]
        replaced = choose(distances, self.tau)
        where = replaced[:, cells(self.grid, self.tiles, codes.device)]
        if self.segments:
            donors = foreground.own_tiles(others, self.tiles)
            masks = foreground.exchange_mask(batch.images, donors, self.tiles)
            where = where & foreground.mask_to_cells(masks, self.grid, self.tiles)
        given = gather(rest.view(*others.shape[:2], self.latent_dim), self.grid)
        return Scene(codes, mix(codes, given, where), where, replaced)

    def _origins(self, mixed: Tensor, batch: Batch, replaced: Tensor) -> tuple[Tensor, Tensor]:
        """The classifier's logits for each of the K partners, B×K×K, and the true labels."""
        others, _ = self._partners(batch)
        count, number = others.shape[:2]
        pairs = signed(mixed).repeat_interleave(number, 0)
        logits = self.classifier(pairs, signed(others.flatten(0, 1)))
        return logits.float().view(count, number, number), torch.diag_embed(replaced.float())

    def _partners(self, batch: Batch) -> tuple[Tensor, Tensor]:
        others, distances = batch.others, batch.distances
        if others is None or distances is None or others.shape[1] != self.tiles**2:
            raise ValueError(
                f"expected {self.tiles**2} partner images per sample, one per tile; found "
                f"{0 if others is None else others.shape[1]}"
            )
        return others, distances


class Scene(NamedTuple):
    """B mixed scenes.

    Attributes:
        codes, mixed: B×latent_dim of the references and of the mixed scenes.
        where: B×cells booleans, the cells that come from partners.
        replaced: B×K booleans, the quadrants, or other tiles, that come from partners.
    """

    codes: Tensor
    mixed: Tensor
    where: Tensor
    replaced: Tensor


def choose(distances: Tensor, tau: float) -> Tensor:
    """Choose the quadrants to replace: always the nearest, never the farthest, others up to τ.

    So one to three of the four change. Equal distances rank in the order of the quadrants.

    Args:
        distances: B×K quantiles of the distances of the K partners, four for quadrants.
        tau: the largest quantile at which a quadrant is replaced, in [0, 1].

    Returns:
        B×K booleans.
    """
    order = distances.argsort(dim=1, stable=True)
    replaced = distances <= tau
    return replaced.scatter(1, order[:, -1:], False).scatter(1, order[:, :1], True)


def cells(grid: tuple[int, int], tiles: int = 2, device: torch.device | None = None) -> Tensor:
    """The number of the quadrant, or other tile, of each cell of a code: from 0, row by row."""
    rows, columns = grid
    down = torch.arange(rows, device=device) * tiles // rows
    right = torch.arange(columns, device=device) * tiles // columns
    return (tiles * down[:, None] + right).flatten()


def gather(codes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Compose codes of tile k of the k-th code: B×K×latent_dim to B×latent_dim, K a square."""
    count, number, size = codes.shape
    tile = cells(grid, math.isqrt(number), codes.device)
    parts = codes.view(count, number, len(tile), size // len(tile))
    return parts[:, tile, torch.arange(len(tile), device=codes.device)].flatten(1)


def mix(codes: Tensor, donors: Tensor, where: Tensor) -> Tensor:
    """`codes` with the cells in `where` (B×cells booleans) from `donors`, B×latent_dim each."""
    numbers = where.repeat_interleave(codes.shape[1] // where.shape[1], 1)
    return torch.where(numbers, donors, codes)


def signed(images: Tensor) -> Tensor:
    """Values in [0, 1] to [−1, 1]."""
    return images * 2 - 1


def decaying(step: int) -> float:
    """The classifier's factor on the learning rate: times 0.9 every 20,000 steps."""
    return float(0.9 ** (step // 20_000))


def doubled(step: int) -> float:
    """The discriminator's factor on the learning rate (Heusel et al. 2017, two time scales)."""
    return 2.0


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over the outputs of each sample: B numbers."""
    losses = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return losses.flatten(1).mean(1)
