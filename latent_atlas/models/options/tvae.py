"""Options of the triplet VAE."""

from __future__ import annotations

from typing import Literal

from latent_atlas.config.section import NonNegative, Options


class TVAEOptions(Options):
    """Options of the triplet VAE.

    Attributes:
        triplet: weight of the triplet loss (Ishfaq et al. 2018).
        margin: distance by which a negative must be farther from the anchor than the positive.
        distance: distance between posterior means.
        mining: choice of the negative: the nearest one beyond the positive (Schroff et al. 2015,
            section 3.2), or the nearest one of all (Hermans et al. 2017).
    """

    triplet: NonNegative = 10.0
    margin: NonNegative = 1.0
    distance: Literal["euclidean", "squared", "cosine"] = "euclidean"
    mining: Literal["semi_hard", "hardest"] = "semi_hard"
