"""StarGAN: published sizes, losses worked by hand, phases, schedule, training and resumption."""

from __future__ import annotations

import math
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
from latent_atlas.models.options.stargan import StarGANOptions
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.stargan import AttributeDiscriminator, StarGAN
from tests.models.translation import translators
from tests.models.translation.translators import KilledError, kill_after, run_of, sample, train

MakeStore = Callable[..., Store]


def stargan(shape: Shape = (32, 32, 3), **options: object) -> StarGAN:
    settings: dict[str, Any] = {"blocks": 1, **options}
    model = translators.small("stargan", shape, **settings)
    assert isinstance(model, StarGAN)
    return model


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(("sizes", "classifier"), [((3, 2), 40_960), ((8,), 65_536)])
def test_the_published_numbers_of_parameters(sizes: tuple[int, ...], classifier: int) -> None:
    """Choi et al. 2018, appendix 7.2, at 128 pixels, with 5 values (CelebA) and with 8 (RaFD).

    Generator: 7×7 with 3 + values maps to 64, 4×4 to 128 and 256, six blocks of two 3×3, the
    transposes, 7×7 to 3; two numbers per map of each norm, no biases. Discriminator: 4×4 from 3 to
    64, 128 … 2,048 with biases, then 3×3 to 1 and 2×2 to the values without.
    """
    values = sum(sizes)
    model = StarGAN(TranslatorConfig((128, 128, 3), sizes, options=StarGANOptions()))
    ends = 49 * 64 * (3 + values) + 49 * 64 * 3
    levels = 2 * 16 * (64 * 128 + 128 * 256)
    blocks = 6 * (2 * 9 * 256**2 + 2 * 2 * 256)
    norms = 2 * (64 + 128 + 256 + 128 + 64)
    assert parameters(model.generator) == ends + levels + blocks + norms
    assert ends + levels + blocks + norms == 8_430_528 + (values - 5) * 49 * 64
    maps = [3, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * a * b + b for a, b in pairwise(maps))
    assert classifier == 4 * 2048 * values
    assert parameters(model.discriminator) == trunk + 9 * 2048 + classifier
    assert trunk + 9 * 2048 + 65_536 == 44_786_624, "published with eight expressions"


class Painter(nn.Module):
    """G(x, c): an image whose pixels are w where the attribute has the value 1, else 0."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(0.25))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.w * inputs[:, -1:]


class Mean(nn.Module):
    """D(x): v times the mean of the pixels as the logit, 0 and u times it for the two values."""

    def __init__(self) -> None:
        super().__init__()
        self.v, self.u = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean = images.mean((1, 2, 3))
        return self.v * mean[:, None, None], torch.stack([0 * mean, self.u * mean], 1)


def toy(**options: object) -> tuple[StarGAN, Batch]:
    """A model of one parameter per output, with an image of 0.5 to be changed from 0 to 1."""
    settings = StarGANOptions.model_validate({"width": 0.06, "blocks": 1, **options})
    model = StarGAN(TranslatorConfig((32, 32, 1), (2,), options=settings))
    model.generator, model.discriminator = Painter(), Mean()  # type: ignore[assignment]
    image = torch.full((1, 1, 32, 32), 0.75)
    attributes, targets = torch.tensor([[0]]), torch.tensor([[1]])
    batch = Batch(image, torch.empty(1, 0), torch.tensor([0]))
    return model, batch._replace(attributes=attributes, targets=targets)


def test_the_generators_loss_by_hand() -> None:
    model, batch = toy()
    # y = 0.25, D(y) = 0.5, logits 0 and 0.75 of the target 1; G(y, 0) = 0, and x is 0.5.
    entropy = math.log(1 + math.exp(-0.75))
    terms = model(batch, "generator")
    assert terms["adversarial"].item() == pytest.approx(-0.5)
    assert terms["translated_classification"].item() == pytest.approx(entropy)
    assert terms["reconstruction"].item() == pytest.approx(0.5)
    assert terms["loss"].item() == pytest.approx(-0.5 + entropy + 10 * 0.5)
    terms["loss"].sum().backward()
    # d(−2w)/dw = −2, and d log(1 + exp(−3w))/dw = −3 σ(−3w); the way back does not depend on w.
    slope = -2 - 3 / (1 + math.exp(0.75))
    gradient = model.get_parameter("generator.w").grad
    assert gradient is not None
    assert gradient.item() == pytest.approx(slope)


def test_the_discriminators_loss_by_hand() -> None:
    model, batch = toy(classification=2.0)
    # D(x) = 1, D(y) = 0.5, each of 1,024 slopes is 2/1,024 and their norm 2/32; logits 0 and 1.5.
    penalty, entropy = (2 / 32 - 1) ** 2, math.log(1 + math.exp(1.5))
    terms = model(batch, "discriminator")
    assert terms["discriminator_loss"].item() == pytest.approx(0.5 - 1)
    assert terms["classification"].item() == pytest.approx(entropy)
    expected = 0.5 - 1 + 10 * penalty + 2 * entropy
    assert terms["discrimination_loss"].item() == pytest.approx(expected)
    terms["discrimination_loss"].sum().backward()
    gradient = model.get_parameter("discriminator.v").grad
    assert gradient is not None
    # d/dv (0.25 v − 0.5 v + 10 (v/32 − 1)²)
    assert gradient.item() == pytest.approx(-0.25 + 20 * (2 / 32 - 1) / 32)
    with torch.no_grad():  # as in validation
        again = model(batch, "discriminator")["discrimination_loss"]
    assert again.item() == pytest.approx(expected)


def test_other_objectives_have_no_gradient_penalty() -> None:
    model, batch = toy(objective="least_squares", classification=0.0)
    terms = model(batch, "discriminator")
    assert terms["discrimination_loss"].item() == pytest.approx(0.25)  # (1 − 1)² + 0.5²
    assert model(batch, "generator")["adversarial"].item() == pytest.approx(0.25)


def test_each_loss_moves_the_part_of_its_phase() -> None:
    model = stargan()
    phases = model.phases()
    assert [(name, phase.parts, phase.every) for name, phase in phases.items()] == [
        ("discriminator", ("discriminator",), 1),
        ("generator", ("generator",), 5),
    ]
    assert {phase.betas for phase in phases.values()} == {(0.5, 0.999)}
    batch = sample(model)
    assert translators.reached(model, batch, "discriminator") == {"discriminator"}
    assert translators.reached(model, batch, "generator") == {"generator", "discriminator"}


def test_the_learning_rate_is_constant_and_then_falls_to_0() -> None:
    for phase in stargan().phases().values():
        rates = [phase.decay(done) for done in (0.0, 0.5, 0.75, 1.0, 1.01)]
        assert rates == [1.0, 1.0, 0.5, 0.0, 0.0]
    for phase in stargan(constant=1.0).phases().values():
        assert phase.decay(1.01) == 1.0


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3), (64, 64, 1)])
def test_sizes_and_channels(shape: Shape) -> None:
    model = stargan(shape)
    batch = sample(model, 3, shape)
    for name in model.phases():
        for values in model(batch, name).values():
            assert values.shape == (3,)
            assert values.dtype == torch.float32
            assert values.isfinite().all()
    assert batch.attributes is not None
    outputs = model.translate(batch.images, batch.attributes, batch.attributes, batch.noise)
    assert outputs.shape == batch.images.shape
    assert outputs.dtype == torch.float32
    assert (outputs.min() >= 0) and (outputs.max() <= 1)


@pytest.mark.parametrize(
    ("shape", "count", "cells"),
    [((32, 32, 3), 4, (2, 2)), ((96, 64, 3), 5, (3, 2)), ((256, 256, 3), 6, (4, 4))],
)
def test_halvings_of_the_discriminator(shape: Shape, count: int, cells: tuple[int, int]) -> None:
    network = AttributeDiscriminator(shape, 5, 0.02)
    patches, classes = network(torch.rand(2, 3, *shape[:2]))
    assert len(network.layers) == count
    assert patches.shape == (2, *cells)
    assert classes.shape == (2, 5)


def test_bfloat16() -> None:
    model = stargan()
    with torch.autocast("cpu", torch.bfloat16):
        for name, phase in model.phases().items():
            loss = model(sample(model), name)[phase.loss]
            assert loss.dtype == torch.float32
            loss.mean().backward()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((48, 32, 3), "found 48×32 images, .* multiples of 32"),
        ((32, 32, 4), "4 channels, expected 1 or 3"),
    ],
)
def test_wrong_sizes_are_refused(shape: Shape, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        stargan(shape)


def test_a_model_without_attributes_is_refused() -> None:
    with pytest.raises(ValueError, match="found no attributes"):
        StarGAN(TranslatorConfig((32, 32, 3), (), options=StarGANOptions()))


def test_translations_depend_on_the_target_only() -> None:
    model = stargan().eval()
    images, none = torch.rand(1, 3, 32, 32), torch.empty(1, 0)
    first, second = torch.tensor([[0, 1]]), torch.tensor([[0, 2]])
    with torch.no_grad():
        changed = model.translate(images, first, second, none)
        assert not torch.equal(changed, model.translate(images, first, first, none))
        assert torch.equal(changed, model.translate(images, second, second, none))


def test_the_average_translates() -> None:
    model = stargan(ema=0.5).eval()
    image, values, none = torch.rand(1, 3, 32, 32), torch.tensor([[0, 1]]), torch.empty(1, 0)
    with torch.no_grad():
        before = model.translate(image, values, values, none)
        for weight in model.generator.parameters():
            weight.add_(0.1)
        assert torch.equal(before, model.translate(image, values, values, none))
        model.end_step()
        assert not torch.equal(before, model.translate(image, values, values, none))


@pytest.mark.parametrize(
    ("objective", "accuracy", "diversity", "stops"),
    [
        ("wgan_gp", 1.0, 1.0, False),  # its discriminator may be perfect
        ("wgan_gp", 0.5, 0.01, True),
        ("bce", 1.0, 1.0, True),
        ("bce", 0.9, 1.0, False),
    ],
)
def test_signs_of_a_collapse(
    objective: str, accuracy: float, diversity: float, stops: bool
) -> None:
    row = {
        "train_discriminator_accuracy": accuracy,
        "valid_diversity": diversity,
        "valid_data_diversity": 1.0,
    }
    assert bool(stargan(objective=objective, stop_on_collapse=True).collapse(row)) == stops
    assert not stargan(objective=objective).collapse(row)


@pytest.mark.parametrize("killed_after", [3, 7])
def test_a_killed_training_ends_with_the_same_bits(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    store = make_store()
    run = run_of("stargan", ema=0.9, blocks=1, discriminator_steps=2)
    train(run, store, tmp_path / "whole")
    alive = kill_after(killed_after, monkeypatch)
    with pytest.raises(KilledError):
        train(run, store, tmp_path / "cut")
    alive()
    train(run, store, tmp_path / "cut")
    for file in ("weights.safetensors", "history.csv", "config.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()
    history = pd.read_csv(tmp_path / "cut" / "history.csv")
    terms = {"loss", "classification", "discriminator_accuracy", "reconstruction"}
    assert {f"{split}_{term}" for split in ("train", "valid") for term in terms} <= set(history)
    assert {"valid_diversity", "valid_data_diversity"} <= set(history)
    assert (history[["train_discriminator_gradient", "train_generator_gradient"]] > 0).all(
        axis=None
    )


def test_the_reconstruction_improves(make_store: MakeStore, tmp_path: Path) -> None:
    weights: dict[str, Any] = {"adversarial": 0.0, "classification": 0.0}
    run = run_of(
        "stargan",
        {"learning_rate": 5e-3},
        epochs=6,
        width=0.12,
        blocks=1,
        discriminator_steps=1,
        **weights,
    )
    train(run, make_store(), tmp_path / "model")
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    errors = history["valid_reconstruction"]
    assert errors.iloc[-1] < 0.7 * errors.iloc[0]
