"""Curves through the latent space of one run: made, decoded and measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from latent_atlas.analysis.interpolation.curvature import curvatures
from latent_atlas.analysis.interpolation.curves import Codes, linear, spherical, subdivide
from latent_atlas.analysis.interpolation.geodesic import geodesics
from latent_atlas.analysis.interpolation.graph import graph_geodesics
from latent_atlas.analysis.interpolation.measures import (
    cross_dissolve_index,
    distance_to_codes,
    distance_to_images,
    measure_curves,
)
from latent_atlas.data.pixels import to_pixels
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics.style import StyleMeasure
from latent_atlas.training.checkpoint import TrainedRun

KINDS = ("linear", "spherical", "geodesic", "graph")
_CURVES_AT_ONCE = 50
"""Curves whose images are in memory together."""
_PIECES = 4
"""Pieces that a step is cut into to measure the length of a curve."""

Floats = npt.NDArray[np.float32]


class MeasuredCurves(NamedTuple):
    """P measured curves of K points.

    Attributes:
        table: P rows: ``length``, ``energy``, ``distance_to_codes``, ``distance_to_images``,
            ``cross_dissolve``, ``style``, ``content``, ``smoothness``, ``curvature``.
        style, content: P×(K−1), style loss and content distance of each step.
        images: uint8 P×K×H×W×C.
    """

    table: pd.DataFrame
    style: Floats
    content: Floats
    images: Images


class Interpolator:
    """Makes and measures curves between codes of a run.

    Args:
        run: a trained run.
        store: its images.
        style_measure: of style and content.
        reference: number of training images that represent the data.
        neighbours: edges of a code in the graph.
        iterations: of a geodesic.
        seed: of the choice of training images.
    """

    def __init__(
        self,
        run: TrainedRun,
        store: Store,
        style_measure: StyleMeasure,
        reference: int,
        neighbours: int,
        iterations: int,
        seed: int,
    ) -> None:
        self.run, self._style_measure = run, style_measure
        self._neighbours, self._iterations = neighbours, iterations
        rows = np.random.default_rng([seed, 3]).permutation(store.rows("train"))[:reference]
        self._data = run.encode(store.images[np.sort(rows)])
        self._data_images = self._decode(self._data)
        self.codes = run.encode(store.images[store.rows("valid")])

    def interpolate(self, kind: str, starts: Codes, ends: Codes, steps: int) -> Codes:
        """Curves of one of `KINDS`, P×(steps+1)×D."""
        decode = self.run.model.decode
        if kind == "linear":
            return linear(starts, ends, steps)
        if kind == "spherical":
            return spherical(starts, ends, steps)
        if kind == "geodesic":
            return geodesics(decode, starts, ends, steps, self._iterations)
        return graph_geodesics(decode, self._data, starts, ends, steps, self._neighbours)

    def decode_and_measure(self, curves: Codes) -> MeasuredCurves:
        """Decode and measure P×K×D codes."""
        parts = [
            self._decode_and_measure(curves[start : start + _CURVES_AT_ONCE])
            for start in range(0, len(curves), _CURVES_AT_ONCE)
        ]
        tables, *arrays = zip(*parts, strict=True)
        style, content, images = (np.concatenate(part) for part in arrays)
        return MeasuredCurves(pd.concat(tables, ignore_index=True), style, content, images)

    def _decode_and_measure(self, curves: Codes) -> MeasuredCurves:
        count, points, dim = curves.shape
        outputs = self._decode(curves.reshape(-1, dim))
        pixels = to_pixels(torch.from_numpy(outputs)).numpy()
        images = pixels.reshape(count, points, *pixels.shape[1:])
        changes = self._style_measure.changes(images)
        decoded = measure_curves(self.run.model.decode, subdivide(curves, _PIECES))
        flat = outputs.reshape(count, points, -1)
        table = pd.DataFrame(
            {
                "length": decoded.length,
                "energy": decoded.energy,
                "distance_to_codes": distance_to_codes(curves, self._data),
                "distance_to_images": distance_to_images(flat, self._data_images),
                "cross_dissolve": cross_dissolve_index(flat, self._data_images),
                "style": changes.style.sum(1),
                "content": changes.content.sum(1),
                "smoothness": changes.smoothness,
                "curvature": curvatures(changes.style.astype(np.float64)),
            }
        )
        return MeasuredCurves(table, changes.style, changes.content, images)

    @torch.no_grad()
    def _decode(self, codes: Codes) -> Floats:
        """N×D codes to float32 N×C×H×W."""
        size = self.run.batch_size
        parts = [
            self.run.model.decode(torch.from_numpy(codes[start : start + size])).numpy()
            for start in range(0, len(codes), size)
        ]
        return np.concatenate(parts)
