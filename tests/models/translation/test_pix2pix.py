"""pix2pix: losses, pairs, ablations, phases and noise."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.options.adversarial import Objective
from latent_atlas.models.options.pix2pix import Pix2PixOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.base import to_signed
from latent_atlas.models.translation.pix2pix import Pix2Pix
from tests.models.translation.translators import reached, sample, small

NOTHING = torch.empty(4, 0, dtype=torch.long)


class Same(nn.Module):
    """A generator that returns its input, times a weight."""

    noise_dim = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        return images * self.weight


class Pairs(nn.Module):
    """A discriminator with the logits a and b: the means of the input and of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, pairs: Tensor) -> Tensor:
        inputs, outputs = pairs.chunk(2, 1)
        return self.weight * torch.stack([inputs.mean((1, 2, 3)), outputs.mean((1, 2, 3))], 1)


def by_hand(**options: Any) -> Pix2Pix:
    model: Pix2Pix = small("pix2pix", **options)
    model.generator, model.discriminator = Same(), Pairs()  # type: ignore[assignment]
    return model


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("objective", get_args(Objective))
def test_losses(objective: Objective, reverse: bool) -> None:
    model = by_hand(objective=objective, gradient_penalty=0.0)
    model.reverse = reverse
    batch = sample(model)
    assert batch.others is not None
    inputs, targets = to_signed(batch.images), to_signed(batch.others[:, 0])
    if reverse:
        inputs, targets = targets, inputs
    own, real = inputs.mean((1, 2, 3)), targets.mean((1, 2, 3))
    of_real, of_fake = torch.stack([own, real], 1), torch.stack([own, own / 2], 1)
    terms = model(batch, "generator")
    distance = (targets - inputs / 2).abs().mean((1, 2, 3))
    adversarial = objectives.generator_loss(of_fake, objective)
    torch.testing.assert_close(terms["l1"], distance)
    torch.testing.assert_close(terms["adversarial"], adversarial)
    torch.testing.assert_close(terms["loss"], adversarial + 100 * distance)
    terms = model(batch, "discriminator")
    loss = objectives.discriminator_loss(of_real, of_fake, objective)
    torch.testing.assert_close(terms["discriminator_loss"], loss)
    torch.testing.assert_close(terms["discrimination_loss"], loss / 2)


def test_weights() -> None:
    model = by_hand(l1=3.0, adversarial=2.0, discrimination=0.25)
    batch = sample(model)
    terms = model(batch, "generator")
    torch.testing.assert_close(terms["loss"], 2 * terms["adversarial"] + 3 * terms["l1"])
    terms = model(batch, "discriminator")
    torch.testing.assert_close(terms["discrimination_loss"], terms["discriminator_loss"] / 4)


def test_the_discriminators_gradient_is_halved() -> None:
    """With D = w (a, b) and BCE: ½ ∂/∂w (s(−w a) + s(w b)), means over the two patches."""
    model = by_hand()
    batch = sample(model, 1)
    inputs, targets = model.pair(batch)
    a, y, f = float(inputs.mean()), float(targets.mean()), float(inputs.mean() / 2)
    model(batch, "discriminator")["discrimination_loss"].sum().backward()

    def sigmoid(value: float) -> float:
        return float(torch.sigmoid(torch.tensor(value)))

    real = (-a * sigmoid(-a) - y * sigmoid(-y)) / 2
    fake = (a * sigmoid(a) + f * sigmoid(f)) / 2
    weight = model.discriminator.weight
    assert isinstance(weight, nn.Parameter)
    assert weight.grad is not None
    assert float(weight.grad) == pytest.approx((real + fake) / 2, abs=1e-6)


@pytest.mark.parametrize("objective", get_args(Objective))
def test_each_loss_depends_on_the_parts_of_its_phase(objective: Objective) -> None:
    model = small("pix2pix", objective=objective, r1=1.0, ema=0.9)
    batch = sample(model)
    assert list(model.phases()) == ["discriminator", "generator"], "the discriminator is first"
    assert reached(model, batch, "discriminator") == {"discriminator"}
    assert reached(model, batch, "generator") == {"generator", "discriminator"}


def test_without_a_discriminator() -> None:
    model = small("pix2pix", adversarial=0)
    batch = sample(model)
    assert not hasattr(model, "discriminator")
    assert list(model.phases()) == ["generator"]
    terms = model(batch, "generator")
    assert set(terms) == {"loss", "l1"}
    torch.testing.assert_close(terms["loss"], 100 * terms["l1"])
    assert reached(model, batch, "generator") == {"generator"}


def test_without_l1() -> None:
    terms = (model := small("pix2pix", l1=0))(sample(model), "generator")
    torch.testing.assert_close(terms["loss"], terms["adversarial"])


def test_without_skips() -> None:
    def weights(**options: Any) -> int:
        model = small("pix2pix", **options)
        return sum(weight.numel() for weight in model.generator.parameters())

    assert weights(skips=False) < weights()
    assert not small("pix2pix", skips=False).generator.skips


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3)])
def test_sizes(shape: Shape) -> None:
    model = small("pix2pix", shape)
    batch = sample(model, 2, shape)
    for phase in model.phases():
        assert all(term.shape == (2,) for term in model(batch, phase).values())
    noise = torch.randn(2, model.style_dim)
    outputs = model.eval().translate(batch.images, NOTHING, NOTHING, noise)
    assert outputs.shape == batch.images.shape
    assert outputs.dtype == torch.float32
    assert outputs.min() >= 0
    assert outputs.max() <= 1


@pytest.mark.parametrize(
    ("shape", "options", "problem"),
    [
        ((32, 40, 3), {}, "found 32×40 images, expected a height and a width that are multiples"),
        ((32, 32, 3), {"layers": 4}, r"too small for a PatchGAN with 4 layers .*options.layers"),
    ],
)
def test_wrong_sizes(shape: Shape, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        small("pix2pix", shape, **options)


def test_a_batch_without_partners() -> None:
    model = small("pix2pix")
    with pytest.raises(ValueError, match="found a batch without partner images"):
        model(sample(model)._replace(others=None), "generator")


def test_dropout_is_the_noise_of_a_translation() -> None:
    model = small("pix2pix").eval()
    images = sample(model).images
    assert model.style_dim == model.generator.noise_dim > 0
    first, second = torch.randn(2, 4, model.style_dim)
    outputs = model.translate(images, NOTHING, NOTHING, first)
    assert torch.equal(outputs, model.translate(images, NOTHING, NOTHING, first))
    assert not torch.equal(outputs, model.translate(images, NOTHING, NOTHING, second))
    single = model.translate(images[:1], NOTHING, NOTHING, first[:1])
    torch.testing.assert_close(single, outputs[:1])
    fixed = small("pix2pix", dropout=False).eval()
    assert fixed.style_dim == 0
    none = torch.empty(4, 0)
    once = fixed.translate(images, NOTHING, NOTHING, none)
    assert torch.equal(once, fixed.translate(images, NOTHING, NOTHING, none))


def test_the_average_of_the_weights_translates() -> None:
    model = small("pix2pix", ema=0.5, dropout=False).eval()
    images, none = sample(model).images, torch.empty(4, 0)
    before = model.translate(images, NOTHING, NOTHING, none)
    nn.init.constant_(model.generator.last.bias, 3.0)
    assert torch.equal(model.translate(images, NOTHING, NOTHING, none), before)
    model.end_step()
    assert model.translate(images, NOTHING, NOTHING, none).mean() > before.mean() + 0.1


def test_it_learns_a_pair() -> None:
    model = small("pix2pix", adversarial=0, width=0.2)
    batch = sample(model)
    batch = batch._replace(others=1 - batch.images[:, None])
    optimizer = torch.optim.Adam(model.generator.parameters(), 5e-3, (0.5, 0.999))
    first = model(batch, "generator")["l1"].mean().item()
    for _ in range(40):
        optimizer.zero_grad()
        loss = model(batch, "generator")["loss"].mean()
        loss.backward()
        optimizer.step()
    assert loss.item() / 100 < 0.7 * first


def test_options() -> None:
    options = Pix2PixOptions()
    assert (options.objective, options.l1, options.discrimination) == ("bce", 100, 0.5)
    assert (options.beta1, options.beta2) == (0.5, 0.999)
