"""Disentanglement metrics of a run whose images have true factors.

The metrics are imported where they are computed: scikit-learn takes a second, and images without
factors do not need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError

if TYPE_CHECKING:
    from latent_atlas.metrics.disentanglement import Kind, Settings, Summary


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
        complete: compute all that `summarise` does; otherwise that of `summarise_quickly`.

    Raises:
        UserError: if there are too few images or latents.
    """
    from latent_atlas.metrics.disentanglement import Sample, summarise, summarise_quickly

    try:
        sample = Sample.of(codes, factors.values, factors.kinds, factors.names)
        if complete:
            return summarise(sample, settings, seed)
        return summarise_quickly(sample, settings)
    except ValueError as error:
        advice = "use more images or more latents"
        if complete:
            advice += ", or evaluate MIG and modularity only"
        names = ", ".join(factors.names)
        raise UserError(f"disentanglement of {names}: {error}; {advice}") from None
