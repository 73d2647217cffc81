"""Options of the FactorVAE."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from latent_atlas.config.section import NonNegative, Options, Positive


class FactorVAEOptions(Options):
    """Options of the FactorVAE.

    Attributes:
        gamma: γ, weight of the total correlation (Kim & Mnih 2018, equation 2).
        units: units of each hidden layer of the discriminator (there 1000, appendix A).
        layers: number of its hidden layers (there 6).
    """

    gamma: NonNegative = 10.0
    units: Positive = 1000
    layers: Annotated[int, Field(ge=0)] = 6
