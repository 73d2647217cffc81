"""MUNIT: published sizes, losses worked by hand, phases, schedule, styles, and resumption."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from latent_atlas.data.store import Store
from latent_atlas.models.base import Batch, Shape
from latent_atlas.models.options.munit import MUNITOptions
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.munit import (
    MUNIT,
    StyleAutoencoder,
    adaptive_norm,
    pyramid,
    scale_discriminator,
    scales_of,
)
from tests.models.translation import translators
from tests.models.translation.translators import KilledError, kill_after, run_of, sample, train

MakeStore = Callable[..., Store]
SMALL: dict[str, Any] = {"blocks": 1, "mlp": 64}


def munit(shape: Shape = (32, 32, 3), **options: object) -> MUNIT:
    settings: dict[str, Any] = {**SMALL, **options}
    model = translators.small("munit", shape, **settings)
    assert isinstance(model, MUNIT)
    return model


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_published_numbers_of_parameters() -> None:
    """Huang et al. 2018, appendix B.2, with biases in all convolutions as in the authors' code."""
    entry = (49 * 3 * 64 + 64) + (16 * 64 * 128 + 128) + (16 * 128 * 256 + 256)
    convolution = 9 * 256**2 + 256
    content = entry + 4 * 2 * convolution
    style = entry + 2 * (16 * 256**2 + 256) + (256 * 8 + 8)
    # Four blocks of two norms of 256 gains and 256 biases each: 4,096 outputs.
    perceptron = (8 * 256 + 256) + (256 * 256 + 256) + (256 * 4096 + 4096)
    up = (25 * 256 * 128 + 128 + 2 * 128) + (25 * 128 * 64 + 64 + 2 * 64)
    decoder = 4 * 2 * convolution + up + (49 * 64 * 3 + 3)
    network = StyleAutoencoder(3, MUNITOptions())
    assert parameters(network.content) == content
    assert parameters(network.style) == style
    assert parameters(network.perceptron) == perceptron
    assert parameters(network) == content + style + perceptron + decoder == 15_026_187
    maps = (3, 64, 128, 256, 512)
    scale = sum(16 * a * b + b for a, b in pairwise(maps)) + 512 + 1
    assert parameters(scale_discriminator(3, 4)) == scale == 2_757_057


class ToyAutoencoder(StyleAutoencoder):
    """Content: the mean of an image. Style: twice the mean. Image: content plus mean style."""

    def __init__(self) -> None:
        super().__init__(1, MUNITOptions.model_validate({"width": 0.02, **SMALL}))
        self.content = nn.Sequential(nn.AdaptiveAvgPool2d(1))
        self.style = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Twice())

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        return (content + style.mean(1)[:, None, None, None]).expand(-1, 1, 32, 32)


class Twice(nn.Module):
    """B×1 to twice the number, eight times."""

    def forward(self, values: Tensor) -> Tensor:
        return 2 * values.expand(-1, 8)


class Mean(nn.Module):
    """p times the mean of the pixels, as the logit of a single patch."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        return self.p * images.mean((1, 2, 3))[:, None, None]


def toy(**options: object) -> tuple[MUNIT, Batch]:
    """Images of 0.5 and −0.5, and drawn styles of 0.2 in domain 0 and of −0.4 in domain 1."""
    settings = MUNITOptions.model_validate({"width": 0.02, **SMALL, **options})
    model = MUNIT(TranslatorConfig((32, 32, 1), (2,), options=settings))
    assert model.scales == 2
    model.generators = nn.ModuleList([ToyAutoencoder(), ToyAutoencoder()])
    model.discriminators = nn.ModuleList(nn.ModuleList([Mean(), Mean()]) for _ in range(2))
    first, second = torch.full((1, 1, 32, 32), 0.75), torch.full((1, 1, 1, 32, 32), 0.25)
    noise = torch.cat([torch.full((1, 8), 0.2), torch.full((1, 8), -0.4)], 1)
    return model, Batch(first, noise, torch.tensor([0]), others=second)


def test_the_autoencoders_loss_by_hand() -> None:
    model, batch = toy(cycle=2.0)
    terms = model(batch, "generators")
    # The translations are y_0 = −0.5 + 0.2 = −0.3 and y_1 = 0.5 − 0.4 = 0.1, on both scales.
    expected = {
        "adversarial": 2 * ((-0.3 - 1) ** 2 + (0.1 - 1) ** 2),
        "image": abs(0.5 + 1 - 0.5) + abs(-0.5 - 1 + 0.5),
        "style": abs(-0.6 - 0.2) + abs(0.2 + 0.4),
        "content": abs(-0.3 + 0.5) + abs(0.1 - 0.5),
        # y_0 back with the style −1 of its source, y_1 with the style 1.
        "cycle": abs(-0.3 - 1 + 0.5) + abs(0.1 + 1 - 0.5),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, abs=1e-6), name
    # 5.0 + 10 · 2.0 + 1.4 + 0.6 + 2 · 1.4
    assert terms["loss"].item() == pytest.approx(29.8)
    without = toy()[0](batch, "generators")
    assert without["loss"].item() == pytest.approx(27.0)
    assert "cycle" not in without


def test_the_discriminators_loss_by_hand() -> None:
    model, batch = toy()
    terms = model(batch, "discriminators")
    # (0.5 − 1)² + 0.3² and (−0.5 − 1)² + 0.1², on two scales each.
    expected = 2 * (0.25 + 0.09 + 2.25 + 0.01)
    assert terms["discrimination_loss"].item() == pytest.approx(expected)
    # Real images: 0.5 and −0.5 do not exceed ½. Translations: both are below it.
    assert terms["discriminator_accuracy"].item() == pytest.approx(0.5)
    terms["discrimination_loss"].sum().backward()
    # d/dp ((p x − 1)² + (p y)²) = 2 x (p x − 1) + 2 p y²
    slopes = [2 * 0.5 * (0.5 - 1) + 2 * 0.09, 2 * -0.5 * (-0.5 - 1) + 2 * 0.01]
    for domain, slope in enumerate(slopes):
        for scale in range(2):
            gradient = model.get_parameter(f"discriminators.{domain}.{scale}.p").grad
            assert gradient is not None
            assert gradient.item() == pytest.approx(slope)


def test_adaptive_norm_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]])  # means 2 and 2, deviations 1 and 2
    parameters = torch.tensor([[10.0, 20.0, 0.5, 3.0]])  # biases, then gains
    found = adaptive_norm(maps, parameters)
    expected = torch.tensor([[[[9.5, 10.5]], [[17.0, 23.0]]]])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_pyramid_by_hand() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    first, second = pyramid(image, 2)
    assert first is image
    # Means over the pixels inside the image of 3×3 windows about (0, 0), (0, 2), (2, 0), (2, 2).
    assert second[0, 0].tolist() == [[2.5, 4.0], [8.5, 10.0]]


def test_each_loss_moves_the_part_of_its_phase() -> None:
    model = munit()
    phases = model.phases()
    assert [(name, phase.parts) for name, phase in phases.items()] == [
        ("discriminators", ("discriminators",)),
        ("generators", ("generators",)),
    ]
    for phase in phases.values():
        assert phase.betas == (0.5, 0.999)
        assert phase.weight_decay == 1e-4
        steps = (0, 99_999, 100_000, 200_000)
        assert [phase.rate(step) for step in steps] == [1.0, 1.0, 0.5, 0.25]
    batch = sample(model)
    assert translators.reached(model, batch, "discriminators") == {"discriminators"}
    assert translators.reached(model, batch, "generators") == {"generators", "discriminators"}


def test_every_weight_learns() -> None:
    model = munit(cycle=1.0)
    translators.reached(model, sample(model), "generators")
    still = [
        name
        for name, weight in model.generators.named_parameters()
        if weight.grad is None or weight.grad.abs().sum() == 0
    ]
    assert not still


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3), (64, 64, 1)])
def test_sizes_and_channels(shape: Shape) -> None:
    model = munit(shape)
    batch = sample(model, 3, shape)
    for name in model.phases():
        for values in model(batch, name).values():
            assert values.shape == (3,)
            assert values.dtype == torch.float32
            assert values.isfinite().all()
    domain = torch.tensor([[0], [1], [0]])
    outputs = model.translate(batch.images, domain, 1 - domain, torch.randn(3, 8))
    assert outputs.shape == batch.images.shape
    assert outputs.dtype == torch.float32
    assert (outputs.min() >= 0) and (outputs.max() <= 1)


@pytest.mark.parametrize(("side", "scales"), [(32, 2), (64, 3), (128, 3), (256, 3)])
def test_small_images_have_fewer_scales(side: int, scales: int) -> None:
    assert scales_of((side, 2 * side, 3), 3, 4) == scales


def test_narrow_discriminators_start_with_outputs_of_the_same_size() -> None:
    images = torch.rand(8, 3, 64, 64) * 2 - 1
    wide, narrow = (scale_discriminator(3, 4, width)(images).square().mean() for width in (1, 0.1))
    assert 0.05 < narrow / wide < 20


@pytest.mark.parametrize("objective", ["wgan_gp", "bce"])
def test_penalties_of_other_objectives(objective: str) -> None:
    plain, penalised = munit(objective=objective), munit(objective=objective, r1=10.0)
    batch = sample(plain)
    torch.manual_seed(0)
    terms = plain(batch, "discriminators")
    has_penalty = bool((terms["discrimination_loss"] > terms["discriminator_loss"]).all())
    assert has_penalty == (objective == "wgan_gp")
    torch.manual_seed(0)
    more = penalised(batch, "discriminators")["discrimination_loss"]
    assert (more > terms["discrimination_loss"]).all()


def test_bfloat16() -> None:
    model = munit()
    with torch.autocast("cpu", torch.bfloat16):
        for name, phase in model.phases().items():
            loss = model(sample(model), name)[phase.loss]
            assert loss.dtype == torch.float32
            loss.mean().backward()


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((48, 32, 3), {}, "found 48×32 images, .* multiples of 32"),
        ((32, 32, 3), {"layers": 6}, "found 32×32 images, too small .* 6 layers"),
    ],
)
def test_wrong_sizes_are_refused(shape: Shape, options: dict[str, int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        munit(shape, **options)


def test_translations_depend_on_target_and_noise() -> None:
    model = munit().eval()
    image = torch.rand(1, 3, 32, 32)
    zero, one = torch.tensor([[0]]), torch.tensor([[1]])
    first, second = torch.randn(2, 1, model.style_dim)
    with torch.no_grad():
        changed = model.translate(image, zero, one, first)
        assert not torch.equal(changed, model.translate(image, zero, one, second))
        assert not torch.equal(changed, model.translate(image, one, zero, first))
        same = model.translate(image, zero, zero, first)
        assert torch.equal(same, model.translate(image, zero, zero, second)), "its own style"
        assert not torch.equal(same, model.translate(image, one, one, first))


def test_a_mixed_batch_is_translated_image_by_image() -> None:
    model = munit().eval()
    images, noise = torch.rand(4, 3, 32, 32), torch.randn(4, model.style_dim)
    own, wanted = torch.tensor([[0], [0], [1], [1]]), torch.tensor([[0], [1], [0], [1]])
    with torch.no_grad():
        together = model.translate(images, own, wanted, noise)
        for place in range(4):
            row = slice(place, place + 1)
            single = model.translate(images[row], own[row], wanted[row], noise[row])
            torch.testing.assert_close(together[row], single)


def test_both_phases_translate_with_the_noise_of_the_batch() -> None:
    model = munit()
    batch = sample(model)
    assert batch.noise.shape[1] == model.noise_dim == 2 * model.style_dim
    for name, phase in model.phases().items():
        whole = model(batch, name)[phase.loss]
        for half in range(2):
            noise = batch.noise.clone()
            noise[:, half * model.style_dim :][:, : model.style_dim] += 1
            assert not torch.equal(whole, model(batch._replace(noise=noise), name)[phase.loss])


def test_the_average_translates() -> None:
    model = munit(ema=0.5).eval()
    image, noise = torch.rand(1, 3, 32, 32), torch.randn(1, 8)
    zero, one = torch.tensor([[0]]), torch.tensor([[1]])
    with torch.no_grad():
        before = model.translate(image, zero, one, noise)
        for weight in model.generators.parameters():
            weight.add_(0.1)
        assert torch.equal(before, model.translate(image, zero, one, noise))
        model.end_step()
        assert not torch.equal(before, model.translate(image, zero, one, noise))


def test_a_killed_training_ends_with_the_same_bits(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = make_store(), run_of("munit", ema=0.9, halving=2, **SMALL)
    train(run, store, tmp_path / "whole")
    alive = kill_after(4, monkeypatch)
    with pytest.raises(KilledError):
        train(run, store, tmp_path / "cut")
    alive()
    train(run, store, tmp_path / "cut")
    for file in ("weights.safetensors", "history.csv", "config.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()
    history = pd.read_csv(tmp_path / "cut" / "history.csv")
    terms = {"loss", "image", "style", "content", "discriminator_accuracy"}
    assert {f"{split}_{term}" for split in ("train", "valid") for term in terms} <= set(history)
    assert {"valid_diversity", "valid_diversity_back"} <= set(history)
    assert history["valid_image"].iloc[-1] < history["valid_image"].iloc[0]
