"""A cell: its fingerprint, its result, and its log."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latent_atlas.config.reading import merge
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.studies import grid, plan
from latent_atlas.studies.cell import CellJob, fingerprint, finish_cell
from latent_atlas.util import imports
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.studies.charts import test_interpolation, test_mixing
from tests.studies.conftest import TINY


def study(changes: dict[str, Any] | None = None) -> plan.Study:
    return plan.Study.model_validate(merge(TINY, changes or {}), context={"scale": "sample"})


@pytest.fixture
def cell() -> grid.Cell:
    return grid.cells_of(study())[0]


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[..., Store]:
    """``new_store(images=40, seed=0)``: draw images."""

    def make(images: int = 40, seed: int = 0) -> Store:
        data = study().data_set("circles_mono", "small", None)
        path = tmp_path / "stores" / f"{images}-{seed}"
        draw_data_set("circles_mono", data, images, seed, path)
        return open_store(path)

    return make


def job(cell: grid.Cell, folder: Path, **changes: Any) -> CellJob:
    """A job of a cell whose images are not needed."""
    return dataclasses.replace(CellJob(cell.run, 10, folder, folder, "0123", 0.01, 20), **changes)


def test_a_job_can_be_pickled(cell: grid.Cell) -> None:
    settings = study(test_interpolation.CHANGES)
    full = job(cell, Path("cells/ü"), interpolation=settings.interpolation)
    assert pickle.loads(pickle.dumps(full)) == full  # noqa: S301


def test_the_fingerprint_depends_on_all_that_decides_the_weights(
    cell: grid.Cell, new_store: Callable[..., Store]
) -> None:
    store = new_store()
    mark = fingerprint(cell.run, store)
    slower = cell.run.train.model_copy(update={"learning_rate": 0.1})
    for update in ({"beta": 2.0}, {"seed": 1}, {"epochs": 9}, {"train": slower}):
        assert fingerprint(cell.run.model_copy(update=update), store) != mark
    oftener = cell.run.train.model_copy(update={"checkpoint_seconds": 1.0})
    for harmless in ({"name": "other"}, {"train": oftener}):
        assert fingerprint(cell.run.model_copy(update=harmless), store) == mark
    assert fingerprint(cell.run, new_store(seed=1)) != mark


@pytest.fixture
def change_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """``change_file("latent_atlas/models/ae.py", "# text")``: read the file with one line more."""
    read = Path.read_text

    def clear() -> None:
        imports.imports_of.cache_clear()
        imports._bare_code.cache_clear()

    def change(name: str, line: str) -> None:
        clear()
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, *args, **kwargs: (
                read(path, *args, **kwargs) + f"\n{line}\n" * (path == ROOT / name)
            ),
        )

    clear()
    yield change
    clear()


@pytest.mark.parametrize(
    "file",
    [
        "latent_atlas/training/loop.py",
        "latent_atlas/models/vae.py",
        "latent_atlas/models/networks/conv.py",
        "latent_atlas/data/store.py",
    ],
)
def test_a_changed_constant_is_another_training_and_a_changed_comment_is_not(
    cell: grid.Cell,
    new_store: Callable[..., Store],
    change_file: Callable[[str, str], None],
    file: str,
) -> None:
    store = new_store()
    mark = fingerprint(cell.run, store)
    change_file(file, "# a comment")
    assert fingerprint(cell.run, store) == mark
    change_file(file, "CONSTANT = 1")
    assert fingerprint(cell.run, store) != mark


@pytest.mark.parametrize(
    "file", ["latent_atlas/models/aae.py", "latent_atlas/metrics/reconstruction.py"]
)
def test_code_of_other_models_and_of_metrics_is_no_other_training(
    cell: grid.Cell,
    new_store: Callable[..., Store],
    change_file: Callable[[str, str], None],
    file: str,
) -> None:
    store = new_store()
    mark = fingerprint(cell.run, store)
    change_file(file, "CONSTANT = 1")
    assert fingerprint(cell.run, store) == mark


METRICS = ["reconstruction", "factors", "disentanglement/mig"]
MIXING = ["analysis/scene_mixing/mixes", "analysis/scene_mixing/ground_truth", "models/backbones"]
INTERPOLATION = ["analysis/interpolation/curves", "metrics/style", "models/backbones"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [({}, f"metrics/{name}") for name in METRICS]
    + [(test_mixing.CHANGES, name) for name in MIXING]
    + [(test_interpolation.CHANGES, name) for name in INTERPOLATION],
)
def test_a_changed_constant_is_another_measurement_and_a_changed_comment_is_not(
    tmp_path: Path, change_file: Callable[[str, str], None], changes: dict[str, Any], name: str
) -> None:
    settings = study(changes)
    measured = job(
        grid.cells_of(settings)[0],
        tmp_path,
        interpolation=settings.interpolation,
        mixing=settings.mixing,
    )
    mark = measured.measured_by()
    change_file(f"latent_atlas/{name}.py", '"""A text."""')
    assert measured.measured_by() == mark
    change_file(f"latent_atlas/{name}.py", "CONSTANT = 1")
    assert measured.measured_by() != mark


def test_metrics_do_not_depend_on_what_they_do_not_use(
    cell: grid.Cell, tmp_path: Path, change_file: Callable[[str, str], None]
) -> None:
    mark = job(cell, tmp_path).measured_by()
    change_file("latent_atlas/models/backbones.py", "CONSTANT = 1")
    assert job(cell, tmp_path).measured_by() == mark


def test_mixes_are_measured_again_with_other_neighbours_settings_or_weights(
    tmp_path: Path,
) -> None:
    settings = study(test_mixing.CHANGES)
    assert settings.mixing is not None
    cell = grid.cells_of(settings)[1]
    weights = tmp_path / "deepcluster" / "weights.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    learnt = settings.mixing.model_copy(update={"backbone": f"deepcluster@{weights.parent}"})
    folder = tmp_path / "neighbours" / "0123" / "circles_mono"
    measured = job(cell, tmp_path, neighbours=folder, mixing=learnt)
    mark = measured.measured_by()
    for changes in (
        {"neighbours": tmp_path / "neighbours" / "4567" / "circles_mono"},
        {"seed": 1},
        {"mixing": settings.mixing},
        {"mixing": None},
    ):
        assert dataclasses.replace(measured, **changes).measured_by() != mark
    moved = dataclasses.replace(measured, neighbours=Path("neighbours/0123/circles_mono"))
    assert moved.measured_by() == mark
    weights.write_bytes(b"two")
    assert measured.measured_by() != mark


def test_only_models_that_mix_depend_on_neighbours(
    tmp_path: Path, new_store: Callable[..., Store]
) -> None:
    store = new_store()
    mixing, autoencoder = (cell.run for cell in grid.cells_of(study(test_mixing.CHANGES)))
    ids, distances = np.zeros((1, 4, 10), np.int32), np.zeros((1, 4, 10), np.float32)
    tables = [
        NeighbourTable(tmp_path, ids, distances, {"digest": digest}) for digest in ("one", "two")
    ]
    assert fingerprint(mixing, store, tables[0]) != fingerprint(mixing, store, tables[1])
    assert fingerprint(autoencoder, store, tables[0]) == fingerprint(autoencoder, store, tables[1])


def test_a_result_of_another_measurement_does_not_count(cell: grid.Cell, tmp_path: Path) -> None:
    unfinished = job(cell, tmp_path)
    assert unfinished.result() is None
    (tmp_path / "result.json").write_text('{"measured_by": "old", "values": {"psnr": 1}}')
    assert unfinished.result() is None
    (tmp_path / "result.json").write_text("{")
    assert unfinished.result() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "length"),
    [
        ("model/config.json", None),
        ("model/weights.safetensors", None),
        ("model/weights.safetensors", 0),
        ("model/weights.safetensors", 5000),
        ("matrices.csv", None),
    ],
)
def test_a_cell_that_lost_a_file_or_its_end_is_finished_again(
    cell: grid.Cell,
    new_store: Callable[..., Store],
    tmp_path: Path,
    lost: str,
    length: int | None,
) -> None:
    store, folder = new_store(160), tmp_path / "cell"
    mark = fingerprint(cell.run, store)
    unfinished = CellJob(cell.run, 320, store.path, folder, mark, 0.01, 10, examine=True)
    unfinished.finish()
    complete = unfinished.result()
    assert complete is not None
    content = (folder / lost).read_bytes()
    if length is None:
        (folder / lost).unlink()
    else:
        (folder / lost).write_bytes(content[:length])
    assert unfinished.result() is None
    unfinished.finish()
    assert unfinished.result() == complete
    assert (folder / lost).read_bytes() == content


def test_a_cell_of_changed_images_is_not_trained(
    cell: grid.Cell, new_store: Callable[..., Store], tmp_path: Path
) -> None:
    mark = fingerprint(cell.run, new_store(seed=1))
    changed = job(cell, tmp_path / "cell", store=new_store().path, fingerprint=mark)
    with pytest.raises(UserError, match="code or images changed while the study was running"):
        finish_cell(changed)


def test_the_log_has_the_traceback_of_a_fault(
    cell: grid.Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: CellJob) -> None:
        print("a line")
        raise ZeroDivisionError("no loss")

    monkeypatch.setattr(CellJob, "finish", fail)
    failing = job(cell, tmp_path / "cell")
    with pytest.raises(UserError, match=r"^ZeroDivisionError: no loss \(the log is .*log\.txt\)$"):
        finish_cell(failing)
    log = failing.log.read_text()
    assert log.startswith("a line\nTraceback")
    assert "in fail" in log
