"""Latent traversals: one latent changes, the others stay constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.store import Images, Store
from latent_atlas.plots.grid import MAX_ROWS, enlargement, save_grid
from latent_atlas.training.checkpoint import Codes, TrainedRun

_CHANNELS = {"red": 0, "green": 1, "blue": 2}


@dataclass(frozen=True)
class TraversalFrame:
    """The centre of the traversals and the unit of each latent, D float32 numbers each.

    Attributes:
        constant: the value of the other latents, in words.
        suffix: of a number of units.
    """

    centre: Codes
    unit: Codes
    constant: str
    suffix: str

    def codes(self, latents: Sequence[int], values: npt.NDArray[np.float64]) -> Codes:
        """A row per latent (numbered from 1), a column per value in units: rows×columns×D."""
        codes = np.tile(self.centre, (len(latents), len(values), 1))
        for row, latent in enumerate(latents):
            codes[row, :, latent - 1] += values.astype(np.float32) * self.unit[latent - 1]
        return codes

    def labels(self, values: npt.NDArray[np.float64]) -> list[str]:
        """A label for each value."""
        return [f"{value:+.3g}{self.suffix}" for value in values]


def traversal_frame(trained: TrainedRun, store: Store) -> TraversalFrame:
    """The prior's mean 0 and deviation 1; at β = 0 those of the codes of validation images.

    Without the KL term nothing keeps the codes near the prior: their deviation may be 40, and ±3
    around 0 is then almost a single point outside of them.
    """
    size = trained.run.latent_dim
    if trained.run.beta > 0:
        return TraversalFrame(np.zeros(size, np.float32), np.ones(size, np.float32), "0", "")
    codes = trained.encode(store.images[store.rows("valid")]).astype(np.float64)
    centre, unit = codes.mean(0).astype(np.float32), codes.std(0).astype(np.float32)
    return TraversalFrame(centre, unit, "at the codes' mean", " sd")


def most_active(latents: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """At most `MAX_ROWS` latents, the most active, and a clause for the title if some are left out.

    Args:
        latents: as of `latent_atlas.metrics.reconstruction.latent_activity`.
    """
    shown = latents.nlargest(MAX_ROWS, "activity").sort_values("latent")
    if len(shown) == len(latents):
        return shown, ""
    return shown, f", the {len(shown)} most active of {len(latents)}"


def plot_traversals(
    trained: TrainedRun, store: Store, latents: pd.DataFrame, limit: float, steps: int, out: Path
) -> None:
    """Write ``traversal.png``, a row per latent, into the folder `out`.

    If the factors of the images belong to colour channels, each channel has a picture more.

    Args:
        trained: the run.
        store: the images that it was trained on.
        latents: as of `latent_atlas.metrics.reconstruction.latent_activity`.
        limit: a latent changes from −limit to +limit units of `traversal_frame`.
        steps: columns.
        out: the folder.
    """
    shown, note = most_active(latents)
    values = np.linspace(-limit, limit, steps)
    frame = traversal_frame(trained, store)
    codes = frame.codes(shown["latent"].to_list(), values)
    images = trained.decode(codes.reshape(-1, trained.run.latent_dim))
    labels = [_latent_label(row) for _, row in shown.iterrows()]
    for name, picture in _by_channel(images, store).items():
        channel = f" ({name} channel)" if name else ""
        save_grid(
            out / (f"traversal_{name}.png" if name else "traversal.png"),
            picture,
            columns=steps,
            title=f"Traversals: a latent per row{note}, the others {frame.constant}{channel} · "
            f"{trained.title()}",
            column_labels=frame.labels(values),
            row_labels=labels,
            enlarge=enlargement(*store.shape[:2]),
        )


def _latent_label(row: pd.Series) -> str:
    if not row["active"]:
        return f"z{row['latent']} unused"
    nats = "" if np.isnan(row["kl"]) else f" {row['kl']:.1f} nats"
    return f"z{row['latent']}{nats}"


def _by_channel(images: Images, store: Store) -> dict[str, Images]:
    """All channels, and each single channel that has factors of its own."""
    pictures = {"": images}
    for name, channel in _CHANNELS.items():
        if any(factor.startswith(f"{name}_") for factor in store.card["factors"]):
            pictures[name] = np.ascontiguousarray(images[..., channel : channel + 1])
    return pictures
