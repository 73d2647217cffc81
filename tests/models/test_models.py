"""The models' losses, term by term, against their equations."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from latent_atlas.config.registry import MODELS, ModelEntry, build
from latent_atlas.config.runs import check_options
from latent_atlas.models.base import Batch, Model, Recipe
from latent_atlas.models.vae import VAE, kl_to_standard_normal

OPTIONS = {key: value for entry in MODELS.values() for key, value in entry.options.items()}


def recipe(**changes: object) -> Recipe:
    values: dict[str, object] = {
        "shape": (32, 32, 3),
        "latent_dim": 4,
        "network": "conv",
        "likelihood": "bernoulli",
        "beta": 4.0,
        "weights": {"reconstruction": 1.0},
        "options": {},
    }
    return Recipe(**(values | changes))  # type: ignore[arg-type]


def batch(model: Model, images: int = 5, channels: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, channels, 32, 32, generator=generator),
        torch.randn(images, model.noise_dim, generator=generator),
        torch.zeros(images, dtype=torch.int64),
    )


def test_kl_is_the_divergence_between_two_normals() -> None:
    mean, log_variance = torch.randn(6, 3), torch.randn(6, 3)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)
    assert kl_to_standard_normal(torch.zeros(1, 1), torch.zeros(1, 1)).item() == 0


PLAIN = sorted(name for name, entry in MODELS.items() if "reconstruction" in entry.weights)

COMPARING = ("acai", "annealed_vae", "dip_vae_1", "dip_vae_2", "tcvae", "tvae")
"""Models with a loss that compares or mixes the images of a batch."""


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    "network",
    ["conv", "conv4_quarter", "mlp", "broadcast", "broadcast_small", "dense", "dense_broadcast"],
)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_model_keeps_the_contract(
    name: str, network: str, likelihood: str, channels: int
) -> None:
    model = build(
        name,
        recipe(
            network=network,
            likelihood=likelihood,
            shape=(32, 32, channels),
            options=MODELS[name].options,
        ),
    )
    given = batch(model, channels=channels)
    terms: list[str] = []
    for phase_name, phase in model.phases().items():
        losses = model(given, phase_name)
        terms += losses
        for values in losses.values():
            assert values.shape == (5,)
            assert values.dtype == torch.float32
        losses[phase.loss].sum().backward()
        moving = [model.get_submodule(part) for part in phase.parts] or [model]
        assert all(weight.grad is not None for part in moving for weight in part.parameters())
    assert {"loss", "reconstruction"} <= set(terms)
    assert len(terms) == len(set(terms)), "no two phases share a name"
    model.start_from(given.images[0])
    codes = model.encode(given.images)
    images = model.decode(codes)
    assert codes.shape == (5, 4)
    assert images.shape == given.images.shape
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in COMPARING])
def test_the_loss_of_an_image_does_not_depend_on_its_batch(name: str) -> None:
    model = build(name, recipe(options=MODELS[name].options)).eval()
    whole = batch(model)
    one = Batch(whole.images[2:3], whole.noise[2:3], whole.labels[2:3])
    torch.testing.assert_close(model(one)["loss"][0], model(whole)["loss"][2])


@pytest.mark.parametrize("name", PLAIN)
def test_a_batch_may_be_a_single_image(name: str) -> None:
    model = build(name, recipe(options=MODELS[name].options)).eval()
    for phase in model.phases():
        for values in model(batch(model, images=1), phase).values():
            assert values.shape == (1,)
            assert values.isfinite().all()


# Terms of `tcvae` and `tvae` are of the images of all processes, of which there is one at least.
@pytest.mark.parametrize("name", [name for name in PLAIN if name not in ("tcvae", "tvae")])
@pytest.mark.parametrize("network", ["mlp", "conv4_quarter", "dense"])
def test_a_process_may_have_no_image_of_the_last_batch(name: str, network: str) -> None:
    """Then it still takes part, with gradients of 0."""
    model = build(name, recipe(network=network, options=MODELS[name].options))
    for phase_name, phase in model.phases().items():
        losses = model(batch(model, images=0), phase_name)
        assert all(values.shape == (0,) for values in losses.values())
        losses[phase.loss].sum().backward()
        moving = [model.get_submodule(part) for part in phase.parts] or [model]
        weights = [weight for part in moving for weight in part.parameters()]
        assert all(weight.grad is not None and not weight.grad.any() for weight in weights)


@pytest.mark.parametrize("name", PLAIN)
def test_terms_stay_in_float32_whatever_the_networks_compute_in(name: str) -> None:
    model = build(name, recipe(options=MODELS[name].options)).eval()
    for phase in model.phases():
        with torch.autocast("cpu", torch.bfloat16):
            losses = model(batch(model), phase)
        assert {values.dtype for values in losses.values()} == {torch.float32}


@pytest.mark.parametrize("beta", [0.0, 1.0, 8.0])
def test_beta_weighs_the_latent_loss(beta: float) -> None:
    model = VAE(recipe(beta=beta, weights={"reconstruction": 0.5}))
    losses = model(batch(model))
    torch.testing.assert_close(losses["loss"], 0.5 * losses["reconstruction"] + beta * losses["kl"])


def test_a_vae_samples_with_the_noise_it_is_given() -> None:
    model = VAE(recipe(likelihood="gaussian"))
    given = batch(model)
    mean, log_variance = model.posterior(given.images)
    codes = mean + (log_variance / 2).exp() * given.noise
    expected = (model.decoder(codes) - given.images).square().flatten(1).sum(1) / 2
    torch.testing.assert_close(model(given)["reconstruction"], expected)


def test_a_deterministic_autoencoder_needs_no_noise() -> None:
    model = build("ae", recipe())
    assert model.noise_dim == 0
    assert model.log_variance(batch(model).images) is None


def test_starting_from_the_mean_image_gives_it_about() -> None:
    mean = torch.full((3, 32, 32), 0.05)
    model = build("vae", recipe())
    model.start_from(mean)
    start = model.decode(torch.zeros(1, 4)).mean().item()
    assert start == pytest.approx(0.05, abs=0.02)


def test_options_are_checked_against_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ModelEntry(
        "vae:VAE",
        beta=None,
        options={"margin": 1.0, "distance": "l2", "mine": True},
        choices={"distance": ("l1", "l2")},
    )
    monkeypatch.setitem(MODELS, "triplet", entry)
    assert check_options("triplet", {"margin": 2}) == {"margin": 2, "distance": "l2", "mine": True}
    with pytest.raises(ValueError, match="no option 'margn'; did you mean 'margin'"):
        check_options("triplet", {"margn": 2})
    with pytest.raises(ValueError, match=r"options.distance: found 'l3', expected one of l1, l2"):
        check_options("triplet", {"distance": "l3"})
    for wrong in ({"margin": "wide"}, {"margin": True}, {"distance": 2}, {"mine": 1}):
        with pytest.raises(ValueError, match=f"options.{next(iter(wrong))}: found"):
            check_options("triplet", wrong)
