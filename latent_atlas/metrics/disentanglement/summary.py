"""All disentanglement metrics of a code, and the relation of each latent to each factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from latent_atlas.metrics.disentanglement import beta_vae_score as beta_vae_scores
from latent_atlas.metrics.disentanglement import (
    dci,
    modularity_explicitness,
    sap,
    total_correlation,
)
from latent_atlas.metrics.disentanglement import factor_vae_score as factor_vae_scores
from latent_atlas.metrics.disentanglement import mig as mig_scores
from latent_atlas.metrics.disentanglement.beta_vae_score import beta_vae_score
from latent_atlas.metrics.disentanglement.bootstrap import bootstrap_intervals
from latent_atlas.metrics.disentanglement.dci import dci_lasso, dci_trees, lasso_concentrations
from latent_atlas.metrics.disentanglement.factor_vae_score import factor_vae_score
from latent_atlas.metrics.disentanglement.mig import mig
from latent_atlas.metrics.disentanglement.modularity_explicitness import explicitness, modularity
from latent_atlas.metrics.disentanglement.mutual_information import (
    mutual_information,
    normalised_mutual_information,
)
from latent_atlas.metrics.disentanglement.sample import Floats, Sample, mean_gap
from latent_atlas.metrics.disentanglement.sap import score_matrix
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.disentanglement.total_correlation import gaussian_total_correlation

SCORES: dict[str, Callable[[Sample, Settings, int], float]] = {
    "beta_vae_score": beta_vae_score,
    "explicitness": explicitness,
    "factor_vae_score": factor_vae_score,
}
"""Metrics of one number from random splits or draws, by name. They have no interval, because every
resample would fit and predict anew."""

RESAMPLED: dict[str, Callable[[Sample, Settings], float]] = {
    "gaussian_total_correlation": lambda sample, _: gaussian_total_correlation(sample.codes),
    "mig": mig,
    "modularity": modularity,
}
"""Metrics of one number without prediction, by name. Each has a bootstrap interval."""


DEFINITIONS = {
    name: metric
    for module in (
        beta_vae_scores,
        dci,
        factor_vae_scores,
        mig_scores,
        modularity_explicitness,
        sap,
        total_correlation,
    )
    for name, metric in module.METRICS.items()
}
"""The definitions of all these metrics."""


@dataclass(frozen=True)
class Summary:
    """The metrics of a code.

    Attributes:
        metrics: name → number, sorted by name.
        table: a row for each latent and factor (D·K of them), the cells of heat maps: ``latent``
            (from 0), ``factor`` (its name), ``mutual_information`` (nats),
            ``normalised_mutual_information`` (at most 1), ``dci_trees`` and ``dci_lasso``
            (importances) and ``sap`` (scores, from 0 to 1). A short summary has only some columns.
    """

    metrics: dict[str, float]
    table: pd.DataFrame


def summarise(sample: Sample, settings: Settings, seed: int) -> Summary:
    """Compute every supervised metric, and the total correlation, of one code.

    Args:
        sample: D and K 2 or more.
        settings: e.g. `settings.REFERENCE`.
        seed: of splits, draws and resamples; the same seed gives the same numbers.

    Returns:
        The metrics ``mig``, ``modularity``, ``gaussian_total_correlation``,
        ``dci_lasso_disentanglement`` and ``dci_lasso_completeness``, each also with the ``_low``
        and ``_high`` end of its bootstrap interval. Without intervals:
        ``dci_trees_disentanglement`` and ``dci_trees_completeness``, both informativenesses,
        ``explicitness``, ``sap``, ``factor_vae_score``, ``beta_vae_score``.

    Raises:
        ValueError: naming the column or row, what was found and what was expected.
    """
    sample.require(latents=2, factors=2)
    subset = sample.subset(settings.points, seed)
    fitted, _ = sample.split(settings.train, settings.test, seed)
    # One thread, so that sums are the same for any number of cores; it is also faster.
    with threadpool_limits(1):
        trees = dci_trees(sample, settings, seed)
        lasso = dci_lasso(sample, settings, seed)
        sap_scores = score_matrix(sample, settings, seed)
        scores = {name: metric(sample, settings, seed) for name, metric in SCORES.items()}
        resampled = _with_intervals(_resampled, subset, settings, seed)
        concentrations = _with_intervals(lasso_concentrations, fitted, settings, seed)
        matrices = {
            "mutual_information": mutual_information(subset, settings.bins),
            "normalised_mutual_information": normalised_mutual_information(subset, settings.bins),
            "dci_trees": trees.importance,
            "dci_lasso": lasso.importance,
            "sap": sap_scores,
        }
    metrics = trees.metrics("trees") | lasso.metrics("lasso") | scores | resampled | concentrations
    metrics["sap"] = mean_gap(sap_scores)
    return Summary(dict(sorted(metrics.items())), latent_factor_table(matrices, sample.names))


def summarise_quickly(sample: Sample, settings: Settings) -> Summary:
    """``mig`` and ``modularity`` of all images, and their ``normalised_mutual_information``."""
    metrics = {name: RESAMPLED[name](sample, settings) for name in ("mig", "modularity")}
    information = normalised_mutual_information(sample, settings.bins)
    matrices = {"normalised_mutual_information": information}
    return Summary(metrics, latent_factor_table(matrices, sample.names))


def dominant_factors(table: pd.DataFrame, *, least: float) -> pd.DataFrame:
    """The factor with which each latent has the largest normalised mutual information.

    Args:
        table: as of `Summary`.
        least: a latent with less information than this about every factor has the factor ``none``.

    Returns:
        A row for each latent, in order, with the columns ``latent``, ``factor`` (its name, or
        ``none``) and ``normalised_mutual_information`` (with that factor; for ``none`` the
        largest).
    """
    value = "normalised_mutual_information"
    rows = table.groupby("latent")[value].idxmax()
    best: pd.DataFrame = table.loc[rows, ["latent", "factor", value]].reset_index(drop=True)
    best["factor"] = best["factor"].where(best[value] >= least, "none")
    return best


def latent_factor_table(matrices: Mapping[str, Floats], names: tuple[str, ...]) -> pd.DataFrame:
    """A row for each latent and factor of D×K `matrices`, which become the columns."""
    latents = len(next(iter(matrices.values())))
    table = pd.DataFrame({name: cells.reshape(-1) for name, cells in matrices.items()})
    table.insert(0, "latent", np.repeat(np.arange(latents), len(names)))
    table.insert(1, "factor", list(names) * latents)
    return table


def _resampled(sample: Sample, settings: Settings) -> dict[str, float]:
    return {name: metric(sample, settings) for name, metric in RESAMPLED.items()}


def _with_intervals(
    compute: Callable[[Sample, Settings], dict[str, float]],
    sample: Sample,
    settings: Settings,
    seed: int,
) -> dict[str, float]:
    """Metrics with the ends of their bootstrap intervals, which stay in each metric's range."""
    bounds = bootstrap_intervals(
        lambda rows: compute(sample.take(rows), settings),
        len(sample),
        seed,
        resamples=settings.resamples,
        level=settings.level,
    )
    metrics = compute(sample, settings)
    for name, (low, high) in bounds.items():
        most = np.inf if name == "gaussian_total_correlation" else 1.0
        metrics[f"{name}_low"] = min(max(low, 0.0), most)
        metrics[f"{name}_high"] = min(max(high, 0.0), most)
    return metrics
