"""Walks that are kept on disk, and settings that travel with an order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.interpolation import experiments
from latent_atlas.analysis.interpolation.experiments import Asked
from latent_atlas.config import reading, schema
from latent_atlas.util.console import UserError
from tests.analysis.interpolation.test_tables import joined
from tests.conftest import ROOT


def test_walks_survive_on_disk(tmp_path: Path) -> None:
    curves = np.random.default_rng(0).random((4, 10))
    both = [
        joined("linear", "intra", "a", curves, curves[:, 0]),
        joined("graph", "compared", "any", curves, curves[:, 1]),
    ]
    experiments.save(both, tmp_path / "walks.npz")
    again = experiments.load(tmp_path / "walks.npz")
    for one, other in zip(both, again, strict=True):
        assert (one.run, one.kind, one.pairs[:2]) == (other.run, other.kind, other.pairs[:2])
        pd.testing.assert_frame_equal(one.walk.table, other.walk.table)
        assert (one.walk.style == other.walk.style).all()
        assert (one.pairs.second == other.pairs.second).all()


@pytest.mark.parametrize("damage", ["other", "empty", "cut", "changed"])
def test_damaged_walks_are_named(damage: str, tmp_path: Path) -> None:
    path, curves = tmp_path / "walks.npz", np.random.default_rng(0).random((4, 10))
    experiments.save([joined("linear", "intra", "a", curves, curves[:, 0])], path)
    whole = path.read_bytes()
    changed = bytes(byte ^ 255 for byte in whole[400:1500])
    damages = {
        "other": b"PK",
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "changed": whole[:400] + changed + whole[1500:],
    }
    path.write_bytes(damages[damage])
    with pytest.raises(UserError, match=r"walks.npz: no walks to be read .*; run the study again"):
        experiments.load(path)


def test_what_is_asked_survives_as_json() -> None:
    settings = reading.load(ROOT / "params.yaml").paths
    fields = settings.model_dump(exclude={"runs"})
    asked = Asked(schema.Interpolation.model_validate(fields), "full", 3)
    again = Asked.read(json.loads(json.dumps(asked.dump())))
    assert again == asked
    assert again.number(settings.pairs) == settings.pairs.full


@pytest.mark.parametrize("steps", [100, 120])
def test_long_paths_have_more_steps(steps: int) -> None:
    values = reading.read(ROOT / "params.yaml")
    assert values["paths"]["long_steps"] == 100
    values["paths"]["steps"] = steps
    expected = rf"paths: .*long_steps: found 100, expected more than the {steps} of steps"
    with pytest.raises(UserError, match=expected):
        reading.validate(values, "params.yaml")


def test_an_unknown_backbone_is_named_where_it_stands() -> None:
    fields = reading.load(ROOT / "params.yaml").paths.model_dump(exclude={"runs"})
    asked = Asked(schema.Interpolation.model_validate(fields | {"backbone": "vgg99"}), "sample", 0)
    with pytest.raises(UserError, match=r"paths\.backbone: no backbone 'vgg99'"):
        asked.measure()
