"""Recognition of reconstructions by a classifier."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from latent_atlas.studies.charts import recognition
from latent_atlas.studies.results import Outcome
from latent_atlas.util.console import UserError
from tests.studies.charts.fakes import Maker, fake_run, halves


def test_perfect_reconstructions_are_recognised_and_grey_ones_are_not(
    make_store: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = halves(make_store)
    blank = fake_run(2, lambda codes: np.full_like(codes, 120))
    table = recognition.recognition_table([blank, fake_run(3, lambda codes: codes)], store)
    assert list(table["latent_dim"]) == [2, 2, 3, 3]
    assert (table["originals"] > 0.9).all()
    perfect = table[table["latent_dim"] == 3]
    assert (perfect["reconstructions"] == perfect["originals"]).all()
    # All grey images are put into one class, which seems to be recognised; the other is not.
    assert sorted(table[table["latent_dim"] == 2]["reconstructions"]) == [0, 1]
    assert table["images"].sum() == 2 * len(store.rows("valid"))
    runs = {"blobs": [blank]}
    monkeypatch.setattr(recognition, "runs_by_latent_size", lambda _: runs)
    study: Any = SimpleNamespace(title="A study")
    outcome = cast(Outcome, SimpleNamespace(stores={"blobs": store}, study=study))
    recognition.draw_recognition(outcome, tmp_path / "out")
    assert (tmp_path / "out" / "blobs_recognition.csv").exists()
    assert (tmp_path / "out" / "blobs_recognition.png").exists()


def test_a_class_is_recognised_from_the_size_on_at_which_it_stays_recognised() -> None:
    shares = {"always": [0.9, 0.9, 0.9], "late": [0.9, 0.5, 0.86], "never": [0.9, 0.9, 0.2]}
    table = pd.DataFrame(
        [
            {"latent_dim": size, "class": name, "originals": 0.9, "reconstructions": share}
            for name, row in shares.items()
            for size, share in zip((2, 5, 10), row, strict=True)
        ]
    )
    assert recognition.smallest_sizes(table) == {"always": 2, "late": 10, "never": None}


def test_a_classifier_of_too_few_images_is_one_line(make_store: Maker) -> None:
    store = halves(make_store, 10)
    with pytest.raises(UserError, match=r"training images of 2 classes are too few .*; add images"):
        recognition._classifier(store, 0)
