"""Ours beside the published figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.studies import plan, results
from latent_atlas.studies.charts import grid
from latent_atlas.util.console import UserError
from tests.studies.conftest import Writer

HEAD = (
    "table,data,model,beta,latent_dim,train_generation,valid_generation,train_latent,valid_latent"
)
PUBLISHED = f"""{HEAD}
5.1,circles_mono,vae,1,2,500,510,20,21
5.1,circles_mono,vae,1,3,66,60,29,30
5.1,circles_mono,vae,4,3,70,80,24,24
5.10,circles_mono,vae,4,3,70,80,24,24
"""


def values(generation: float) -> dict[str, float]:
    """What a cell measures."""
    return {
        "active_latents": 2.0,
        "psnr": 20.0,
        "ssim": 0.5,
        "train_reconstruction_last5": generation,
        "valid_reconstruction_last5": generation,
        "valid_kl_last5": 10.0,
        "valid_kl_without_half_last5": 20.0,
        "train_kl_without_half_last5": 20.0,
    }


@pytest.fixture
def outcome(tiny: Writer, tmp_path: Path) -> results.Outcome:
    """β 1 with 2 latents twice (500, 520), with 3 latents once (61), β 4 with 3 once (80)."""
    folder = tiny()
    (folder / "published.csv").write_text(PUBLISHED)
    study = plan.load("tiny")
    cells = plan.cells(study, "full")
    found = {}
    for beta, size, seed, generation in (
        (1, 2, 0, 500.0),
        (1, 2, 1, 520.0),
        (1, 3, 0, 61.0),
        (4, 3, 0, 80.0),
    ):
        found[f"circles_mono_beta_vae_conv_bernoulli_b{beta}_z{size}_s{seed}"] = values(generation)
    data = plan.data_set(study, "circles_mono", "full", None)
    draw("circles_mono", data, 160, 0, tmp_path / "store")
    return results.Outcome(
        "tiny",
        "full",
        study,
        cells,
        {"circles_mono": open_store(tmp_path / "store")},
        results.tidy(cells, found),
        results.read_published("tiny"),
    )


def test_a_row_a_finished_cell(outcome: results.Outcome) -> None:
    assert list(outcome.results.columns[:9]) == list(results.CELL)
    assert outcome.results["seed"].to_list() == [0, 0, 0, 1]
    assert outcome.results["valid_reconstruction_last5"].to_list() == [500, 61, 80, 520]


def test_the_size_is_that_of_the_tables_asked_for(outcome: results.Outcome, tiny: Writer) -> None:
    longer = {"5.10": {"epochs": {"sample": 20, "full": 30}}}
    tiny({"tables": longer}, name="longer")
    cells = plan.cells(plan.load("longer"), "full")
    both = dataclasses.replace(outcome, cells=cells)
    images = len(outcome.stores["circles_mono"].rows("train"))
    for tables, epochs in (((), "3 or 30"), (("5.1",), "3"), (("5.10",), "30")):
        size = both.size("circles_mono", *tables)
        assert size == f"{images} training images, {epochs} epochs"


def test_means_and_sample_deviations_over_seeds(outcome: results.Outcome) -> None:
    summary = outcome.summary()
    assert summary["seeds"].to_list() == [2, 1, 1]
    assert summary["valid_reconstruction_last5"].to_list() == [510, 61, 80]
    sd = summary["valid_reconstruction_last5_sd"].to_list()
    assert sd[0] == pytest.approx(np.sqrt(200))
    assert np.isnan(sd[1])


def test_every_cell_of_every_table_has_its_published_figure(outcome: results.Outcome) -> None:
    rows = results.beside(outcome)
    assert rows[["table", "beta", "latent_dim"]].to_numpy().tolist() == [
        ["5.1", 1, 2],
        ["5.1", 1, 3],
        ["5.1", 4, 2],
        ["5.1", 4, 3],
        ["5.10", 4, 3],
        ["5.10", 8, 3],
    ]
    published = rows["published_valid_reconstruction"].to_list()
    assert published[:2] == [510, 60]
    assert np.isnan(published[2])
    assert published[3:5] == [80, 80]
    assert np.isnan(published[5])
    assert rows["valid_reconstruction_last5"].isna().to_list() == [
        False,
        False,
        True,
        False,
        False,
        1,
    ]


def test_equal_counts_as_at_most_and_a_condition_counts_once(outcome: results.Outcome) -> None:
    # 510 ≤ 510, 61 > 60, 80 ≤ 80 (which stands in both tables)
    assert results.verdict(results.beside(outcome)) == (2, 3)


def test_figures_of_other_images_are_shown_and_not_judged(outcome: results.Outcome) -> None:
    outcome.published["data"] = "circles_of_others"
    assert results.verdict(results.beside(outcome)) == (0, 0)
    results.write(outcome, Path("out"))
    text = Path("out/table.md").read_text()
    assert "valid. generation: published (circles_of_others)" in text
    assert "of other images (circles_of_others)" in text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(512.3, 2, "510"), (12345.6, 4, "12350"), (0.04762, 2, "0.048"), (61.0, 4, "61"), (0, 2, "0")],
)
def test_large_numbers_are_no_powers_of_ten(value: float, digits: int, text: str) -> None:
    assert results.rounded(value, digits) == text


def test_the_table_says_what_ran(outcome: results.Outcome) -> None:
    results.write(outcome, Path("out"))
    text = Path("out/table.md").read_text()
    assert "4 of 10 cells" in text
    assert "**2 of 3**" in text
    assert "| 1 | 2 | 2 | 510 | 510 ± 14 |" in text
    assert "| 8 | 3 | 0 | – | not run |" in text
    metrics = json.loads(Path("out/metrics.json").read_text())
    assert metrics["at_most_published"] == {"conditions": 2, "of": 3}
    assert metrics["circles_mono"]["beta 1 latent_dim 2"]["valid_reconstruction_last5"] == 510
    back = pd.read_csv("out/results.csv")
    assert back["valid_reconstruction_last5"].to_list() == [500, 61, 80, 520]


def test_nothing_finished_and_nothing_published(outcome: results.Outcome) -> None:
    Path("studies/tiny/published.csv").unlink()
    empty = results.Outcome(
        "tiny",
        "small",
        outcome.study,
        outcome.cells,
        outcome.stores,
        results.tidy(outcome.cells, {}),
        results.read_published("tiny"),
    )
    results.write(empty, Path("out"))
    grid.draw(empty, {}, Path("out"))
    assert "0 of 10 cells" in Path("out/table.md").read_text()
    assert not list(Path("out").glob("*.png"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PUBLISHED.replace("valid_latent", "kl"), "no column 'valid_latent'; expected"),
        (
            f"{PUBLISHED}5.1,circles_mono,vae,1,3,1,2,3,4\n",
            "line 6: table 5.1, beta 1, latent_dim 3 stands there twice",
        ),
        (PUBLISHED.replace("vae,4,3", "vae,4,three"), "line 4: latent_dim is 'three', expected a"),
        (PUBLISHED.replace("vae,4,3", "vae,4,2.5"), "latent_dim is .*2.5.*expected a whole number"),
        (PUBLISHED.replace("vae,4,3", "vae,,3"), "line 4: beta is empty, expected a number"),
        (
            PUBLISHED.replace("500", "about 5"),
            "line 2: train_generation is 'about 5', expected",
        ),
        (
            PUBLISHED.replace("circles_mono,vae,4,3", ",vae,4,3"),
            "line 4: data is empty, expected a",
        ),
        (PUBLISHED.replace("5.10", ""), "line 5: table is empty, expected a name"),
        (
            f"{HEAD}\n" + PUBLISHED.replace("\n", ",\n").partition("\n")[2],
            "more cells than the first line has names; remove what is over",
        ),
    ],
)
def test_wrong_published_figures_are_one_line(tiny: Writer, text: str, message: str) -> None:
    (tiny() / "published.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        results.read_published("tiny")


def test_published_images_may_be_called_by_a_number(outcome: results.Outcome) -> None:
    text = PUBLISHED.replace("circles_mono", "7")
    Path("studies/tiny/published.csv").write_text(text)
    numbered = dataclasses.replace(outcome, published=results.read_published("tiny"))
    results.write(numbered, Path("out"))
    assert "published figures are of other images (7)" in Path("out/table.md").read_text()


def test_a_study_of_one_condition_has_no_curve(outcome: results.Outcome) -> None:
    one = {"5.1": {"beta": [1], "latent_dim": [2]}, "5.10": {"beta": [1], "latent_dim": [2]}}
    tables = {
        number: table.model_copy(update=one[number])
        for number, table in outcome.study.tables.items()
    }
    study = outcome.study.model_copy(update={"tables": tables})
    grid.draw(dataclasses.replace(outcome, study=study), {}, Path("out"))
    assert {file.name for file in Path("out").iterdir()} == {"active_latents.png"}


def test_each_point_of_active_latents_is_one_condition(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that were trained otherwise are no further points at their β."""
    other = outcome.results.assign(knobs="30 epochs", active_latents=1.0)
    both = dataclasses.replace(outcome, results=pd.concat([outcome.results, other]))
    drawn: list[pd.DataFrame] = []
    monkeypatch.setattr(grid, "_curve", lambda axes, rows, *_: drawn.append(rows))
    grid._active_latents(both, {}, Path("out"))
    points = pd.concat(drawn)
    assert not points.duplicated(["data", "beta", "latent_dim"]).any()
    assert set(points["active_latents"]) == {2.0}


def test_no_figure_of_active_latents_where_only_others_are_finished(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `--only` a table that trains the conditions of another one in another way."""
    rows = results.beside(outcome)
    first = rows.assign(active_latents=float("nan"))
    monkeypatch.setattr(grid, "beside", lambda _: pd.concat([first, rows]))
    grid._active_latents(outcome, {}, Path("out"))
    assert not Path("out").exists()


def test_a_figure_shows_models_of_one_condition(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "open_run", lambda path: path)
    models = {cell.run.name: Path(cell.run.name) for cell in outcome.cells}
    (name,) = [cell.run.name for cell in outcome.cells if cell.run.beta == 1][:1]
    found = grid._first_seed(outcome, models)["circles_mono"]
    assert [path.name for path in found] == [name, name.replace("_z2_", "_z3_")]  # type: ignore[attr-defined]
    del models[name]
    found = grid._first_seed(outcome, models)["circles_mono"]
    assert [path.name for path in found] == [name.replace("_z2_", "_z3_")]  # type: ignore[attr-defined]


def test_table_numbers_stay_text(outcome: results.Outcome) -> None:
    assert outcome.published["table"].to_list() == ["5.1", "5.1", "5.1", "5.10"]
