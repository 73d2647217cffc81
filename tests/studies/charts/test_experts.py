"""One model for all classes against one expert per class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.studies.charts import experts
from latent_atlas.studies.results import Outcome
from tests.studies.charts.fakes import Maker, fake_run, halves


def test_the_smallest_error_decides_the_route() -> None:
    whole = np.array([0.1, 0.1, 0.01, 0.01])
    errors = np.array([[0.01, 0.1], [0.1, 0.001], [0.1, 0.001], [0.5, 0.01]])
    table = experts.routing_table(whole, errors, ["a", "b"], np.array(["a", "a", "b", "b"]))
    a, b, every = (row for _, row in table.iterrows())
    assert (a["routing_accuracy"], b["routing_accuracy"], every["routing_accuracy"]) == (
        0.5,
        1.0,
        0.75,
    )
    assert (a["to_a"], a["to_b"], b["to_a"]) == (0.5, 0.5, 0)
    assert a["one_model"] == pytest.approx(10)  # dB of an error of 0.1
    assert a["right_expert"] == pytest.approx(-10 * np.log10((0.01 + 0.1) / 2))
    assert a["routed"] == pytest.approx(-10 * np.log10((0.01 + 0.001) / 2))
    assert every["images"] == 4


def test_experts_of_one_half_are_chosen_without_error(make_store: Maker, tmp_path: Path) -> None:
    store = halves(make_store, 60)

    def keep(half: int) -> Callable[[Any], Any]:
        def decode(codes: Any) -> Any:
            kept = np.zeros_like(codes)
            kept[:, :, 4 * half : 4 * half + 4] = codes[:, :, 4 * half : 4 * half + 4]
            return kept

        return decode

    whole = fake_run(3, lambda codes: codes // 2)
    of_class = {f"class{half}": fake_run(3, keep(half)) for half in (0, 1)}
    experts.compare_experts(whole, of_class, store, "A study", tmp_path)
    table = pd.read_csv(tmp_path / "blobs_z3_experts.csv")
    assert list(table["routing_accuracy"]) == [1, 1, 1]
    assert (table["routed"] > table["one_model"]).all()
    assert (tmp_path / "blobs_z3_experts.png").exists()

    valid = store.rows("valid")
    store.index.loc[valid[:3], "label"] = None
    experts.compare_experts(whole, of_class, store, "A study", tmp_path)
    labelled = pd.read_csv(tmp_path / "blobs_z3_experts.csv").set_index("class")
    assert labelled.loc["all", "images"] == len(valid) - 3
    assert (labelled["routing_accuracy"] == 1).all(), "an image without a label has no class"


def test_a_class_named_all_has_its_own_row(
    make_store: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(experts, "save_figure", lambda path, figure: figures.append(figure))
    errors = np.array([[0.01, 0.1], [0.1, 0.001]])
    table = experts.routing_table(errors[:, 0], errors, ["all", "b"], np.array(["all", "b"]))
    whole = fake_run(3, lambda codes: codes)
    experts._plot_confusion(table, ["all", "b"], whole, make_store(), "A study", tmp_path / "x.png")
    (axes,) = figures[0].axes
    np.testing.assert_array_equal(axes.images[0].get_array(), np.eye(2))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "b"]
    assert "2 validation images" in axes.get_title("left")


def test_only_latent_sizes_with_every_expert_are_compared(
    make_store: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store of both classes, and a store of each; at size 2 an expert is missing."""
    both = halves(make_store, 60)
    stores = {"both": both}
    runs = {"both": [fake_run(2, lambda codes: codes), fake_run(3, lambda codes: codes)]}
    for name, sizes in (("class0", (2, 3)), ("class1", (3,))):
        stores[name] = Store(both.path, both.images, both.index, {**both.card, "classes": [name]})
        runs[name] = [fake_run(size, lambda codes: codes) for size in sizes]
    compared: list[Any] = []
    monkeypatch.setattr(experts, "runs_by_latent_size", lambda _: runs)
    monkeypatch.setattr(experts, "compare_experts", lambda *args: compared.append(args))
    study = SimpleNamespace(title="A study")
    experts.draw_experts(cast(Outcome, SimpleNamespace(stores=stores, study=study)), tmp_path)
    assert [(run.run.latent_dim, set(of_class)) for run, of_class, *_ in compared] == [
        (3, {"class0", "class1"})
    ]
