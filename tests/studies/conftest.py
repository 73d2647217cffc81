"""A repository with one tiny study."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config.reading import merge

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
    "figures": ["reconstruction", "active_latents"],
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
