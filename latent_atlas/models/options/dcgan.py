"""Options of the DCGAN."""

from __future__ import annotations

from latent_atlas.config.section import Positive
from latent_atlas.models.options.adversarial import AdversarialOptions, Objective


class DCGANOptions(AdversarialOptions):
    """Options of the DCGAN (Radford et al. 2016).

    Attributes:
        objective: of both networks; Radford et al. take that of Goodfellow et al. 2014, whose
            generator maximises log D(G(z)). ``saturating`` is the minimax form of the thesis.
        code: numbers of a code (there 100, figure 1).
    """

    objective: Objective = "bce"
    code: Positive = 100
