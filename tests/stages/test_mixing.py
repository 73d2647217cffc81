"""The measures of mixed scenes: true pictures, the judge, and the whole stage on drawn scenes."""

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
from latent_atlas.config.section import Scaled
from latent_atlas.data.neighbour_table import folder_of, write_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import mixing as stage
from tests.conftest import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = DataSet(
        source="drawn:scenes",
        height=32,
        width=32,
        valid_share=0.3,
        count=Scaled(sample=60, full=60),
    )
    draw("scenes", data, 60, 0, tmp_path / "data" / "scenes")
    return open_store(tmp_path / "data" / "scenes")


@pytest.fixture
def folder(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory where two untrained runs stand ready to be measured."""
    values = reading.read(ROOT / "params.yaml")
    values["data"]["scenes"] |= {"height": 32, "width": 32}
    for spec in values["runs"]["scenes"].values():
        spec |= {"latent_dim": 32, "epochs": {"sample": 1, "full": 1}, "batch_size": 30}
        spec["options"] = {"width": 0.06, "depth": 0.125}
    values["train"]["accelerator"] = "cpu"
    values["scenes"] |= {"mixes": {"sample": 12, "full": 12}, "size": 32, "examples": 3}
    values["scenes"]["judged"] = {"sample": 60, "full": 60}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    random = np.random.default_rng(0)
    others = [random.permutation(np.delete(np.arange(60), row))[:10] for row in range(60)]
    ids = np.repeat(np.array(others, np.int32)[:, None], 4, axis=1)
    distances = np.sort(random.random((60, 4, 10), np.float32), axis=2)
    card = {"store": {"name": "scenes", "digest": store.digest}}
    neighbours = write_neighbours(tmp_path / folder_of("scenes"), ids, distances, card)
    settings = reading.load(tmp_path / "params.yaml")
    for name in ("scenes_mixing", "scenes_autoencoder"):
        company = neighbours if name == "scenes_mixing" else None
        loop.train(
            settings.run(name),
            store,
            tmp_path / "models" / name,
            tmp_path / "resume.pt",
            company,  # type: ignore[arg-type]
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["scenes", "scenes"])
    return tmp_path


def test_the_stage_measures_every_run_and_draws_two_sheets(folder: Path) -> None:
    stage.main()
    path = folder / "metrics" / "scenes-mixing.json"
    values = json.loads(path.read_text())
    assert set(values) == {
        "scenes_mixing",
        "scenes_autoencoder",
        "coco_pasted",
        "coco_true",
        "coco_judge",
    }
    assert values["coco_true"]["near_psnr"] == 100  # identical images
    assert values["coco_true"]["any_psnr"] == 100
    assert values["coco_pasted"]["any_psnr"] > values["scenes_autoencoder"]["any_psnr"]
    assert {"psnr", "ssim", "near_kept", "any_transferred"} <= set(values["scenes_mixing"])
    assert "any_frechet_efficientnet_lite0" in values["coco_pasted"]
    for kind in ("near", "any"):
        with Image.open(folder / "plots" / "scenes-mixing" / f"{kind}.png") as sheet:
            assert sheet.width > 800
    first = path.read_text()
    stage.main()
    assert path.read_text() == first


def test_a_data_set_without_a_run_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["scenes", "paintings"])
    (folder / "data" / "paintings").symlink_to(folder / "data" / "scenes")
    settings = reading.read(folder / "params.yaml")
    for spec in settings["runs"]["scenes"].values():
        spec["data"] = "paintings"
    settings["data"]["paintings"] |= {"height": 64, "width": 64}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(UserError, match=r"runs\.scenes: no run on data 'scenes'"):
        stage.main()
