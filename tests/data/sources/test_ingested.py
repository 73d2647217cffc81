"""Images read by the ingestion's door into a place of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.ingested import ingest
from tests.conftest import ROOT


def test_images_need_not_fit_the_runs_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(tmp_path))
    for name, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            picture = Image.new("L", (32, 48), shade + number)
            picture.save(tmp_path / "pictures" / name / f"{number}.png")
    data = DataSet(source=str(tmp_path / "pictures"), height=48, width=32, channels=1)
    store = ingest("circles_mono", data, tmp_path / "place")  # its runs take multiples of 32
    assert store.images.shape == (6, 48, 32, 1)
    assert store.classes == ["dark", "light"]
