"""Pictures of reconstructions: which classes are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.plots import reconstructions
from latent_atlas.training.checkpoint import TrainedRun


def test_of_many_classes_the_largest_are_shown(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    train: Callable[[Run, Store], TrainedRun],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(classes=4)
    trained = train(make_run(epochs=1), store)
    valid = store.rows("valid")
    store.index["label"] = "class0"
    store.index.loc[valid[:5], "label"] = ["class3", "class1", "class1", "class2", "class2"]
    monkeypatch.setattr(reconstructions, "MAX_ROWS", 2)
    shown: list[tuple[str, list[str]]] = []

    def save(*_: object, title: str, row_labels: list[str], **__: object) -> None:
        shown.append((title, row_labels))

    monkeypatch.setattr(reconstructions, "save_grid", save)
    reconstructions.plot_class_reconstructions(trained, store, 3, tmp_path / "classes.png")
    assert shown[0][1] == ["class0", "class1"]
    assert shown[0][0].startswith("The 2 largest of 4 classes: input")
