"""The ablations of the recipe: every variant trains, and the table holds means over seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.recipe import as_modern, bounds, measure, summary, train_variant, variants
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.models.recipes import RECIPES


def test_each_variant_differs_from_the_recipe() -> None:
    whole, *others = variants().values()
    assert whole.recipe is RECIPES["modern"]
    for number, one in enumerate(others):
        assert one != whole
        assert one not in others[:number]


@pytest.mark.parametrize("name", ["− rising and falling rate", "− mean-image start", "published"])
def test_a_variant_changes_the_result(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path, name: str
) -> None:
    run, store = make_run(recipe="modern", epochs=2), make_store()
    before = RECIPES["modern"]
    losses = [train_variant(run, variants()[key], store, tmp_path) for key in ("modern", name)]
    assert losses[0] != losses[1]
    assert RECIPES["modern"] is before


def test_the_own_recipe_returns_after_an_error() -> None:
    before = RECIPES["modern"]
    with pytest.raises(RuntimeError), as_modern(RECIPES["published"]):
        assert RECIPES["modern"] is RECIPES["published"]
        raise RuntimeError
    assert RECIPES["modern"] is before


def test_the_floor_is_below_the_mean_image(make_store: Callable[..., Store]) -> None:
    store = make_store()
    mean, floor = bounds(store, "bernoulli")
    assert 0 < floor < mean
    assert bounds(store, "gaussian")[1] == 0


def test_rows_and_their_summary(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_store()
    monkeypatch.chdir(tmp_path)
    rows = measure([make_run(epochs=1)], ["modern", "− SiLU"], 2, tmp_path / "rows.csv")
    assert len(rows) == len(pd.read_csv(tmp_path / "rows.csv")) == 4
    table = summary(rows).set_index("recipe")
    own = rows[rows["recipe"] == "− SiLU"]
    assert table.loc["− SiLU", "explained mean"] == pytest.approx(own["explained"].mean())
    assert table.loc["− SiLU", "reconstruction std"] == pytest.approx(own["reconstruction"].std())
    assert (table["seeds"] == 2).all()
