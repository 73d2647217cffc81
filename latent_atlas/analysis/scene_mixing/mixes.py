"""Mixed scenes: the choice of donors and tiles, pasted pixels, and renderings of trained runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from latent_atlas.config.code_grid import check_tiles
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.data.tiles import cut_tiles, join_tiles
from latent_atlas.models import foreground
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
        donors: N×K rows, one donor for each of K tiles, K = 4 for quadrants.
        replaced: N×K, whether the tile comes from its donor.
        segments: exchange only the foreground of the replaced tiles.
    """

    references: Rows
    donors: Rows
    replaced: Mask
    segments: bool = False

    @property
    def tiles(self) -> int:
        """Rows and columns of tiles: 2 for quadrants."""
        return math.isqrt(self.replaced.shape[1])


def neighbour_mixes(
    rows: Rows,
    neighbours: NeighbourTable,
    tau: float,
    random: np.random.Generator,
    segments: bool = False,
) -> Mixes:
    """Draw mixes as in the training of the mixing model: neighbours as donors, threshold τ."""
    donors, quantiles = neighbours.draw(rows, random)
    replaced = choose(torch.from_numpy(quantiles), tau).numpy()
    return Mixes(rows, donors, replaced, segments)


def random_donor_mixes(
    rows: Rows, random: np.random.Generator, tiles: int = 2, segments: bool = False
) -> Mixes:
    """Draw mixes with random donors among `rows`; at least one tile changes and one is kept."""
    number = tiles**2
    offsets = random.integers(1, len(rows), size=(len(rows), number))
    donors = rows[(np.arange(len(rows))[:, None] + offsets) % len(rows)]
    bits = random.integers(1, 2**number - 1, size=len(rows))
    replaced = (bits[:, None] >> np.arange(number)) & 1 == 1
    return Mixes(rows, donors, replaced, segments)


def open_mixable(path: Path, batch_size: int = 200) -> TrainedRun:
    """Open a trained run whose codes have tiles.

    Raises:
        UserError: if `path` holds no such run.
    """
    trained = open_run(path, batch_size)
    grid_of(trained)
    return trained


def grid_of(trained: TrainedRun) -> tuple[int, int]:
    """The rows and columns of cells in the codes of a run."""
    if not isinstance(trained.model, DenseAE):
        raise UserError(
            f"run {trained.run.name}: the codes of model {trained.run.model!r} have no quadrants; "
            "choose a run of the family 'scenes'"
        )
    return trained.model.grid


def render(trained: TrainedRun, images: Images, mixes: Mixes) -> Images:
    """Decode the mixed codes of N mixes.

    Args:
        trained: a run of `open_mixable`.
        images: all images of the store whose rows `mixes` names.
        mixes: N mixes.

    Returns:
        uint8 N×H×W×C.

    Raises:
        UserError: if the codes cannot be divided into the tiles of the mixes.
    """
    grid, tiles = grid_of(trained), mixes.tiles
    try:
        check_tiles(grid, tiles)
    except ValueError as error:
        raise UserError(f"run {trained.run.name}: {error}") from None
    used, place = np.unique(np.c_[mixes.references, mixes.donors], return_inverse=True)
    codes = torch.from_numpy(trained.encode(images[used])[place.reshape(len(mixes.donors), -1)])
    where = torch.from_numpy(mixes.replaced)[:, cells(grid, tiles)]
    if mixes.segments:
        where &= foreground.mask_to_cells(_foreground(images, mixes), grid, tiles)
    mixed = mix(codes[:, 0], gather(codes[:, 1:], grid), where)
    return trained.decode(mixed.numpy())


def paste(images: Images, mixes: Mixes) -> Images:
    """Mix pixels instead of codes: paste the donors' pixels into the references, N×H×W×C."""
    replaced = replaced_pixels(images, mixes)[..., None]
    return np.where(replaced, _donor_images(images, mixes), images[mixes.references])


def replaced_pixels(images: Images, mixes: Mixes) -> Mask:
    """N×H×W booleans: the pixels that come from donors."""
    height, width = images.shape[1:3]
    shape = (*mixes.replaced.shape, height // mixes.tiles, width // mixes.tiles, 1)
    tiles = np.broadcast_to(mixes.replaced.astype(np.uint8)[:, :, None, None, None], shape)
    replaced: Mask = join_tiles(tiles)[..., 0] > 0
    return replaced & _foreground(images, mixes).numpy() if mixes.segments else replaced


def _donor_images(images: Images, mixes: Mixes) -> Images:
    """N images composed of the donors: tile k is that of the k-th donor."""
    parts = [
        cut_tiles(images[rows], mixes.tiles)[:, tile] for tile, rows in enumerate(mixes.donors.T)
    ]
    return join_tiles(np.stack(parts, axis=1))


def _foreground(images: Images, mixes: Mixes) -> torch.Tensor:
    """N×H×W booleans: the foreground of the references and of the donors."""
    references = to_images(torch.from_numpy(images[mixes.references]))
    donors = to_images(torch.from_numpy(_donor_images(images, mixes)))
    batches = [slice(start, start + _BATCH) for start in range(0, len(references), _BATCH)]
    return torch.cat(
        [
            foreground.exchange_mask(references[batch], donors[batch], mixes.tiles)
            for batch in batches
        ]
    )


def mask_images(masks: Mask) -> Images:
    """N×H×W masks as images: light where pixels are replaced, dark elsewhere, uint8 N×H×W×1."""
    return np.where(masks, _LIGHT, _DARK).astype(np.uint8)[..., None]
