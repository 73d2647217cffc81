"""Whole evaluations of fake translators and generators of drawn garments."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.translation import baselines, generators, plots, scores
from latent_atlas.analysis.translation.evaluation import TRUTH, Evaluation, evaluate_translator
from latent_atlas.config.schema import Translation
from latent_atlas.data import domains
from latent_atlas.data.store import Store, open_store
from latent_atlas.models import backbones
from latent_atlas.models.backbones import Backbone, BackboneError
from latent_atlas.training.translated import TrainedTranslator
from latent_atlas.util.console import FieldError
from tests.translations import (
    TASK,
    Fake,
    FakeGenerator,
    identity,
    lookup,
    params_with,
    run_with,
    tiny_backbone,
    trained_with,
)

PAIRS = {"model": "pix2pix", "pairs": {"edit": {"color": "red"}}}
SETTINGS = params_with(PAIRS).translation
DOMAINS = {"domain": ["short", "long"]}


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, seed: int) -> Backbone:
        return tiny_backbone()

    monkeypatch.setattr(backbones, "load", load)


def settings(**changes: object) -> Translation:
    return SETTINGS.model_copy(update=changes)


def oracle(garments: Store, size: int = 50) -> TrainedTranslator:
    """Draws every validation image again with the requested colour."""
    rows = garments.rows("valid")
    truth, _ = domains.edited(garments, rows, [{"color": "red"}] * len(rows), "x")
    model = Fake(lookup(garments.images[rows], truth))
    return trained_with(model, run_with(**PAIRS), garments, {}, size)


def evaluated(trained: TrainedTranslator, garments: Store, **changes: object) -> Evaluation:
    return evaluate_translator(trained, garments, settings(**changes), 0, open_store)


def test_an_oracle_is_the_truth_and_doing_nothing_is_not(garments: Store) -> None:
    found = evaluated(oracle(garments), garments)
    assert found.values["l1"] == found.values["changed_l1"] == 0
    rows = found.table.set_index(["model", "attribute", "metric"])["value"]
    run = "garments_run"
    for metric in ("success", "preservation", "kid_tiny"):
        assert rows[run, "all", metric] == rows[TRUTH, "all", metric]
    assert rows[baselines.NOTHING, "all", "changed_l1"] > 0.1
    assert rows[baselines.NOTHING, "all", "success"] < rows[run, "all", "success"] + 1e-9
    assert rows["classifier", "color", "accuracy"] >= 0
    assert set(found.outputs) == {run, baselines.NOTHING, baselines.NEAREST, TRUTH}


@pytest.mark.parametrize("size", [1, 7])
def test_nothing_depends_on_the_batch_size(garments: Store, size: int) -> None:
    first = evaluated(oracle(garments), garments)
    second = evaluated(oracle(garments, size), garments)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_domains_have_both_directions_a_cycle_and_diversity(garments: Store) -> None:
    def brighter(images, targets, noise):  # type: ignore[no-untyped-def]
        return (images + 0.1 * noise.mean(1)[:, None, None, None]).clamp(0, 1)

    run = run_with(model="munit", task=TASK)
    found = evaluated(trained_with(Fake(brighter, 4), run, garments, DOMAINS), garments)
    chosen = found.table[found.table["model"] == "garments_run"]
    assert list(chosen["attribute"].unique()) == [
        "sleeve_length long",
        "sleeve_length short",
        "all",
    ]
    assert found.values["cycle_l1"] > 0
    assert found.values["diversity_l1"] > 0
    assert found.variants is not None
    assert found.variants.shape[1] == SETTINGS.outputs


def test_an_identity_scores_as_doing_nothing(garments: Store) -> None:
    run = run_with(model="stargan", attributes=["color", "fit"])
    values = {"color": ["a"] * 9, "fit": ["a"] * 3}
    found = evaluated(trained_with(Fake(identity), run, garments, values), garments)
    tables = [
        found.table[found.table["model"] == name].drop(columns="model").reset_index(drop=True)
        for name in ("garments_run", baselines.NOTHING)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert found.values["cycle_l1"] == 0


def test_the_sheet_shows_changed_examples(garments: Store, tmp_path: Path) -> None:
    trained = oracle(garments)
    found = evaluated(trained, garments)
    chosen = plots.spread(found.cases, 4)
    assert found.cases.truth is not None
    assert (found.cases.truth[chosen] != found.cases.images[chosen]).any((1, 2, 3)).all()
    assert len(set(chosen)) == 4
    plots.plot_translations(found, trained, 4, tmp_path / "sheet.png")
    first = (tmp_path / "sheet.png").read_bytes()
    plots.plot_translations(found, trained, 4, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == first
    assert len(first) > 5000


def test_a_missing_backbone_names_its_field(
    garments: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, seed: int) -> Backbone:
        raise BackboneError("no such backbone")

    monkeypatch.setattr(backbones, "load", fail)
    with pytest.raises(FieldError, match="backbone: no such backbone"):
        evaluated(oracle(garments), garments)


def generated(garments: Store, **run: object) -> tuple[TrainedTranslator, generators.Generation]:
    values = {"color": sorted(set(garments.index["color"]))} if run.get("attributes") else {}
    trained = trained_with(FakeGenerator(), run_with(**run), garments, values)
    return trained, generators.evaluate_generator(trained, garments, settings(images=36), 0)


def test_a_conditional_generator_makes_every_class(garments: Store, tmp_path: Path) -> None:
    trained, found = generated(garments, model="cgan", attributes=["color"])
    assert np.bincount(found.attributes[:, 0]).tolist() == [4] * 9
    assert {"confidence", "confident", "requested_class", "classes_found"} <= set(found.values)
    # The classes of flat images cannot be told from each other by a barely trained classifier.
    assert 0 < found.values["classes_found"] <= 1
    real = found.table[found.table["model"] == generators.REAL]
    assert "requested_class" not in set(real["metric"])
    plots.plot_samples(found, trained, 4, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_a_generator_without_attributes_is_scored_by_the_labels(
    garments: Store, tmp_path: Path
) -> None:
    trained, found = generated(garments, model="dcgan")
    assert found.attributes.shape == (36, 0)
    assert set(found.values) >= {"confident", "classes_found", "kid_tiny", "coverage"}
    assert "requested_class" not in found.values
    assert set(found.table[found.table["metric"] == "accuracy"]["attribute"]) == {"label"}
    plots.plot_samples(found, trained, 5, tmp_path / "sheet.png")


def test_the_classes_that_a_sample_shows_are_counted() -> None:
    class Known:
        values: ClassVar = {"digit": ("0", "1", "2", "3")}

        def probabilities(self, images: np.ndarray) -> list[np.ndarray]:
            return [np.eye(4, dtype=np.float32)[images[:, 0, 0, 0] % 4] * 0.95 + 0.0125]

        def predict(self, images: np.ndarray) -> np.ndarray:
            return self.probabilities(images)[0].argmax(1)[:, None]

    images = np.zeros((4, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = [0, 0, 1, 2]
    requested = np.array([[0], [1], [1], [2]])
    found = {
        metric: values.mean()
        for _, metric, values in generators.class_scores(Known(), images, requested)  # type: ignore[arg-type]
    }
    assert found["requested_class"] == 0.75
    assert found["confident"] == 1
    assert found["confidence"] == pytest.approx(0.9625)
    assert generators.classes_found(Known(), images) == {"digit": 0.75}  # type: ignore[arg-type]
    assert generators.class_scores(None, images, requested) == []


def test_scores_are_declared_once() -> None:
    assert {name for name, one in scores.METRICS.items() if one.headline} == {
        "changed_l1",
        "success",
        "preservation",
        "confident",
        "classes_found",
        "requested_class",
    }
