"""The deterministic autoencoder: a code is a point, the loss is the reconstruction loss."""

from __future__ import annotations

from torch import Tensor

from latent_atlas.models.base import Autoencoder, Batch, ModelConfig
from latent_atlas.models.build import new_decoder, new_encoder
from latent_atlas.models.likelihoods import LIKELIHOODS


class AE(Autoencoder):
    """An encoder and a decoder."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_dim, self.noise_dim = config.latent_dim, 0
        self.reconstruction_weight = config.weights["reconstruction"]
        self.encoder = new_encoder(
            config.network, config.shape, config.latent_dim, 1, config.layers
        )
        self.decoder = new_decoder(config.network, config.shape, config.latent_dim, config.layers)
        self.likelihood = LIKELIHOODS[config.likelihood]

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image."""
        self.decoder.start_at(self.likelihood.inverse(mean_image))

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The reconstruction loss per image."""
        (codes,) = self.encoder(batch.images)
        reconstruction = self.likelihood.loss(self.decoder(codes), batch.images)
        return {
            "loss": self.reconstruction_weight * reconstruction,
            "reconstruction": reconstruction,
        }

    def encode(self, images: Tensor) -> Tensor:
        """B×latent_dim codes."""
        codes: Tensor = self.encoder(images)[0]
        return codes.float()

    def decode(self, codes: Tensor) -> Tensor:
        """B×C×H×W images in [0, 1]."""
        return self.likelihood.mean(self.decoder(codes).float())

    def log_variance(self, images: Tensor) -> None:
        """None: the codes of this model are points."""
        return
