"""Discriminator and classifier of mixed scenes: sizes, receptive field, self-attention."""

from __future__ import annotations

import pytest
import torch

from latent_atlas.models.networks.critics import OriginClassifier, PatchDiscriminator, SelfAttention


def test_the_receptive_field_of_a_patch_is_46_pixels_wide() -> None:
    images = torch.rand(1, 3, 128, 128, requires_grad=True)
    PatchDiscriminator(3, 0.1)(images)[0, 4, 4].backward()
    assert images.grad is not None
    rows = images.grad[0].abs().sum((0, 2)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 46


@pytest.mark.parametrize(
    "shape", [(32, 32), (64, 64), (96, 96), (128, 128), (32, 96), (96, 32), (64, 96)]
)
def test_the_classifier_takes_images_of_any_size(shape: tuple[int, int]) -> None:
    classifier = OriginClassifier(*shape, 3, 0.02).eval()
    assert classifier(torch.rand(2, 3, *shape), torch.rand(2, 3, *shape)).shape == (2, 4)


def test_self_attention_starts_as_the_identity_and_depends_on_all_positions() -> None:
    attention = SelfAttention(8)
    maps = torch.rand(1, 8, 4, 4, requires_grad=True)
    assert torch.equal(attention(maps), maps)
    attention.factor.data.fill_(1.0)
    attention(maps)[0, 0, 0, 0].backward()
    assert maps.grad is not None
    assert (maps.grad[0].abs().sum(0) > 0).all()
    plain, attending = (PatchDiscriminator(3, attention=flag) for flag in (False, True))
    assert len(list(attending.parameters())) > len(list(plain.parameters()))


def test_self_attention_adds_a_weighted_mean_over_all_positions() -> None:
    torch.manual_seed(0)
    layer = SelfAttention(16).eval()
    maps = 5 * torch.randn(1, 16, 2, 3)
    assert torch.equal(layer(maps), maps)  # its factor starts at 0
    with torch.no_grad():
        layer.factor.fill_(0.5)
    key, query, value = (part(maps)[0].flatten(1) for part in (layer.key, layer.query, layer.value))
    for place in range(6):
        weights = torch.softmax(torch.stack([key[:, i] @ query[:, place] for i in range(6)]), 0)
        expected = maps.flatten(2)[0, :, place] + 0.5 * (value * weights).sum(1)
        torch.testing.assert_close(layer(maps).flatten(2)[0, :, place], expected)
