"""The mixing autoencoder: choice of quadrants, published losses, phases and their gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from latent_atlas.config.registry import MODELS, options_of
from latent_atlas.models import mixing
from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.build import build
from latent_atlas.models.mixing import DenseAE, Mixing, choose

LAMBDAS = {"mixing_reconstruction": 0.904, "adversarial": 0.052, "classifier": 0.044}


def small_model(name: str = "mixing", size: int = 32, **options: bool | float | str) -> Mixing:
    torch.manual_seed(0)
    values = {"width": 0.06, "depth": 0.125, **options}
    latent_dim, network = values.pop("latent_dim", 32), values.pop("network", "dense")
    config = ModelConfig(
        shape=(size, size, 3),
        latent_dim=int(latent_dim),
        network=str(network),
        likelihood="laplace",
        beta=0.0,
        weights={name: LAMBDAS[name] for name in MODELS[name].weights},
        options=options_of(name).model_validate(values),
    )
    built = build(name, config)
    assert isinstance(built, DenseAE)
    return built  # type: ignore[return-value]


def sample(images: int = 3, size: int = 32, others: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, 3, size, size, generator=generator),
        torch.zeros(images, 0),
        torch.zeros(images, dtype=torch.int64),
        others=torch.rand(images, others, 3, size, size, generator=generator),
        distances=torch.rand(images, others, generator=generator),
    )


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), st.floats(0, 1, width=32))
def test_the_nearest_is_replaced_and_the_farthest_kept(distances: list[float], tau: float) -> None:
    replaced = choose(torch.tensor([distances]), tau)[0].numpy()
    order = np.argsort(np.array(distances, np.float32), kind="stable")
    assert replaced[order[0]]
    assert not replaced[order[-1]]
    for quadrant in order[1:-1]:
        assert replaced[quadrant] == (np.float32(distances[quadrant]) <= np.float32(tau))


def test_the_choice_at_three_thresholds() -> None:
    distances = torch.tensor([[0.4, 0.1, 0.3, 0.2]])
    assert choose(distances, 0.0).tolist() == [[False, True, False, False]]
    assert choose(distances, 0.2).tolist() == [[False, True, False, True]]
    assert choose(distances, 1.0).tolist() == [[False, True, True, True]]


@pytest.mark.parametrize("grid", [(2, 2), (6, 4)])
def test_the_cells_of_a_mixed_code_come_from_the_chosen_images(
    grid: tuple[int, int],
) -> None:
    size, numbers = grid[0] * grid[1], 3
    codes = torch.full((1, size * numbers), -1.0)
    others = torch.arange(4.0).view(1, 4, 1).expand(1, 4, size * numbers)
    replaced = torch.tensor([[False, True, False, True]])
    where = replaced[:, mixing.cells(grid)]
    mixed = mixing.mix(codes, mixing.gather(others, grid), where)
    cells = mixed.view(*grid, numbers)
    rows, columns = grid[0] // 2, grid[1] // 2
    assert (cells[:, :columns] == -1).all()
    assert (cells[:rows, columns:] == 1).all()
    assert (cells[rows:, columns:] == 3).all()


def amplified_model() -> Mixing:
    """A model whose outputs differ between inputs; those of an untrained one hardly do."""
    mixer = small_model().eval()
    with torch.no_grad():
        mixer.encoder.get_submodule("last").get_parameter("weight").mul_(1000)
        mixer.discriminator.last.weight.mul_(100)
        mixer.classifier.get_submodule("linear.4").get_parameter("weight").mul_(1000)
    return mixer


def published(model: Mixing, batch: Batch) -> float:
    """The published objective after equations 3.3 to 3.6, on values from −1 to 1."""
    assert batch.others is not None
    assert batch.distances is not None

    def encode(images: Tensor) -> Tensor:
        codes: Tensor = model.encoder(images)[0]
        return codes.view(len(images), 4, -1)

    def decode(codes: Tensor) -> Tensor:
        return torch.tanh(model.decoder(codes.flatten(1)))

    x, others = batch.images * 2 - 1, batch.others * 2 - 1
    codes, taken = encode(x), choose(batch.distances, model.tau)
    mixed_codes = codes.clone()
    for image, quadrant in itertools.product(range(len(x)), range(4)):
        if taken[image, quadrant]:
            mixed_codes[image, quadrant] = encode(others[image : image + 1, quadrant])[0, quadrant]
    mixed = decode(mixed_codes)
    back = torch.where(taken[..., None], codes, encode(mixed))
    rec = (decode(codes) - x).abs().mean() + (decode(back) - x).abs().mean()
    adv = F.softplus(-model.discriminator(mixed)).mean()
    passes = []
    for quadrant in range(4):
        truth = torch.zeros(len(x), 4)
        truth[:, quadrant] = taken[:, quadrant].float()
        logits = model.classifier(mixed, others[:, quadrant])
        passes.append(F.binary_cross_entropy_with_logits(logits, truth))
    cls = torch.stack(passes).mean()
    return (0.904 * rec + 0.052 * adv + 0.044 * cls).item()


def test_the_loss_is_the_published_one_times_the_number_of_pixels() -> None:
    mixer, batch = amplified_model(), sample()
    losses = mixer(batch, "generator")
    pixels = 32 * 32 * 3
    # To six digits: untrained networks decode all codes to about the same.
    assert losses["loss"].mean().item() == pytest.approx(pixels * published(mixer, batch), rel=1e-6)
    assert all(values.shape == (3,) and values.dtype == torch.float32 for values in losses.values())
    expected = (mixer.decode(mixer.encode(batch.images)) - batch.images).abs().sum((1, 2, 3))
    torch.testing.assert_close(losses["reconstruction"], expected)


def test_the_losses_of_the_critics_are_cross_entropies() -> None:
    mixer, batch = amplified_model(), sample()
    with torch.no_grad():
        scene = mixer.mix_batch(batch)
        mixed = mixer.decode(scene.mixed)
        real = mixer.discriminator(batch.images * 2 - 1)
        fake = mixer.discriminator(mixed * 2 - 1)
    losses = mixer(batch, "discriminator")
    expected = (F.softplus(-real) + F.softplus(fake)).mean((1, 2))
    torch.testing.assert_close(losses["discriminator_loss"], expected)
    torch.testing.assert_close(losses["real"], (real > 0).float().mean((1, 2)))
    classified = mixer(batch, "classifier")
    assert batch.others is not None
    entropies = []
    for quadrant in range(4):
        logits = mixer.classifier(mixed * 2 - 1, batch.others[:, quadrant] * 2 - 1)
        truth = torch.zeros(3, 4)
        truth[:, quadrant] = scene.replaced[:, quadrant].float()
        entropies.append(F.binary_cross_entropy_with_logits(logits, truth, reduction="none"))
    torch.testing.assert_close(classified["classifier_loss"], torch.stack(entropies).mean((0, 2)))
    assert ((classified["origin_accuracy"] * 4) % 1 == 0).all()
    assert scene.replaced.sum(1).min() >= 1


@pytest.mark.parametrize("phase", ["generator", "classifier", "discriminator"])
def test_the_loss_of_an_image_does_not_depend_on_its_batch(phase: str) -> None:
    mixer, whole = small_model().eval(), sample()
    assert whole.others is not None
    assert whole.distances is not None
    one = Batch(
        whole.images[1:2],
        whole.noise[1:2],
        whole.labels[1:2],
        others=whole.others[1:2],
        distances=whole.distances[1:2],
    )
    single, together = mixer(one, phase), mixer(whole, phase)
    for name, values in single.items():
        torch.testing.assert_close(values[0], together[name][1], rtol=1e-4, atol=1e-4)


def test_the_schedule_is_generator_twice_then_classifier_then_discriminator() -> None:
    phases = small_model().phases()
    assert [(name, phase.repeat) for name, phase in phases.items()] == [
        ("generator", 2),
        ("classifier", 1),
        ("discriminator", 1),
    ]
    assert phases["discriminator"].rate(10**6) == 2
    assert phases["classifier"].rate(19_999) == 1
    assert phases["classifier"].rate(40_000) == pytest.approx(0.81)


def test_the_warm_up_only_reconstructs_and_ends_before_the_other_phases() -> None:
    mixer = small_model(warm_up=0.5).eval()
    phases = mixer.phases()
    acting = [
        [name for name, phase in phases.items() if phase.acts(epoch, 4)] for epoch in range(1, 5)
    ]
    assert acting == 2 * [["warm_up"]] + 2 * [["generator", "classifier", "discriminator"]]
    batch = sample()
    expected = DenseAE.forward(mixer, batch)
    for name, values in mixer(batch, "warm_up").items():
        torch.testing.assert_close(values, expected[name])
    torch.testing.assert_close(mixer(batch)["reconstruction"], expected["reconstruction"])
    moving = {part for phase in phases.values() for part in phase.parts}
    assert moving == {"encoder", "decoder", "classifier", "discriminator"}


def step(mixer: Mixing, name: str, batch: Batch) -> dict[str, Tensor]:
    """Update the weights of a phase as the loop does; return the weights before the update."""
    phase = mixer.phases()[name]
    mixer.requires_grad_(False)
    moving = [w for part in phase.parts for w in mixer.get_submodule(part).parameters()]
    for weight in moving:
        weight.requires_grad_(True)
    before = {key: weight.detach().clone() for key, weight in mixer.named_parameters()}
    optimizer = torch.optim.SGD(moving, 1e-4)
    mixer(batch, name)[phase.loss].mean().backward()
    optimizer.step()
    return before


@pytest.mark.parametrize("name", ["generator", "classifier", "discriminator"])
def test_a_frozen_network_stays_frozen_and_the_others_move(name: str) -> None:
    mixer = small_model().train()
    before = step(mixer, name, sample())
    parts = mixer.phases()[name].parts
    for key, weight in mixer.named_parameters():
        if key.split(".")[0] not in parts:
            assert torch.equal(weight, before[key]), key
    for part in parts:
        moved = [
            not torch.equal(weight, before[f"{part}.{key}"])
            for key, weight in mixer.get_submodule(part).named_parameters()
            if "bias" not in key  # instance norm removes the encoder's biases
        ]
        assert np.mean(moved) > 0.9, part


@pytest.mark.parametrize("term", ["adversarial", "classification", "reconstruction", "cycle"])
def test_each_term_trains_encoder_and_decoder(term: str) -> None:
    mixer = small_model().train()
    mixer.classifier.requires_grad_(False)
    mixer.discriminator.requires_grad_(False)
    mixer(sample(), "generator")[term].mean().backward()
    for part in (mixer.encoder, mixer.decoder):
        gradients = [weight.grad for weight in part.parameters() if weight.grad is not None]
        assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0, term
    critics = [*mixer.classifier.parameters(), *mixer.discriminator.parameters()]
    assert all(weight.grad is None for weight in critics)


def test_the_critics_phases_leave_no_gradient_in_the_generator() -> None:
    mixer = small_model().train()
    for name in ("classifier", "discriminator"):
        mixer(sample(), name)[mixer.phases()[name].loss].mean().backward()
    generator = [*mixer.encoder.parameters(), *mixer.decoder.parameters()]
    assert all(weight.grad is None for weight in generator)


def test_a_sample_without_partners_is_refused() -> None:
    single = Batch(torch.rand(1, 3, 32, 32), torch.zeros(1, 0), torch.zeros(1))
    with pytest.raises(
        ValueError, match="expected 4 partner images per sample, one per tile; found 0"
    ):
        small_model()(single, "generator")


def test_a_process_may_have_no_image_of_the_last_batch() -> None:
    mixer = small_model()
    for phase in mixer.phases():
        for values in mixer(sample(images=0), phase).values():
            assert values.shape == (0,)


@pytest.mark.parametrize("network", ["dense", "dense_broadcast"])
@pytest.mark.parametrize("size", [64, 128])
def test_other_sizes_and_decoders(network: str, size: int) -> None:
    mixer = small_model(size=size, network=network, attention=True).eval()
    losses = mixer(sample(2, size), "generator")
    assert torch.isfinite(losses["loss"]).all()


def test_the_dense_autoencoder_reconstructs_and_starts_from_the_mean_image() -> None:
    model = small_model("dense_ae", network="dense_broadcast").eval()
    model.start_from(torch.full((3, 32, 32), 0.2))
    images = torch.rand(2, 3, 32, 32)
    losses = model(Batch(images, torch.zeros(2, 0), torch.zeros(2)))
    torch.testing.assert_close(losses["loss"], 2 * 0.904 * losses["reconstruction"])
    assert model.decode(torch.zeros(1, 32)).mean().item() == pytest.approx(0.2, abs=0.1)
    assert list(model.phases()) == ["model"]


def test_nine_tiles_are_mixed_cell_by_cell() -> None:
    mixer = small_model(size=96, latent_dim=72, tiles=3).eval()
    assert mixer.grid == (6, 6)
    batch = sample(2, 96, others=9)
    assert batch.others is not None
    scene = mixer.mix_batch(batch)
    assert scene.replaced.shape == (2, 9)
    rest = mixer.encode(batch.others.flatten(0, 1)).view(2, 3, 3, 6, 6, 2)
    codes, mixed = scene.codes.view(2, 6, 6, 2), scene.mixed.view(2, 6, 6, 2)
    for image, down, right in itertools.product(range(2), range(3), range(3)):
        place = (image, slice(2 * down, 2 * down + 2), slice(2 * right, 2 * right + 2))
        taken = bool(scene.replaced[image, 3 * down + right])
        expected = rest[image, down, right][place[1:]] if taken else codes[place]
        torch.testing.assert_close(mixed[place], expected)
    losses = mixer(batch, "generator")
    assert torch.isfinite(losses["loss"]).all()
    assert ((mixer(batch, "classifier")["origin_accuracy"] * 9).round(decimals=4) % 1 == 0).all()
    with pytest.raises(
        ValueError, match="expected 9 partner images per sample, one per tile; found 4"
    ):
        mixer(sample(2, 96), "generator")


def test_tiles_that_do_not_fit_the_code_are_refused() -> None:
    with pytest.raises(ValueError, match="found 3, expected a number from 2 that divides the 2×2"):
        small_model(size=64, tiles=3)


def test_segments_exchange_the_foreground_only() -> None:
    """The reference has an object on the left of its first quadrant, the partner on the right."""
    mixer = small_model(size=64, latent_dim=128, halvings=3, segments=True).eval()
    assert mixer.grid == (8, 8)
    images, others = torch.zeros(1, 3, 64, 64), torch.zeros(1, 4, 3, 64, 64)
    images[:, :, 8:24, 4:12] = 1.0
    others[:, 0, :, 8:24, 20:28] = 0.5
    near = torch.tensor([[0.1, 0.9, 0.9, 1.0]])
    batch = Batch(images, torch.zeros(1, 0), torch.zeros(1), others=others, distances=near)
    scene = mixer.mix_batch(batch)
    assert scene.replaced.tolist() == [[True, False, False, False]]
    where = scene.where.view(8, 8)
    assert where[1:3, :].tolist() == [[True, True, True, True] + [False] * 4] * 2
    assert where.sum() == 8
    given = mixer.encode(others[:, 0]).view(8, 8, 2)
    kept = scene.codes.view(8, 8, 2)
    mixed = scene.mixed.view(8, 8, 2)
    torch.testing.assert_close(mixed[where], given[where])
    torch.testing.assert_close(mixed[~where], kept[~where])
    assert torch.isfinite(mixer(batch, "generator")["loss"]).all()
