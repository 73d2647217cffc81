"""Results of a study beside the published values."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.studies import plan, results
from latent_atlas.studies.charts import losses
from latent_atlas.studies.grid import cells_of
from tests.studies.conftest import PUBLISHED, Writer


def test_the_table_of_cells_has_a_row_per_finished_cell(outcome: results.Outcome) -> None:
    assert list(outcome.results.columns[:9]) == list(results.CELL)
    assert outcome.results["seed"].to_list() == [0, 0, 0, 1]
    assert outcome.results["valid_reconstruction_last5"].to_list() == [500, 61, 80, 520]


def test_the_size_is_that_of_the_named_tables(outcome: results.Outcome, tiny: Writer) -> None:
    longer = {"5.10": {"epochs": {"sample": 20, "full": 30}}}
    tiny({"tables": longer}, name="longer")
    cells = cells_of(plan.load("longer", "full"))
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


def test_every_cell_of_every_table_has_its_published_value(outcome: results.Outcome) -> None:
    rows = results.compare_with_published(outcome)
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


def test_equal_values_count_and_a_condition_counts_once(
    outcome: results.Outcome,
) -> None:
    # 510 ≤ 510, 61 > 60, 80 ≤ 80 (in both tables)
    assert results.count_at_most_published(results.compare_with_published(outcome)) == (2, 3)


def test_published_values_of_other_images_are_not_compared(outcome: results.Outcome) -> None:
    outcome.published["data"] = "circles_of_others"
    assert results.count_at_most_published(results.compare_with_published(outcome)) == (0, 0)
    results.write_results(outcome, Path("out"))
    text = Path("out/table.md").read_text()
    assert "valid. reconstruction: published (circles_of_others)" in text
    assert "of other images (circles_of_others)" in text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(512.3, 2, "510"), (12345.6, 4, "12350"), (0.04762, 2, "0.048"), (61.0, 4, "61"), (0, 2, "0")],
)
def test_rounded_numbers_have_no_exponent(value: float, digits: int, text: str) -> None:
    assert results.rounded(value, digits) == text


def test_the_tables_have_counts_means_and_missing_cells(outcome: results.Outcome) -> None:
    results.write_results(outcome, Path("out"))
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


def test_a_study_without_finished_cells_and_published_values_has_empty_tables(
    outcome: results.Outcome,
) -> None:
    Path("studies/tiny/published.csv").unlink()
    empty = results.Outcome(
        "tiny",
        "small",
        outcome.study,
        outcome.cells,
        outcome.stores,
        results.cell_table(outcome.cells, {}),
        results.read_published("tiny"),
    )
    results.write_results(empty, Path("out"))
    losses.draw_reconstruction_loss(empty, Path("out"))
    losses.draw_active_latents(empty, Path("out"))
    assert "0 of 10 cells" in Path("out/table.md").read_text()
    assert not list(Path("out").glob("*.png"))


def test_published_images_can_have_a_number_as_name(outcome: results.Outcome) -> None:
    text = PUBLISHED.replace("circles_mono", "7")
    Path("studies/tiny/published.csv").write_text(text)
    numbered = dataclasses.replace(outcome, published=results.read_published("tiny"))
    results.write_results(numbered, Path("out"))
    assert "published values are of other images (7)" in Path("out/table.md").read_text()
