"""The DCGAN: sizes, parameter counts, batch norm, objectives, phases, generation."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.options.adversarial import Objective
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.base import to_signed
from latent_atlas.models.translation.dcgan import (
    DCGAN,
    CodeGenerator,
    ImageDiscriminator,
    grid_of,
)
from tests.models.translation.translators import reached, sample, small


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_number_of_parameters_of_the_published_networks() -> None:
    """Radford et al. 2016, figure 1: 64×64 images in colour, codes of 100 numbers, 5×5 kernels.

    Generator: projection 100·16·1024, then 25·(1024·512 + 512·256 + 256·128 + 128·3) weights, two
    numbers per normalised map, and 3 biases. Discriminator: 25·(3·128 + 128·256 + 256·512 +
    512·1024) weights, 128 biases, two numbers per normalised map, and 16·1024 + 1 at the end.
    """
    pairs = 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3
    generator = 100 * 16 * 1024 + 25 * pairs + 2 * (1024 + 512 + 256 + 128) + 3
    discriminator = 25 * pairs + 128 + 2 * (256 + 512 + 1024) + 16 * 1024 + 1
    assert (generator, discriminator) == (18_855_043, 17_232_897)
    assert parameters(CodeGenerator((64, 64, 3), 100)) == generator
    assert parameters(ImageDiscriminator((64, 64, 3))) == discriminator


def test_batch_norm_is_where_radford_has_it() -> None:
    """All but the generator's output layer and the discriminator's input layer are normalised."""
    model = small("dcgan", (64, 64, 3))
    kinds = [type(layer).__name__ for layer in model.generator.layers]
    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds == ["BatchNorm2d", "ReLU", *up * 3, "ConvTranspose2d", "Tanh"]
    kinds = [type(layer).__name__ for layer in model.discriminator.layers]
    assert kinds == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3]


@pytest.mark.parametrize("changes", [{"objective": "wgan_gp"}, {"r1": 1.0}])
def test_no_batch_norm_where_the_gradient_of_the_discriminator_counts(
    changes: dict[str, Any],
) -> None:
    model = small("dcgan", **changes)
    assert not [x for x in model.discriminator.modules() if isinstance(x, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 3), (4, 4, [128, 256, 512])),
        ((64, 64, 3), (4, 4, [128, 256, 512, 1024])),
        ((96, 64, 3), (6, 4, [128, 256, 512, 1024])),
        ((256, 256, 3), (4, 4, [128, 256, 512, 1024, 1024, 1024])),
        ((96, 96, 3), (6, 6, [128, 256, 512, 1024])),
    ],
)
def test_grid(shape: Shape, expected: tuple[int, int, list[int]]) -> None:
    assert grid_of(shape) == expected


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3)])
def test_sizes(shape: Shape) -> None:
    height, width, channels = shape
    model = small("dcgan", shape)
    for phase in model.phases():
        assert {tuple(term.shape) for term in model(sample(model, 3, shape), phase).values()} == {
            (3,)
        }
    images = model.eval().generate(torch.randn(2, 100), torch.empty(2, 0, dtype=torch.long))
    assert images.shape == (2, channels, height, width)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() <= 1


def test_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="found 48×32 images"):
        small("dcgan", (48, 32, 3))


class Brightness(nn.Module):
    """A discriminator whose logit is the mean pixel."""

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


@pytest.mark.parametrize("objective", get_args(Objective))
def test_losses_of_both_phases(objective: Objective) -> None:
    model: DCGAN = small("dcgan", objective=objective, gradient_penalty=7.0)
    batch = sample(model)
    model.discriminator = Brightness()  # type: ignore[assignment]
    fake = model.generator(batch.noise).mean((1, 2, 3))
    real = to_signed(batch.images).mean((1, 2, 3))
    generation = model(batch, "generator")
    torch.testing.assert_close(generation["loss"], objectives.generator_loss(fake, objective))
    terms = model(batch, "discriminator")
    loss = objectives.discriminator_loss(real, fake, objective)
    torch.testing.assert_close(terms["discriminator_loss"], loss)
    # The gradient of a mean of n pixels has the norm 1/√n.
    penalty = 7 * (1 - (3 * 32 * 32) ** -0.5) ** 2 if objective == "wgan_gp" else 0
    torch.testing.assert_close(terms["discrimination_loss"], loss + penalty)


def test_r1_is_part_of_the_discriminators_loss() -> None:
    model: DCGAN = small("dcgan", r1=20.0)
    model.discriminator = Brightness()  # type: ignore[assignment]
    terms = model(sample(model), "discriminator")
    expected = torch.full((4,), 20 / 2 / (3 * 32 * 32))
    torch.testing.assert_close(terms["discrimination_loss"] - terms["discriminator_loss"], expected)


@pytest.mark.parametrize("objective", get_args(Objective))
def test_each_loss_depends_on_the_parts_of_its_phase(objective: Objective) -> None:
    model = small("dcgan", objective=objective, ema=0.9)
    batch = sample(model)
    assert list(model.phases()) == ["discriminator", "generator"]
    for name, phase in model.phases().items():
        assert phase.parts == (name,)
    assert reached(model, batch, "discriminator") == {"discriminator"}
    assert reached(model, batch, "generator") == {"generator", "discriminator"}


def test_options_of_the_phases() -> None:
    phases = small("dcgan", beta1=0.1, beta2=0.9, discriminator_steps=5).phases()
    assert {phase.betas for phase in phases.values()} == {(0.1, 0.9)}
    assert phases["generator"].every == 5
    assert phases["discriminator"].every == 1


def test_the_average_of_the_weights_generates() -> None:
    model = small("dcgan", ema=0.5).eval()
    codes, none = torch.randn(2, 100), torch.empty(2, 0, dtype=torch.long)
    before = model.generate(codes, none)
    for weight in model.generator.parameters():
        torch.nn.init.constant_(weight, 0.1)
    assert torch.equal(model.generate(codes, none), before)
    model.end_step()
    assert not torch.equal(model.generate(codes, none), before)


def test_signs_of_collapse() -> None:
    model = small("dcgan", stop_on_collapse=True)
    batch = sample(model)
    assert "diversity" not in model(batch, "generator"), "only in validation"
    terms = model.eval()(batch, "generator")
    assert 0 < terms["diversity"][0] < terms["data_diversity"][0]
    row = {"valid_diversity": 0.001, "valid_data_diversity": 0.3}
    assert "the diversity" in model.collapse(row)
    assert small("dcgan").collapse(row) == ""


def test_the_discriminator_learns() -> None:
    model = small("dcgan")
    batch = sample(model, 16)
    optimizer = torch.optim.Adam(model.discriminator.parameters(), 1e-3)
    first = model(batch, "discriminator")
    for _ in range(20):
        optimizer.zero_grad()
        terms = model(batch, "discriminator")
        terms["discrimination_loss"].mean().backward()
        optimizer.step()
    assert terms["discriminator_loss"].mean() < first["discriminator_loss"].mean() / 4
    assert terms["discriminator_accuracy"].mean() == 1
