"""Reconstructions at each latent size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from latent_atlas.data.store import Store
from latent_atlas.studies.charts import reconstructions
from latent_atlas.studies.results import Outcome
from tests.studies.charts.fakes import fake_run


def test_each_class_has_its_input_and_a_reconstruction_per_size(
    make_store: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [fake_run(2, lambda codes: codes // 2), fake_run(3, lambda codes: codes)]
    grids: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(reconstructions, "runs_by_latent_size", lambda _: {"blobs": runs})
    monkeypatch.setattr(
        reconstructions, "save_grid", lambda path, images, **labels: grids.append((images, labels))
    )
    study = SimpleNamespace(seed=0)
    outcome = SimpleNamespace(
        stores={"blobs": make_store()}, study=study, size=lambda _: "45 training images"
    )
    reconstructions.draw_reconstructions(cast(Outcome, outcome), tmp_path)
    ((images, labels),) = grids
    assert labels["column_labels"] == ["input", "2", "3"]
    assert labels["row_labels"] == ["class0", "class1"]
    np.testing.assert_array_equal(images[1], images[0] // 2)
    np.testing.assert_array_equal(images[5], images[3])
    assert "45 training images" in labels["title"]
