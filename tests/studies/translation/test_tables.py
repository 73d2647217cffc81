"""The tables of a translation study, on scores made by hand."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from latent_atlas.studies.translation import plan, tables
from latent_atlas.studies.translation.tables import Scored
from tests.studies.translation.conftest import Writer

HEAD = "model,attribute,metric,value,low,high"


def scored(seed: int, l1: float, success: float, name: str = "red") -> Scored:
    lines = [HEAD]
    for model, own_l1, own_success in (
        (f"{name}_s{seed}", l1, success),
        ("nothing", 0.5, 0.0),
        ("nearest", 0.2, 0.9),
        ("truth", 0.0, 1.0),
    ):
        lines += [
            f"{model},color red,changed_l1,{own_l1},0.1,0.9",
            f"{model},all,changed_l1,{own_l1},0.1,0.9",
            f"{model},all,success,{own_success},,",
            f"{model},all,frechet_tiny,12.5,,",
        ]
    text = io.StringIO("\n".join(lines))
    return Scored(name, seed, 1234, pd.read_csv(text, dtype=str, keep_default_na=False))


@pytest.fixture
def study(tiny: Writer) -> plan.TranslationStudy:
    tiny()
    return plan.load("tiny", "small")


def rows_of(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| ---")
    ]


def test_a_row_has_the_mean_of_the_seeds_and_their_range(study: plan.TranslationStudy) -> None:
    text = tables.markdown(study, "small", [scored(0, 0.1, 0.75), scored(1, 0.2, 1.0)])
    head, own, nothing, nearest, truth = rows_of(text)
    row = dict(zip(head, own, strict=True))
    assert row["model"] == "red (pix2pix)"
    assert row["change"] == "color → red"
    thesis = [row[key] for key in ("supervised", "multi-domain", "multi-modal", "latent space")]
    assert thesis == ["yes", "no", "no", "no"]
    assert row["error in changed pixels (L1) ↓"] == "0.15 [0.1, 0.2]"
    assert row["success ↑"] == "0.875 [0.75, 1]"
    assert row["Fréchet distance ↓"] == "12.5 [12.5, 12.5]"
    assert row["cycle error (L1) ↓"] == "–"
    # An error of 0.15 beats both baselines; a success of 0.875 beats nothing, not the nearest.
    assert row["baselines beaten"] == "2/2, 1/2"
    assert row["parameters"] == "1,234"
    assert row["trainings"] == "2"
    assert [line[1] for line in (nothing, nearest, truth)] == ["*nothing*", "*nearest*", "*truth*"]
    assert nothing[head.index("error in changed pixels (L1) ↓")] == "0.5 [0.1, 0.9]"


def test_one_training_has_the_interval_over_images(study: plan.TranslationStudy) -> None:
    text = tables.markdown(study, "small", [scored(0, 0.1, 0.75)])
    row = dict(zip(*rows_of(text)[:2], strict=True))
    assert row["error in changed pixels (L1) ↓"] == "0.1 [0.1, 0.9]"
    assert row["success ↑"] == "0.75"


def test_an_equal_baseline_is_not_beaten(study: plan.TranslationStudy) -> None:
    text = tables.markdown(study, "small", [scored(0, 0.2, 0.0)])
    assert dict(zip(*rows_of(text)[:2], strict=True))["baselines beaten"] == "1/2, 0/2"


def test_all_scores_name_run_and_seed(study: plan.TranslationStudy) -> None:
    content = tables.all_scores([scored(0, 0.1, 0.75), scored(1, 0.2, 1.0)])
    table = pd.read_csv(io.BytesIO(content))
    assert tuple(table) == tables.COLUMNS
    own = table[(table["model"] == "red") & (table["attribute"] == "all")]
    values = own[own["metric"] == "changed_l1"].set_index("seed")["value"]
    assert values.to_dict() == {0: 0.1, 1: 0.2}
    assert set(own.loc[own["metric"] == "parameters", "value"]) == {1234}
    assert set(table["model"]) == {"red", "nothing", "nearest", "truth"}


def test_the_readme_gets_the_table_and_keeps_its_other_parts(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# A\n\n<!-- results: small -->\nold\n<!-- end -->\n\nmore\n")
    tables.renew_readme(path, "small", "# Title\n\ntext\n\n## One\n", {"red": "results/red.png"})
    text = path.read_text()
    assert "old" not in text and "# Title" not in text
    assert text.startswith("# A\n\n<!-- results: small -->\n\ntext\n\n### One\n\nSheets: [red](")
    assert text.endswith("<!-- end -->\n\nmore\n")
    before = path.read_bytes()
    tables.renew_readme(path, "full", "# Title\n", {})
    assert path.read_bytes() == before
    tables.renew_readme(tmp_path / "none.md", "small", "# Title\n", {})
    assert not (tmp_path / "none.md").exists()
