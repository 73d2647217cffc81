"""A repository with one tiny study, and its objects."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config.reading import merge
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.studies import plan, results
from latent_atlas.studies.grid import cells_of

TINY: dict[str, Any] = {
    "title": "Tiny",
    "seed": 0,
    "seeds": {"sample": 1, "full": 2},
    "data": {
        "circles_mono": {
            "source": "drawn:circles_mono",
            "height": 32,
            "width": 32,
            "channels": 1,
            "valid_share": 0.25,
            "count": {"sample": 160, "full": 160},
        }
    },
    "tables": {
        "5.1": {
            "data": "circles_mono",
            "model": "beta_vae",
            "network": "conv",
            "likelihood": "bernoulli",
            "beta": [1, 4],
            "latent_dim": [2, 3],
        },
        "5.10": {
            "data": "circles_mono",
            "model": "beta_vae",
            "network": "conv",
            "likelihood": "bernoulli",
            "beta": [4, 8],
            "latent_dim": [3],
        },
    },
    "train": {
        "epochs": {"sample": 2, "full": 3},
        "batch_size": 20,
        "learning_rate": 0.001,
        "schedule": {},
        "patience": None,
        "precision": "32-true",
        "accelerator": "cpu",
        "checkpoint_seconds": 0,
    },
    "active_threshold": 0.01,
    "bins": 10,
    "charts": ["reconstruction_loss", "active_latents"],
}

Writer = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """``tiny({"train": {"batch_size": 5}}, name="tiny")``: write the study, with changes."""
    monkeypatch.chdir(tmp_path)

    def write(changes: Mapping[str, Any] | None = None, name: str = "tiny") -> Path:
        folder = tmp_path / "studies" / name
        folder.mkdir(parents=True, exist_ok=True)
        values = merge(copy.deepcopy(TINY), changes or {})
        (folder / "study.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return folder

    return write


PUBLISHED = """table,data,model,beta,latent_dim,\
train_generation,valid_generation,train_latent,valid_latent
5.1,circles_mono,vae,1,2,500,510,20,21
5.1,circles_mono,vae,1,3,66,60,29,30
5.1,circles_mono,vae,4,3,70,80,24,24
5.10,circles_mono,vae,4,3,70,80,24,24
"""


def metrics_of(loss: float) -> dict[str, float]:
    """Metrics of a cell with a reconstruction loss."""
    return {
        "active_latents": 2.0,
        "psnr": 20.0,
        "ssim": 0.5,
        "train_reconstruction_last5": loss,
        "valid_reconstruction_last5": loss,
        "valid_kl_last5": 10.0,
        "valid_kl_without_half_last5": 20.0,
        "train_kl_without_half_last5": 20.0,
    }


@pytest.fixture
def outcome(tiny: Writer, tmp_path: Path) -> results.Outcome:
    """β 1 with 2 latents for two seeds (500, 520), β 1 and β 4 with 3 latents for one (61, 80)."""
    folder = tiny()
    (folder / "published.csv").write_text(PUBLISHED)
    study = plan.load("tiny", "full")
    cells = cells_of(study)
    metrics = {}
    for beta, size, seed, loss in (
        (1, 2, 0, 500.0),
        (1, 2, 1, 520.0),
        (1, 3, 0, 61.0),
        (4, 3, 0, 80.0),
    ):
        metrics[f"circles_mono_beta_vae_conv_bernoulli_b{beta}_z{size}_s{seed}"] = metrics_of(loss)
    data = study.data_set("circles_mono", "full", None)
    draw_data_set("circles_mono", data, 160, 0, tmp_path / "store")
    return results.Outcome(
        "tiny",
        "full",
        study,
        cells,
        {"circles_mono": open_store(tmp_path / "store")},
        results.cell_table(cells, metrics),
        results.read_published("tiny"),
    )
