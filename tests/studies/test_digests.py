"""What is kept is made anew when the code that it follows from has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.config.reading import merge
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.studies import plan, stores
from latent_atlas.studies.cell import Order
from tests.conftest import ROOT
from tests.studies.charts import test_interpolation, test_mixing
from tests.studies.conftest import TINY

BACKBONES = ["backbones", "deepcluster", "efficientnet", "inception"]
LOOKED_FOR = ["clusters", "features", "loop", "nearest", "quadrants", "search"]
MIXED = ["scenes/bench", "scenes/truth", "reconstruction", "mixes", "neighbours", "quadrants"]
WALKED = ["walks/walk", "walks/separation", "paths", "style"]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``change("latent_atlas/training/loop.py")``: let the file read as another one."""
    read = Path.read_bytes

    def change(name: str) -> None:
        monkeypatch.setattr(
            Path, "read_bytes", lambda path: read(path) + b"#" * (path == ROOT / name)
        )

    return change


def _order(study: plan.Study) -> Order:
    run = plan.cells(study, "small")[0].run
    walks, mixes = plan.walks(study, "small"), plan.mixes(study, "small")
    return Order(run, Path(), Path(), "", 0.01, 10, walks=walks, mixes=mixes)


@pytest.mark.parametrize(
    "file",
    [
        *(f"latent_atlas/models/{name}.py" for name in BACKBONES),
        *(f"stages/lib/{name}.py" for name in LOOKED_FOR),
    ],
)
def test_neighbours_follow_from_code(
    tmp_path: Path, change: Callable[[str], None], file: str
) -> None:
    study = plan.Study.model_validate(merge(TINY, test_mixing.CHANGES))
    draw("scenes", plan.data_set(study, "circles_mono", "small", None), 4, 0, tmp_path / "store")
    store, options = open_store(tmp_path / "store"), plan.looked_for(study, "small")
    assert study.neighbours is not None and options is not None
    before = stores._mark(store, study.neighbours, options)
    change(file)
    assert stores._mark(store, study.neighbours, options) != before


MIXES = [
    *(f"latent_atlas/models/{name}.py" for name in BACKBONES),
    *(f"stages/lib/{name}.py" for name in MIXED),
    *(f"latent_atlas/data/synthetic/{name}.py" for name in ("base", "raster", "scenes")),
]
WALKS = [
    *(f"latent_atlas/models/{name}.py" for name in BACKBONES),
    *(f"stages/lib/{name}.py" for name in WALKED),
]


@pytest.mark.parametrize(
    ("changes", "file"),
    [(test_mixing.CHANGES, file) for file in MIXES]
    + [(test_interpolation.CHANGES, file) for file in WALKS],
)
def test_mixes_and_walks_follow_from_code(
    change: Callable[[str], None], changes: dict[str, Any], file: str
) -> None:
    order = _order(plan.Study.model_validate(merge(TINY, changes)))
    before = order._measured_by()
    change(file)
    assert order._measured_by() != before


def test_other_measures_follow_from_none_of_it(change: Callable[[str], None]) -> None:
    order = _order(plan.Study.model_validate(TINY))
    before = order._measured_by()
    change("latent_atlas/models/backbones.py")
    assert order._measured_by() == before
