"""A study of mixing models: neighbours for its cells, and its tables beside the published one."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from latent_atlas.studies import plan, stores
from latent_atlas.studies.cell import Order, fingerprint
from latent_atlas.util.console import UserError
from stages import study as stage
from tests.conftest import ROOT
from tests.studies.conftest import Writer

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
    "figures": ["mixing"],
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
    "scenes": {
        "mixes": SCALED,
        "tau": 0.5,
        "judged": {"sample": 60, "full": 60},
        "backbone": "efficientnet_lite0",
        "size": 32,
        "examples": 2,
    },
}
PUBLISHED = "table,fid,inception_score,stl10_accuracy_percent\n5.1,222.7,4.2,35.7\n"


@pytest.mark.slow
def test_models_are_trained_with_neighbours_and_measured_on_the_same_mixes(
    tiny: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny(CHANGES)
    (folder / "published_ablation.csv").write_text(PUBLISHED)
    monkeypatch.setattr(sys, "argv", ["study", "tiny"])
    stage.main()
    results = folder / "results" / "small"
    table: Any = pd.read_csv(results / "circles_mono_mixing.csv", index_col="run")
    assert list(table.index) == ["5.1", "5.10", "pasted", "true"]
    assert table.loc["true", "near_psnr"] == 100
    assert table.loc["pasted", "any_psnr"] > table.loc["5.10", "any_psnr"]
    cells: Any = pd.read_csv(results / "results.csv").set_index("model")
    for model, row in (("mixing", "5.1"), ("dense_ae", "5.10")):
        expected = cells.loc[model, "any_frechet_efficientnet_lite0"]
        assert table.loc[row, "any_frechet_efficientnet_lite0"] == pytest.approx(expected, rel=1e-3)
        assert 0 <= table.loc[row, "named_from_codes"] <= 1
    text = (results / "circles_mono_mixing.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| 5.1 | 222.7 |"))
    assert "| 4.2 | 35.7 % |" in row
    assert "FID, best first: 5.1." in text
    assert "in the tables of mixed scenes" in (results / "table.md").read_text()
    for kind in ("near", "any"):
        assert (results / "pictures" / f"circles_mono_mixing_{kind}.png").stat().st_size > 1000


def test_neighbours_are_kept_and_only_their_model_follows_from_them(
    tiny: Writer, tmp_path: Path
) -> None:
    tiny(CHANGES)
    study = plan.load("tiny")
    data = plan.data_set(study, "circles_mono", "small", None)
    store = stores.make("circles_mono", data, "small", 0, tmp_path, tmp_path / "read")
    options = plan.looked_for(study, "small")
    assert study.neighbours is not None and options is not None
    found = stores.neighbours(store, study.neighbours, options, tmp_path)
    again = stores.neighbours(store, study.neighbours, options, tmp_path)
    assert again.path == found.path
    exact = dataclasses.replace(options, search="exact")
    other = stores.neighbours(store, study.neighbours, exact, tmp_path)
    assert other.path != found.path
    assert other.digest != found.digest
    mixing, autoencoder = (cell.run for cell in plan.cells(study, "small"))
    assert fingerprint(mixing, store, found) != fingerprint(mixing, store, other)
    assert fingerprint(autoencoder, store, found) == fingerprint(autoencoder, store, other)


def test_mixes_of_every_model_are_measured_anew_with_other_neighbours(
    tiny: Writer, tmp_path: Path
) -> None:
    tiny(CHANGES)
    study = plan.load("tiny")
    run = plan.cells(study, "small")[1].run
    assert run.model == "dense_ae"
    there = tmp_path / "neighbours" / "0123" / "circles_mono"
    mixes = plan.mixes(study, "small")
    order = Order(run, tmp_path, tmp_path, "", 0.01, 10, neighbours=there, mixes=mixes)
    assert mixes is not None
    for change in (
        {"neighbours": tmp_path / "neighbours" / "4567" / "circles_mono"},
        {"mixes": dataclasses.replace(mixes, seed=mixes.seed + 1)},
        {"mixes": None},
    ):
        assert dataclasses.replace(order, **change)._measured_by() != order._measured_by()
    moved = dataclasses.replace(order, neighbours=Path("neighbours/0123/circles_mono"))
    assert moved._measured_by() == order._measured_by()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neighbours": None}, "'mixing' sees neighbours; add the section neighbours"),
        ({"scenes": None}, "mixing needs the sections scenes and neighbours"),
        ({"neighbours": {"backbone": "deepcluster"}}, "write deepcluster@<folder>, or choose"),
        ({"tables": {"5.1": {"latent_dim": [30]}}}, "latent_dim: found 30, expected a multiple"),
        ({"neighbours": {"tiles": 3}}, "options.tiles: found 2, but neighbours.tiles is 3"),
    ],
)
def test_a_study_that_cannot_mix_is_one_line(
    tiny: Writer, changes: dict[str, Any], message: str
) -> None:
    from latent_atlas.config.reading import merge

    tiny(merge(CHANGES, changes))
    with pytest.raises(UserError) as error:
        plan.load("tiny")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_ablation_takes_every_published_loss_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tables = plan.load("ablation").tables
    published = pd.read_csv(plan.STUDIES / "ablation" / "published_ablation.csv")
    assert set(published["table"]) == set(tables) - {"autoencoder"}
    weights = {name: table.loss_weights for name, table in tables.items()}
    full = weights["full"]
    assert full == {"reconstruction": 0.904, "adversarial": 0.052, "classifier": 0.044}
    for term in full:
        assert weights[f"no_{term}"] == {**full, term: 0.0}
