"""Paths of one model: drawn through its latent space, decoded, and measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from latent_atlas.analysis.interpolation import curves as paths
from latent_atlas.analysis.interpolation.curves import Codes
from latent_atlas.data.pixels import to_pixels
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics.style import Measure
from latent_atlas.training.checkpoint import TrainedRun

KINDS = ("linear", "spherical", "geodesic", "graph")
_AT_ONCE = 50
"""Paths whose pictures are held at a time."""
_PIECES = 4
"""A step is cut into so many pieces where a path's length is measured."""

Floats = npt.NDArray[np.float32]


class Walk(NamedTuple):
    """P measured paths of K points.

    Attributes:
        table: P rows: ``length``, ``energy``, ``off_manifold``, ``off_pictures``,
            ``cross_dissolve``, ``style``, ``content``, ``smoothness``, ``curvature``.
        style, content: P×(K−1), of each step.
        pictures: uint8 P×K×H×W×C.
    """

    table: pd.DataFrame
    style: Floats
    content: Floats
    pictures: Images


class Walker:
    """Draws and measures the paths of a run.

    Args:
        run: a trained run.
        store: its images.
        measure: of style and content.
        reference: how many training images stand for the data.
        neighbours: edges of a code in the graph.
        iterations: of a geodesic.
        seed: of the choice of training images.
    """

    def __init__(
        self,
        run: TrainedRun,
        store: Store,
        measure: Measure,
        reference: int,
        neighbours: int,
        iterations: int,
        seed: int,
    ) -> None:
        self.run, self._measure = run, measure
        self._neighbours, self._iterations = neighbours, iterations
        rows = np.random.default_rng([seed, 3]).permutation(store.rows("train"))[:reference]
        self._data = run.encode(store.images[np.sort(rows)])
        self._data_pictures = self._decode(self._data)
        self.codes = run.encode(store.images[store.rows("valid")])

    def join(self, kind: str, starts: Codes, ends: Codes, steps: int) -> Codes:
        """Paths of one of `KINDS`, P×(steps+1)×D."""
        decode = self.run.model.decode
        if kind == "linear":
            return paths.linear(starts, ends, steps)
        if kind == "spherical":
            return paths.spherical(starts, ends, steps)
        if kind == "geodesic":
            return paths.geodesics(decode, starts, ends, steps, self._iterations)
        return paths.graph_geodesics(decode, self._data, starts, ends, steps, self._neighbours)

    def walk(self, curves: Codes) -> Walk:
        """Decode and measure P×K×D codes."""
        parts = [
            self._walk(curves[start : start + _AT_ONCE])
            for start in range(0, len(curves), _AT_ONCE)
        ]
        tables, *arrays = zip(*parts, strict=True)
        style, content, pictures = (np.concatenate(part) for part in arrays)
        return Walk(pd.concat(tables, ignore_index=True), style, content, pictures)

    def _walk(self, curves: Codes) -> Walk:
        count, points, dim = curves.shape
        outputs = self._decode(curves.reshape(-1, dim))
        pixels = to_pixels(torch.from_numpy(outputs)).numpy()
        pictures = pixels.reshape(count, points, *pixels.shape[1:])
        along = self._measure.along(pictures)
        fine = paths.measure(self.run.model.decode, paths.subdivide(curves, _PIECES))
        shown = outputs.reshape(count, points, -1)
        table = pd.DataFrame(
            {
                "length": fine.length,
                "energy": fine.energy,
                "off_manifold": paths.off_manifold(curves, self._data),
                "off_pictures": paths.off_pictures(shown, self._data_pictures),
                "cross_dissolve": paths.cross_dissolve(shown, self._data_pictures),
                "style": along.style.sum(1),
                "content": along.content.sum(1),
                "smoothness": along.smoothness,
                "curvature": paths.curvatures(along.style.astype(np.float64)),
            }
        )
        return Walk(table, along.style, along.content, pictures)

    @torch.no_grad()
    def _decode(self, codes: Codes) -> Floats:
        """N×D codes to float32 N×C×H×W."""
        size = self.run.batch_size
        parts = [
            self.run.model.decode(torch.from_numpy(codes[start : start + size])).numpy()
            for start in range(0, len(codes), size)
        ]
        return np.concatenate(parts)
