"""Ground truth of mixes of drawn scenes: the true image, and the objects in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.analysis.scene_mixing.mixes import Mixes
from latent_atlas.data.store import Images, Store
from latent_atlas.data.synthetic.scenes import EMPTY, QUADRANTS, mix, scenes
from latent_atlas.metrics.tolerance import Metric

METRICS = {"transferred": Metric("higher", 0.1), "kept": Metric("higher", 0.1)}

Classes = npt.NDArray[np.str_]


@dataclass(frozen=True)
class GroundTruth:
    """The true images and objects of N mixes.

    Attributes:
        images: uint8 N×H×W×3, the objects of the donors in the landscape of the reference.
        before, after: N×4 classes in the reference and in the mixed scene, ``none`` for no object.
    """

    images: Images
    before: Classes
    after: Classes


def is_drawn(store: Store) -> bool:
    """Whether the store holds drawn scenes, so that the true image of a mix can be drawn."""
    return store.card["source"] == f"drawn:{scenes.name}"


def draw_ground_truth(store: Store, mixes: Mixes) -> GroundTruth:
    """Draw the true images of mixes of quadrants of drawn scenes."""
    factors = store.index[[*scenes.values, *scenes.ranges]]
    reference = factors.iloc[mixes.references].reset_index(drop=True)
    donors = [
        # The reference itself is the donor of a quadrant that is kept.
        factors.iloc[np.where(replaced, rows, mixes.references)].reset_index(drop=True)
        for rows, replaced in zip(mixes.donors.T, mixes.replaced.T, strict=True)
    ]
    mixed = mix(reference, donors)
    height, width, _ = store.shape
    images = scenes.render(mixed, height, width)
    return GroundTruth(images, quadrant_classes(reference), quadrant_classes(mixed))


def quadrant_classes(factors: pd.DataFrame) -> Classes:
    """N×4 classes of the objects in the quadrants of N drawn scenes."""
    columns = [factors[f"{quadrant}_class"].to_numpy() for quadrant in QUADRANTS]
    return np.stack(columns, axis=1).astype(np.str_)


def transfer_rates(truth: GroundTruth, mixes: Mixes, predicted: Classes) -> dict[str, float]:
    """Measure how often a classifier recognises the intended objects in images of N mixes.

    Args:
        truth: of `mixes`.
        mixes: N mixes.
        predicted: N×4 classes that an object classifier predicts for the images.

    Returns:
        ``transferred``: the share of recognised objects among replaced quadrants whose true object
        differs in class from the one before. ``kept``: the share of recognised objects among kept
        quadrants with an object. NaN where there is no such quadrant.
    """
    correct = predicted == truth.after
    has_object = truth.after != EMPTY
    changed = mixes.replaced & has_object & (truth.after != truth.before)
    return {
        "transferred": _share(correct, changed),
        "kept": _share(correct, ~mixes.replaced & has_object),
    }


def _share(correct: npt.NDArray[np.bool_], selected: npt.NDArray[np.bool_]) -> float:
    return float(correct[selected].mean()) if selected.any() else float("nan")
