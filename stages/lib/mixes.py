"""Mixed scenes of trained runs: which images give which quadrants, rendered or merely pasted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stages.lib.console import UserError
from stages.lib.neighbours import QUADRANTS, Neighbours
from stages.lib.quadrants import cut, join
from stages.lib.run import Codes, TrainedRun, open_run
from stages.lib.store import Images
from stages.models.grid import grid_of
from stages.models.mixing import DenseAE, choose, gather, mix

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mixes:
    """N mixed scenes, as rows of a store.

    Attributes:
        references: N rows.
        donors: N×4 rows, one for each quadrant.
        replaced: N×4, whether the quadrant comes from its donor.
    """

    references: Rows
    donors: Rows
    replaced: Mask


def of_neighbours(
    rows: Rows, neighbours: Neighbours, tau: float, random: np.random.Generator
) -> Mixes:
    """Mixes as the mixing model is trained on: neighbours as donors, and its rule with τ."""
    donors, quantiles = neighbours.draw(rows, random)
    return Mixes(rows, donors, choose(torch.from_numpy(quantiles), tau).numpy())


def of_strangers(rows: Rows, random: np.random.Generator) -> Mixes:
    """Mixes of any images among `rows`: donors at random, one to three quadrants at random."""
    ahead = random.integers(1, len(rows), size=(len(rows), QUADRANTS))
    donors = rows[(np.arange(len(rows))[:, None] + ahead) % len(rows)]
    bits = random.integers(1, 2**QUADRANTS - 1, size=len(rows))
    replaced = (bits[:, None] >> np.arange(QUADRANTS)) & 1 == 1
    return Mixes(rows, donors, replaced)


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
    """
    used, place = np.unique(np.c_[mixes.references, mixes.donors], return_inverse=True)
    codes = trained.encode(images[used])[place.reshape(-1, 1 + QUADRANTS)]
    return trained.decode(mixed_codes(trained, codes[:, 0], codes[:, 1:], mixes.replaced))


def mixed_codes(trained: TrainedRun, references: Codes, donors: Codes, replaced: Mask) -> Codes:
    """N×latent_dim codes of references, N×4×latent_dim of donors, to N×latent_dim of mixes."""
    grid = grid_of(*trained.config["shape"][:2])
    given = gather(torch.from_numpy(donors), grid)
    mixed: Codes = mix(
        torch.from_numpy(references), given, torch.from_numpy(replaced), grid
    ).numpy()
    return mixed


def paste(images: Images, mixes: Mixes) -> Images:
    """The same mixes of pixels: quadrants cut out and laid on, uint8 N×H×W×C."""
    quadrants = cut(images[mixes.references])
    for number in range(QUADRANTS):
        rows = mixes.replaced[:, number]
        quadrants[rows, number] = cut(images[mixes.donors[rows, number]])[:, number]
    return join(quadrants)


def picture_of(replaced: Mask, height: int, width: int) -> Images:
    """Masks as pictures: replaced quadrants light, the others dark, uint8 N×height×width×1."""
    shape = (len(replaced), QUADRANTS, height // 2, width // 2, 1)
    grey = np.where(replaced, 215, 60).astype(np.uint8)[:, :, None, None, None]
    return join(np.broadcast_to(grey, shape))
