"""The conditional GAN: its condition reaches both networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.cgan import CGAN
from tests.models.translation.translators import options_for, reached, sample, small


class Recorder(nn.Module):
    """A discriminator that records its conditions."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        self.seen.append(condition)
        return images.mean((1, 2, 3))


def test_the_condition_is_a_one_hot_vector_per_attribute() -> None:
    model = small("cgan")
    found = model.condition(torch.tensor([[1, 0], [0, 2]]), 2)
    assert found.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]


def test_real_and_generated_images_have_the_same_condition() -> None:
    model = small("cgan")
    batch, recorder = sample(model), Recorder()
    model.discriminator = recorder
    model(batch, "discriminator")
    model(batch, "generator")
    assert len(recorder.seen) == 3
    for seen in recorder.seen:
        assert torch.equal(seen, model.condition(batch.attributes, 4))


def test_the_discriminator_sees_the_condition_as_constant_maps() -> None:
    model = small("cgan")
    seen: list[Tensor] = []
    first = model.discriminator.layers[0]
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = sample(model)
    model(batch, "discriminator")
    maps = seen[0][:, 3:]
    assert maps.shape == (4, 5, 32, 32)
    condition = model.condition(batch.attributes, 4)
    assert torch.equal(maps, condition[:, :, None, None].expand(-1, -1, 32, 32))


def test_the_generator_depends_on_code_and_attributes() -> None:
    model = small("cgan").eval()
    codes = torch.randn(1, 100).expand(3, -1)
    images = model.generate(codes, torch.tensor([[0, 1], [1, 1], [0, 2]]))
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert model.code_dim == model.noise_dim == 100


@pytest.mark.parametrize("shape", [(32, 32, 1), (96, 64, 3)])
def test_phases_and_sizes(shape: Shape) -> None:
    model = small("cgan", shape)
    batch = sample(model, 3, shape)
    assert reached(model, batch, "discriminator") == {"discriminator"}
    assert reached(model, batch, "generator") == {"generator", "discriminator"}


def test_without_attributes_there_is_no_condition() -> None:
    with pytest.raises(ValueError, match="found no attributes, expected one or more"):
        CGAN(TranslatorConfig((32, 32, 3), (), False, options_for("cgan")))
    model = small("cgan")
    with pytest.raises(ValueError, match="found a batch without attributes"):
        model(sample(model)._replace(attributes=None), "generator")


def test_the_condition_is_learnt() -> None:
    """Of two attributes' values, one has black images and one white ones."""
    model = small("cgan", code=4)
    batch = sample(model, 12)
    assert batch.attributes is not None
    shade = batch.attributes[:, :1, None, None].float()
    batch = batch._replace(images=shade.expand(-1, 3, 32, 32))
    optimizers = {
        name: torch.optim.Adam(getattr(model, name).parameters(), 1e-3, (0.5, 0.999))
        for name in model.phases()
    }
    for _ in range(60):
        codes = torch.randn(12, 4)
        for name, optimizer in optimizers.items():
            model.zero_grad()
            loss = model.phases()[name].loss
            model(batch._replace(noise=codes), name)[loss].mean().backward()
            optimizer.step()
    values = torch.tensor([[0, 1], [1, 1]]).repeat_interleave(8, 0)
    with torch.no_grad():
        dark, bright = model.generate(torch.randn(16, 4), values).mean((1, 2, 3)).chunk(2)
    assert dark.mean() + 0.2 < bright.mean()
