"""The adversarial autoencoder: codes are made to look like samples of a prior.

Source: Makhzani et al. 2016, "Adversarial autoencoders", section 2. A step has three phases, each
with an optimiser of its own:

- reconstruction: encoder and decoder lower the generation loss;
- discrimination: the discriminator tells samples of the prior from codes;
- regularisation: the encoder makes the discriminator take its codes for samples of the prior.

The prior is N(0, I), or (section 2.3) a mixture of Gaussians, one a label: the discriminator is
told which component a sample or a code belongs to. An image without a label is compared with the
whole mixture.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.models.ae import AE
from stages.models.base import Batch, Phase, Recipe

BETAS = (0.5, 0.999)
"""Of Adam in the two phases that play against each other (Radford et al. 2016, section 3)."""


class AAE(AE):
    """An autoencoder, and a discriminator on its codes.

    Options: ``prior`` (``normal`` or ``mixture``), ``components`` and ``radius`` of the mixture
    (see `component_means`), ``hidden`` (units in each of the discriminator's two layers), ``pace``
    (factor on the learning rate of discrimination and regularisation).
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        mixture = recipe.options["prior"] == "mixture"
        self.components = int(recipe.options["components"]) if mixture else 0
        self.radius = float(recipe.options["radius"])
        self.pace = float(recipe.options["pace"])
        # A mixture takes one number more, to draw the component of an image without a label.
        self.noise_dim = recipe.latent_dim + (1 if mixture else 0)
        told = self.components + 1 if mixture else 0
        self.discriminator = CodeDiscriminator(
            recipe.latent_dim + told, int(recipe.options["hidden"])
        )

    def check_labels(self, labels: Tensor) -> None:
        """Raise ValueError if the prior is a mixture that these labels do not fit."""
        if not self.components:
            return
        known = labels[labels >= 0]
        if len(known) == 0:
            raise ValueError("with the prior 'mixture' needs labels, and these images have none")
        classes = int(known.max()) + 1
        if classes > self.components:
            raise ValueError(
                f"has a prior of {self.components} components (options.components), and these "
                f"images have {classes} classes"
            )
        if self.latent_dim < 2:
            raise ValueError("with the prior 'mixture' needs a latent_dim of at least 2, found 1")

    def phases(self) -> dict[str, Phase]:
        """Reconstruction, discrimination, regularisation."""

        def rate(step: int) -> float:
            return self.pace

        return {
            "reconstruction": Phase(("encoder", "decoder")),
            "discrimination": Phase(("discriminator",), "discriminator_loss", BETAS, rate=rate),
            "regularisation": Phase(("encoder",), "regularisation_loss", BETAS, rate=rate),
        }

    def forward(self, batch: Batch, phase: str = "reconstruction") -> dict[str, Tensor]:
        """The terms of a phase.

        ``reconstruction``: ``loss`` and ``generation``. ``discrimination``: the binary
        cross-entropy ``discriminator_loss``, summed over its two answers; 2 log 2 where it cannot
        tell. ``regularisation``: ``regularisation_loss``, the cross-entropy of codes called real.
        """
        if phase == "reconstruction":
            return super().forward(batch)
        if phase == "discrimination":
            with torch.no_grad():
                codes = self.encode(batch.images)
            real = self._judge(self.prior(batch), batch.labels)
            fake = self._judge(codes, batch.labels)
            # −log σ(l) = softplus(−l), and −log(1 − σ(l)) = softplus(l).
            return {"discriminator_loss": F.softplus(-real) + F.softplus(fake)}
        fake = self._judge(self.encode(batch.images), batch.labels)
        return {"regularisation_loss": F.softplus(-fake)}

    def prior(self, batch: Batch) -> Tensor:
        """A sample of the prior for each image, of its label's component: B×latent_dim."""
        samples = batch.noise[:, : self.latent_dim]
        if not self.components:
            return samples
        share = 0.5 * (1 + torch.erf(batch.noise[:, -1] / math.sqrt(2)))
        drawn = (share * self.components).long().clamp_max(self.components - 1)
        component = torch.where(batch.labels >= 0, batch.labels, drawn)
        return samples + component_means(self.components, self.radius, samples)[component]

    def _judge(self, codes: Tensor, labels: Tensor) -> Tensor:
        """B logits of being from the prior."""
        if self.components:
            told = torch.where(labels >= 0, labels, self.components)
            codes = torch.cat([codes, F.one_hot(told, self.components + 1).to(codes)], 1)
        logits: Tensor = self.discriminator(codes)
        return logits.float()


class CodeDiscriminator(nn.Module):
    """Two linear layers with ReLU, then one: B×inputs to B logits (Makhzani et al., appendix A)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """B×inputs to B logits."""
        logits: Tensor = self.layers(codes)
        return logits.squeeze(1)


def component_means(components: int, radius: float, like: Tensor) -> Tensor:
    """components×D means: on a circle in the plane of the first two latents, 0 in the others."""
    angles = torch.arange(components).to(like) * (2 * math.pi / components)
    means = torch.zeros(components, like.shape[1]).to(like)
    means[:, 0], means[:, 1] = radius * angles.cos(), radius * angles.sin()
    return means
