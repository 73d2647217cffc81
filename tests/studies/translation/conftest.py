"""A repository with one tiny study of translation models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config.reading import merge

ONCE = {"sample": 1, "full": 1}

TINY: dict[str, Any] = {
    "title": "Tiny translations",
    "seed": 0,
    "data": {
        "garments": {
            "source": "drawn:garments",
            "height": 32,
            "width": 32,
            "full_side": 64,
            "channels": 3,
            "valid_share": 0.25,
            "count": {"sample": 120, "full": 120},
            "classes": ["blouses", "dresses", "jackets", "knitwear", "tops"],
        },
        "folders": {
            "source": "given",
            "height": 32,
            "width": 32,
            "channels": 3,
            "valid_share": 0.3,
            "classes": ["long", "short"],
        },
    },
    "runs": {
        "red": {
            "table": "Networks",
            "data": "garments",
            "model": "pix2pix",
            "pairs": {"edit": {"color": "red"}},
            "seeds": {"sample": 2, "full": 2},
            "epochs": ONCE,
            "batch_size": 16,
            "options": {"width": 0.0625},
            "full_options": {"width": 0.125},
        },
        "noise": {
            "table": "Generators",
            "data": "garments",
            "model": "dcgan",
            "epochs": ONCE,
            "options": {"width": 0.0625},
        },
        "grey": {
            "table": "Ablations",
            "data": "garments",
            "model": "pix2pix",
            "pairs": {"input": "grey"},
            "epochs": ONCE,
            "batch_size": 16,
            "options": {"width": 0.0625},
            "optional": True,
        },
        "real": {
            "table": "Given images",
            "data": "folders",
            "model": "cyclegan",
            "task": {"from": {"label": "short"}, "to": {"label": "long"}},
            "epochs": ONCE,
            "batch_size": 8,
            "options": {"width": 0.0625},
        },
    },
    "vae": {
        "data": "garments",
        "model": "beta_vae",
        "network": "conv",
        "likelihood": "bernoulli",
        "latent_dim": 3,
        "beta": 1.0,
        "epochs": ONCE,
    },
    "train": {
        "epochs": ONCE,
        "batch_size": 20,
        "learning_rate": 0.001,
        "schedule": {},
        "patience": None,
        "precision": "32-true",
        "accelerator": "cpu",
        "checkpoint_seconds": 0,
    },
    "translation": {
        "images": {"sample": 12, "full": 12},
        "outputs": 2,
        "classifier_epochs": ONCE,
        "backbone": "efficientnet_lite0",
        "size": 32,
        "examples": 3,
        "resamples": 20,
    },
}

Writer = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """``tiny({"seed": 1})``: write the study ``tiny``, with changes; returns its folder."""
    monkeypatch.chdir(tmp_path)

    def write(changes: dict[str, Any] | None = None) -> Path:
        folder = tmp_path / "studies" / "tiny"
        folder.mkdir(parents=True, exist_ok=True)
        values = merge(copy.deepcopy(TINY), changes or {})
        (folder / "study.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return folder

    return write
