"""Base of the VAEs whose objectives depend on q(z), the distribution of the codes of all images.

A batch is their only sample of q(z), so they compare the images of a batch over all processes that
share it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as processes
from torch import Tensor
from torch.distributed.nn.functional import all_gather

from latent_atlas.models.base import Batch
from latent_atlas.models.vae import VAE, kl_to_standard_normal


class Pass(NamedTuple):
    """The result of encoding, sampling and decoding B images.

    Attributes:
        mean, log_variance: of q(z|x), B×latent_dim each.
        codes: a sample of each posterior, B×latent_dim.
        reconstruction: −log p(x|z), B nats, summed over pixels.
        kl: KL(q(z_j|x) ‖ N(0, 1)) of each latent, B×latent_dim nats.
    """

    mean: Tensor
    log_variance: Tensor
    codes: Tensor
    reconstruction: Tensor
    kl: Tensor


class SamplingVAE(VAE):
    """A VAE whose subclasses compute their loss from a `Pass`."""

    compares = True

    def sample(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, log-variance and a code of each image, B×latent_dim each."""
        mean, log_variance = self.posterior(batch.images)
        noise = batch.noise[:, : self.latent_dim]
        return mean, log_variance, mean + torch.exp(log_variance / 2) * noise

    def run_through(self, batch: Batch) -> Pass:
        """Encode, sample and decode the images of a batch."""
        mean, log_variance, codes = self.sample(batch)
        reconstruction = self.likelihood.loss(self.decoder(codes), batch.images)
        kl = kl_to_standard_normal(mean, log_variance)
        return Pass(mean, log_variance, codes, reconstruction, kl)


def own_rows() -> slice:
    """The rows of the global batch in this process: every W-th, as the loop shares them."""
    if not _shared():
        return slice(None)
    return slice(processes.get_rank(), None, processes.get_world_size())


def of_all_processes(rows: Tensor) -> Tensor:
    """The rows of the global batch, in its order; a single process returns its own.

    Gradients flow back to the process that a row came from.
    """
    if not _shared():
        return rows
    world = processes.get_world_size()
    count = torch.tensor([len(rows)], device=rows.device)
    processes.all_reduce(count)
    total = int(count)
    # The first processes have one row more where the batch does not divide evenly.
    missing = -(-total // world) - len(rows)
    padded = torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])
    shares: tuple[Tensor, ...] = all_gather(padded)  # type: ignore[no-untyped-call]
    return torch.stack(shares, 1).flatten(0, 1)[:total]


def _shared() -> bool:
    return processes.is_available() and processes.is_initialized()
