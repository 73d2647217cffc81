"""The base of models with a generator and a discriminator that take turns."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latent_atlas.models.base import Model, Phase
from latent_atlas.models.options.adversarial import AdversarialOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.blocks import check_shape
from latent_atlas.models.translation.monitor import ACCURACY, collapse_reason, diversities


class AdversarialModel(Model):
    """A model whose phases train a generator and a discriminator.

    The phase of the generator minimises ``loss``, that of the discriminator
    ``discrimination_loss``. The means over patches and pixels follow the papers, whose weights hold
    for them; so these losses are not summed over pixels as those of the autoencoders.

    Args:
        config: see `TranslatorConfig`.
        adversary: the options.

    Raises:
        ValueError: if the images do not suit the networks.
    """

    random = True
    watched = True

    def __init__(self, config: TranslatorConfig, adversary: AdversarialOptions) -> None:
        super().__init__()
        check_shape(config.shape)
        self.adversary = adversary
        self.betas = (adversary.beta1, adversary.beta2)

    def generation_phase(self, *parts: str) -> Phase:
        """The update of `parts`, generators, in each k-th step of the discriminator."""
        return Phase(parts, betas=self.betas, every=self.adversary.discriminator_steps)

    def discrimination_phase(self, *parts: str) -> Phase:
        """The update of `parts`, discriminators."""
        return Phase(parts, "discrimination_loss", self.betas)

    def discrimination(
        self,
        discriminator: objectives.Discriminator,
        real: Tensor,
        fake: Tensor,
        condition: Tensor | None = None,
        weight: float = 1.0,
    ) -> dict[str, Tensor]:
        """The terms of a discriminator, B numbers each.

        Args:
            discriminator: one that treats every image alone, where a penalty is on.
            real: B×C×H×W in [−1, 1].
            fake: B×C×H×W in [−1, 1].
            condition: B×K×H×W, in front of the images in the discriminator's input.
            weight: of the objective beside the penalties.

        Returns:
            ``discriminator_loss``, its objective; ``discrimination_loss``, the same plus penalties;
            ``discriminator_accuracy``, in [0, 1].
        """
        options, fake = self.adversary, fake.detach()

        def outputs(images: Tensor) -> Tensor:
            return discriminator(
                images if condition is None else torch.cat([condition.to(images), images], 1)
            )

        of_real, of_fake = outputs(real), outputs(fake)
        loss = objectives.discriminator_loss(of_real, of_fake, options.objective)
        total = weight * loss
        if options.objective == "wgan_gp" and options.gradient_penalty:
            penalty = objectives.gradient_penalty(outputs, real, fake)
            total = total + options.gradient_penalty * penalty
        if options.r1:
            total = total + options.r1 * objectives.r1_penalty(outputs, real)
        return {
            "discrimination_loss": total,
            "discriminator_loss": loss.detach(),
            "discriminator_accuracy": objectives.accuracy(of_real, of_fake, options.objective),
        }

    def diversities(self, outputs: Tensor, images: Tensor, suffix: str = "") -> dict[str, Tensor]:
        """See `monitor.diversities`; in validation only.

        A training batch may be a single image, and distances of all pairs take time.
        """
        return {} if self.training else diversities(outputs, images, suffix)

    def collapse(self, row: Mapping[str, float]) -> str:
        """Why the epoch with this row shows a collapse, with the option ``stop_on_collapse``.

        The accuracy is no sign with ``wgan_gp``, whose discriminator is trained to its optimum
        (Gulrajani et al. 2017, section 2).
        """
        if not self.adversary.stop_on_collapse:
            return ""
        tested = self.adversary.objective != "wgan_gp"
        return collapse_reason({k: v for k, v in row.items() if tested or k != ACCURACY})


def compares_no_images(options: AdversarialOptions) -> bool:
    """Whether a penalty on its gradient forbids batch norm in the discriminator.

    Gulrajani et al. 2017, section 4: with batch norm the gradient would be that of a whole batch.
    """
    return options.objective == "wgan_gp" or options.r1 > 0


def no_gradient(network: nn.Module, *inputs: Tensor) -> Tensor:
    """The output of `network` without a gradient."""
    with torch.no_grad():
        output: Tensor = network(*inputs)
    return output
