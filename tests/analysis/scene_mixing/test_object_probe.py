"""The linear probe of the cells of a quadrant."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from latent_atlas.analysis.scene_mixing.ground_truth import quadrant_classes
from latent_atlas.analysis.scene_mixing.object_probe import object_probe_accuracy
from latent_atlas.data.store import Store
from latent_atlas.models.base import ModelConfig
from latent_atlas.models.mixing import DenseAE, cells
from latent_atlas.models.options.mixing import DenseAEOptions


class _ClassCodes:
    """A run with known codes on a 4×4 grid.

    The cells of quadrant k hold the class of the object in quadrant ``quadrants[k]``.
    """

    def __init__(self, store: Store, quadrants: list[int]) -> None:
        options = DenseAEOptions(width=0.06, depth=0.125, halvings=3)
        weights = {"mixing_reconstruction": 1.0}
        config = ModelConfig((32, 32, 3), 16, "dense", "laplace", 0.0, weights, options)
        self.run, self.model = SimpleNamespace(name="codes", model="dense_ae"), DenseAE(config)
        assert self.model.grid == (4, 4)
        classes = quadrant_classes(store.index)
        _, numbers = np.unique(classes, return_inverse=True)
        one_hot = np.eye(numbers.max() + 1, dtype=np.float32)[numbers.reshape(classes.shape)]
        quadrant = np.asarray(quadrants)[cells((4, 4)).numpy()]
        self._codes = one_hot[:, quadrant].reshape(len(classes), -1)
        self._images = store.images

    def encode(self, images: np.ndarray) -> np.ndarray:
        rows = [int((self._images == image).all(axis=(1, 2, 3)).argmax()) for image in images]
        codes: np.ndarray = self._codes[rows]
        return codes


def test_objects_are_predicted_from_the_cells_of_their_own_quadrant(scene_store: Store) -> None:
    own = _ClassCodes(scene_store, [0, 1, 2, 3])
    assert object_probe_accuracy(own, scene_store, 60, 60) == 1.0  # type: ignore[arg-type]
    rotated = _ClassCodes(scene_store, [1, 2, 3, 0])
    assert object_probe_accuracy(rotated, scene_store, 60, 60) < 0.5  # type: ignore[arg-type]
