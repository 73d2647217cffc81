"""The stage interpolation, on a few small drawn paintings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from latent_atlas.analysis.interpolation import plots
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import interpolation as stage
from tests.conftest import ROOT
from tests.stages.tables import read_metrics


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with two trained runs."""
    values = reading.merge(
        reading.read(ROOT / "params.yaml"), reading.read(ROOT / ".ci" / "params.yaml")
    )
    values["train"]["accelerator"] = "cpu"
    values["runs"]["paintings"]["paintings_beta_vae"] |= {"latent_dim": 4}
    values["interpolation"] |= {"runs": ["paintings_beta_vae", "paintings_vae"], "examples": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    settings = reading.load(tmp_path / "params.yaml")
    data = DataSet(
        source="drawn:brushwork",
        height=32,
        width=32,
        valid_share=0.4,
        count=60,
    )
    draw_data_set("paintings", data, 60, 0, tmp_path / "data" / "paintings")
    store = open_store(tmp_path / "data" / "paintings")
    for name in settings.interpolation.runs:
        out = tmp_path / "models" / name
        loop.train(settings.run(name), store, out, tmp_path / "resume.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["interpolation", "paintings"])
    return tmp_path


def change(folder: Path, section: str, **values: object) -> None:
    params = reading.read(folder / "params.yaml")
    params[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def test_the_stage_measures_and_plots_every_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.main()
    written = folder / "metrics" / "paintings-interpolation.json"
    headline = json.loads(written.read_text())
    values = read_metrics(folder, "paintings-interpolation")
    runs = ("paintings_beta_vae", "paintings_vae")
    rows = {f"{run}_{kind}" for run in runs for kind in KINDS}
    assert set(values) == rows | set(runs) | {"paintings_style_auc"}
    for run in runs:
        assert values[f"{run}_geodesic"]["energy"] <= values[f"{run}_linear"]["energy"] * 1.001
        assert 0 <= values[f"{run}_linear"]["cross_dissolve"] <= 1
    curved = {f"{run}_{kind}" for run in runs for kind in KINDS if kind != "linear"}
    assert {metric for row in curved for metric in headline[row]} == {"style_change"}
    assert set(headline) - curved <= set(runs) | {"paintings_style_auc"}
    assert headline["paintings_style_auc"].keys() == {"style_all_auc"}

    out = folder / "plots" / "paintings-interpolation"
    curves, steps = pd.read_csv(out / "curves.csv"), pd.read_csv(out / "steps.csv")
    assert set(curves["experiment"]) == {"compared", "intra", "inter", "closest", "farthest"}
    assert len(steps) == curves["steps"].sum()
    farthest = curves[(curves["run"] == "paintings_vae") & (curves["experiment"] == "farthest")]
    assert sorted(set(farthest["steps"])) == [10, 20]
    sums = steps.groupby(["run", "kind", "experiment", "group", "pair"])["style"].sum()
    assert sums.sum() == pytest.approx(curves["style"].sum(), rel=1e-3)
    random = curves[curves["experiment"].isin(["compared", "intra", "inter"])]
    random = random[random["kind"] == "linear"]
    first, second = (random[random["run"] == run]["first"].tolist() for run in runs)
    assert first == second, "random pairs must not depend on the model"
    names = {path.stem for path in out.glob("*.png")}
    assert names == {
        "curvature_dissolve",
        "curves_extremes",
        "curves_inter",
        "curves_intra",
        "kinds",
        "style_auc",
        *(f"{kind}_{run}" for kind in ("strips", "extremes") for run in runs),
    }
    with Image.open(out / "strips_paintings_vae.png") as strips:
        assert strips.width > 600

    # A second time, with one run only: the same numbers.
    monkeypatch.setattr(plots, "plot_interpolations", lambda *_: None)
    change(folder, "interpolation", runs=["paintings_vae"])
    stage.main()
    again = read_metrics(folder, "paintings-interpolation")
    assert again == {row: values[row] for row in again}
    single = pd.read_csv(out / "curves.csv")
    pd.testing.assert_frame_equal(
        single, curves[curves["run"] == "paintings_vae"].reset_index(drop=True), check_exact=True
    )


def test_wrong_input_is_refused_with_its_key(folder: Path) -> None:
    change(folder, "interpolation", layers={"conv1_1": 1.0})
    message = r"^interpolation\.layers: efficientnet_lite0 has no 'conv1_1'"
    with pytest.raises(UserError, match=message):
        stage.main()
    change(folder, "interpolation", backbone="nothing")
    with pytest.raises(UserError, match=r"^interpolation\.backbone: no backbone 'nothing'"):
        stage.main()
    message = r"interpolation\.runs: no run on data 'paintings'; add one"
    for others in ([], ["circles_vae"]):
        change(folder, "interpolation", runs=others)
        with pytest.raises(UserError, match=message):
            stage.main()
    change(folder, "interpolation", runs=["paintings_vea"])
    message = r"interpolation\.runs\.0: found 'paintings_vea', .* mean 'paintings_vae'"
    with pytest.raises(UserError, match=message):
        stage.main()
    change(folder, "interpolation", reference={"sample": 3, "full": 10})
    message = r"interpolation\.reference\.sample: found 3, expected greater than or equal to 10"
    with pytest.raises(UserError, match=message):
        stage.main()
    assert not (folder / "metrics").exists()
