"""What a mix of drawn scenes should be: its true picture, and the objects that it should show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.analysis.scene_mixing.mixes import Mixes
from latent_atlas.data.store import Images, Store
from latent_atlas.data.synthetic.scenes import EMPTY, QUADRANTS, mix, scenes

Classes = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Truth:
    """Of N mixes.

    Attributes:
        pictures: uint8 N×H×W×3: the objects of the donors on the land of the reference.
        before, after: N×4 classes in the reference and in the mixed scene, ``none`` for no object.
    """

    pictures: Images
    before: Classes
    after: Classes


def is_drawn(store: Store) -> bool:
    """Whether the true picture of a mix can be drawn."""
    return store.card["source"] == f"drawn:{scenes.name}"


def truth_of(store: Store, mixes: Mixes) -> Truth:
    """Draw the mixes of a store of scenes."""
    names = [*scenes.values, *scenes.ranges]
    factors = store.index[names]
    reference = factors.iloc[mixes.references].reset_index(drop=True)
    donors = [
        # A quadrant that is kept is given by the reference itself.
        factors.iloc[np.where(replaced, rows, mixes.references)].reset_index(drop=True)
        for rows, replaced in zip(mixes.donors.T, mixes.replaced.T, strict=True)
    ]
    mixed = mix(reference, donors)
    height, width, _ = store.shape
    return Truth(scenes.render(mixed, height, width), classes_of(reference), classes_of(mixed))


def classes_of(factors: pd.DataFrame) -> Classes:
    """N×4 classes of the quadrants of N scenes."""
    columns = [factors[f"{quadrant}_class"].to_numpy() for quadrant in QUADRANTS]
    return np.stack(columns, axis=1).astype(np.str_)


def transfer(truth: Truth, mixes: Mixes, seen: Classes) -> dict[str, float]:
    """How often the intended objects are seen in N pictures of the mixes.

    Args:
        truth: of `mixes`.
        mixes: N.
        seen: N×4 classes that a judge sees in the pictures.

    Returns:
        ``transferred``: share of the replaced quadrants that should show an object of another
        class than before and do; ``kept``: share of the kept quadrants with an object that still
        show it. NaN where no quadrant is in question.
    """
    right = seen == truth.after
    shows = truth.after != EMPTY
    moved = mixes.replaced & shows & (truth.after != truth.before)
    return {
        "transferred": _share(right, moved),
        "kept": _share(right, ~mixes.replaced & shows),
    }


def _share(right: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    return float(right[among].mean()) if among.any() else float("nan")
