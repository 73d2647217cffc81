"""Mixed scenes of a study: trained with neighbours, and compared with the published ablation."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from latent_atlas.studies import plan
from latent_atlas.studies.run import Request, run_study
from tests.conftest import ROOT
from tests.studies.conftest import Writer
from tests.studies.test_recorded import check_files

SCALED = {"sample": 12, "full": 12}
MIXING: dict[str, Any] = {
    "model": "mixing",
    "network": "dense",
    "likelihood": "laplace",
    "beta": [0],
    "latent_dim": [32],
    "options": {"width": 0.06, "depth": 0.125},
}
CHANGES: dict[str, Any] = {
    "data": {"circles_mono": {"source": "drawn:scenes", "channels": 3, "count": {"sample": 120}}},
    "tables": {
        "5.1": {**MIXING, "loss_weights": {"adversarial": 0.0}},
        "5.10": {**MIXING, "model": "dense_ae"},
    },
    "train": {"epochs": {"sample": 1, "full": 1}},
    "charts": ["mixing"],
    "neighbours": {
        "backbone": "efficientnet_lite0",
        "size": 32,
        "search": "clusters",
        "clusters": {"sample": 3, "full": 3},
        "iterations": 5,
        "probes": 1,
        "distinct": True,
        "batch_size": 50,
    },
    "mixing": {
        "mixes": SCALED,
        "tau": 0.5,
        "classifier_images": {"sample": 60, "full": 60},
        "backbone": "efficientnet_lite0",
        "size": 32,
        "examples": 2,
    },
}
PUBLISHED = "table,fid,inception_score,stl10_accuracy_percent\n5.1,222.7,4.2,35.7\n"


@pytest.mark.slow
def test_models_are_trained_with_neighbours_and_measured_on_the_same_mixes(tiny: Writer) -> None:
    folder = tiny(CHANGES)
    (folder / "published_ablation.csv").write_text(PUBLISHED)
    run_study(Request("tiny"))
    results = folder / "results" / "small"
    check_files(results)
    table: Any = pd.read_csv(results / "circles_mono_mixing.csv", index_col="run")
    assert list(table.index) == ["5.1", "5.10", "pasted", "true"]
    assert table.loc["true", "near_psnr"] == 100
    assert table.loc["pasted", "random_psnr"] > table.loc["5.10", "random_psnr"]
    cells: Any = pd.read_csv(results / "results.csv").set_index("model")
    for model, row in (("mixing", "5.1"), ("dense_ae", "5.10")):
        frechet = "random_frechet_efficientnet_lite0"
        expected = cells.loc[model, frechet]
        assert table.loc[row, frechet] == pytest.approx(expected, rel=1e-3)
        assert 0 <= table.loc[row, "object_probe_accuracy"] <= 1
    text = (results / "circles_mono_mixing.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| 5.1 | 222.7 |"))
    assert "| 4.2 | 35.7 % |" in row
    assert "FID, best first: 5.1." in text
    assert "The tables of mixed scenes compare" in (results / "table.md").read_text()
    for kind in ("near", "random"):
        assert (results / "pictures" / f"circles_mono_mixing_{kind}.png").stat().st_size > 1000


def test_the_ablation_removes_every_published_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tables = plan.load("mixing_ablation", "small").tables
    path = plan.STUDIES / "mixing_ablation" / "published_ablation.csv"
    assert set(pd.read_csv(path)["table"]) == set(tables) - {"autoencoder"}
    weights = {name: table.loss_weights for name, table in tables.items()}
    full = {"mixing_reconstruction": 0.904, "adversarial": 0.052, "classifier": 0.044}
    assert weights["full"] == full
    for term in full:
        assert weights[f"no_{term.removeprefix('mixing_')}"] == {**full, term: 0.0}
