"""Feature sources: names, parts of runs, and the sizes of images that they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latent_atlas.analysis.probe.feature_sources import open_source
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.util.console import FieldError, UserError


@pytest.fixture
def folder(
    tmp_path: Path, train_dense: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with a run of a model without a discriminator."""
    train_dense("models/ae")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "name, message",
    [
        ("discriminator:models/ae", "model 'dense_ae' has no discriminator"),
        ("encodr:models/ae", "found 'encodr', expected one of encoder, random"),
        ("resnet5", "no backbone 'resnet5'"),
        ("encoder:models/none", "missing; train the run"),
    ],
)
def test_a_wrong_source_is_refused_by_name(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_source(name, 0)


def test_images_that_a_run_does_not_take_are_refused(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = {"square": (32, 32, 3), "tall": (64, 32, 3), "grey": (32, 32, 1)}
    for name, (height, width, channels) in shapes.items():
        store = make_store(20, height, width, channels, name=name)
        run = make_run(epochs=1, network="mlp", data=name)
        loop.train(run, store, tmp_path / name, tmp_path / "r.pt")
    monkeypatch.chdir(tmp_path)
    open_source("encoder:square", 0).check(32)
    open_source("transfer-encoder:tall", 0).check(48)  # the student takes images of any size
    for name, message in (
        ("encoder:square", "found 64, .* 32×32×3; set it to 32"),
        ("encoder:tall", "64×32×3; choose a run on square colour images"),
        ("encoder:grey", "32×32×1; choose a run on square colour images"),
        ("transfer-encoder:grey", "32×32×1"),
    ):
        with pytest.raises(FieldError, match=message):
            open_source(name, 0).check(64)


def test_untrained_weights_depend_on_the_seed(folder: Path) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first, again, other = (
        open_source("random:models/ae", seed).network(images) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
