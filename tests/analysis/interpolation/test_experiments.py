"""Interpolations on disk, and the settings of an experiment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.interpolation.experiments import (
    load_interpolations,
    load_style_measure,
    save_interpolations,
)
from latent_atlas.config import reading
from latent_atlas.util.console import FieldError, UserError
from tests.analysis.interpolation.test_tables import interpolations
from tests.conftest import ROOT


def test_saved_interpolations_are_loaded_again(tmp_path: Path) -> None:
    profiles = np.random.default_rng(0).random((4, 10))
    parts = [
        interpolations("linear", "intra", "a", profiles, profiles[:, 0]),
        interpolations("graph", "compared", "any", profiles, profiles[:, 1]),
    ]
    save_interpolations(parts, tmp_path / "interpolation.npz")
    again = load_interpolations(tmp_path / "interpolation.npz")
    for part, other in zip(parts, again, strict=True):
        assert (part.run, part.kind, part.pairs[:2]) == (other.run, other.kind, other.pairs[:2])
        pd.testing.assert_frame_equal(part.curves.table, other.curves.table)
        assert (part.curves.style == other.curves.style).all()
        assert (part.pairs.second == other.pairs.second).all()


@pytest.mark.parametrize("damage", ["other", "empty", "cut", "changed"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path, profiles = tmp_path / "interpolation.npz", np.random.default_rng(0).random((4, 10))
    save_interpolations([interpolations("linear", "intra", "a", profiles, profiles[:, 0])], path)
    whole = path.read_bytes()
    changed = bytes(byte ^ 255 for byte in whole[400:1500])
    damages = {
        "other": b"PK",
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "changed": whole[:400] + changed + whole[1500:],
    }
    path.write_bytes(damages[damage])
    message = r"interpolation.npz: cannot read interpolations .*; run the study again"
    with pytest.raises(UserError, match=message):
        load_interpolations(path)


@pytest.mark.parametrize("steps", [100, 120])
def test_long_steps_must_be_more_than_steps(steps: int) -> None:
    values = reading.read(ROOT / "params.yaml")
    assert values["interpolation"]["long_steps"] == 100
    values["interpolation"]["steps"] = steps
    message = rf"interpolation: .*long_steps: found 100, expected more than the {steps} of steps"
    with pytest.raises(UserError, match=message):
        reading.validate(values, "params.yaml")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("backbone", "vgg99", r"^backbone: no backbone 'vgg99'"),
        ("layers", {"conv1_1": 1.0}, r"^layers: efficientnet_lite0 has no 'conv1_1'"),
    ],
)
def test_an_unknown_backbone_or_layer_is_an_error_of_its_field(
    field: str, value: object, message: str
) -> None:
    settings = reading.load(ROOT / "params.yaml").interpolation
    with pytest.raises(FieldError, match=message):
        load_style_measure(settings.model_copy(update={field: value}), 0)
