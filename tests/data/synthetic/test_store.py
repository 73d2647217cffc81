"""Drawn stores: the pictures of the drawing, with its factors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from latent_atlas.config.schema import DataSet
from latent_atlas.data.store import Store, open_store, split_of
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.util.console import UserError, run_command
from stages.draw import main

PARAMS = Path(__file__).parents[3] / "params.yaml"


def drawn(folder: Path, count: int = 300, seed: int = 3, **options: Any) -> Store:
    sides = {"height": options.pop("height", 24), "width": options.pop("width", 16)}
    values = {"source": "drawn:circles_rgb", "count": 1, **options}
    data = DataSet.model_validate({"height": 64, "width": 64, **values})
    draw_data_set("mine", data.model_copy(update=sides), count, seed, folder)
    return open_store(folder)


def test_pictures_and_factors_are_those_of_the_drawing(tmp_path: Path) -> None:
    store = drawn(tmp_path / "x")
    drawing = DRAWINGS["circles_rgb"]
    factors = drawing.factors(300, 3)
    assert np.array_equal(store.images, drawing.render(factors, 24, 16))
    assert store.card["factors"] == list(factors.columns)
    assert np.array_equal(store.index[factors.columns].to_numpy(), factors.to_numpy())
    assert store.index["origin"][299] == "drawn:circles_rgb#299"
    assert store.index["id"].is_unique
    assert store.card["seed"] == 3


def test_the_seed_determines_the_store(tmp_path: Path) -> None:
    one, same = drawn(tmp_path / "a"), drawn(tmp_path / "b")
    other = drawn(tmp_path / "c", seed=4)
    assert one.digest == same.digest != other.digest


def test_a_larger_count_adds_images_and_moves_none(tmp_path: Path) -> None:
    few, more = drawn(tmp_path / "a", 100), drawn(tmp_path / "b", 300)
    assert np.array_equal(few.images, more.images[:100])
    assert few.index["split"].to_list() == more.index["split"][:100].to_list()


def test_equal_pictures_fall_into_one_split_and_stay(tmp_path: Path) -> None:
    store = drawn(tmp_path / "x", 3000, height=8, width=8, source="drawn:circles_mono")
    assert len(store.index) == 3000
    assert store.index["sha256"].duplicated().any()
    assert (store.index.groupby("sha256")["split"].nunique() == 1).all()
    assert store.index["split"][0] == split_of(store.index["sha256"][0], 0.1)


def test_one_channel_is_the_luma(tmp_path: Path) -> None:
    colour, grey = drawn(tmp_path / "a").images, drawn(tmp_path / "b", channels=1).images
    expected = (colour.astype(float) @ [0.299, 0.587, 0.114])[..., None]
    assert grey.shape == (300, 24, 16, 1)
    assert np.abs(grey - expected).max() <= 0.5 + 1e-9


def test_labels_are_a_factor(tmp_path: Path) -> None:
    labelled = [name for name, drawing in DRAWINGS.items() if drawing.label is not None]
    for name in labelled:
        store = drawn(tmp_path / name, 40, source=f"drawn:{name}", height=32, width=32)
        column = DRAWINGS[name].label
        assert store.index["label"].to_list() == store.index[column].astype(str).to_list()
        assert store.classes == sorted(set(store.index["label"]))


@pytest.mark.parametrize(
    "options, line",
    [
        ({"source": "drawn:circle_rgb"}, "no drawing 'circle_rgb'; did you mean 'circles_rgb'"),
        ({"classes": 3}, r"data\.mine\.classes: found 3, expected class names .* \(none\)"),
        (
            {"source": "drawn:garments", "classes": ["skirt"]},
            r"data\.mine\.classes: found \['skirt'\], .* \(blouses, dresses,",
        ),
        ({"limit": 3}, r"data\.mine\.limit: drawn:circles_rgb"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        drawn(tmp_path / "x", **options)
    assert list(tmp_path.iterdir()) == []


def test_one_class_has_the_same_images_in_the_same_splits(tmp_path: Path) -> None:
    every = drawn(tmp_path / "a", 90, source="drawn:garments", height=32, width=32)
    one = drawn(
        tmp_path / "b", 90, source="drawn:garments", height=32, width=32, classes=["skirts"]
    )
    rows = np.flatnonzero(every.index["label"] == "skirts")
    assert 0 < len(rows) < 90 and one.classes == ["skirts"]
    assert one.index["id"].to_list() == every.index["id"].iloc[rows].to_list()
    assert one.index["split"].to_list() == every.index["split"].iloc[rows].to_list()
    assert (one.images == every.images[rows]).all()


def run(monkeypatch: pytest.MonkeyPatch, place: Path, source: str) -> None:
    monkeypatch.chdir(place)
    values = yaml.safe_load(PARAMS.read_text())
    values["data"]["mine"] = {
        "source": source, "height": 24, "width": 16, "count": {"sample": 20, "full": 30}
    }  # fmt: skip
    Path("params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.setattr(sys, "argv", ["draw", "mine"])
    run_command(main)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, tmp_path, "drawn:circles_mono")
    assert len(open_store(Path("data/mine")).images) == 20


def test_the_command_refuses_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, tmp_path, "sklearn:digits")
    assert left.value.code == 1
    found = capsys.readouterr().err
    assert "data.mine.source: found 'sklearn:digits', expected drawn:<name>" in found
    assert not Path("data").exists()


def test_sides_that_a_drawing_cannot_have_are_named(tmp_path: Path) -> None:
    data = DataSet.model_validate({"source": "drawn:scenes", "height": 29, "width": 29, "count": 9})
    with pytest.raises(UserError, match=r"data\.mine: found height 29, width 29: .*must be even"):
        draw_data_set("mine", data, 9, 0, tmp_path / "store")
