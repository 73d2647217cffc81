"""The evaluate command: infinite metrics, and runs that it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.data.store import Store
from latent_atlas.metrics import reconstruction
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError
from stages import evaluate
from tests.conftest import ROOT

MakeStore = Callable[..., Store]
RUN = "circles_vae"


def train(folder: Path, make_store: MakeStore, **changes: Any) -> None:
    """Train one epoch on synthetic blobs; `changes` apply to params.yaml."""
    values = reading.read(ROOT / "params.yaml") | changes
    values["evaluate"]["examine"] = False
    values["data"]["circles_mono"] |= {"height": 32, "width": 32}
    values["runs"] |= {"plain": {RUN: values["runs"]["plain"][RUN] | {"network": "conv4"}}}
    values["runs"]["plain"][RUN]["epochs"] = {"sample": 1, "full": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    run = reading.load().run(RUN)
    store = make_store(count=120, name="circles_mono")
    loop.train(run, store, Path("models") / RUN, folder / "state.pt")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate", RUN])
    return tmp_path


def test_an_infinite_metric_is_in_the_table_only(
    project: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(project, make_store, latent_dim=3)
    original = reconstruction.evaluate_reconstruction

    def with_infinity(trained: TrainedRun, store: Store, threshold: float) -> dict[str, float]:
        infinite = {"gaussian_total_correlation": np.inf, "unused_latents": np.nan}
        return original(trained, store, threshold) | infinite

    monkeypatch.setattr(reconstruction, "evaluate_reconstruction", with_infinity)
    evaluate.main()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = Path(f"metrics/{RUN}.json").read_text()
    metrics = json.loads(text, parse_constant=refuse)[RUN]
    assert set(metrics) == {"valid_reconstruction", "valid_kl", "explained", "active_latents"} | {
        "mig"
    }
    table = pd.read_csv(f"plots/{RUN}/metrics.csv").set_index("metric")["value"]
    assert {"psnr", "mean_image_loss", "floor", "modularity", *metrics} < set(table.index)
    assert table["gaussian_total_correlation"] == np.inf
    share = (table["mean_image_loss"] - table["valid_reconstruction"]) / (
        table["mean_image_loss"] - table["floor"]
    )
    assert share == pytest.approx(metrics["explained"], abs=1e-3)


def test_a_single_latent_with_true_factors_is_refused(project: Path, make_store: MakeStore) -> None:
    train(project, make_store, latent_dim=1)
    with pytest.raises(UserError, match="found 1 columns, expected at least 2"):
        evaluate.main()
    assert not Path("plots").exists()
    assert not Path("metrics").exists()
