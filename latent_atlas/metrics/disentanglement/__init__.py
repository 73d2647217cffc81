"""How far the latents of a code correspond, one to one, to the factors that images are made of.

Every metric is a pure function of arrays: ``codes`` N×D (posterior means), ``factors`` N×K
(continuous numbers or whole class numbers) and ``kinds``, which says which of the two each factor
is. Nothing that matters has a default; the docstrings name the values of disentanglement_lib
(Locatello et al. 2019), and `REFERENCE` holds them. All arithmetic is float64.
"""

from latent_atlas.metrics.disentanglement.bootstrap import intervals
from latent_atlas.metrics.disentanglement.dci import DCI, dci_lasso, dci_trees
from latent_atlas.metrics.disentanglement.factor_vae_score import beta_vae_score, factor_vae_score
from latent_atlas.metrics.disentanglement.modularity_explicitness import explicitness
from latent_atlas.metrics.disentanglement.mutual_information import (
    held_share,
    mig,
    modularity,
    mutual_information,
)
from latent_atlas.metrics.disentanglement.sample import Kind
from latent_atlas.metrics.disentanglement.sap import attribute_scores, sap
from latent_atlas.metrics.disentanglement.summary import (
    QUICK,
    REFERENCE,
    Examination,
    Settings,
    examine,
    holdings,
    matrices,
    measure,
)
from latent_atlas.metrics.disentanglement.udr import UDR, gaussian_total_correlation, udr

__all__ = [
    "DCI",
    "QUICK",
    "REFERENCE",
    "UDR",
    "Examination",
    "Kind",
    "Settings",
    "attribute_scores",
    "beta_vae_score",
    "dci_lasso",
    "dci_trees",
    "examine",
    "explicitness",
    "factor_vae_score",
    "gaussian_total_correlation",
    "held_share",
    "holdings",
    "intervals",
    "matrices",
    "measure",
    "mig",
    "modularity",
    "mutual_information",
    "sap",
    "udr",
]
