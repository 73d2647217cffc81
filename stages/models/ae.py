"""The deterministic autoencoder: a code is a point, and the loss is the generation loss alone."""

from __future__ import annotations

from torch import Tensor

from stages.models.base import Batch, Model
from stages.models.networks import DECODERS, ENCODERS, LIKELIHOODS, Shape


class AE(Model):
    """Encoder, decoder, nothing between them.

    Args:
        shape: height, width and channels of the images.
        latent_dim: numbers in a code.
        network: ``conv`` or ``mlp``.
        likelihood: ``bernoulli`` or ``gaussian``.
        generation_weight: weight of the generation loss.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        network: str,
        likelihood: str,
        generation_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.latent_dim, self.noise_dim = latent_dim, 0
        self.generation_weight = generation_weight
        self.encoder = ENCODERS[network](shape, latent_dim, 1)
        self.decoder = DECODERS[network](shape, latent_dim)
        self.likelihood = LIKELIHOODS[likelihood]

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image."""
        self.decoder.start_at(self.likelihood.inverse(mean_image))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The generation loss, an image each."""
        (codes,) = self.encoder(batch.images)
        generation = self.likelihood.loss(self.decoder(codes), batch.images)
        return {"loss": self.generation_weight * generation, "generation": generation}

    def encode(self, images: Tensor) -> Tensor:
        """B×latent_dim codes."""
        codes: Tensor = self.encoder(images)[0]
        return codes.float()

    def decode(self, codes: Tensor) -> Tensor:
        """B×C×H×W images in [0, 1]."""
        return self.likelihood.mean(self.decoder(codes).float())

    def log_variance(self, images: Tensor) -> None:
        """None: a code of this model is a point."""
        return
