"""Drawn garments, translation runs, and translators that learn nothing, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet, Params
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.pixels import to_images, to_pixels
from latent_atlas.data.store import Images, Store, open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.models.backbones import Backbone
from latent_atlas.models.base import Batch, Model
from latent_atlas.models.translation.base import Generator, Translator
from latent_atlas.training.translated import TrainedTranslator
from tests.conftest import ROOT

TASK = {"from": {"sleeve_length": "short"}, "to": {"sleeve_length": "long"}}


def draw_garments(folder: Path, count: int = 240, channels: int = 3) -> Store:
    """A store ``garments`` of 32×32 pixels, a quarter of them for validation."""
    data = DataSet.model_validate(
        {
            "source": "drawn:garments",
            "height": 32,
            "width": 32,
            "channels": channels,
            "valid_share": 0.25,
            "count": count,
        }
    )
    draw_data_set("garments", data, count, 0, folder / "garments")
    return open_store(folder / "garments")


def params_with(run: dict[str, Any], **others: dict[str, Any]) -> Params:
    """Parameters with the translation run ``garments_run`` on the data set ``garments``."""
    values = reading.without_runs(reading.read(ROOT / "params.yaml"))
    values["data"]["garments"] = values["data"]["clothes"] | {"height": 32, "width": 32}
    values["train"]["accelerator"] = "cpu"
    spec = {"data": "garments", "epochs": {"sample": 1, "full": 1}, **run}
    values["runs"]["translation"] = {"garments_run": spec}
    small = {"images": 20, "classifier_epochs": 2}
    values["translation"] |= {key: {"sample": one, "full": one} for key, one in small.items()}
    values["translation"] |= {"resamples": 50, "outputs": 3, "examples": 4}
    for section, changes in others.items():
        values[section] |= changes
    return reading.validate(values, "params.yaml")


def run_with(**run: Any) -> TranslationRun:
    """The resolved translation run ``garments_run``."""
    return params_with(run).translation_run("garments_run")


class Fake(Translator):
    """A translator given by a function of images and targets, and by noise where it has styles."""

    noise_dim = 0

    def __init__(
        self, function: Callable[[Tensor, Tensor, Tensor], Tensor], style_dim: int = 0
    ) -> None:
        super().__init__()
        self.function, self.style_dim = function, style_dim
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        return {"loss": self.weight.sum().expand(len(batch.images))}

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        return self.function(images, targets, noise)


class FakeGenerator(Generator):
    """A generator of flat images whose brightness is the first code, or the first attribute."""

    noise_dim, code_dim = 0, 4

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        return {"loss": torch.zeros(len(batch.images))}

    def generate(self, codes: Tensor, attributes: Tensor) -> Tensor:
        value = attributes[:, 0] / 10 if attributes.shape[1] else codes[:, 0].sigmoid()
        return value.float()[:, None, None, None].expand(-1, 3, 32, 32)


def identity(images: Tensor, targets: Tensor, noise: Tensor) -> Tensor:
    return images


def lookup(inputs: Images, outputs: Images) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A function from the known inputs to their outputs; what is unknown stays as it is."""
    known = {one.tobytes(): out for one, out in zip(inputs, outputs, strict=True)}

    def translate(images: Tensor, targets: Tensor, noise: Tensor) -> Tensor:
        pixels = to_pixels(images).numpy()
        found = [known.get(one.tobytes(), one) for one in pixels]
        return torch.cat([to_images(torch.from_numpy(one[None].copy())) for one in found])

    return translate


def trained_with(
    model: Model, run: TranslationRun, store: Store, values: dict[str, list[str]], size: int = 50
) -> TrainedTranslator:
    """A fake model as if it had been trained on `store`."""
    data = {"source": store.card["source"], "digest": store.digest, "attributes": values}
    config = {"shape": list(store.shape), "data": data}
    return TrainedTranslator(run, model, config, pd.DataFrame(), values, size)


def tiny_backbone() -> Backbone:
    """A backbone whose features are the mean colours of 16 parts of the image."""
    return Backbone(
        "tiny", [("pool", nn.AdaptiveAvgPool2d(4))], nn.Flatten(), (0, 0, 0), (1, 1, 1), 32
    )
