"""Options of the AnnealedVAE."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from latent_atlas.config.section import NonNegative, Options


class AnnealedVAEOptions(Options):
    """Options of the AnnealedVAE.

    Attributes:
        gamma: γ, weight of the difference between KL and capacity (Burgess et al. 2018,
            equation 8).
        capacity: capacity at the end, in nats.
        until: share of the training after which the capacity stays.
        stairs: number of equal steps in which the capacity grows; 0 lets it grow evenly.
    """

    gamma: NonNegative = 1000.0
    capacity: NonNegative = 25.0
    until: NonNegative = 1.0
    stairs: Annotated[int, Field(ge=0)] = 0
