"""The stage that measures and plots mixed scenes, on drawn scenes and untrained runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet
from latent_atlas.data.neighbour_table import neighbours_folder, write_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import mixing as stage
from tests.conftest import ROOT
from tests.stages.tables import read_metrics


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = DataSet(
        source="drawn:scenes",
        height=32,
        width=32,
        valid_share=0.3,
        count=60,
    )
    draw_data_set("scenes", data, 60, 0, tmp_path / "data" / "scenes")
    return open_store(tmp_path / "data" / "scenes")


@pytest.fixture
def folder(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two runs of one epoch and a table of random neighbours."""
    values = reading.read(ROOT / "params.yaml")
    values["data"]["scenes"] |= {"height": 32, "width": 32}
    for spec in values["runs"]["scenes"].values():
        spec |= {"latent_dim": 32, "epochs": {"sample": 1, "full": 1}, "batch_size": 30}
        spec["options"] = {"width": 0.06, "depth": 0.125}
    values["train"]["accelerator"] = "cpu"
    values["mixing"] |= {"mixes": {"sample": 12, "full": 12}, "size": 32, "examples": 3}
    values["mixing"]["classifier_images"] = {"sample": 60, "full": 60}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    random = np.random.default_rng(0)
    others = [random.permutation(np.delete(np.arange(60), row))[:10] for row in range(60)]
    ids = np.repeat(np.array(others, np.int32)[:, None], 4, axis=1)
    distances = np.sort(random.random((60, 4, 10), np.float32), axis=2)
    card = {"store": {"name": "scenes", "digest": store.digest}}
    neighbours = write_neighbours(tmp_path / neighbours_folder("scenes"), ids, distances, card)
    settings = reading.load(tmp_path / "params.yaml")
    for name in ("scenes_mixing", "scenes_autoencoder"):
        partners = neighbours if name == "scenes_mixing" else None
        loop.train(
            settings.run(name),
            store,
            tmp_path / "models" / name,
            tmp_path / "resume.pt",
            partners,
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["mixing", "scenes"])
    return tmp_path


def test_the_stage_measures_every_run_and_writes_two_sheets(folder: Path) -> None:
    stage.main()
    path = folder / "metrics" / "scenes-mixing.json"
    headline, values = json.loads(path.read_text()), read_metrics(folder, "scenes-mixing")
    assert set(values) == {
        "scenes_mixing",
        "scenes_autoencoder",
        "scenes_pasted",
        "scenes_true",
        "scenes_object_classifier",
    }
    assert values["scenes_true"]["near_psnr"] == 100  # identical images
    assert values["scenes_true"]["random_psnr"] == 100
    assert values["scenes_pasted"]["random_psnr"] > values["scenes_autoencoder"]["random_psnr"]
    expected = {"psnr", "ssim", "near_kept", "random_transferred", "object_probe_accuracy"}
    expected |= {"valid_reconstruction", "mean_image_loss", "floor"}
    assert expected <= set(values["scenes_mixing"])
    pictures = {"scenes_pasted", "scenes_true"}
    assert {row: set(metrics) for row, metrics in headline.items()} == {
        "scenes_mixing": {"explained", "near_transferred"},
        "scenes_autoencoder": {"explained", "near_transferred"},
        **{row: {"near_transferred"} for row in pictures},
    }
    assert "random_frechet_efficientnet_lite0" in values["scenes_pasted"]
    for kind in ("near", "random"):
        with Image.open(folder / "plots" / "scenes-mixing" / f"{kind}.png") as sheet:
            assert sheet.width > 800
    first = path.read_text()
    stage.main()
    assert path.read_text() == first


def test_too_few_mixes_are_named_with_their_key(folder: Path) -> None:
    values = reading.read(folder / "params.yaml")
    values["mixing"]["mixes"] = {"sample": 5, "full": 5}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"^mixing\.mixes: found 5, with"):
        stage.main()


def test_a_data_set_without_a_run_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mixing", "paintings"])
    (folder / "data" / "paintings").symlink_to(folder / "data" / "scenes")
    settings = reading.read(folder / "params.yaml")
    for spec in settings["runs"]["scenes"].values():
        spec["data"] = "paintings"
    settings["data"]["paintings"] |= {"height": 64, "width": 64}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(UserError, match=r"runs\.scenes: no run on data 'scenes'"):
        stage.main()
