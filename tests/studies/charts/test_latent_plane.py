"""Charts of the latent plane, and reconstructions, of finished runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from latent_atlas.data.store import Store
from latent_atlas.studies.charts import latent_plane
from latent_atlas.studies.plan import Plane
from latent_atlas.studies.results import Outcome
from latent_atlas.training.checkpoint import TrainedRun
from tests.studies.charts.fakes import fake_run


def test_only_the_run_with_two_latents_has_a_plane(
    make_store: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [fake_run(size, lambda codes: codes) for size in (2, 3)]
    planes: list[tuple[TrainedRun, Path]] = []
    monkeypatch.setattr(latent_plane, "runs_by_latent_size", lambda _: {"blobs": runs})
    monkeypatch.setattr(
        latent_plane, "plot_mesh", lambda run, store, mesh, limit, path: planes.append((run, path))
    )
    study = SimpleNamespace(plane=Plane(mesh=4, traversal=2.0, scatter=3))
    outcome = SimpleNamespace(stores={"blobs": make_store()}, study=study)
    latent_plane.draw_mesh(cast(Outcome, outcome), tmp_path)
    assert planes == [(runs[0], tmp_path / "pictures" / "blobs_mesh.png")]
