"""Options of the mixing autoencoder and of its encoder and decoder alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from latent_atlas.config.code_grid import MOST_HALVINGS
from latent_atlas.config.section import NonNegative, Options, Share


class DenseAEOptions(Options):
    """Options of the mixing model's encoder and decoder, trained as an autoencoder.

    Attributes:
        width: factor on the number of feature maps of every network (Zbinden 2019: 1).
        depth: factor on the number of layers of encoder and decoder (there 1).
        halvings: largest number of times that an image is halved. With fewer, a code has more and
            smaller cells.
    """

    width: NonNegative = 1.0
    depth: NonNegative = 1.0
    halvings: Annotated[int, Field(ge=1, le=MOST_HALVINGS)] = MOST_HALVINGS


class MixingOptions(DenseAEOptions):
    """Options of the mixing autoencoder (Zbinden 2019, sections 3.2 to 3.6).

    Attributes:
        tau: quantile of the neighbours' distances. Above it, only the nearest of the partner
            images is taken.
        warm_up: share of the epochs, at the beginning, in which encoder and decoder only
            reconstruct; the thesis has none.
        attention: self-attention in the discriminator.
        tiles: a code is cut into ``tiles`` × ``tiles`` tiles, 2 for quadrants. The neighbours must
            have the same tiles.
        segments: exchange the cells that show a foreground in place of whole tiles.
    """

    tau: Share = 0.5
    warm_up: Share = 0.0
    attention: bool = False
    tiles: Annotated[int, Field(ge=2)] = 2
    segments: bool = False
