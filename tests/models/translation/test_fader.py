"""The Fader network: published layers, losses worked by hand, modes, schedule, and resumption."""

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
from latent_atlas.models.options.fader import FaderOptions
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.fader import Fader, evaluating, halvings_of
from tests.models.translation import translators
from tests.models.translation.translators import KilledError, kill_after, run_of, sample, train

MakeStore = Callable[..., Store]
WIDE: dict[str, Any] = {"width": 0.25}


def fader(shape: Shape = (32, 32, 3), **options: object) -> Fader:
    settings: dict[str, Any] = {**WIDE, **options}
    model = translators.small("fader", shape, **settings)
    assert isinstance(model, Fader)
    return model


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_published_numbers_of_parameters() -> None:
    """Lample et al. 2017, section 4, at 256 pixels, with two values of one attribute.

    The encoder's convolutions have biases, and norms behind all but the first; the decoder's have
    none, and norms behind all but the last, as in the authors' code.
    """
    maps = [3, 16, 32, 64, 128, 256, 512, 512]
    pairs = list(pairwise(maps))
    encoder = sum(16 * a * b + b for a, b in pairs) + 2 * sum(maps[2:])
    decoder = sum(16 * (b + 2) * a for a, b in pairs) + 2 * sum(maps[1:-1])
    discriminator = (16 * 512**2 + 512 + 2 * 512) + (512 * 512 + 512) + (512 * 2 + 2)
    model = Fader(TranslatorConfig((256, 256, 3), (2,), options=FaderOptions()))
    assert parameters(model.autoencoder.encoder) == encoder
    assert parameters(model.autoencoder.decoder) == decoder
    assert parameters(model.discriminator) == discriminator
    with torch.no_grad():
        assert model.autoencoder.encode(torch.zeros(1, 3, 256, 256)).shape == (1, 512, 2, 2)


class ToyAutoencoder(nn.Module):
    """Code: e times the mean of an image. Image: the code, plus 1 where the value is 1."""

    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Parameter(torch.tensor(1.0))

    def encode(self, images: Tensor) -> Tensor:
        return self.e * images.mean((1, 2, 3), keepdim=True)

    def decode(self, codes: Tensor, attributes: Tensor) -> Tensor:
        return (codes + attributes[:, 1, None, None, None]).expand(-1, 1, 32, 32)


class ToyClassifier(nn.Module):
    """Logits 0 and u times the code."""

    def __init__(self) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.tensor(3.0))

    def forward(self, codes: Tensor) -> Tensor:
        flat = codes.flatten(1)
        return torch.cat([0 * flat, self.u * flat], 1)


def toy(**options: object) -> tuple[Fader, Batch]:
    """An image of 0.5 that has the value 1."""
    settings = FaderOptions.model_validate({**WIDE, **options})
    model = Fader(TranslatorConfig((32, 32, 1), (2,), options=settings))
    model.autoencoder = ToyAutoencoder()  # type: ignore[assignment]
    if options.get("adversarial") != 0:
        model.discriminator = ToyClassifier()  # type: ignore[assignment]
    batch = Batch(torch.full((1, 1, 32, 32), 0.75), torch.empty(1, 0), torch.tensor([0]))
    return model, batch._replace(attributes=torch.tensor([[1]]))


def test_the_autoencoders_loss_by_hand() -> None:
    model, batch = toy(adversarial=0.1, rise=0, reconstruction=2.0)
    terms = model(batch, "autoencoder")
    # The output is 1.5; the other value is 0, against the logits 0 and 1.5.
    entropy = math.log(1 + math.exp(1.5))
    assert terms["reconstruction"].item() == pytest.approx(1.0)
    assert terms["adversarial"].item() == pytest.approx(entropy)
    assert terms["loss"].item() == pytest.approx(2 + 0.1 * entropy)
    terms["loss"].sum().backward()
    # d/de (2 (0.5 e + 1 − 0.5)² + 0.1 log(1 + exp(1.5 e)))
    gradient = model.get_parameter("autoencoder.e").grad
    assert gradient is not None
    assert gradient.item() == pytest.approx(2 + 0.1 * 1.5 / (1 + math.exp(-1.5)))


def test_the_discriminators_loss_by_hand() -> None:
    model, batch = toy()
    terms = model(batch, "discriminator")
    assert terms["discrimination_loss"].item() == pytest.approx(math.log(1 + math.exp(-1.5)))
    assert terms["discriminator_accuracy"].item() == 1.0
    terms["discrimination_loss"].sum().backward()
    gradient = model.get_parameter("discriminator.u").grad
    assert gradient is not None
    assert gradient.item() == pytest.approx(-0.5 / (1 + math.exp(1.5)))
    assert model.get_parameter("autoencoder.e").grad is None


def test_the_weight_rises_over_steps() -> None:
    model = fader(rise=4, adversarial=0.2)
    weights = []
    for _ in range(6):
        weights.append(model.weight(0.9))
        model.end_step()
    assert weights == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.2])
    assert fader(rise=0, adversarial=0.2).weight(0.0) == 0.2
    published = fader()
    published.steps.value = 250_000
    assert published.weight(0.0) == pytest.approx(0.5e-4)


def test_the_weight_rises_over_a_share_of_the_training() -> None:
    model = fader(rise_share=0.5, adversarial=0.2)
    model.end_step()
    found = [model.weight(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    assert found == pytest.approx([0, 0.1, 0.2, 0.2])
    assert fader(rise_share=0.0, adversarial=0.2).weight(0.0) == 0.2


def test_the_weight_is_that_of_the_loss() -> None:
    model = fader(rise_share=0.5, adversarial=0.2)
    batch = sample(model)._replace(progress=0.25)
    terms = model(batch, "autoencoder")
    expected = terms["reconstruction"] + 0.1 * terms["adversarial"]
    torch.testing.assert_close(terms["loss"], expected)


def test_each_loss_moves_the_part_of_its_phase() -> None:
    model = fader(rise=0)
    phases = model.phases()
    assert [(name, phase.parts) for name, phase in phases.items()] == [
        ("discriminator", ("discriminator",)),
        ("autoencoder", ("autoencoder",)),
    ]
    assert {phase.betas for phase in phases.values()} == {(0.5, 0.999)}
    batch = sample(model)
    assert translators.reached(model, batch, "discriminator") == {"discriminator"}
    assert translators.reached(model, batch, "autoencoder") == {"autoencoder", "discriminator"}


def test_without_the_discriminator() -> None:
    model = fader(adversarial=0.0)
    assert list(model.phases()) == ["autoencoder"]
    batch = sample(model)
    assert translators.reached(model, batch, "autoencoder") == {"autoencoder"}
    terms = model(batch, "autoencoder")
    assert set(terms) == {"loss", "reconstruction"}
    torch.testing.assert_close(terms["loss"], terms["reconstruction"])


def statistics(network: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def unchanged(before: dict[str, Tensor], network: nn.Module) -> bool:
    after = statistics(network)
    return all(torch.equal(value, after[name]) for name, value in before.items())


def test_each_phase_evaluates_the_other_part() -> None:
    model = fader(rise=0).train()
    encoder, classifier = statistics(model.autoencoder), statistics(model.discriminator)
    batch = sample(model)
    first = model(batch, "discriminator")["discrimination_loss"]
    assert unchanged(encoder, model.autoencoder), "running statistics are used, not moved"
    assert not unchanged(classifier, model.discriminator)
    assert not torch.equal(first, model(batch, "discriminator")["discrimination_loss"]), "dropout"
    classifier = statistics(model.discriminator)
    torch.manual_seed(0)  # the other values are drawn
    first = model(batch, "autoencoder")["adversarial"]
    torch.manual_seed(0)
    torch.testing.assert_close(first, model(batch, "autoencoder")["adversarial"])
    assert unchanged(classifier, model.discriminator)
    assert not unchanged(encoder, model.autoencoder)
    assert all(part.training for part in model.modules())


def test_evaluation_ends_with_the_block() -> None:
    network = nn.Sequential(nn.Dropout(0.5))
    for training in (True, False):
        network.train(training)
        with pytest.raises(RuntimeError), evaluating(network):
            assert not network[0].training
            raise RuntimeError
        assert network[0].training == training


def test_codes_pass_the_discriminator_in_evaluation_mode_of_the_encoder() -> None:
    model = fader(dropout=0.0)
    batch = sample(model)
    images = batch.images * 2 - 1
    model.eval()
    with torch.no_grad():
        codes = model.autoencoder.encode(images)
        model.train()
        logits = model.discriminator(codes)
        assert batch.attributes is not None
        parts = logits.split([2, 3], 1)
        expected = sum(
            nn.functional.cross_entropy(part, batch.attributes[:, place], reduction="none")
            for place, part in enumerate(parts)
        )
        found = model(batch, "discriminator")["discrimination_loss"]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3), (96, 64, 3), (160, 96, 1)])
@pytest.mark.parametrize("count", [1, 3])
def test_sizes_and_channels(shape: Shape, count: int) -> None:
    model = fader(shape)
    batch = sample(model, count, shape)
    for name in model.phases():
        for values in model(batch, name).values():
            assert values.shape == (count,)
            assert values.dtype == torch.float32
            assert values.isfinite().all()
    assert batch.attributes is not None
    outputs = model.translate(batch.images, batch.attributes, batch.attributes, batch.noise)
    assert outputs.shape == batch.images.shape
    assert outputs.dtype == torch.float32
    assert (outputs.min() >= 0) and (outputs.max() <= 1)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 3), 4),
        ((96, 64, 3), 5),
        ((96, 96, 3), 5),
        ((160, 96, 3), 5),
        ((128, 128, 3), 6),
        ((256, 256, 3), 7),
        ((512, 512, 3), 7),
    ],
)
def test_halvings(shape: Shape, expected: int) -> None:
    assert halvings_of(shape) == expected
    assert halvings_of(shape, 2) == 2


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((48, 32, 3), {}, "found 48×32 images, .* multiples of 32"),
        ((32, 32, 2), {}, "2 channels, expected 1 or 3"),
        ((96, 64, 3), {"halvings": 6}, "found 6 halvings .* 96×64 images can be halved 5 times"),
        ((32, 32, 3), {"halvings": 5}, "found 5 halvings .* 32×32 images can be halved 4 times"),
    ],
)
def test_wrong_sizes_are_refused(shape: Shape, options: dict[str, int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        fader(shape, **options)


def test_a_model_without_attributes_is_refused() -> None:
    with pytest.raises(ValueError, match="found no attributes"):
        Fader(TranslatorConfig((32, 32, 3), (), options=FaderOptions()))


def test_bfloat16() -> None:
    model = fader()
    with torch.autocast("cpu", torch.bfloat16):
        for name, phase in model.phases().items():
            loss = model(sample(model), name)[phase.loss]
            assert loss.dtype == torch.float32
            loss.mean().backward()


def test_translations_depend_on_the_target_only() -> None:
    model = fader().eval()
    images, none = torch.rand(1, 3, 32, 32), torch.empty(1, 0)
    first, second = torch.tensor([[0, 1]]), torch.tensor([[0, 2]])
    with torch.no_grad():
        changed = model.translate(images, first, second, none)
        assert not torch.equal(changed, model.translate(images, first, first, none))
        assert torch.equal(changed, model.translate(images, second, second, none))


def test_every_layer_of_the_decoder_knows_the_attributes() -> None:
    model = fader().eval()
    values = torch.eye(5)[[0, 1]]
    codes = torch.zeros(2, *model.autoencoder.encode(torch.zeros(1, 3, 32, 32)).shape[1:])
    with torch.no_grad():
        for layer in model.autoencoder.decoder:
            inner = layer[0].in_channels - 5  # type: ignore[index]
            layer[0].weight[inner + 1 :].zero_()  # type: ignore[index]
            layer[0].weight[:inner].zero_()  # type: ignore[index]
            single = model.autoencoder.decode(codes, values)
            assert not torch.equal(single[0], single[1])


def test_the_average_translates() -> None:
    model = fader(ema=0.5).eval()
    image, values, none = torch.rand(1, 3, 32, 32), torch.tensor([[0, 1]]), torch.empty(1, 0)
    with torch.no_grad():
        before = model.translate(image, values, values, none)
        for weight in model.autoencoder.parameters():
            weight.add_(0.1)
        assert torch.equal(before, model.translate(image, values, values, none))
        model.end_step()
        assert not torch.equal(before, model.translate(image, values, values, none))


def test_signs_of_a_collapse() -> None:
    row = {
        "train_discriminator_accuracy": 1.0,
        "valid_diversity": 1.0,
        "valid_data_diversity": 1.0,
    }
    model = fader(stop_on_collapse=True)
    assert not model.collapse(row), "the discriminator may name all attributes"
    assert "diversity" in model.collapse(row | {"valid_diversity": 0.01})
    assert not fader().collapse(row | {"valid_diversity": 0.01})


def test_a_killed_training_ends_with_the_same_bits(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = make_store(), run_of("fader", ema=0.9, rise=5, adversarial=0.1, **WIDE)
    train(run, store, tmp_path / "whole")
    alive = kill_after(7, monkeypatch)
    with pytest.raises(KilledError):
        train(run, store, tmp_path / "cut")
    alive()
    train(run, store, tmp_path / "cut")
    for file in ("weights.safetensors", "history.csv", "config.json"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes()
    history = pd.read_csv(tmp_path / "cut" / "history.csv")
    terms = {"loss", "reconstruction", "adversarial", "discriminator_accuracy"}
    assert {f"{split}_{term}" for split in ("train", "valid") for term in terms} <= set(history)
    assert (history[["train_discriminator_gradient", "train_autoencoder_gradient"]] > 0).all(
        axis=None
    )


def test_the_reconstruction_improves(make_store: MakeStore, tmp_path: Path) -> None:
    run = run_of("fader", {"learning_rate": 2e-3}, epochs=6, **WIDE)
    train(run, make_store(), tmp_path / "model")
    errors = pd.read_csv(tmp_path / "model" / "history.csv")["valid_reconstruction"]
    assert errors.iloc[-1] < 0.5 * errors.iloc[0]
