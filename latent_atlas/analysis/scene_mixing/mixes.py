"""Mixed scenes of trained runs: which images give which quadrants, rendered or merely pasted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from latent_atlas.config.code_grid import check_tiles
from latent_atlas.data.neighbour_table import Neighbours
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.data.tiles import cut, join
from latent_atlas.models import segments
from latent_atlas.models.mixing import DenseAE, cells, choose, gather, mix
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import UserError

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_LIGHT, _DARK = 215, 60
_BATCH = 200


@dataclass(frozen=True)
class Mixes:
    """N mixed scenes, as rows of a store.

    Attributes:
        references: N rows.
        donors: N×K rows, one for each of K = 4 quadrants or of more tiles.
        replaced: N×K, whether the quadrant comes from its donor.
        segments: of the replaced quadrants only the figures are exchanged.
    """

    references: Rows
    donors: Rows
    replaced: Mask
    segments: bool = False

    @property
    def tiles(self) -> int:
        """Rows and columns of tiles: 2 for quadrants."""
        return math.isqrt(self.replaced.shape[1])


def of_neighbours(
    rows: Rows,
    neighbours: Neighbours,
    tau: float,
    random: np.random.Generator,
    segments: bool = False,
) -> Mixes:
    """Mixes as the mixing model is trained on: neighbours as donors, and its rule with τ."""
    donors, quantiles = neighbours.draw(rows, random)
    replaced = choose(torch.from_numpy(quantiles), tau).numpy()
    return Mixes(rows, donors, replaced, segments)


def of_strangers(
    rows: Rows, random: np.random.Generator, tiles: int = 2, segments: bool = False
) -> Mixes:
    """Mixes of any images among `rows`: donors at random, one to all but one tiles at random."""
    number = tiles**2
    ahead = random.integers(1, len(rows), size=(len(rows), number))
    donors = rows[(np.arange(len(rows))[:, None] + ahead) % len(rows)]
    bits = random.integers(1, 2**number - 1, size=len(rows))
    replaced = (bits[:, None] >> np.arange(number)) & 1 == 1
    return Mixes(rows, donors, replaced, segments)


def open_mixable(path: Path, batch_size: int = 200) -> TrainedRun:
    """Open a run whose codes can be mixed; raises UserError if `path` is none."""
    trained = open_run(path, batch_size)
    if not isinstance(trained.model, DenseAE):
        raise UserError(
            f"{path}: model {trained.run.model!r} has no quadrants in its codes; "
            "choose a run of the family 'scenes'"
        )
    return trained


def render(trained: TrainedRun, images: Images, mixes: Mixes) -> Images:
    """The decoded mixed codes of N mixes: uint8 N×H×W×C.

    Args:
        trained: of `open_mixable`.
        images: of the store that `mixes` names rows of.
        mixes: what to render.

    Raises:
        UserError: if its codes have no cells for so many tiles.
    """
    grid, tiles = _grid_of(trained), mixes.tiles
    try:
        check_tiles(grid, tiles)
    except ValueError as error:
        raise UserError(f"run {trained.run.name}: {error}") from None
    used, place = np.unique(np.c_[mixes.references, mixes.donors], return_inverse=True)
    codes = torch.from_numpy(trained.encode(images[used])[place.reshape(len(mixes.donors), -1)])
    where = torch.from_numpy(mixes.replaced)[:, cells(grid, tiles)]
    if mixes.segments:
        where &= segments.in_cells(_figures(images, mixes), grid, tiles)
    mixed = mix(codes[:, 0], gather(codes[:, 1:], grid), where)
    return trained.decode(mixed.numpy())


def _grid_of(trained: TrainedRun) -> tuple[int, int]:
    assert isinstance(trained.model, DenseAE)  # noqa: S101 - `open_mixable` saw to it
    return trained.model.grid


def paste(images: Images, mixes: Mixes) -> Images:
    """The same mixes of pixels: what is replaced, cut out and laid on, uint8 N×H×W×C."""
    return np.where(masks(images, mixes)[..., None], _given(images, mixes), _kept(images, mixes))


def masks(images: Images, mixes: Mixes) -> Mask:
    """N×H×W: the pixels that come from donors."""
    height, width = images.shape[1:3]
    tiles = mixes.tiles
    shape = (*mixes.replaced.shape, height // tiles, width // tiles, 1)
    whole: Mask = join(np.broadcast_to(mixes.replaced[:, :, None, None, None], shape))[..., 0] > 0
    return whole & _figures(images, mixes).numpy() if mixes.segments else whole


def _kept(images: Images, mixes: Mixes) -> Images:
    return images[mixes.references]


def _given(images: Images, mixes: Mixes) -> Images:
    """N pictures of the donors alone: tile k is that of the k-th donor."""
    parts = [cut(images[rows], mixes.tiles)[:, tile] for tile, rows in enumerate(mixes.donors.T)]
    return join(np.stack(parts, axis=1))


def _figures(images: Images, mixes: Mixes) -> torch.Tensor:
    """N×H×W: the figures of references and donors."""
    kept, given = (to_images(torch.from_numpy(f(images, mixes))) for f in (_kept, _given))
    parts = [
        segments.exchanged(kept[start : start + _BATCH], given[start : start + _BATCH], mixes.tiles)
        for start in range(0, len(kept), _BATCH)
    ]
    return torch.cat(parts)


def picture_of(where: Mask) -> Images:
    """N×H×W masks as pictures: what is replaced light, the rest dark, uint8 N×H×W×1."""
    return np.where(where, _LIGHT, _DARK).astype(np.uint8)[..., None]
