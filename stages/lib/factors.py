"""What each latent knows of each true factor, where the images have true factors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

from stages.lib.disentanglement import Kind, held_share, mig, modularity
from stages.lib.picture import save_figure
from stages.lib.run import TrainedRun
from stages.lib.store import Store


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
    """``mig`` and ``modularity`` of N×D posterior means over the N images, both from 0 to 1."""
    return {
        "mig": mig(codes, factors.values, factors.kinds, bins=bins),
        "modularity": modularity(codes, factors.values, factors.kinds, bins=bins),
    }


def heat_map(
    trained: TrainedRun, codes: npt.NDArray[np.float32], factors: Factors, bins: int, path: Path
) -> None:
    """Draw how much of each factor each latent knows, from nothing (0) to all (1).

    The share of a factor's entropy that the latent tells, less what it would tell by chance.
    """
    share = held_share(codes, factors.values, factors.kinds, bins=bins)
    latents, count = share.shape
    figure = Figure(figsize=(2.6 + 0.5 * count, 2.4 + 0.28 * latents))
    axes = figure.add_subplot()
    axes.imshow(share, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        if value < 0.005:
            continue
        colour = "white" if value < 0.6 else "black"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
    axes.set_xticks(range(count), factors.names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(latents), [f"z{number + 1}" for number in range(latents)], fontsize=8)
    axes.set_title(
        f"Share of each factor that a latent knows\n{trained.title()}",
        fontsize=7,
        loc="left",
        wrap=True,
    )
    figure.tight_layout()
    save_figure(path, figure)
