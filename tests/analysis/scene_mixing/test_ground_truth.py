"""Ground truth of mixes of drawn scenes: true images and transfer rates."""

from __future__ import annotations

import numpy as np

from latent_atlas.analysis.scene_mixing.ground_truth import (
    GroundTruth,
    draw_ground_truth,
    is_drawn,
    transfer_rates,
)
from latent_atlas.analysis.scene_mixing.mixes import Mixes, paste, random_donor_mixes
from latent_atlas.data.store import Store


def test_the_true_image_has_the_objects_of_the_donors(scene_store: Store) -> None:
    assert is_drawn(scene_store)
    mixes = random_donor_mixes(np.arange(20), np.random.default_rng(0))
    truth = draw_ground_truth(scene_store, mixes)
    classes = [scene_store.index[f"q{quadrant}_class"] for quadrant in range(1, 5)]
    for number, quadrant in np.ndindex(20, 4):
        replaced = mixes.replaced[number, quadrant]
        source = mixes.donors[number, quadrant] if replaced else mixes.references[number]
        assert truth.after[number, quadrant] == classes[quadrant][source]
    # The landscape is the reference's; pasted quadrants bring the donors' landscape.
    assert (truth.images != paste(scene_store.images, mixes)).any()


def test_the_true_image_without_a_replaced_quadrant_is_the_reference(scene_store: Store) -> None:
    mixes = random_donor_mixes(np.arange(20), np.random.default_rng(0))
    kept = Mixes(mixes.references, mixes.donors, np.zeros_like(mixes.replaced))
    truth = draw_ground_truth(scene_store, kept)
    assert np.array_equal(truth.images, scene_store.images[:20][mixes.references])


def test_transfer_rates_count_only_changed_and_kept_objects() -> None:
    before = np.array([["car", "car", "star", "none"]])
    after = np.array([["fish", "car", "star", "none"]])
    mixes = Mixes(np.array([0]), np.zeros((1, 4), int), np.array([[True, True, False, False]]))
    truth = GroundTruth(np.zeros((1, 2, 2, 3), np.uint8), before, after)
    assert transfer_rates(truth, mixes, after) == {"transferred": 1.0, "kept": 1.0}
    predicted = np.array([["car", "tree", "none", "ball"]])
    assert transfer_rates(truth, mixes, predicted) == {"transferred": 0.0, "kept": 0.0}
    # A quadrant that is replaced by one of the same class counts for neither rate.
    predicted = np.array([["car", "car", "none", "none"]])
    assert transfer_rates(truth, mixes, predicted) == {"transferred": 0.0, "kept": 0.0}
    predicted = np.array([["fish", "car", "none", "none"]])
    assert transfer_rates(truth, mixes, predicted) == {"transferred": 1.0, "kept": 0.0}


def test_transfer_rates_without_a_relevant_quadrant_are_nan() -> None:
    classes = np.array([["car", "car", "star", "none"]])
    truth = GroundTruth(np.zeros((1, 2, 2, 3), np.uint8), classes, classes)
    kept = Mixes(np.array([0]), np.zeros((1, 4), int), np.zeros((1, 4), bool))
    replaced = Mixes(np.array([0]), np.zeros((1, 4), int), np.ones((1, 4), bool))
    assert np.isnan(transfer_rates(truth, kept, classes)["transferred"])
    assert np.isnan(transfer_rates(truth, replaced, classes)["kept"])
