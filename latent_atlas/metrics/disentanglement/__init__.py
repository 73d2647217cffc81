"""Metrics of the one-to-one correspondence between the latents of a code and the true factors.

Every supervised metric is a function of a `Sample` (codes N×D, factors N×K and their kinds), of
`Settings`, and of a seed if it draws random numbers. Each has a module named as its paper names it.
`REFERENCE` holds the settings of disentanglement_lib (Locatello et al. 2019). All arithmetic is
float64.
"""

from latent_atlas.metrics.disentanglement.sample import Kind, Sample
from latent_atlas.metrics.disentanglement.settings import QUICK, REFERENCE, Settings
from latent_atlas.metrics.disentanglement.summary import (
    DEFINITIONS,
    Summary,
    dominant_factors,
    summarise,
    summarise_quickly,
)
from latent_atlas.metrics.disentanglement.udr import udr

__all__ = [
    "DEFINITIONS",
    "QUICK",
    "REFERENCE",
    "Kind",
    "Sample",
    "Settings",
    "Summary",
    "dominant_factors",
    "summarise",
    "summarise_quickly",
    "udr",
]
