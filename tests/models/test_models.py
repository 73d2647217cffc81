"""All models: the interface of `Model`, and the losses against their equations."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from latent_atlas.config.registry import MODELS, options_of
from latent_atlas.models.base import Autoencoder, Batch, ModelConfig
from latent_atlas.models.build import build
from latent_atlas.models.vae import VAE, kl_to_standard_normal


def config(**changes: object) -> ModelConfig:
    values: dict[str, object] = {
        "shape": (32, 32, 3),
        "latent_dim": 4,
        "network": "conv",
        "likelihood": "bernoulli",
        "beta": 4.0,
        "weights": {"reconstruction": 1.0},
    }
    return ModelConfig(**(values | changes))  # type: ignore[arg-type]


def new_batch(model: Autoencoder, images: int = 5, channels: int = 3) -> Batch:
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
def test_every_model_implements_the_interface(
    name: str, network: str, likelihood: str, channels: int
) -> None:
    model = build(
        name,
        config(
            network=network,
            likelihood=likelihood,
            shape=(32, 32, channels),
            options=options_of(name)(),
        ),
    )
    batch = new_batch(model, channels=channels)
    terms: list[str] = []
    for phase_name, phase in model.phases().items():
        losses = model(batch, phase_name)
        terms += losses
        for values in losses.values():
            assert values.shape == (5,)
            assert values.dtype == torch.float32
        losses[phase.loss].sum().backward()
        moving = [model.get_submodule(part) for part in phase.parts] or [model]
        assert all(weight.grad is not None for part in moving for weight in part.parameters())
    assert {"loss", "reconstruction"} <= set(terms)
    assert len(terms) == len(set(terms)), "no two phases share a name"
    model.start_from(batch.images[0])
    codes = model.encode(batch.images)
    images = model.decode(codes)
    assert codes.shape == (5, 4)
    assert images.shape == batch.images.shape
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in COMPARING])
def test_the_loss_of_an_image_does_not_depend_on_its_batch(name: str) -> None:
    model = build(name, config(options=options_of(name)())).eval()
    whole = new_batch(model)
    one = Batch(whole.images[2:3], whole.noise[2:3], whole.labels[2:3])
    torch.testing.assert_close(model(one)["loss"][0], model(whole)["loss"][2])


@pytest.mark.parametrize("name", PLAIN)
def test_a_batch_may_be_a_single_image(name: str) -> None:
    model = build(name, config(options=options_of(name)())).eval()
    for phase in model.phases():
        for values in model(new_batch(model, images=1), phase).values():
            assert values.shape == (1,)
            assert values.isfinite().all()


# Terms of `tcvae` and `tvae` need the images of all processes, at least one in total.
@pytest.mark.parametrize("name", [name for name in PLAIN if name not in ("tcvae", "tvae")])
@pytest.mark.parametrize("network", ["mlp", "conv4_quarter", "dense"])
def test_a_process_may_have_no_image_of_the_last_batch(name: str, network: str) -> None:
    """Its gradients are 0, and it takes part in the update."""
    model = build(name, config(network=network, options=options_of(name)()))
    for phase_name, phase in model.phases().items():
        losses = model(new_batch(model, images=0), phase_name)
        assert all(values.shape == (0,) for values in losses.values())
        losses[phase.loss].sum().backward()
        moving = [model.get_submodule(part) for part in phase.parts] or [model]
        weights = [weight for part in moving for weight in part.parameters()]
        assert all(weight.grad is not None and not weight.grad.any() for weight in weights)


@pytest.mark.parametrize("name", PLAIN)
def test_terms_are_float32_in_mixed_precision(name: str) -> None:
    model = build(name, config(options=options_of(name)())).eval()
    for phase in model.phases():
        with torch.autocast("cpu", torch.bfloat16):
            losses = model(new_batch(model), phase)
        assert {values.dtype for values in losses.values()} == {torch.float32}


@pytest.mark.parametrize("beta", [0.0, 1.0, 8.0])
def test_beta_weighs_the_kl(beta: float) -> None:
    model = VAE(config(beta=beta, weights={"reconstruction": 0.5}))
    losses = model(new_batch(model))
    torch.testing.assert_close(losses["loss"], 0.5 * losses["reconstruction"] + beta * losses["kl"])


def test_a_vae_samples_with_the_noise_of_the_batch() -> None:
    model = VAE(config(likelihood="gaussian"))
    batch = new_batch(model)
    mean, log_variance = model.posterior(batch.images)
    codes = mean + (log_variance / 2).exp() * batch.noise
    expected = (model.decoder(codes) - batch.images).square().flatten(1).sum(1) / 2
    torch.testing.assert_close(model(batch)["reconstruction"], expected)


def test_a_deterministic_autoencoder_needs_no_noise() -> None:
    model = build("ae", config())
    assert model.noise_dim == 0
    assert model.log_variance(new_batch(model).images) is None


def test_an_untrained_decoder_outputs_about_the_mean_image() -> None:
    mean = torch.full((3, 32, 32), 0.05)
    model = build("vae", config())
    model.start_from(mean)
    start = model.decode(torch.zeros(1, 4)).mean().item()
    assert start == pytest.approx(0.05, abs=0.02)
