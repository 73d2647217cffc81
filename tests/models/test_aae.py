"""The adversarial autoencoder: phases, losses, priors, and convergence of codes to the prior."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.aae import AAE, component_means
from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.aae import AAEOptions
from tests.models.adversaries import reached, sample, small_model


def aae(**options: object) -> AAE:
    model = small_model("aae", **{"hidden": 16, **options})  # type: ignore[arg-type]
    assert isinstance(model, AAE)
    return model


def test_separate_phases_have_the_published_order() -> None:
    phases = aae(joint=False).phases()
    assert list(phases) == ["reconstruction", "discrimination", "regularisation"]
    assert [phase.parts for phase in phases.values()] == [
        ("encoder", "decoder"),
        ("discriminator",),
        ("encoder",),
    ]


def test_each_loss_depends_on_the_parts_of_its_phase() -> None:
    model = aae(joint=False)
    batch = sample(model)
    assert reached(model, batch, "reconstruction") == {"encoder", "decoder"}
    # The discriminator's loss has no gradient in the encoder.
    assert reached(model, batch, "discrimination") == {"discriminator"}
    assert reached(model, batch, "regularisation") == {"encoder", "discriminator"}


def test_the_joint_phase_minimises_the_weighted_sum() -> None:
    model = aae(regularisation=7.0)
    phases = model.phases()
    assert [phase.parts for phase in phases.values()] == [
        ("encoder", "decoder"),
        ("discriminator",),
    ]
    batch = sample(model)
    both = model(batch, "autoencoding")
    reconstruction = model(batch, "reconstruction")["reconstruction"]
    regularisation = model(batch, "regularisation")["regularisation_loss"]
    torch.testing.assert_close(both["reconstruction"], reconstruction)
    torch.testing.assert_close(both["loss"], reconstruction + 7 * regularisation)
    assert reached(model, batch, "autoencoding") == {"encoder", "decoder", "discriminator"}


@pytest.mark.parametrize("prior", ["normal", "mixture"])
def test_the_penalty_is_the_squared_slope_in_the_code(prior: str) -> None:
    model = aae(prior=prior, penalty=3.0)
    batch = sample(model)
    samples = model.prior(batch).requires_grad_()
    (slopes,) = torch.autograd.grad(model.logits(samples, batch.labels).sum(), samples)
    losses = model(batch, "discrimination")
    expected = losses["discriminator_loss"] + 1.5 * slopes.square().sum(1)
    torch.testing.assert_close(losses["discrimination_loss"], expected)
    with torch.no_grad():  # as in validation
        again = model(batch, "discrimination")["discrimination_loss"]
    torch.testing.assert_close(again, expected)


def test_initial_codes_are_centred_and_wide() -> None:
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


def test_the_losses_are_cross_entropies_of_samples_and_codes() -> None:
    model = aae()
    batch = sample(model)
    real = model.discriminator(batch.noise)
    fake = model.discriminator(model.encode(batch.images))
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    entropy = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        model(batch, "discrimination")["discriminator_loss"],
        entropy(real, ones, reduction="none") + entropy(fake, zeros, reduction="none"),
    )
    torch.testing.assert_close(
        model(batch, "regularisation")["regularisation_loss"],
        entropy(fake, ones, reduction="none"),
    )


def test_an_uninformative_discriminator_has_the_loss_two_log_two() -> None:
    model = aae()
    for weight in model.discriminator.parameters():
        nn.init.zeros_(weight)
    losses = model(sample(model), "discrimination")["discriminator_loss"]
    torch.testing.assert_close(losses, torch.full_like(losses, 2 * math.log(2)))


def test_the_prior_is_standard_normal_by_default() -> None:
    model = aae()
    batch = sample(model)
    assert model.noise_dim == model.latent_dim
    torch.testing.assert_close(model.prior(batch), batch.noise)
    model.check_labels(torch.tensor([-1, -1]))  # it needs no labels


def test_a_mixture_draws_from_the_component_of_the_label() -> None:
    model = aae(prior="mixture", components=4, radius=5.0)
    batch = Batch(torch.rand(5, 3, 32, 32), torch.zeros(5, 5), torch.tensor([0, 1, 2, 3, -1]))
    samples = model.prior(batch)
    expected = torch.tensor([[5.0, 0], [0, 5.0], [-5.0, 0], [0, -5.0]])
    torch.testing.assert_close(samples[:4, :2], expected, rtol=0, atol=1e-5)
    assert samples[:, 2:].abs().max() == 0
    # Without a label the last number of the noise, here the median, selects the component.
    torch.testing.assert_close(samples[4, :2], expected[2], rtol=0, atol=1e-5)


def test_unlabelled_images_are_spread_over_all_components() -> None:
    model = aae(prior="mixture", components=4, radius=100.0)
    noise = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.zeros(4000, 3, 1, 1), noise, torch.full((4000,), -1))
    means = component_means(4, 100.0, noise[:, :4])
    nearest = torch.cdist(model.prior(batch), means).argmin(1)
    assert (nearest.bincount(minlength=4).float() / 4000 - 0.25).abs().max() < 0.03


def test_the_discriminator_depends_on_the_label_with_a_mixture_only() -> None:
    model = aae(prior="mixture", components=4)
    codes = torch.zeros(2, 4)
    first, second = model.logits(codes, torch.tensor([0, 3]))
    assert first != second
    plain = aae()
    first, second = plain.logits(codes, torch.tensor([0, 3]))
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


def test_a_class_without_a_component_is_treated_as_unlabelled() -> None:
    model = aae(prior="mixture", components=2)
    batch = sample(model)
    without = batch._replace(labels=torch.full_like(batch.labels, -1))
    unknown = batch._replace(labels=torch.full_like(batch.labels, 2))
    for phase in model.phases():
        for name, values in model(unknown, phase).items():
            torch.testing.assert_close(values, model(without, phase)[name])


def test_the_mean_over_the_cells_of_the_initial_code_is_0() -> None:
    torch.manual_seed(0)
    weights, options = {"reconstruction": 1.0}, AAEOptions()
    model = AAE(ModelConfig((32, 32, 3), 8, "dense", "gaussian", 0.0, weights, options))
    mean = torch.rand(3, 32, 32)
    model.start_from(mean)
    cells = model.encode(mean[None]).view(4, 2)
    torch.testing.assert_close(cells.mean(0), torch.zeros(2), rtol=0, atol=1e-5)


def test_a_mixture_needs_two_latents() -> None:
    model = small_model("aae", latent_dim=1, prior="mixture")
    with pytest.raises(ValueError, match="latent_dim of 2 or more; found 1"):
        model.check_labels(torch.tensor([0, 1]))


class AffineEncoder(nn.Module):
    """An affine map of two pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(2, 2)
        with torch.no_grad():
            self.map.weight.copy_(torch.tensor([[3.0, 0.5], [0.0, 0.3]]))
            self.map.bias.copy_(torch.tensor([2.0, -1.0]))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.map(images.flatten(1))]


def test_codes_converge_to_the_prior_on_toy_data() -> None:
    model = small_model("aae", latent_dim=2, hidden=64, joint=False, penalty=1.0)
    assert isinstance(model, AAE)
    model.encoder = AffineEncoder()
    phases = model.phases()
    optimizers = {
        name: torch.optim.Adam(model.get_submodule(phases[name].parts[0]).parameters(), 5e-3)
        for name in ("discrimination", "regularisation")
    }
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(200, dtype=torch.int64)

    def new_batch() -> Batch:
        images = torch.randn(200, 2, 1, 1, generator=generator)
        return Batch(images, torch.randn(200, 2, generator=generator), labels)

    late = []
    for step in range(1200):
        batch = new_batch()
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            model(batch, name)[phases[name].loss].mean().backward()
            optimizer.step()
        if step >= 600:  # the codes oscillate about the prior: average over many steps
            late.append(model.encoder(torch.randn(200, 2, generator=generator))[0].detach())
    codes = torch.cat(late)
    assert codes.mean(0).abs().max() < 0.2
    assert (codes.T.cov() - torch.eye(2)).abs().max() < 0.25
