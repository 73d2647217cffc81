"""The critic of interpolations: its target, and who moves in which phase."""

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


class Says(nn.Module):
    """A critic that says these numbers, whatever it sees, and remembers that."""

    def __init__(self, said: Tensor) -> None:
        super().__init__()
        self.said = said
        self.seen = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return self.said


def test_alpha_is_uniform_between_nothing_and_a_half() -> None:
    shares = alphas(torch.randn(20_000, generator=torch.Generator().manual_seed(0)))
    assert shares.min() >= 0
    assert shares.max() <= 0.5
    expected = torch.linspace(0.05, 0.45, 9)
    found = torch.quantile(shares, torch.linspace(0.1, 0.9, 9))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.01)


def test_a_mixture_takes_alpha_of_its_own_code() -> None:
    codes = torch.tensor([[0.0], [1.0], [10.0]])
    mixed = blend(codes, torch.tensor([0.5, 0.25, 0.0]))
    torch.testing.assert_close(mixed, torch.tensor([[5.0], [0.25], [1.0]]))


def test_a_critic_that_knows_alpha_and_the_real_ones_has_no_loss() -> None:
    model = acai()
    given = sample(model)
    shares = alphas(given.noise[:, 0])
    model.critic = Says(torch.cat([shares, torch.zeros(6)]))  # type: ignore[assignment]
    losses = model(given, "criticism")
    assert losses["critic_loss"].abs().max() == 0
    assert losses["alpha_error"].abs().max() == 0
    model.critic = Says(torch.full((12,), 0.1))  # type: ignore[assignment]
    expected = (0.1 - shares).square() + 0.1**2
    torch.testing.assert_close(model(given, "criticism")["critic_loss"], expected)


@pytest.mark.parametrize("gamma", [0.0, 0.2, 1.0])
def test_what_the_critic_shall_call_real(gamma: float) -> None:
    model = acai(gamma=gamma)
    given = sample(model)
    critic = Says(torch.zeros(12))
    model.critic = critic  # type: ignore[assignment]
    model(given, "criticism")
    codes = model.encode(given.images)
    mixed, real = critic.seen.chunk(2)
    torch.testing.assert_close(
        real, gamma * given.images + (1 - gamma) * model.decode(codes), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        mixed, model.decode(blend(codes, alphas(given.noise[:, 0]))), rtol=1e-4, atol=1e-5
    )


def test_the_autoencoder_wants_the_critic_to_say_nothing() -> None:
    model = acai(interpolation=0.5)
    given = sample(model)
    model.critic = Says(torch.full((6,), 0.3))  # type: ignore[assignment]
    losses = model(given, "autoencoder")
    torch.testing.assert_close(losses["mixture"], torch.full((6,), 0.09))
    penalty = losses["loss"] - losses["reconstruction"]
    pixels = 32 * 32 * 3
    torch.testing.assert_close(
        penalty, torch.full((6,), pixels / 2 * 0.5 * 0.09), rtol=1e-3, atol=0
    )


def test_each_loss_depends_on_the_parts_of_its_phase() -> None:
    model = acai()
    given = sample(model)
    assert model.phases()["autoencoder"].parts == ("encoder", "decoder")
    assert model.phases()["criticism"].parts == ("critic",)
    assert reached(model, given, "autoencoder") == {"encoder", "decoder", "critic"}
    assert reached(model, given, "criticism") == {"critic"}


def test_the_critic_learns_alpha() -> None:
    model = acai()
    given = sample(model, images=16)
    optimizer = torch.optim.Adam(model.critic.parameters(), 1e-2)
    first = model(given, "criticism")["critic_loss"].mean().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(given, "criticism")["critic_loss"].mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < first / 4


@pytest.mark.parametrize("shape", [(16, 16, 1), (28, 20, 3), (64, 64, 3)])
def test_the_critic_takes_any_size(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    assert MixtureCritic(shape, 4)(torch.rand(3, channels, height, width)).shape == (3,)
