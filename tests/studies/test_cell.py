"""A cell's fingerprint, its order as a line, and what a worker tells."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.studies import plan
from latent_atlas.studies.cell import Order, _Teller, fingerprint
from tests.studies.conftest import TINY


@pytest.fixture
def cell() -> plan.Cell:
    return plan.cells(plan.Study.model_validate(TINY), "small")[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = plan.data_set(plan.Study.model_validate(TINY), "circles_mono", "small", None)
    draw("circles_mono", data, 40, 0, tmp_path / "store")
    return open_store(tmp_path / "store")


def test_an_order_survives_as_a_line(cell: plan.Cell) -> None:
    order = Order(cell.run, Path("a b/store"), Path("cells/ü"), "0123", 0.01, 20)
    line = order.line()
    assert "\n" not in line
    assert Order.read(line) == order


def test_the_fingerprint_follows_what_the_weights_follow(cell: plan.Cell, store: Store) -> None:
    mark = fingerprint(cell.run, store)
    slower = cell.run.train.model_copy(update={"learning_rate": 0.1})
    for update in ({"beta": 2.0}, {"seed": 1}, {"epochs": 9}, {"train": slower}):
        assert fingerprint(cell.run.model_copy(update=update), store) != mark
    oftener = cell.run.train.model_copy(update={"checkpoint_seconds": 1.0})
    for harmless in ({"name": "other"}, {"train": oftener}):
        assert fingerprint(cell.run.model_copy(update=harmless), store) == mark


def test_other_images_are_another_cell(cell: plan.Cell, store: Store, tmp_path: Path) -> None:
    data = plan.data_set(plan.Study.model_validate(TINY), "circles_mono", "small", None)
    draw("circles_mono", data, 40, 1, tmp_path / "other")
    assert fingerprint(cell.run, store) != fingerprint(cell.run, open_store(tmp_path / "other"))


def test_a_result_of_another_measurement_is_none(cell: plan.Cell, tmp_path: Path) -> None:
    order = Order(cell.run, tmp_path, tmp_path, "0123", 0.01, 20)
    assert order.result() is None
    (tmp_path / "result.json").write_text('{"measured_by": "old", "values": {"psnr": 1}}')
    assert order.result() is None
    (tmp_path / "result.json").write_text("{")
    assert order.result() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "left"),
    [
        ("model/config.json", None),
        ("model/weights.safetensors", None),
        ("model/weights.safetensors", 0),
        ("model/weights.safetensors", 5000),
        ("matrices.csv", None),
    ],
)
def test_a_cell_that_lost_a_file_or_its_end_is_finished_again(
    cell: plan.Cell, tmp_path: Path, lost: str, left: int | None
) -> None:
    data = plan.data_set(plan.Study.model_validate(TINY), "circles_mono", "small", None)
    draw("circles_mono", data, 160, 0, tmp_path / "images")
    store = open_store(tmp_path / "images")
    folder = tmp_path / "cell"
    mark = fingerprint(cell.run, store)
    order = Order(cell.run, store.path, folder, mark, 0.01, 10, examine=True)
    order.work()
    whole = order.result()
    assert whole is not None
    content = (folder / lost).read_bytes()
    if left is None:
        (folder / lost).unlink()
    else:
        (folder / lost).write_bytes(content[:left])
    assert order.result() is None
    order.work()
    assert order.result() == whole
    assert (folder / lost).read_bytes() == content


def test_a_worker_tells_all_that_was_done_but_not_each_step() -> None:
    answers = io.StringIO()
    teller = _Teller(answers)
    teller("skipped", 7)
    for _ in range(100):
        teller("done", 5)
    teller.flush()
    lines = answers.getvalue().splitlines()
    assert lines[0] == "skipped 7"
    assert sum(int(line.split()[1]) for line in lines[1:]) == 500
    assert len(lines) < 10
