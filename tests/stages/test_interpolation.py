"""The stage paths as a whole, on a few small paintings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from latent_atlas.analysis.interpolation import plots as figures
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet
from latent_atlas.config.section import Scaled
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.metrics.tolerance import flatten, judge
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import interpolation as stage
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory where two runs stand ready to be walked through."""
    values = reading.merge(
        reading.read(ROOT / "params.yaml"), reading.read(ROOT / "ci" / "params.yaml")
    )
    values["train"]["accelerator"] = "cpu"
    values["runs"]["paintings"]["paintings_beta_vae"] |= {"latent_dim": 4}
    values["paths"] |= {"runs": ["paintings_beta_vae", "paintings_vae"], "examples": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    settings = reading.load(tmp_path / "params.yaml")
    data = DataSet(
        source="drawn:brushwork",
        height=32,
        width=32,
        valid_share=0.4,
        count=Scaled(sample=60, full=60),
    )
    draw("paintings", data, 60, 0, tmp_path / "data" / "paintings")
    store = open_store(tmp_path / "data" / "paintings")
    for name in settings.interpolation.runs:
        out = tmp_path / "models" / name
        loop.train(settings.run(name), store, out, tmp_path / "resume.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["paths", "paintings"])
    return tmp_path


def change(folder: Path, section: str, **values: object) -> None:
    known = reading.read(folder / "params.yaml")
    known[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(known))


def test_the_stage_measures_and_draws_every_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.main()
    written = folder / "metrics" / "paintings-interpolation.json"
    values = json.loads(written.read_text())
    runs = ("paintings_beta_vae", "paintings_vae")
    rows = {f"{run}_{kind}" for run in runs for kind in KINDS}
    assert set(values) == rows | set(runs) | {"art_separation"}
    for run in runs:
        assert values[f"{run}_geodesic"]["energy"] <= values[f"{run}_linear"]["energy"] * 1.001
        assert 0 <= values[f"{run}_linear"]["cross_dissolve"] <= 1
    gate = reading.load(folder / "params.yaml").gate
    for metric, value in flatten(values).items():
        assert judge(metric, value, value, gate).verdict == "same"

    plots = folder / "plots" / "paintings-interpolation"
    paths, steps = pd.read_csv(plots / "paths.csv"), pd.read_csv(plots / "steps.csv")
    assert set(paths["experiment"]) == {"compared", "intra", "inter", "closest", "farthest"}
    assert len(steps) == paths["steps"].sum()
    farthest = paths[(paths["run"] == "paintings_vae") & (paths["experiment"] == "farthest")]
    assert sorted(set(farthest["steps"])) == [10, 20]
    sums = steps.groupby(["run", "kind", "experiment", "group", "pair"])["style"].sum()
    assert sums.sum() == pytest.approx(paths["style"].sum(), rel=1e-3)
    random = paths[paths["experiment"].isin(["compared", "intra", "inter"])]
    random = random[random["kind"] == "linear"]
    first, second = (random[random["run"] == run]["first"].tolist() for run in runs)
    assert first == second, "the same pairs, whatever the model"
    names = {path.stem for path in plots.glob("*.png")}
    assert names == {
        "claim",
        "curves_extremes",
        "curves_inter",
        "curves_intra",
        "kinds",
        "separation",
        *(f"{what}_{run}" for what in ("strips", "extremes") for run in runs),
    }
    with Image.open(plots / "strips_art_vae.png") as strips:
        assert strips.width > 600

    # Once more, and alone: the same numbers.
    monkeypatch.setattr(figures, "draw", lambda *_: None)
    change(folder, "paths", runs=["paintings_vae"])
    stage.main()
    again = json.loads(written.read_text())
    assert again == {row: values[row] for row in again}
    alone = pd.read_csv(plots / "paths.csv")
    pd.testing.assert_frame_equal(
        alone, paths[paths["run"] == "paintings_vae"].reset_index(drop=True), check_exact=True
    )


def test_wrong_input_is_named(folder: Path) -> None:
    change(folder, "paths", layers={"conv1_1": 1.0})
    with pytest.raises(UserError, match=r"paths\.layers: efficientnet_lite0 has no 'conv1_1'"):
        stage.main()
    change(folder, "paths", backbone="nothing")
    with pytest.raises(UserError, match=r"paths\.backbone: no backbone 'nothing'"):
        stage.main()
    for others in ([], ["circles_vae"]):
        change(folder, "paths", runs=others)
        with pytest.raises(UserError, match=r"paths\.runs: no run on data 'paintings'; add one"):
            stage.main()
    change(folder, "paths", runs=["art_vea"])
    with pytest.raises(
        UserError, match=r"paths\.runs\.0: found 'art_vea', .* mean 'paintings_vae'"
    ):
        stage.main()
    change(folder, "paths", reference={"sample": 3, "full": 10})
    with pytest.raises(UserError, match=r"paths\.reference: .*found 3, expected at least 10"):
        stage.main()
    assert not (folder / "metrics").exists()
