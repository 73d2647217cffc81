"""Shared networks: parameter counts of the published ones, receptive fields, sizes, weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from latent_atlas.models.base import Shape
from latent_atlas.models.translation.blocks import (
    DROPOUT,
    InstanceNorm,
    Norm,
    PatchDiscriminator,
    ReflectionPad,
    ResNetGenerator,
    UNet,
    check_patches,
    check_shape,
    halvings_of,
    kernels_of,
    receptive_field,
    with_maps,
)

SHAPES: list[Shape] = [(32, 32, 1), (32, 32, 3), (96, 64, 3), (64, 32, 1), (64, 64, 3)]


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_u_net_has_the_published_number_of_parameters() -> None:
    """Isola et al. 2017, appendix 6.1.1, for 256×256 images in color.

    4×4 kernels, 16 weights per pair of maps. Encoder: 3·64 + 64·128 + 128·256 + 256·512 + 4·512²
    pairs. Decoder: 512² + 3·1024·512 + 1024·256 + 512·128 + 256·64 + 128·3. So 19,532,800 and
    34,871,296 weights, and 3 biases of the last layer. Norms, two numbers per map: in the encoder
    128 + 256 + 4·512 maps without the innermost, in the decoder 4·512 + 256 + 128 + 64.
    """
    encoder = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 4 * 512**2)
    decoder = 16 * (512**2 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3) + 3
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    assert encoder + decoder + norms == 54_413_955
    kinds: tuple[Norm, ...] = ("affine", "batch")
    for norm in kinds:
        assert parameters(UNet((256, 256, 3), 3, norm=norm)) == 54_413_955


@pytest.mark.parametrize(
    ("channels", "norm", "expected"),
    [
        # 16·(3·64) + 64, 16·64·128 + 128, 16·128·256 + 256, 16·256·512 + 512, 16·512 + 1.
        (3, "instance", 2_764_737),
        # 16·(6·64) + 64, then two numbers per map of a norm in place of the bias.
        (6, "affine", 2_768_705),
        (6, "batch", 2_768_705),
    ],
)
def test_the_patchgan_has_the_published_number_of_parameters(
    channels: int, norm: Norm, expected: int
) -> None:
    assert parameters(PatchDiscriminator(channels, norm=norm)) == expected


def test_the_residual_generator_has_the_published_number_of_parameters() -> None:
    """Zhu et al. 2017, appendix 7.2, for nine blocks and for six."""
    ends = (49 * 3 * 64 + 64) + (49 * 64 * 3 + 3)
    down = (9 * 64 * 128 + 128) + (9 * 128 * 256 + 256)
    up = (9 * 256 * 128 + 128) + (9 * 128 * 64 + 64)
    block = 2 * (9 * 256 * 256 + 256)
    assert ends + down + up + 9 * block == 11_378_179
    assert parameters(ResNetGenerator(3, 3, blocks=9)) == 11_378_179
    assert parameters(ResNetGenerator(3, 3, blocks=6)) == 11_378_179 - 3 * block


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_receptive_fields(layers: int, field: int) -> None:
    """Isola et al. 2017, appendix 6.1.2: 16, 70 and 286 pixels."""
    network = PatchDiscriminator(1, 0.05, layers)
    assert receptive_field(kernels_of(network)) == field


def test_a_patch_depends_on_70_pixels() -> None:
    network = PatchDiscriminator(1, 0.05, norm="none").double()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.1)
    images = torch.rand(1, 1, 160, 160, dtype=torch.float64).requires_grad_(True)
    logits = network(images)
    logits[0, 9, 9].backward()
    assert images.grad is not None
    rows = images.grad[0, 0].abs().sum(1).nonzero().flatten()
    columns = images.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert len(rows) == len(columns) == 70
    assert int(rows.max() - rows.min()) == 69


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 3), 5),
        ((64, 64, 3), 6),
        ((256, 256, 3), 8),
        ((512, 512, 3), 8),
        ((96, 64, 3), 5),
    ],
)
def test_halvings_of_a_u_net(shape: Shape, expected: int) -> None:
    assert halvings_of(shape) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("skips", [True, False])
def test_the_u_net_takes_every_size(shape: Shape, skips: bool) -> None:
    height, width, channels = shape
    network = UNet(shape, channels + 2, 0.06, skips)
    outputs = network(torch.rand(2, channels + 2, height, width))
    assert outputs.shape == (2, channels, height, width)
    assert outputs.abs().max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_the_others_take_every_size(shape: Shape) -> None:
    height, width, channels = shape
    images = torch.rand(2, channels, height, width)
    assert ResNetGenerator(channels, channels, 0.06, 2)(images).shape == images.shape
    generator = ResNetGenerator(channels + 4, channels, 0.06, 1, "affine", kernel=4, reflect=False)
    assert generator(with_maps(images, torch.rand(2, 4))).shape == images.shape
    logits = PatchDiscriminator(channels, 0.06)(images)
    assert logits.shape == (2, height // 8 - 2, width // 8 - 2)


def test_without_skips_all_passes_the_innermost_layer() -> None:
    images = torch.rand(1, 3, 64, 64)
    for skips in (True, False):
        network = UNet((64, 64, 3), 3, 0.06, skips).eval()
        nn.init.zeros_(network.encoder[-1][1].weight)  # type: ignore[index]
        changed = (network(images) - network(1 - images)).abs().max()
        assert (changed > 0) == skips


def test_noise_decides_the_dropout_of_each_image() -> None:
    network = UNet((32, 32, 3), 3, 0.06).eval()
    images = torch.rand(1, 3, 32, 32).expand(3, -1, -1, -1)
    noise = torch.randn(2, network.noise_dim)
    outputs = network(images, noise[[0, 1, 0]])
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[1])
    assert torch.equal(network(images), network(images)), "no dropout in evaluation without noise"
    masks = network._masks(noise)
    assert [tuple(mask.shape[1:]) for mask in masks] == network.dropped
    assert len(masks) == 3
    assert set(masks[0].flatten().tolist()) == {0.0, 1 / (1 - DROPOUT)}
    network.train()
    assert not torch.equal(network(images)[0], network(images)[1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "generator": lambda: ResNetGenerator(3, 3, 0.06, 1),
    "discriminator": lambda: PatchDiscriminator(3, 0.06),
    "u_net": lambda: UNet((32, 32, 3), 3, 0.06).eval(),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("images", [1, 2])
def test_gradients_in_the_memory_format_of_the_loop(name: str, images: int) -> None:
    """They equal those of double precision; PyTorch's instance norm fails for a single image."""
    batch = torch.rand(images, 3, 32, 32)
    gradients = []
    for dtype, memory in (
        (torch.float64, torch.contiguous_format),
        (torch.float32, torch.channels_last),
    ):
        torch.manual_seed(3)
        network = NETWORKS[name]().to(dtype).to(memory_format=memory)
        network(batch.to(dtype)).pow(3).sum().backward()
        # In front of a norm, the gradient of a bias is a rounding error.
        weights = [one for key, one in network.named_parameters() if key.endswith("weight")]
        found = [one.grad.double().flatten() for one in weights if one.grad is not None]
        assert len(found) == len(weights)
        gradients.append(torch.cat(found))
    exact, rounded = gradients
    assert (rounded - exact).norm() < 1e-4 * exact.norm()


def test_instance_norm() -> None:
    """Every map of every image has the mean 0 and the variance 1."""
    norm = InstanceNorm(4)
    assert not list(norm.parameters())
    maps = norm(torch.rand(3, 4, 16, 16) * 5 + 2).flatten(2)
    torch.testing.assert_close(maps.mean(2), torch.zeros(3, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(maps.var(2, unbiased=False), torch.ones(3, 4), rtol=1e-3, atol=0)
    weights = {name: tuple(one.shape) for name, one in InstanceNorm(4, True).named_parameters()}
    assert weights == {"weight": (4,), "bias": (4,)}


def test_reflections() -> None:
    """The border pixels stay single, as in `torch.nn.ReflectionPad2d`."""
    images = torch.rand(2, 3, 8, 12)
    for size in (1, 3):
        assert torch.equal(ReflectionPad(size)(images), nn.ReflectionPad2d(size)(images))


def test_initial_weights() -> None:
    network = UNet((64, 64, 3), 3)
    kernels = network.encoder[2][1].weight.detach()  # type: ignore[index]
    assert float(kernels.std()) == pytest.approx(0.02, rel=0.02)
    assert float(kernels.mean()) == pytest.approx(0, abs=1e-3)
    gains = network.encoder[2][2].weight.detach()  # type: ignore[index]
    assert float(gains.mean()) == pytest.approx(1, abs=0.01)
    assert float(gains.std()) == pytest.approx(0.02, rel=0.2)
    assert float(network.encoder[2][2].bias.detach().abs().max()) == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ((40, 32, 3), "found 40×32 images, expected a height and a width that are multiples of 32"),
        ((16, 16, 3), "found 16×16 images"),
        ((32, 32, 4), "found images of 4 channels, expected 1 or 3"),
    ],
)
def test_wrong_shapes(shape: Shape, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_shape(shape)


def test_patches_that_do_not_fit() -> None:
    check_patches((32, 32, 3), 3)
    PatchDiscriminator(3, 0.05, 3)(torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match="32×64 images, too small for a PatchGAN with 4 layers"):
        check_patches((32, 64, 3), 4)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        PatchDiscriminator(3, 0.05, 4)(torch.rand(1, 3, 32, 32))
