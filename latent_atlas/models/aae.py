"""The adversarial autoencoder: a discriminator pulls the codes to a prior distribution.

Source: Makhzani et al. 2016, "Adversarial autoencoders", section 2. There a step has three phases:

- reconstruction: encoder and decoder lower the reconstruction loss;
- discrimination: the discriminator learns to separate samples of the prior from codes;
- regularisation: the encoder learns to make the discriminator classify codes as samples.

There each phase has an optimiser with momentum; here it is Adam, whose updates are as large as its
learning rate, whatever the gradients. With separate updates of the encoder at equal rates, the
codes collapsed to a point; at a tenth of the rate they never reached the prior. So the first and
the third phase are one update of the sum of their losses, unless ``joint`` is false (measurements:
docs/results/latent-spaces.md).

Two measures keep the discriminator from separating perfectly at once. A gradient penalty on samples
of the prior (Mescheder et al. 2018, equation 9) limits its slope and makes it converge. The
encoder's initial weights preserve the variance of its inputs (He et al. 2015): with PyTorch's own
the codes of paintings start with a standard deviation of 0.003, which a discriminator separates
trivially.

The prior is N(0, I) or, in section 2.3, a mixture of Gaussians with one component per label. With a
mixture the discriminator's input includes the component of the sample or code. An image without a
label is compared with the whole mixture, as is a validation image of a class without a component.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.ae import AE
from latent_atlas.models.base import Batch, ModelConfig, Phase
from latent_atlas.models.options.aae import AAEOptions

BETAS = (0.5, 0.999)
"""β₁ and β₂ of Adam in the two adversarial phases (Radford et al. 2016, section 3)."""

_LAYERS = (nn.Conv2d, nn.Linear)


class AAE(AE):
    """An autoencoder with a discriminator on its codes.

    Its options are `AAEOptions`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        options = AAEOptions.of(config.options)
        mixture = options.prior == "mixture"
        self.components = options.components if mixture else 0
        self.radius, self.joint = options.radius, options.joint
        self.weight, self.penalty = options.regularisation, options.penalty
        self.pace = options.pace
        # A mixture needs one more number, to draw the component of an image without a label.
        self.noise_dim = config.latent_dim + (1 if mixture else 0)
        conditions = self.components + 1 if mixture else 0
        self.discriminator = CodeDiscriminator(config.latent_dim + conditions, options.hidden)
        _keep_variance(self.encoder)

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image, and make the mean image's code 0.

        Where the cells of a code share a bias, the mean over the cells becomes 0.
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
        labelled = labels[labels >= 0]
        if len(labelled) == 0:
            raise ValueError("with the prior 'mixture' needs labels, and these images have none")
        classes = int(labelled.max()) + 1
        if classes > self.components:
            raise ValueError(
                f"has a prior of {self.components} components (options.components), but these "
                f"images have {classes} classes"
            )
        if self.latent_dim < 2:
            raise ValueError("with the prior 'mixture' needs a latent_dim of 2 or more; found 1")

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
        ``regularisation_loss``, the cross-entropy of codes labelled as samples. ``autoencoding``:
        all of these, with ``loss`` the weighted sum of the others. ``discrimination``: the binary
        cross-entropy ``discriminator_loss``, summed over a sample and a code, 2 log 2 by chance;
        and ``discrimination_loss``, the same plus the penalty.
        """
        if phase == "reconstruction":
            return super().forward(batch)
        if phase == "discrimination":
            return self._discrimination(batch)
        codes = self.encode(batch.images)
        regularisation = F.softplus(-self.logits(codes, batch.labels))
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
        samples = self._with_labels(self.prior(batch), batch.labels)
        real = self.discriminator(samples).float()
        fake = self.logits(codes, batch.labels)
        # −log σ(l) = softplus(−l), and −log(1 − σ(l)) = softplus(l).
        entropy = F.softplus(-real) + F.softplus(fake)
        slopes = self.discriminator.slopes(samples)[:, : self.latent_dim].float()
        penalty = self.penalty / 2 * slopes.square().sum(1)
        return {"discriminator_loss": entropy, "discrimination_loss": entropy + penalty}

    def prior(self, batch: Batch) -> Tensor:
        """B×latent_dim samples of the prior, each of the component of its image's label."""
        samples = batch.noise[:, : self.latent_dim]
        if not self.components:
            return samples
        share = 0.5 * (1 + torch.erf(batch.noise[:, -1] / math.sqrt(2)))
        drawn = (share * self.components).long().clamp_max(self.components - 1)
        component = torch.where(self._has_component(batch.labels), batch.labels, drawn)
        return samples + component_means(self.components, self.radius, samples)[component]

    def _has_component(self, labels: Tensor) -> Tensor:
        """B booleans; true for every labelled training image, see `check_labels`."""
        return (labels >= 0) & (labels < self.components)

    def logits(self, codes: Tensor, labels: Tensor) -> Tensor:
        """B logits of being samples of the prior."""
        logits: Tensor = self.discriminator(self._with_labels(codes, labels))
        return logits.float()

    def _with_labels(self, codes: Tensor, labels: Tensor) -> Tensor:
        """The discriminator's inputs: codes, with one-hot labels if the prior is a mixture."""
        if not self.components:
            return codes
        conditions = torch.where(self._has_component(labels), labels, self.components)
        return torch.cat([codes, F.one_hot(conditions, self.components + 1).to(codes)], 1)


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
        """The gradient of each logit with respect to its input, B×inputs.

        The formula is explicit, since the network is piecewise linear. So it needs no second pass
        of autograd, is differentiable in the weights, and works under ``torch.no_grad``.
        """
        first = self.first(codes)
        second = self.second(F.relu(first))
        slopes = self.last.weight * (second > 0)
        slopes = slopes @ self.second.weight * (first > 0)
        return slopes @ self.first.weight


def _keep_variance(encoder: nn.Module) -> None:
    """Initialise all weights so that codes vary about as much as images (He et al. 2015)."""
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
