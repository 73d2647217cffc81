"""All metrics of a code at once, and what each of its latents holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from latent_atlas.metrics.disentanglement.bootstrap import intervals
from latent_atlas.metrics.disentanglement.dci import (
    DCI,
    concentration,
    dci_lasso,
    dci_trees,
    lasso_importance,
    lasso_weights,
)
from latent_atlas.metrics.disentanglement.factor_vae_score import beta_vae_score, factor_vae_score
from latent_atlas.metrics.disentanglement.modularity_explicitness import explicitness
from latent_atlas.metrics.disentanglement.mutual_information import (
    entropies,
    gap,
    held_share,
    information,
    purity,
)
from latent_atlas.metrics.disentanglement.sample import Floats, Kind, Sample, check, mean_gap
from latent_atlas.metrics.disentanglement.sap import attribute_scores
from latent_atlas.metrics.disentanglement.udr import total_correlation
from latent_atlas.util.console import Progress


@dataclass(frozen=True)
class Settings:
    """What the metrics depend on beside the codes; each metric's docstring says how.

    Attributes:
        points: images for the metrics of information and correlation.
        train: images to fit predictors, and votes to fit the two scores with a fixed factor.
        test: images, and votes, to score.
        bins: intervals of a latent, and of a continuous factor.
        batch: images a vote of the FactorVAE score, pairs a difference of the β-VAE score.
        least_deviation: of a latent that votes for the FactorVAE score.
        penalty: C of SAP's classifier.
        trees: of DCI.
        depth: of a tree.
        learning_rate: of the trees.
        alpha: penalty of DCI's lasso.
        resamples: of the bootstrap intervals.
        level: probability of the bootstrap intervals.
    """

    points: int
    train: int
    test: int
    bins: int
    batch: int
    least_deviation: float
    penalty: float
    trees: int
    depth: int
    learning_rate: float
    alpha: float
    resamples: int
    level: float


REFERENCE = Settings(
    points=10_000,
    train=10_000,
    test=5_000,
    bins=20,
    batch=64,
    least_deviation=0.05,
    penalty=0.01,
    trees=100,
    depth=3,
    learning_rate=0.1,
    alpha=0.05,
    resamples=200,
    level=0.95,
)
"""The settings of disentanglement_lib (Locatello et al. 2019), which has no lasso or bootstrap."""

QUICK = replace(REFERENCE, trees=30, learning_rate=0.3)
"""`REFERENCE` but for fewer, faster learning trees: a third of the time."""


@dataclass(frozen=True)
class Examination:
    """What `examine` finds.

    Attributes:
        metrics: as of `measure`.
        table: as of `matrices`.
    """

    metrics: dict[str, float]
    table: pd.DataFrame


def measure(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    settings: Settings,
    *,
    quiet: bool = False,
) -> dict[str, float]:
    """Every supervised metric, and the total correlation, of one code.

    Args:
        codes: N×D posterior means, D 2 or more.
        factors: N×K true factors, K 2 or more.
        kinds: of the K factors, ``continuous`` or ``discrete``.
        seed: of splits, draws and resamples; the same seed gives the same numbers.
        settings: e.g. `REFERENCE`.
        quiet: show no progress.

    Returns:
        ``mig``, ``modularity``, ``gaussian_total_correlation``, ``dci_lasso_disentanglement``
        and ``dci_lasso_completeness``, each also with the ``_low`` and ``_high`` end of its
        bootstrap interval. Without intervals, as every resample would train and predict anew:
        ``dci_trees_disentanglement`` and ``dci_trees_completeness``, both informativenesses,
        ``explicitness``, ``sap``, ``factor_vae_score``, ``beta_vae_score``.

    Raises:
        ValueError: naming the column or row, what was found and what was expected.
    """
    names = [str(column) for column in range(len(kinds))]
    return examine(codes, factors, kinds, names, seed, settings, quiet=quiet).metrics


def matrices(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    names: Sequence[str],
    seed: int,
    settings: Settings,
    *,
    quiet: bool = False,
) -> pd.DataFrame:
    """How every latent relates to every factor: the cells of a heat map.

    Arguments as of `measure`, and the K names of the factors.

    Returns:
        A row for each latent and factor (D·K of them) with the columns ``latent`` (from 0),
        ``factor`` (its name), ``mutual_information`` (nats), ``share`` (of the factor's
        information, beyond chance, at most 1), ``trees`` and ``lasso`` (DCI's importances) and
        ``alone`` (SAP's score, from 0 to 1).
    """
    return examine(codes, factors, kinds, names, seed, settings, quiet=quiet).table


def examine(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    names: Sequence[str],
    seed: int,
    settings: Settings,
    *,
    quiet: bool = False,
) -> Examination:
    """Both `measure` and `matrices`, at the price of one. Arguments as of `matrices`."""
    sample = check(codes, factors, kinds, latents=2, variables=2)
    if len(names) != len(kinds):
        raise ValueError(f"found {len(names)} names of {len(kinds)} factors")
    with threadpool_limits(1):  # the same sums whatever the number of cores, and in less time
        return _examine(sample, names, seed, settings, quiet)


def holdings(table: pd.DataFrame, *, least: float) -> pd.DataFrame:
    """What each latent holds: the factor of which it has the largest share of information.

    Args:
        table: of `matrices`.
        least: a latent with smaller shares than this of every factor holds ``nothing``.

    Returns:
        A row for each latent, in order, with the columns ``latent``, ``factor`` (its name, or
        ``nothing``) and ``share`` (of that factor's information; for ``nothing`` the largest).
    """
    rows = table.groupby("latent")["share"].idxmax()
    best: pd.DataFrame = table.loc[rows, ["latent", "factor", "share"]].reset_index(drop=True)
    best["factor"] = best["factor"].where(best["share"] >= least, "nothing")
    return best


def _examine(
    sample: Sample, names: Sequence[str], seed: int, settings: Settings, quiet: bool
) -> Examination:
    few = _draw(sample, settings.points, seed)
    fitted, _ = sample.split(settings.train, settings.test, seed)
    steps: dict[str, Callable[[], Any]] = {
        "trees": lambda: _trees(sample, seed, settings),
        "lasso": lambda: _lasso(sample, seed, settings),
        "alone": lambda: _alone(sample, seed, settings),
        "scores": lambda: _scores(sample, seed, settings),
        "cheap bounds": lambda: _bounds(few, seed, settings, _cheap),
        "lasso bounds": lambda: _bounds(fitted, seed, settings, _kept),
    }
    found: dict[str, Any] = {}
    with Progress("disentanglement", total=len(steps), unit="steps", quiet=quiet) as progress:
        for name, step in steps.items():
            progress.note(name)
            found[name] = step()
            progress.advance()
    metrics = {
        **_cheap(few, settings),
        **found["cheap bounds"],
        **found["scores"],
        "sap": mean_gap(found["alone"]),
        **_named("dci_trees", found["trees"]),
        **_named("dci_lasso", found["lasso"]),
        **found["lasso bounds"],
    }
    columns = {
        "mutual_information": information(few, settings.bins),
        "share": held_share(few.codes, few.factors, few.kinds, bins=settings.bins),
        "trees": found["trees"].importance,
        "lasso": found["lasso"].importance,
        "alone": found["alone"],
    }
    return Examination(dict(sorted(metrics.items())), _tidy(columns, names))


def _draw(sample: Sample, points: int, seed: int) -> Sample:
    """At most `points` of the images, at random."""
    order = np.random.default_rng(seed).permutation(len(sample)).astype(np.int64)
    return sample.take(order[:points])


def _trees(sample: Sample, seed: int, settings: Settings) -> DCI:
    return dci_trees(
        sample.codes,
        sample.factors,
        sample.kinds,
        seed,
        train=settings.train,
        test=settings.test,
        trees=settings.trees,
        depth=settings.depth,
        learning_rate=settings.learning_rate,
    )


def _lasso(sample: Sample, seed: int, settings: Settings) -> DCI:
    return dci_lasso(
        sample.codes,
        sample.factors,
        sample.kinds,
        seed,
        train=settings.train,
        test=settings.test,
        alpha=settings.alpha,
    )


def _alone(sample: Sample, seed: int, settings: Settings) -> Floats:
    return attribute_scores(
        sample.codes,
        sample.factors,
        sample.kinds,
        seed,
        train=settings.train,
        test=settings.test,
        penalty=settings.penalty,
    )


def _scores(sample: Sample, seed: int, settings: Settings) -> dict[str, float]:
    """The metrics that are one number and have no interval."""
    codes, factors, kinds = sample.codes, sample.factors, sample.kinds
    train, test, bins, batch = settings.train, settings.test, settings.bins, settings.batch
    return {
        "explicitness": explicitness(
            codes, factors, kinds, seed, bins=bins, train=train, test=test
        ),
        "factor_vae_score": factor_vae_score(
            codes,
            factors,
            kinds,
            seed,
            bins=bins,
            train=train,
            test=test,
            batch=batch,
            least_deviation=settings.least_deviation,
        ),
        "beta_vae_score": beta_vae_score(
            codes, factors, kinds, seed, bins=bins, train=train, test=test, batch=batch
        ),
    }


def _cheap(sample: Sample, settings: Settings) -> dict[str, float]:
    """The metrics that predict nothing."""
    nats = information(sample, settings.bins)
    return {
        "mig": gap(nats, entropies(sample, settings.bins)),
        "modularity": purity(nats),
        "gaussian_total_correlation": total_correlation(sample.codes),
    }


def _kept(fitted: Sample, settings: Settings) -> dict[str, float]:
    """What DCI's lasso says of the images that it is fitted to, without any prediction."""
    importance = lasso_importance(lasso_weights(fitted, settings.alpha))
    return {
        "dci_lasso_disentanglement": concentration(importance),
        "dci_lasso_completeness": concentration(importance.T),
    }


def _named(name: str, dci: DCI) -> dict[str, float]:
    return {
        f"{name}_disentanglement": dci.disentanglement,
        f"{name}_completeness": dci.completeness,
        f"{name}_informativeness": float(dci.informativeness.mean()),
    }


def _bounds(
    sample: Sample,
    seed: int,
    settings: Settings,
    metrics: Callable[[Sample, Settings], dict[str, float]],
) -> dict[str, float]:
    """The ends of the bootstrap intervals of `metrics`, kept within each one's range."""
    bounds = intervals(
        lambda rows: metrics(sample.take(rows), settings),
        len(sample),
        seed,
        resamples=settings.resamples,
        level=settings.level,
    )
    ends = {}
    for name, (low, high) in bounds.items():
        most = np.inf if name == "gaussian_total_correlation" else 1.0
        ends[f"{name}_low"] = min(max(low, 0.0), most)
        ends[f"{name}_high"] = min(max(high, 0.0), most)
    return ends


def _tidy(columns: Mapping[str, Floats], names: Sequence[str]) -> pd.DataFrame:
    """A row for each latent and factor of D×K matrices."""
    latents = len(next(iter(columns.values())))
    table = pd.DataFrame({name: cells.reshape(-1) for name, cells in columns.items()})
    table.insert(0, "latent", np.repeat(np.arange(latents), len(names)))
    table.insert(1, "factor", list(names) * latents)
    return table
