"""The pictures of a run: strip, samples, traversals, classes, mesh, scatter, loss curves.

Every picture is drawn from validation images with fixed seeds, and says in its title which run,
data source and parameters it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.config.schema import Evaluate
from latent_atlas.data.store import Images, Store
from latent_atlas.plots import latent_plane, traversal
from latent_atlas.plots.grid import enlargement, formulas, save_figure, save_grid, set_wrapped
from latent_atlas.plots.latent_plane import choose
from latent_atlas.training.checkpoint import TrainedRun

Rows = npt.NDArray[np.int64]

MOST_ROWS = 40
"""Rows of one picture: of more latents the most active are shown, of more classes the largest."""

_CHANNELS = {"red": 0, "green": 1, "blue": 2}


def draw(
    trained: TrainedRun, store: Store, latents: pd.DataFrame, settings: Evaluate, out: Path
) -> None:
    """Draw every picture that the run allows into the folder `out`.

    Args:
        trained: the opened run.
        store: the images that it was trained on.
        latents: a row a latent, from `latent_atlas.metrics.reconstruction.latents`.
        settings: the section ``evaluate`` of params.yaml.
        out: a folder; one PNG a picture.
    """
    strip(trained, store, settings, out / "strip.png")
    samples(trained, settings, out / "samples.png")
    traversals(trained, store, latents, settings, out)
    losses(trained, out / "losses.png")
    if store.classes:
        classes(trained, store, settings, out / "classes.png")
    if trained.run.latent_dim == 2:
        latent_plane.mesh(trained, store, settings.mesh, settings.traversal, out / "mesh.png")
        latent_plane.scatter(trained, store, settings.scatter, out / "scatter.png")


def strip(trained: TrainedRun, store: Store, settings: Evaluate, path: Path) -> None:
    """Rows of two inputs, their reconstructions, and the decoding of the mean of their codes."""
    rows = choose(store.rows("valid"), 2 * settings.examples, trained.run.seed)
    first, second = store.images[rows[0::2]], store.images[rows[1::2]]
    a, b = trained.encode(first), trained.encode(second)
    middle = (a + b) / np.float32(2)
    parts = [first, second, trained.decode(a), trained.decode(b), trained.decode(middle)]
    save_grid(
        path,
        _row_by_row(parts),
        columns=5,
        title=f"Reconstructions and the mean of two codes · {trained.title()}",
        column_labels=["input A", "input B", "decoded A", "decoded B", "mean code"],
        enlarge=_enlarge(trained),
    )


def samples(trained: TrainedRun, settings: Evaluate, path: Path) -> None:
    """decoder(0) first, then decodings of random codes from N(0, I)."""
    dim = trained.run.latent_dim
    random = np.random.default_rng([trained.run.seed, 1])
    codes = np.zeros((settings.samples + 1, dim), dtype=np.float32)
    codes[1:] = random.standard_normal((settings.samples, dim))
    save_grid(
        path,
        trained.decode(codes),
        columns=8,
        title=f"decoder(0), top left, and random samples from N(0, I) · {trained.title()}",
        enlarge=_enlarge(trained),
    )


def traversals(
    trained: TrainedRun, store: Store, latents: pd.DataFrame, settings: Evaluate, out: Path
) -> None:
    """One row a latent, the others still; once more for each colour channel of circles_rgb."""
    shown = latents.nlargest(MOST_ROWS, "activity").sort_values("latent")
    values = np.linspace(-settings.traversal, settings.traversal, settings.steps)
    frame = traversal.frame(trained, store)
    codes = frame.codes(shown["latent"].to_list(), values)
    images = trained.decode(codes.reshape(-1, trained.run.latent_dim))
    some = "" if len(shown) == len(latents) else f", the {len(shown)} most active of {len(latents)}"
    labels = [_latent_label(row) for _, row in shown.iterrows()]
    for name, picture in _by_channel(images, store).items():
        channel = f" ({name} channel)" if name else ""
        save_grid(
            out / (f"traversal_{name}.png" if name else "traversal.png"),
            picture,
            columns=len(values),
            title=f"Traversals: a latent a row{some}, the others {frame.rest}{channel} · "
            f"{trained.title()}",
            column_labels=frame.labels(values),
            row_labels=labels,
            enlarge=_enlarge(trained),
        )


def classes(trained: TrainedRun, store: Store, settings: Evaluate, path: Path) -> None:
    """A row a class: validation images, each beside its reconstruction."""
    valid, labels = store.rows("valid"), store.labels()
    sizes = np.bincount(labels[valid][labels[valid] >= 0], minlength=len(store.classes))
    there = np.flatnonzero(sizes)
    shown = np.sort(np.argsort(-sizes, kind="stable")[: min(MOST_ROWS, len(there))])
    parts, names = [], []
    for number in shown:
        rows = choose(valid[labels[valid] == number], settings.examples, trained.run.seed)
        images = store.images[rows]
        parts.append(_row_by_row([images, trained.decode(trained.encode(images))]))
        names.append(store.classes[number])
    if not parts:
        return
    which = "Each class"
    if len(shown) < len(there):
        which = f"The {len(shown)} largest of {len(there)} classes"
    save_grid(
        path,
        np.concatenate(parts),
        columns=2 * settings.examples,
        title=f"{which}: input, decoded, … · {trained.title()}",
        column_labels=["input", "decoded"] * settings.examples,
        row_labels=names,
        enlarge=_enlarge(trained),
    )


def losses(trained: TrainedRun, path: Path) -> None:
    """Generation and latent loss by epoch, training and validation."""
    history = trained.history
    terms = [term for term in ("reconstruction", "kl") if f"train_{term}" in history]
    figure = Figure(figsize=(4.2 * len(terms) + 0.6, 3.4))
    set_wrapped(figure.suptitle("", fontsize=7), trained.title())
    with formulas():
        _draw_losses(figure, history, terms)
        figure.tight_layout()
        save_figure(path, figure)


def _draw_losses(figure: Figure, history: pd.DataFrame, terms: Sequence[str]) -> None:
    marker = "o" if len(history) == 1 else ""  # a single epoch makes no line
    for number, term in enumerate(terms):
        axes = figure.add_subplot(1, len(terms), number + 1)
        for split, colour in (("train", "C0"), ("valid", "C1")):
            curve = history[f"{split}_{term}"]
            axes.plot(history["epoch"], curve, color=colour, marker=marker, label=split)
        axes.set(xlabel="epoch", ylabel=f"{term} loss (nats an image)")
        if history[[f"train_{term}", f"valid_{term}"]].min().min() > 0:
            axes.set_yscale("log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(frameon=False)


def _row_by_row(parts: list[Images]) -> Images:
    """Interleave equally long parts: the first of each, then the second of each, …"""
    return np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])


def _latent_label(row: pd.Series) -> str:
    if not row["active"]:
        return f"z{row['latent']} unused"
    nats = "" if np.isnan(row["kl"]) else f" {row['kl']:.1f} nats"
    return f"z{row['latent']}{nats}"


def _by_channel(images: Images, store: Store) -> dict[str, Images]:
    """The pictures to show: all channels, and each alone where each has factors of its own."""
    pictures = {"": images}
    for name, channel in _CHANNELS.items():
        if any(factor.startswith(f"{name}_") for factor in store.card["factors"]):
            pictures[name] = np.ascontiguousarray(images[..., channel : channel + 1])
    return pictures


def _enlarge(trained: TrainedRun) -> int:
    height, width, _ = trained.config["shape"]
    return enlargement(height, width)
