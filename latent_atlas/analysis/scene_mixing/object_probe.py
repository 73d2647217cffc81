"""What a quadrant's part of a code tells of the object in that quadrant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latent_atlas.analysis.scene_mixing.ground_truth import classes_of
from latent_atlas.data.store import Store
from latent_atlas.models.mixing import DenseAE, cells
from latent_atlas.training.checkpoint import TrainedRun


def named_from_codes(run: TrainedRun, store: Store, learnt: int, asked: int) -> float:
    """The share of quadrants whose object a linear classifier names from that quadrant's cells.

    One multinomial logistic regression for all quadrants, trained on training scenes and asked of
    validation scenes; an empty quadrant is a class of its own.

    Args:
        run: of `latent_atlas.analysis.scene_mixing.mixes.open_mixable`.
        store: drawn scenes.
        learnt: training scenes at most.
        asked: validation scenes at most.
    """
    features, classes = [], []
    for split, most in (("train", learnt), ("valid", asked)):
        rows = store.rows(split)[:most]
        features.append(_parts(run, run.encode(store.images[rows])))
        classes.append(classes_of(store.index.iloc[rows]).ravel())
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    classifier.fit(features[0], classes[0])
    return float(classifier.score(features[1], classes[1]))


def _parts(run: TrainedRun, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """N codes to 4·N rows, the cells of a quadrant each, quadrant by quadrant of an image."""
    assert isinstance(run.model, DenseAE)  # noqa: S101 - as `open_mixable` saw
    quadrant = cells(run.model.grid).numpy()
    order = np.argsort(quadrant, kind="stable")
    parts = codes.reshape(len(codes), len(quadrant), -1)[:, order]
    return parts.reshape(len(codes) * (int(quadrant.max()) + 1), -1)
