"""The adversarial autoencoder: codes are made to look like samples of a prior.

Source: Makhzani et al. 2016, "Adversarial autoencoders", section 2. There a step has three phases:

- reconstruction: encoder and decoder lower the reconstruction loss;
- discrimination: the discriminator tells samples of the prior from codes;
- regularisation: the encoder makes the discriminator take its codes for samples of the prior.

With an Adam for each, as there with momentum, both updates of the encoder are as large as their
learning rates, whatever their gradients: at equal rates codes fell to a point, at a tenth of the
rate they never reached the prior. So the first and the third are one update here, of the sum of
their losses, unless ``joint`` is false; docs/cartography.md has the figures. Two things more keep
the discriminator from winning at once. A gradient penalty on samples of the prior (Mescheder et al.
2018, equation 9) makes it a gentle slope that converges; and the encoder starts with weights that
keep the variance of its inputs (He et al. 2015): with PyTorch's own the codes of paintings begin
with a standard deviation of 0.003, which is a point to a discriminator.

The prior is N(0, I), or (section 2.3) a mixture of Gaussians, one a label: the discriminator is
told which component a sample or a code belongs to. An image without a label is compared with the
whole mixture, and so is a validation image of a class that has no component.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.ae import AE
from latent_atlas.models.base import Batch, Phase, Recipe

BETAS = (0.5, 0.999)
"""Of Adam in the two phases that play against each other (Radford et al. 2016, section 3)."""

_LAYERS = (nn.Conv2d, nn.Linear)


class AAE(AE):
    """An autoencoder, and a discriminator on its codes.

    Options: ``prior`` (``normal`` or ``mixture``), ``components`` and ``radius`` of the mixture
    (see `component_means`), ``hidden`` (units in each of the discriminator's two layers), ``joint``
    (reconstruction and regularisation are one update), ``regularisation`` (its weight there, in
    nats an image), ``penalty`` (γ, on the discriminator's slope), ``pace`` (factor on the learning
    rate of discrimination, and of regularisation where it is an update of its own).
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        mixture = recipe.options["prior"] == "mixture"
        self.components = int(recipe.options["components"]) if mixture else 0
        self.radius = float(recipe.options["radius"])
        self.joint = bool(recipe.options["joint"])
        self.weight = float(recipe.options["regularisation"])
        self.penalty = float(recipe.options["penalty"])
        self.pace = float(recipe.options["pace"])
        # A mixture takes one number more, to draw the component of an image without a label.
        self.noise_dim = recipe.latent_dim + (1 if mixture else 0)
        told = self.components + 1 if mixture else 0
        self.discriminator = CodeDiscriminator(
            recipe.latent_dim + told, int(recipe.options["hidden"])
        )
        _keep_variance(self.encoder)

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image, and the mean image's code to 0.

        Where the cells of a code share a bias, it is the mean of its cells that becomes 0.
        """
        super().start_from(mean_image)
        *_, last = (part for part in self.encoder.modules() if isinstance(part, _LAYERS))
        with torch.no_grad():
            (code,) = self.encoder(mean_image[None])
            bias = last.get_parameter("bias")
            bias.sub_(code.view(-1, len(bias)).mean(0))

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
        """Autoencoding and discrimination; or reconstruction, discrimination, regularisation."""

        def rate(step: int) -> float:
            return self.pace

        discrimination = Phase(("discriminator",), "discrimination_loss", BETAS, rate=rate)
        if self.joint:
            return {
                "autoencoding": Phase(("encoder", "decoder")),
                "discrimination": discrimination,
            }
        return {
            "reconstruction": Phase(("encoder", "decoder")),
            "discrimination": discrimination,
            "regularisation": Phase(("encoder",), "regularisation_loss", BETAS, rate=rate),
        }

    def forward(self, batch: Batch, phase: str = "reconstruction") -> dict[str, Tensor]:
        """The terms of a phase.

        ``reconstruction``: ``loss`` and ``reconstruction``. ``regularisation``:
        ``regularisation_loss``, the cross-entropy of codes called real. ``autoencoding``: all of
        these, with ``loss`` the weighted sum of the others. ``discrimination``: the binary
        cross-entropy ``discriminator_loss``, summed over its two answers, 2 log 2 where it cannot
        tell; and ``discrimination_loss``, the same with the penalty.
        """
        if phase == "reconstruction":
            return super().forward(batch)
        if phase == "discrimination":
            return self._discrimination(batch)
        codes = self.encode(batch.images)
        regularisation = F.softplus(-self._judge(codes, batch.labels))
        if phase == "regularisation":
            return {"regularisation_loss": regularisation}
        reconstruction = self.likelihood.loss(self.decoder(codes), batch.images)
        return {
            "loss": self.reconstruction_weight * reconstruction + self.weight * regularisation,
            "reconstruction": reconstruction,
            "regularisation_loss": regularisation,
        }

    def _discrimination(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            codes = self.encode(batch.images)
        samples = self._told(self.prior(batch), batch.labels)
        real = self.discriminator(samples).float()
        fake = self._judge(codes, batch.labels)
        # −log σ(l) = softplus(−l), and −log(1 − σ(l)) = softplus(l).
        entropy = F.softplus(-real) + F.softplus(fake)
        slopes = self.discriminator.slopes(samples)[:, : self.latent_dim].float()
        penalty = self.penalty / 2 * slopes.square().sum(1)
        return {"discriminator_loss": entropy, "discrimination_loss": entropy + penalty}

    def prior(self, batch: Batch) -> Tensor:
        """A sample of the prior for each image, of its label's component: B×latent_dim."""
        samples = batch.noise[:, : self.latent_dim]
        if not self.components:
            return samples
        share = 0.5 * (1 + torch.erf(batch.noise[:, -1] / math.sqrt(2)))
        drawn = (share * self.components).long().clamp_max(self.components - 1)
        component = torch.where(self._has_component(batch.labels), batch.labels, drawn)
        return samples + component_means(self.components, self.radius, samples)[component]

    def _has_component(self, labels: Tensor) -> Tensor:
        """B booleans; no training image with a label lacks one, see `check_labels`."""
        return (labels >= 0) & (labels < self.components)

    def _judge(self, codes: Tensor, labels: Tensor) -> Tensor:
        """B logits of being from the prior."""
        logits: Tensor = self.discriminator(self._told(codes, labels))
        return logits.float()

    def _told(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Codes as the discriminator sees them: with their labels, if the prior has any."""
        if not self.components:
            return codes
        told = torch.where(self._has_component(labels), labels, self.components)
        return torch.cat([codes, F.one_hot(told, self.components + 1).to(codes)], 1)


class CodeDiscriminator(nn.Module):
    """Two linear layers with ReLU, then one: B×inputs to B logits (Makhzani et al., appendix A)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """B×inputs to B logits."""
        logits: Tensor = self.last(F.relu(self.second(F.relu(self.first(codes)))))
        return logits.squeeze(1)

    def slopes(self, codes: Tensor) -> Tensor:
        """The gradient of each logit in its input, B×inputs; itself a function of the weights.

        Written out, since between two kinks the network is linear: so it needs no second pass of
        autograd, and can be measured where no gradients are kept.
        """
        first = self.first(codes)
        second = self.second(F.relu(first))
        slopes = self.last.weight * (second > 0)
        slopes = slopes @ self.second.weight * (first > 0)
        return slopes @ self.first.weight


def _keep_variance(encoder: nn.Module) -> None:
    """Draw all weights anew, so that codes vary about as much as images (He et al. 2015)."""
    for layer in encoder.modules():
        if isinstance(layer, _LAYERS):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def component_means(components: int, radius: float, like: Tensor) -> Tensor:
    """components×D means: on a circle in the plane of the first two latents, 0 in the others."""
    angles = torch.arange(components).to(like) * (2 * math.pi / components)
    means = torch.zeros(components, like.shape[1]).to(like)
    means[:, 0], means[:, 1] = radius * angles.cos(), radius * angles.sin()
    return means
