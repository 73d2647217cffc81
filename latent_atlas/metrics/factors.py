"""Disentanglement metrics of a run whose images have true factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latent_atlas.data.store import Store
from latent_atlas.metrics.disentanglement import Kind, Sample, Settings, Summary, summarise
from latent_atlas.metrics.disentanglement.mig import mig
from latent_atlas.metrics.disentanglement.modularity_explicitness import modularity
from latent_atlas.metrics.disentanglement.mutual_information import normalised_mutual_information
from latent_atlas.metrics.disentanglement.summary import latent_factor_table
from latent_atlas.util.console import UserError


@dataclass(frozen=True)
class Factors:
    """True factors as numbers.

    Attributes:
        names: K factors that vary.
        kinds: ``continuous``, or ``discrete`` for class numbers.
        values: N×K, rows as in the store.
    """

    names: list[str]
    kinds: list[Kind]
    values: npt.NDArray[np.float64]


def factors_of(store: Store) -> Factors | None:
    """The factors of a store that take more than one value; None if there are fewer than two."""
    columns = {name: store.index[name] for name in store.card["factors"]}
    varying = {name: column for name, column in columns.items() if column.nunique() > 1}
    if len(varying) < 2:
        return None
    kinds: list[Kind] = [
        "continuous" if is_numeric_dtype(column) else "discrete" for column in varying.values()
    ]
    values = [
        column.to_numpy(np.float64)
        if is_numeric_dtype(column)
        else pd.Categorical(column).codes.astype(np.float64)
        for column in varying.values()
    ]
    return Factors(list(varying), kinds, np.stack(values, axis=1))


def evaluate_disentanglement(
    codes: npt.NDArray[np.float32],
    factors: Factors,
    settings: Settings,
    seed: int,
    *,
    complete: bool,
) -> Summary:
    """The disentanglement metrics of N×D posterior means.

    Args:
        codes: of all images of the store.
        factors: of the same images.
        settings: if there are fewer images than these need, the parts shrink in proportion.
        seed: of splits, draws and resamples.
        complete: compute everything that `summarise` does. Otherwise the summary has ``mig`` and
            ``modularity`` of all images, and ``normalised_mutual_information`` in its table.

    Raises:
        UserError: if there are too few images or latents.
    """
    try:
        sample = Sample.of(codes, factors.values, factors.kinds, factors.names)
        if complete:
            return summarise(sample, settings, seed)
        metrics = {"mig": mig(sample, settings), "modularity": modularity(sample, settings)}
        information = normalised_mutual_information(sample, settings.bins)
        matrices = {"normalised_mutual_information": information}
        return Summary(metrics, latent_factor_table(matrices, sample.names))
    except ValueError as error:
        advice = "use more images or more latents"
        if complete:
            advice += ", or evaluate MIG and modularity only"
        names = ", ".join(factors.names)
        raise UserError(f"disentanglement of {names}: {error}; {advice}") from None
