"""ACAI: mixtures of codes, the targets of the critic, and the phases."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.acai import ACAI, MixtureCritic, alphas, blend
from tests.models.adversaries import reached, sample, small_model


def acai(**options: object) -> ACAI:
    model = small_model("acai", **{"maps": 4, **options})  # type: ignore[arg-type]
    assert isinstance(model, ACAI)
    return model


class ConstantCritic(nn.Module):
    """A critic with fixed estimates, which records its inputs."""

    def __init__(self, estimates: Tensor) -> None:
        super().__init__()
        self.estimates = estimates
        self.inputs = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        self.inputs = images
        return self.estimates


def test_alpha_is_uniform_between_0_and_a_half() -> None:
    shares = alphas(torch.randn(20_000, generator=torch.Generator().manual_seed(0)))
    assert shares.min() >= 0
    assert shares.max() <= 0.5
    expected = torch.linspace(0.05, 0.45, 9)
    quantiles = torch.quantile(shares, torch.linspace(0.1, 0.9, 9))
    torch.testing.assert_close(quantiles, expected, rtol=0, atol=0.01)


def test_alpha_is_the_share_of_the_own_code() -> None:
    codes = torch.tensor([[0.0], [1.0], [10.0]])
    mixed = blend(codes, torch.tensor([0.5, 0.25, 0.0]))
    torch.testing.assert_close(mixed, torch.tensor([[5.0], [0.25], [1.0]]))


def test_exact_estimates_have_no_loss() -> None:
    model = acai()
    batch = sample(model)
    shares = alphas(batch.noise[:, 0])
    model.critic = ConstantCritic(torch.cat([shares, torch.zeros(6)]))  # type: ignore[assignment]
    losses = model(batch, "criticism")
    assert losses["critic_loss"].abs().max() == 0
    assert losses["alpha_error"].abs().max() == 0
    model.critic = ConstantCritic(torch.full((12,), 0.1))  # type: ignore[assignment]
    expected = (0.1 - shares).square() + 0.1**2
    torch.testing.assert_close(model(batch, "criticism")["critic_loss"], expected)


@pytest.mark.parametrize("gamma", [0.0, 0.2, 1.0])
def test_inputs_of_the_critic(gamma: float) -> None:
    model = acai(gamma=gamma)
    batch = sample(model)
    critic = ConstantCritic(torch.zeros(12))
    model.critic = critic  # type: ignore[assignment]
    model(batch, "criticism")
    codes = model.encode(batch.images)
    mixed, real = critic.inputs.chunk(2)
    torch.testing.assert_close(
        real, gamma * batch.images + (1 - gamma) * model.decode(codes), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        mixed, model.decode(blend(codes, alphas(batch.noise[:, 0]))), rtol=1e-4, atol=1e-5
    )


def test_the_autoencoder_minimises_the_squared_estimate() -> None:
    model = acai(interpolation=0.5)
    batch = sample(model)
    model.critic = ConstantCritic(torch.full((6,), 0.3))  # type: ignore[assignment]
    losses = model(batch, "autoencoder")
    torch.testing.assert_close(losses["mixture"], torch.full((6,), 0.09))
    penalty = losses["loss"] - losses["reconstruction"]
    pixels = 32 * 32 * 3
    torch.testing.assert_close(
        penalty, torch.full((6,), pixels / 2 * 0.5 * 0.09), rtol=1e-3, atol=0
    )


def test_each_loss_depends_on_the_parts_of_its_phase() -> None:
    model = acai()
    batch = sample(model)
    assert model.phases()["autoencoder"].parts == ("encoder", "decoder")
    assert model.phases()["criticism"].parts == ("critic",)
    assert reached(model, batch, "autoencoder") == {"encoder", "decoder", "critic"}
    assert reached(model, batch, "criticism") == {"critic"}


def test_the_critic_learns_alpha() -> None:
    model = acai()
    batch = sample(model, images=16)
    optimizer = torch.optim.Adam(model.critic.parameters(), 1e-2)
    first = model(batch, "criticism")["critic_loss"].mean().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(batch, "criticism")["critic_loss"].mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < first / 4


@pytest.mark.parametrize("shape", [(16, 16, 1), (28, 20, 3), (64, 64, 3)])
def test_the_critic_takes_any_size(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    assert MixtureCritic(shape, 4)(torch.rand(3, channels, height, width)).shape == (3,)
