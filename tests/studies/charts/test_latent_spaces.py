"""Latent spaces of a study's models, compared with the published tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.latent_space.summary import LatentSpaceSummary
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.studies.charts import latent_spaces
from latent_atlas.studies.results import Outcome
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import open_run
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

SETTINGS = Cartography(
    partitions=["content"],
    components=3,
    clusters=(2, 3),
    neighbours=5,
    draws=5,
    resamples=20,
    mapped=30,
    perplexity=8.0,
    thumbnails=4,
)
TRIPLETS = {"triplet": 1.0, "margin": 1.0, "distance": "euclidean", "mining": "semi_hard"}


def published(folder: Path) -> Path:
    """Published values of a style that our images have, and of one that they do not have."""
    folder.mkdir(parents=True)
    (folder / "published_losses.csv").write_text(
        "split,model,reconstruction,kl,triplet,discriminator\n"
        "train,tvae,0.0043,0.0064,0.0077,\nvalid,tvae,0.0051,0.0071,0.0083,\n"
    )
    (folder / "published_styles.csv").write_text(
        "style,model,centroid_offset_l1,first_component_angle_deg,mean_pair_distance\n"
        "class1,tvae,410,158,2941\nRealism,tvae,251,47,2512\n"
    )
    return folder


def cells(text: str, heading: str, row: str) -> list[str]:
    """The cells of a row of the table under a heading."""
    part = text[text.index(f"## {heading}") :]
    line = next(line for line in part.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_table_has_published_and_our_values(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(count=120)
    runs = []
    for model, options in (("beta_vae", {}), ("tvae", TRIPLETS)):
        run = make_run(model=model, options=options, epochs=1, likelihood="gaussian", latent_dim=4)
        loop.train(run, store, tmp_path / model, tmp_path / "state.pt")
        runs.append(open_run(tmp_path / model))
    out = tmp_path / "out"
    published(tmp_path / "studies" / "tiny")
    monkeypatch.chdir(tmp_path)
    study = SimpleNamespace(title="Title", seed=0)
    outcome = cast(Outcome, SimpleNamespace(name="tiny", study=study))
    latent_spaces.compare_latent_spaces(runs, store, SETTINGS, outcome, out)
    text = (out / "blobs_latent_spaces.md").read_text()
    assert text.startswith("# Title: latent spaces\n")
    # Our loss is that of the last epoch, ½ Σ error; per pixel it is the mean error.
    summed = runs[1].history["valid_reconstruction"].iloc[-1]
    valid = text.index("| valid |")
    row = cells(text[valid - 3 :].replace("| valid |", "## x\n| valid |"), "x", "tvae")
    ours = float(row[1].split(" / ")[1])
    assert row[1].startswith("0.0051 / ")
    assert ours == pytest.approx(2 * summed / (32 * 32 * 3), rel=0.01)
    assert row[3].startswith("0.0083 / ")
    assert row[4] == ""
    assert float(row[5]) == pytest.approx(summed, rel=1e-3)
    styles = pd.read_csv(out / "blobs_styles.csv").set_index(["run", "style"])
    offset = cells(text, "Offsets of centroids", "class1")
    own = styles.loc[("tvae", "class1"), "centroid_offset_l1"]
    assert offset[1].startswith("– / ")
    assert offset[2].startswith("410 / ")
    assert float(offset[2].split(" / ")[1]) == pytest.approx(own, rel=0.01)
    assert cells(text, "Offsets of centroids", "Realism") == ["Realism", "– / –", "251 / –"]
    # Distances are scaled to the published number of latents, from 4 to 4,096.
    pairs = cells(text, "Mean distances of pairs", "class1")[2].split(" / ")
    distance = styles.loc[("tvae", "class1"), "mean_pair_distance_l1"]
    assert float(pairs[1]) == pytest.approx(1024 * distance, rel=0.01)
    assert "AMI of tvae minus that of beta_vae, on the same halves" in text
    assert set(pd.read_csv(out / "blobs_numbers.csv")["model"]) == {"beta_vae", "tvae"}
    assert {path.name for path in (out / "pictures").iterdir()} == {
        "blobs_reconstructions.png",
        "map_beta_vae.png",
        "map_tvae.png",
    }


def test_missing_published_values_are_dashes(tmp_path: Path) -> None:
    one = LatentSpaceSummary("ae", "ae")
    for split in ("train", "valid"):
        one.add_row("losses", split=split, term="reconstruction", value=6.0, per_pixel=0.5)
    empty, _ = latent_spaces._published(tmp_path)
    row = cells("\n".join(latent_spaces._losses([one], empty)), "Losses", "ae")
    assert row == ["ae", "– / 0.5", "", "", "", "6", ""]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reconstruction", "losses", "published_losses.csv: no column 'reconstruction'"),
        ("0.0051", "0,0051", "published_losses.csv: cannot be read as CSV"),
        ("0.0051", "O.0051", "line 3: reconstruction: found 'O.0051', expected a number"),
        (
            "valid,",
            "train,",
            "line 3: split train, model tvae is a second row of the same key",
        ),
    ],
)
def test_a_wrong_published_table_is_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = published(tmp_path / "published") / "published_losses.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        latent_spaces._published(path.parent)


def test_the_study_of_paintings_has_the_published_tables() -> None:
    folder = ROOT / "studies" / "paintings"
    losses, styles = latent_spaces._published(folder)
    assert len(losses) == 2 * 5
    assert len(styles) == 4 * 5
    # Expected L1 distance of two standard normal codes of 4,096 latents.
    aae = styles[styles["model"] == "aae"]["mean_pair_distance"]
    assert (np.abs(aae / (4096 * 2 / np.sqrt(np.pi)) - 1) < 0.2).all()
