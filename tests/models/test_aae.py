"""The adversarial autoencoder: who moves in which phase, its priors, and that codes become them."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.config.registry import MODELS
from latent_atlas.models.aae import AAE, component_means
from latent_atlas.models.base import Batch, Recipe
from tests.models.adversaries import reached, sample, small_model


def aae(**options: object) -> AAE:
    model = small_model("aae", **{"hidden": 16, **options})  # type: ignore[arg-type]
    assert isinstance(model, AAE)
    return model


def test_three_phases_in_makhzanis_order() -> None:
    phases = aae(joint=False).phases()
    assert list(phases) == ["reconstruction", "discrimination", "regularisation"]
    assert [phase.parts for phase in phases.values()] == [
        ("encoder", "decoder"),
        ("discriminator",),
        ("encoder",),
    ]


def test_each_loss_depends_on_the_parts_of_its_phase() -> None:
    model = aae(joint=False)
    given = sample(model)
    assert reached(model, given, "reconstruction") == {"encoder", "decoder"}
    # The discriminator's own loss never reaches the encoder that it judges.
    assert reached(model, given, "discrimination") == {"discriminator"}
    assert reached(model, given, "regularisation") == {"encoder", "discriminator"}


def test_jointly_the_encoder_moves_once_by_the_weighted_sum() -> None:
    model = aae(regularisation=7.0)
    phases = model.phases()
    assert [phase.parts for phase in phases.values()] == [
        ("encoder", "decoder"),
        ("discriminator",),
    ]
    given = sample(model)
    both = model(given, "autoencoding")
    generation = model(given, "reconstruction")["reconstruction"]
    regularisation = model(given, "regularisation")["regularisation_loss"]
    torch.testing.assert_close(both["reconstruction"], generation)
    torch.testing.assert_close(both["loss"], generation + 7 * regularisation)
    assert reached(model, given, "autoencoding") == {"encoder", "decoder", "discriminator"}


@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_the_penalty_is_of_the_slope_in_the_code(prior: str) -> None:
    model = aae(prior=prior, penalty=3.0)
    given = sample(model)
    samples = model.prior(given).requires_grad_()
    (slopes,) = torch.autograd.grad(model._judge(samples, given.labels).sum(), samples)
    losses = model(given, "discrimination")
    expected = losses["discriminator_loss"] + 1.5 * slopes.square().sum(1)
    torch.testing.assert_close(losses["discrimination_loss"], expected)
    with torch.no_grad():  # as in validation
        again = model(given, "discrimination")["discrimination_loss"]
    torch.testing.assert_close(again, expected)


def test_codes_begin_about_the_origin_and_wide() -> None:
    model, plain = small_model("aae", latent_dim=32), small_model("ae", latent_dim=32)
    images = torch.rand(200, 3, 1, 1, generator=torch.Generator().manual_seed(2))
    ramp = torch.linspace(0, 1, 32).expand(3, 32, 32)
    images = images * ramp + (1 - images) * ramp.transpose(1, 2)
    for one in (model, plain):
        one.start_from(images.mean(0))
    with torch.no_grad():
        wide, narrow = model.encode(images), plain.encode(images)
        assert model.encode(images.mean(0)[None]).abs().max() < 1e-5
    assert wide.std(0).mean() > 0.05
    assert wide.std(0).mean() > 10 * narrow.std(0).mean()


def test_the_losses_are_cross_entropies_of_the_two_answers() -> None:
    model = aae()
    given = sample(model)
    real = model.discriminator(given.noise)
    fake = model.discriminator(model.encode(given.images))
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    entropy = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        model(given, "discrimination")["discriminator_loss"],
        entropy(real, ones, reduction="none") + entropy(fake, zeros, reduction="none"),
    )
    torch.testing.assert_close(
        model(given, "regularisation")["regularisation_loss"],
        entropy(fake, ones, reduction="none"),
    )


def test_one_that_cannot_tell_has_the_loss_two_log_two() -> None:
    model = aae()
    for weight in model.discriminator.parameters():
        nn.init.zeros_(weight)
    losses = model(sample(model), "discrimination")["discriminator_loss"]
    torch.testing.assert_close(losses, torch.full_like(losses, 2 * math.log(2)))


def test_the_prior_is_standard_normal_by_default() -> None:
    model = aae()
    given = sample(model)
    assert model.noise_dim == model.latent_dim
    torch.testing.assert_close(model.prior(given), given.noise)
    model.check_labels(torch.tensor([-1, -1]))  # it needs no labels


def test_a_mixture_draws_from_the_component_of_the_label() -> None:
    model = aae(prior="mixture", components=4, radius=5.0)
    given = Batch(torch.rand(5, 3, 32, 32), torch.zeros(5, 5), torch.tensor([0, 1, 2, 3, -1]))
    samples = model.prior(given)
    expected = torch.tensor([[5.0, 0], [0, 5.0], [-5.0, 0], [0, -5.0]])
    torch.testing.assert_close(samples[:4, :2], expected, rtol=0, atol=1e-5)
    assert samples[:, 2:].abs().max() == 0
    # Without a label the last number of the noise, here the median, chooses.
    torch.testing.assert_close(samples[4, :2], expected[2], rtol=0, atol=1e-5)


def test_unlabelled_images_are_spread_over_all_components() -> None:
    model = aae(prior="mixture", components=4, radius=100.0)
    noise = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0))
    given = Batch(torch.zeros(4000, 3, 1, 1), noise, torch.full((4000,), -1))
    means = component_means(4, 100.0, noise[:, :4])
    nearest = torch.cdist(model.prior(given), means).argmin(1)
    assert (nearest.bincount(minlength=4).float() / 4000 - 0.25).abs().max() < 0.03


def test_the_discriminator_is_told_the_label() -> None:
    model = aae(prior="mixture", components=4)
    codes = torch.zeros(2, 4)
    first, second = model._judge(codes, torch.tensor([0, 3]))
    assert first != second
    alone = aae()
    first, second = alone._judge(codes, torch.tensor([0, 3]))
    assert first == second


@pytest.mark.parametrize(
    ("labels", "options", "expected"),
    [
        ([-1, -1], {}, "needs labels, and these images have none"),
        ([0, 12], {"components": 10}, "10 components .* 13 classes"),
    ],
)
def test_labels_that_do_not_fit_the_mixture_are_refused(
    labels: list[int], options: dict[str, int], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        aae(prior="mixture", **options).check_labels(torch.tensor(labels))


def test_a_class_of_validation_images_alone_has_no_component() -> None:
    model = aae(prior="mixture", components=2)
    given = sample(model)
    without = given._replace(labels=torch.full_like(given.labels, -1))
    unknown = given._replace(labels=torch.full_like(given.labels, 2))
    for phase in model.phases():
        for name, values in model(unknown, phase).items():
            torch.testing.assert_close(values, model(without, phase)[name])


def test_a_code_of_cells_starts_about_0() -> None:
    torch.manual_seed(0)
    weights, options = {"reconstruction": 1.0}, MODELS["aae"].options
    model = AAE(Recipe((32, 32, 3), 8, "dense", "gaussian", 0.0, weights, options))
    mean = torch.rand(3, 32, 32)
    model.start_from(mean)
    cells = model.encode(mean[None]).view(4, 2)
    torch.testing.assert_close(cells.mean(0), torch.zeros(2), rtol=0, atol=1e-5)


def test_a_mixture_needs_a_plane() -> None:
    model = small_model("aae", latent_dim=1, prior="mixture")
    with pytest.raises(ValueError, match="at least 2, found 1"):
        model.check_labels(torch.tensor([0, 1]))


class Stretch(nn.Module):
    """Stands for an encoder: an affine map of two pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(2, 2)
        with torch.no_grad():
            self.map.weight.copy_(torch.tensor([[3.0, 0.5], [0.0, 0.3]]))
            self.map.bias.copy_(torch.tensor([2.0, -1.0]))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.map(images.flatten(1))]


def test_codes_take_the_shape_of_the_prior_on_toy_data() -> None:
    model = small_model("aae", latent_dim=2, hidden=64, joint=False, penalty=1.0)
    assert isinstance(model, AAE)
    model.encoder = Stretch()
    phases = model.phases()
    optimizers = {
        name: torch.optim.Adam(model.get_submodule(phases[name].parts[0]).parameters(), 5e-3)
        for name in ("discrimination", "regularisation")
    }
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(200, dtype=torch.int64)

    def draw() -> Batch:
        images = torch.randn(200, 2, 1, 1, generator=generator)
        return Batch(images, torch.randn(200, 2, generator=generator), labels)

    seen = []
    for step in range(1200):
        batch = draw()
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            model(batch, name)[phases[name].loss].mean().backward()
            optimizer.step()
        if step >= 600:  # the play circles around its balance: look at its mean
            seen.append(model.encoder(torch.randn(200, 2, generator=generator))[0].detach())
    codes = torch.cat(seen)
    assert codes.mean(0).abs().max() < 0.2
    assert (codes.T.cov() - torch.eye(2)).abs().max() < 0.25
