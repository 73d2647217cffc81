"""CycleGAN: losses, pairing of the networks, ablations, pools, phases and the learning rate."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Shape
from latent_atlas.models.options.adversarial import Objective
from latent_atlas.models.options.cyclegan import CycleGANOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.base import to_signed
from latent_atlas.models.translation.cyclegan import CycleGAN, blocks_for
from tests.models.translation.translators import reached, sample, small


class Affine(nn.Module):
    """A generator: weight · x + shift."""

    def __init__(self, weight: float, shift: float) -> None:
        super().__init__()
        self.weight, self.shift = nn.Parameter(torch.tensor(weight)), shift

    def forward(self, images: Tensor) -> Tensor:
        return self.weight * images + self.shift


class Mean(nn.Module):
    """A discriminator: weight · mean(x)."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: Tensor) -> Tensor:
        return self.weight * images.mean((1, 2, 3))


def by_hand(**options: Any) -> CycleGAN:
    model: CycleGAN = small("cyclegan", blocks=1, **options)
    model.generators = nn.ModuleList([Affine(0.5, 0.1), Affine(2.0, -0.3)])
    model.discriminators = nn.ModuleList([Mean(3.0), Mean(-5.0)])
    return model


def real(batch: Batch) -> tuple[Tensor, Tensor]:
    assert batch.others is not None
    return to_signed(batch.images), to_signed(batch.others[:, 0])


def mean_of(images: Tensor) -> Tensor:
    return images.mean((1, 2, 3))


@pytest.mark.parametrize("objective", get_args(Objective))
def test_losses_of_the_generators(objective: Objective) -> None:
    """G₀ makes images of domain 0 and D₀ judges them (the thesis's equation 6, not 8)."""
    model = by_hand(objective=objective)
    batch = sample(model)
    x, y = real(batch)
    to_x, to_y = 0.5 * y + 0.1, 2 * x - 0.3
    terms = model(batch, "generators")
    adversarial = objectives.generator_loss(
        3 * mean_of(to_x), objective
    ) + objectives.generator_loss(-5 * mean_of(to_y), objective)
    cycle = mean_of((0.5 * to_y + 0.1 - x).abs()) + mean_of((2 * to_x - 0.3 - y).abs())
    identity = mean_of((0.5 * x + 0.1 - x).abs()) + mean_of((2 * y - 0.3 - y).abs())
    torch.testing.assert_close(terms["adversarial"], adversarial)
    torch.testing.assert_close(terms["cycle"], cycle)
    torch.testing.assert_close(terms["identity"], identity)
    torch.testing.assert_close(terms["loss"], adversarial + 10 * cycle + 5 * identity)


@pytest.mark.parametrize("objective", get_args(Objective))
def test_losses_of_the_discriminators(objective: Objective) -> None:
    model = by_hand(objective=objective, gradient_penalty=0.0)
    batch = sample(model)
    x, y = real(batch)
    terms = model(batch, "discriminators")
    loss = objectives.discriminator_loss(
        3 * mean_of(x), 3 * mean_of(0.5 * y + 0.1), objective
    ) + objectives.discriminator_loss(-5 * mean_of(y), -5 * mean_of(2 * x - 0.3), objective)
    torch.testing.assert_close(terms["discriminator_loss"], loss)
    torch.testing.assert_close(terms["discrimination_loss"], loss / 2)


def test_gradients_by_hand() -> None:
    """Least squares without cycle: of D₀ with w = 3, and of G₀ with v = 0.5 and shift 0.1.

    With a and b the means of x and y: ½ ∂/∂w ((w a − 1)² + (w f)²) = (w a − 1) a + w f², where
    f = v b + 0.1; and ∂/∂v (w f − 1)² = 2 (w f − 1) w b.
    """
    model = by_hand(cycle=0.0)
    batch = sample(model, 1)
    x, y = real(batch)
    a, b = float(x.mean()), float(y.mean())
    f = 0.5 * b + 0.1
    model(batch, "discriminators")["discrimination_loss"].sum().backward()
    slope = model.discriminators[0].weight.grad
    assert isinstance(slope, Tensor)
    assert float(slope) == pytest.approx((3 * a - 1) * a + 3 * f**2, rel=1e-4)
    model(batch, "generators")["loss"].sum().backward()
    slope = model.generators[0].weight.grad
    assert isinstance(slope, Tensor)
    assert float(slope) == pytest.approx(2 * (3 * f - 1) * 3 * b, rel=1e-4)


def test_ablations() -> None:
    batch = sample(small("cyclegan", blocks=1))
    model = small("cyclegan", blocks=1, cycle=0)
    terms = model(batch, "generators")
    assert set(terms) == {"loss", "adversarial"}, "identity is weighted relative to the cycle"
    torch.testing.assert_close(terms["loss"], terms["adversarial"])
    model = small("cyclegan", blocks=1, identity=0)
    assert set(model(batch, "generators")) == {"loss", "adversarial", "cycle"}
    model = small("cyclegan", blocks=1, adversarial=0)
    assert list(model.phases()) == ["generators"]
    assert reached(model, batch, "generators") == {"generators"}
    assert set(model(batch, "generators")) == {"loss", "cycle", "identity"}


@pytest.mark.parametrize("objective", get_args(Objective))
def test_each_loss_depends_on_the_parts_of_its_phase(objective: Objective) -> None:
    model = small("cyclegan", blocks=1, objective=objective, r1=1.0, ema=0.9)
    batch = sample(model)
    assert list(model.phases()) == ["generators", "discriminators"], "the generators are first"
    assert reached(model, batch, "discriminators") == {"discriminators"}
    assert reached(model, batch, "generators") == {"generators", "discriminators"}
    for phase in model.phases():
        model.zero_grad()
        model(batch, phase)[model.phases()[phase].loss].sum().backward()
        for network in getattr(model, phase):
            assert sum(float(weight.grad.abs().sum()) for weight in network.parameters()) > 0


def test_the_learning_rate_is_constant_then_falls_to_0() -> None:
    for phase in small("cyclegan", blocks=1).phases().values():
        rates = [phase.decay(done) for done in (0.0, 0.4, 0.5, 0.75, 1.0, 1.1)]
        assert rates == [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
        assert phase.betas == (0.5, 0.999)
    phase = small("cyclegan", blocks=1, constant=1.0).phases()["generators"]
    assert phase.decay(0.999) == phase.decay(1.1) == 1


def test_the_discriminators_see_images_of_the_pools_in_training() -> None:
    model = by_hand(pool=2)
    batch = sample(model, 3)
    _, y = real(batch)
    noise = torch.full((3, 4), -1.0)  # no exchange
    model(batch._replace(noise=noise), "discriminators")
    pool = model.pools[0].images
    assert pool is not None
    torch.testing.assert_close(pool, 0.5 * y[:2] + 0.1)
    swapped = model(batch._replace(noise=-noise), "discriminators")["discriminator_loss"]
    kept = model(batch._replace(noise=noise), "discriminators")["discriminator_loss"]
    assert not torch.equal(swapped, kept)
    before = [value.images for value in model.pools]
    model.eval()(batch._replace(noise=-noise), "discriminators")
    assert all(value.images is held for value, held in zip(model.pools, before, strict=True))
    assert list(model.memory()) == ["pool 0", "pool 1"]


def test_translation_by_target() -> None:
    model = by_hand().eval()
    images = sample(model).images
    targets = torch.tensor([[0], [1], [1], [0]])
    outputs = model.translate(images, 1 - targets, targets, torch.empty(4, 0))
    for row, target in enumerate(targets[:, 0].tolist()):
        signed = to_signed(images[row])
        expected = 0.5 * signed + 0.1 if target == 0 else 2 * signed - 0.3
        torch.testing.assert_close(outputs[row], (expected + 1) / 2)
    assert model.style_dim == 0


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3)])
def test_sizes(shape: Shape) -> None:
    model = small("cyclegan", shape, blocks=1)
    batch = sample(model, 2, shape)
    for phase in model.phases():
        assert all(term.shape == (2,) for term in model(batch, phase).values())
    targets = torch.tensor([[1], [0]])
    outputs = model.eval().translate(batch.images, 1 - targets, targets, torch.empty(2, 0))
    assert outputs.shape == batch.images.shape
    assert outputs.dtype == torch.float32
    assert outputs.min() >= 0
    assert outputs.max() <= 1


def test_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="found 64×48 images"):
        small("cyclegan", (64, 48, 3))
    with pytest.raises(ValueError, match="too small for a PatchGAN"):
        small("cyclegan", (32, 32, 3), layers=4)
    model = small("cyclegan", blocks=1)
    with pytest.raises(ValueError, match="found a batch without partner images"):
        model(sample(model)._replace(others=None), "generators")


def test_residual_blocks_by_size() -> None:
    assert blocks_for((256, 256, 3)) == 9
    assert blocks_for((128, 128, 3)) == blocks_for((96, 256, 3)) == 6


def test_signs_of_collapse_of_both_generators() -> None:
    model = small("cyclegan", blocks=1, stop_on_collapse=True).eval()
    terms = model(sample(model), "generators")
    names = {"diversity", "data_diversity", "diversity_back", "data_diversity_back"}
    assert names <= set(terms)
    assert model.collapse({"valid_diversity_back": 0.0, "valid_data_diversity_back": 0.4})


def test_the_average_of_the_weights_translates() -> None:
    model = small("cyclegan", blocks=1, ema=0.5).eval()
    images, targets = sample(model).images, torch.ones(4, 1, dtype=torch.long)
    before = model.translate(images, targets, targets, torch.empty(4, 0))
    nn.init.constant_(model.generators[1].layers[-2].bias, 3.0)
    assert torch.equal(model.translate(images, targets, targets, torch.empty(4, 0)), before)
    model.end_step()
    after = model.translate(images, targets, targets, torch.empty(4, 0))
    assert after.mean() > before.mean() + 0.1


def test_options() -> None:
    options = CycleGANOptions()
    assert options.objective == "least_squares"
    assert (options.cycle, options.identity, options.pool) == (10, 0.5, 50)
