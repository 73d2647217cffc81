"""What each latent knows of each true factor, where the images have true factors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latent_atlas.data.store import Store
from latent_atlas.metrics import disentanglement
from latent_atlas.metrics.disentanglement import (
    Examination,
    Kind,
    Settings,
    held_share,
    mig,
    modularity,
)
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


def measure(codes: npt.NDArray[np.float32], factors: Factors, bins: int) -> dict[str, float]:
    """``mig`` and ``modularity`` of N×D posterior means over the N images, both from 0 to 1.

    Raises:
        UserError: if there are too few images or latents to tell.
    """
    with _said_of(factors, "raise the number of images, or latent_dim"):
        return {
            "mig": mig(codes, factors.values, factors.kinds, bins=bins),
            "modularity": modularity(codes, factors.values, factors.kinds, bins=bins),
        }


def examine(
    codes: npt.NDArray[np.float32], factors: Factors, seed: int, settings: Settings
) -> Examination:
    """All metrics of disentanglement, and how each latent relates to each factor.

    Fewer images than the settings ask for are parted in their proportion.

    Raises:
        UserError: if the images are too few to see every factor vary.
    """
    with _said_of(factors, "or set `examine` to false"):
        return disentanglement.examine(
            codes, factors.values, factors.kinds, factors.names, seed, settings, quiet=True
        )


def shares(codes: npt.NDArray[np.float32], factors: Factors, bins: int) -> pd.DataFrame:
    """A row for each latent (from 0) and factor: its ``share`` of information beyond chance."""
    cells = held_share(codes, factors.values, factors.kinds, bins=bins)
    places = pd.MultiIndex.from_product([range(len(cells)), factors.names])
    table = pd.DataFrame({"share": cells.ravel()}, index=places)
    return table.rename_axis(["latent", "factor"]).reset_index()


@contextmanager
def _said_of(factors: Factors, advice: str) -> Iterator[None]:
    """Make a ValueError of the metrics in this block a UserError."""
    try:
        yield
    except ValueError as error:
        names = ", ".join(factors.names)
        raise UserError(f"disentanglement of {names}: {error}; {advice}") from None
