"""Adversarial objectives, penalties on the discriminator's gradient, and its accuracy.

Outputs of a discriminator are B logits, or B×… logits of patches, of which the mean is taken. All
functions return B numbers, float32. With s(l) = log(1 + exp(l)), so that −log σ(l) = s(−l):

| objective       | discriminator       | generator   | source                                   |
|-----------------|---------------------|-------------|------------------------------------------|
| `bce`           | s(−real) + s(fake)  | s(−fake)    | Goodfellow et al. 2014, section 3        |
| `saturating`    | s(−real) + s(fake)  | −s(fake)    | the same, equation 1                     |
| `least_squares` | (real − 1)² + fake² | (fake − 1)² | Mao et al. 2017, equation 9              |
| `wgan_gp`       | fake − real         | −fake       | Gulrajani et al. 2017, equation 3        |

The sums over real and fake have no factor ½; a paper that has one multiplies the result.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.models.options.adversarial import Objective

Discriminator = Callable[[Tensor], Tensor]
"""B×C×H×W images to B×… outputs."""


def per_image(values: Tensor) -> Tensor:
    """The mean of each image of B×…: B numbers, float32."""
    return values.float().flatten(1).mean(1) if values.ndim > 1 else values.float()


def discriminator_loss(real: Tensor, fake: Tensor, objective: Objective) -> Tensor:
    """The discriminator's loss, the sum over a real and a fake image.

    Args:
        real: outputs for real images, B×….
        fake: outputs for generated images, B×….
        objective: see above; the penalty of ``wgan_gp`` is not part of it.

    Returns:
        B numbers.
    """
    real, fake = real.float(), fake.float()
    if objective == "least_squares":
        return per_image((real - 1).square()) + per_image(fake.square())
    if objective == "wgan_gp":
        return per_image(fake) - per_image(real)
    return per_image(F.softplus(-real)) + per_image(F.softplus(fake))


def generator_loss(fake: Tensor, objective: Objective) -> Tensor:
    """The generator's loss: B numbers of B×… outputs for generated images."""
    fake = fake.float()
    if objective == "least_squares":
        return per_image((fake - 1).square())
    if objective == "wgan_gp":
        return -per_image(fake)
    if objective == "saturating":
        return -per_image(F.softplus(fake))
    return per_image(F.softplus(-fake))


def accuracy(real: Tensor, fake: Tensor, objective: Objective) -> Tensor:
    """Share of a real and a generated image's patches that are classified correctly.

    The limit between the classes is 0 for logits and ½ for least squares. The outputs of
    ``wgan_gp`` have no such limit: there it is the share in which real exceeds fake.

    Returns:
        B numbers in [0, 1], without a gradient.
    """
    real, fake = real.detach().float(), fake.detach().float()
    if objective == "wgan_gp":
        return per_image((real > fake).float())
    limit = 0.5 if objective == "least_squares" else 0.0
    return (per_image((real > limit).float()) + per_image((fake < limit).float())) / 2


def gradient_penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """(‖∇D(x̂)‖₂ − 1)² at random points x̂ between real and fake images.

    Gulrajani et al. 2017, equation 3, there with the weight 10. The shares of the real images are
    uniform in [0, 1], one per image, from PyTorch's global generator.

    Args:
        discriminator: to differentiate; with batch norm, ∇D(x̂) would mix the images of the batch.
        real: B×C×H×W.
        fake: B×C×H×W.

    Returns:
        B numbers, differentiable in the weights of the discriminator where gradients are enabled.
    """
    shares = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.detach().float(), real.detach().float(), shares)
    norms = _slopes(discriminator, between).flatten(1).norm(dim=1)
    return (norms - 1).square()


def r1_penalty(discriminator: Discriminator, real: Tensor) -> Tensor:
    """½ ‖∇D(x)‖₂² at real images (Mescheder et al. 2018, equation 9, there with γ = 10).

    Args:
        discriminator: to differentiate, as for `gradient_penalty`.
        real: B×C×H×W.

    Returns:
        B numbers, differentiable in the weights of the discriminator where gradients are enabled.
    """
    return _slopes(discriminator, real).square().flatten(1).sum(1) / 2


def _slopes(discriminator: Discriminator, images: Tensor) -> Tensor:
    """The gradient of each image's mean output with respect to the image, B×C×H×W, float32."""
    wanted = torch.is_grad_enabled()
    with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
        images = images.detach().float().requires_grad_(True)
        total = per_image(discriminator(images)).sum()
        (slopes,) = torch.autograd.grad(total, images, create_graph=wanted)
    return slopes
