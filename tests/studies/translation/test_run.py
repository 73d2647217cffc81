"""A tiny translation study: trained, scored, resumed, failing, and on given images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from latent_atlas.data.store import Store
from latent_atlas.studies.run import Request
from latent_atlas.studies.translation import tables
from latent_atlas.studies.translation.run import keep_images, run_study
from latent_atlas.util.console import UserError
from tests.studies.translation.conftest import Writer
from tests.translations import draw_garments

RESULTS = Path("studies/tiny/results/small")


def study(**arguments: Any) -> None:
    run_study(Request("tiny", **arguments))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_study_is_scored_and_nothing_is_done_twice(
    tiny: Writer, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny()
    (folder / "README.md").write_text("<!-- results: small -->\n<!-- end -->\n")
    study(jobs=2)
    assert "3 of 4 trainings are finished" in capfd.readouterr().err  # one is optional
    assert set(contents(RESULTS)) == {"scores.csv", "table.md", "red.png", "noise.png"}
    scores = pd.read_csv(RESULTS / "scores.csv")
    assert tuple(scores) == tables.COLUMNS
    assert set(scores.loc[scores["model"] == "red", "seed"]) == {0, 1}
    assert {"nothing", "nearest", "attribute_vector", "truth"} < set(scores["model"])
    assert "| red (pix2pix) | yes |" in (folder / "README.md").read_text()
    before = contents(RESULTS)
    study()
    assert "images/s" not in capfd.readouterr().err
    assert contents(RESULTS) == before
    study(only="grey")
    assert set(contents(RESULTS)) == {*before, "grey.png"}


@pytest.mark.slow
def test_a_failure_stops_no_other_run(tiny: Writer) -> None:
    tiny({"runs": {"red": {"pairs": {"edit": {"color": "rad"}}, "seeds": {"sample": 1}}}})
    with pytest.raises(UserError, match=r"1 of 2 cells failed: red_s0 \(.*found 'rad', expected"):
        study()
    assert set(contents(RESULTS)) == {"scores.csv", "table.md", "noise.png"}


@pytest.mark.slow
def test_given_folders_have_results_of_their_own(tiny: Writer, tmp_path: Path) -> None:
    tiny()
    random = np.random.default_rng(0)
    for name, level in (("short", 60), ("long", 190)):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(40):
            pixels = random.integers(level - 40, level + 40, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / name / f"{number}.png")
    study(source=str(tmp_path / "mine"))
    folder = RESULTS.with_name("small-mine")
    assert set(contents(folder)) == {"scores.csv", "table.md", "source.txt", "real.png"}
    assert (folder / "pictures" / "real.png").is_file()
    scores = pd.read_csv(folder / "scores.csv")
    own = scores[scores["model"] == "real"]
    assert {"success", "cycle_l1"} <= set(own["metric"])
    assert "changed_l1" not in set(own["metric"])
    assert not RESULTS.exists()


@pytest.fixture
def garments(tmp_path: Path) -> Store:
    return draw_garments(tmp_path, 60)


def test_some_images_of_a_store_are_kept(garments: Store, tmp_path: Path) -> None:
    kept = keep_images(garments, {"sleeve_length": ["short", "long"]}, tmp_path / "kept")
    rows = garments.index["sleeve_length"].isin(["short", "long"]).to_numpy()
    assert 0 < rows.sum() < len(rows)
    assert list(kept.index["id"]) == list(garments.index.loc[rows, "id"])
    assert (kept.images == garments.images[rows]).all()
    assert kept.card["factors"] == garments.card["factors"]
    with pytest.raises(UserError, match=r"keep: .* has no column 'sleeve_lenth'; did you mean"):
        keep_images(garments, {"sleeve_lenth": ["short"]}, tmp_path / "kept")
    with pytest.raises(UserError, match=r"kept: no usable image"):
        keep_images(garments, {"sleeve_length": ["mini"]}, tmp_path / "kept")
