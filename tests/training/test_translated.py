"""Checkpoints of translation runs, and the outputs of the models in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latent_atlas.data.store import Store, open_store
from latent_atlas.training import loop
from latent_atlas.training.translated import open_translator
from latent_atlas.training.translation import build_translator, samples_of
from latent_atlas.util.console import UserError
from tests.translations import (
    Fake,
    FakeGenerator,
    draw_garments,
    identity,
    run_with,
    trained_with,
)


@pytest.fixture(scope="module")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return draw_garments(tmp_path_factory.mktemp("data"), 80)


def train(store: Store, out: Path, **run: Any) -> None:
    resolved = run_with(**run)
    made = samples_of(resolved, store, open_store)
    model = build_translator(resolved, store.shape, made.sizes, made.reverse)
    resume = out.with_suffix(".pt")
    loop.train(resolved, store, out, resume, made.partners, model, made.selection)


def test_a_trained_model_opens_with_its_attributes_in_order(
    garments: Store, tmp_path: Path
) -> None:
    # The order of the columns is not that of the alphabet.
    options = {"width": 0.0625, "blocks": 1}
    run = {"model": "stargan", "attributes": ["pattern", "fit"], "options": options}
    train(garments, tmp_path / "run", **run)
    trained = open_translator(tmp_path / "run")
    assert list(trained.values) == ["pattern", "fit"]
    assert trained.values["fit"] == ["loose", "normal", "tight"]
    assert not trained.model.training
    assert "garments_run: stargan, pattern, fit" in trained.title()
    numbers = np.zeros((5, 2), np.int64)
    outputs = trained.translate(garments.images[:5], numbers, numbers + 1, 0)
    assert outputs.shape == (5, 1, 32, 32, 3)
    assert outputs.dtype == np.uint8
    trained.check(garments)
    with pytest.raises(UserError, match="not the images that run garments_run was trained on"):
        trained.check(Store(garments.path, garments.images, garments.index,
                            {**garments.card, "digest": "0" * 64}))  # fmt: skip
    with pytest.raises(TypeError, match="stargan makes no images of codes"):
        trained.codes(3, 0)


def test_a_damaged_checkpoint_is_one_line(garments: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json: missing; train the run"):
        open_translator(tmp_path / "run")
    train(garments, tmp_path / "run", model="dcgan", options={"width": 0.0625})
    trained = open_translator(tmp_path / "run")
    assert trained.generate(trained.codes(3, 0), np.empty((3, 0), np.int64)).shape == (3, 32, 32, 3)
    assert trained.parameters == sum(one.numel() for one in trained.model.parameters())
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["run"]["options"]["width"] = 0.125
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="weights of another network"):
        open_translator(tmp_path / "run")


def with_styles(images: Tensor, targets: Tensor, noise: Tensor) -> Tensor:
    return (images * 0 + 0.5 + 0.1 * noise.mean(1)[:, None, None, None]).clamp(0, 1)


RUN = {"model": "munit", "task": {"from": {"fit": "loose"}, "to": {"fit": "tight"}}}


@pytest.mark.parametrize("size", [1, 3, 50])
def test_several_outputs_do_not_depend_on_the_batch_size(garments: Store, size: int) -> None:
    numbers = np.zeros((4, 1), np.int64)
    images = garments.images[:4]
    many = [
        trained_with(Fake(with_styles, 8), run_with(**RUN), garments, {}, one)
        for one in (size, 100)
    ]
    first, second = (one.translate(images, numbers, numbers, 7, outputs=3) for one in many)
    assert first.shape == (4, 3, 32, 32, 3)
    np.testing.assert_array_equal(first, second)
    assert len({one.tobytes() for one in first.reshape(12, -1)}) > 9
    other = many[0].translate(images, numbers, numbers, 8, outputs=3)
    assert (other != first).any()


def test_the_outputs_of_an_input_stand_together(garments: Store) -> None:
    trained = trained_with(Fake(identity, 2), run_with(**RUN), garments, {})
    numbers = np.zeros((3, 1), np.int64)
    outputs = trained.translate(garments.images[:3], numbers, numbers, 0, outputs=2)
    np.testing.assert_array_equal(outputs, garments.images[:3][:, None].repeat(2, 1))
    empty = trained.translate(garments.images[:0], numbers[:0], numbers[:0], 0)
    assert empty.shape == (0, 1, 32, 32, 3)


def test_a_model_with_one_output_gives_no_other(garments: Store) -> None:
    trained = trained_with(Fake(identity), run_with(**RUN), garments, {})
    numbers = np.zeros((1, 1), np.int64)
    with pytest.raises(ValueError, match="munit has one output per input, found outputs 2"):
        trained.translate(garments.images[:1], numbers, numbers, 0, outputs=2)
    assert trained.style_dim == 0


def test_the_global_generator_is_left_as_it_was(garments: Store) -> None:
    trained = trained_with(Fake(identity), run_with(**RUN), garments, {})
    numbers = np.zeros((1, 1), np.int64)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    trained.translate(garments.images[:1], numbers, numbers, 0)
    assert torch.equal(torch.rand(2), expected)


def test_a_generator_translates_nothing(garments: Store) -> None:
    trained = trained_with(FakeGenerator(), run_with(model="dcgan"), garments, {})
    numbers = np.zeros((1, 0), np.int64)
    with pytest.raises(TypeError, match="dcgan translates no images"):
        trained.translate(garments.images[:1], numbers, numbers, 0)
    codes = trained.codes(6, 0)
    np.testing.assert_array_equal(codes, trained.codes(6, 0))
    small = trained_with(FakeGenerator(), run_with(model="dcgan"), garments, {}, 4)
    none = np.empty((6, 0), np.int64)
    np.testing.assert_array_equal(trained.generate(codes, none), small.generate(codes, none))
