"""Loss curves of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.plots.grid import math_text, save_figure, set_wrapped
from latent_atlas.training.checkpoint import TrainedRun

TERMS = {"reconstruction": "reconstruction", "kl": "KL"}
"""Loss terms as named in a history and in pictures."""


def plot_losses(trained: TrainedRun, path: Path) -> None:
    """Reconstruction and KL by epoch, training and validation."""
    history = trained.history
    terms = [term for term in TERMS if f"train_{term}" in history]
    figure = Figure(figsize=(4.2 * len(terms) + 0.6, 3.4))
    set_wrapped(figure.suptitle("", fontsize=7), trained.title())
    with math_text():
        _plot_curves(figure, history, terms)
        figure.tight_layout()
        save_figure(path, figure)


def _plot_curves(figure: Figure, history: pd.DataFrame, terms: Sequence[str]) -> None:
    marker = "o" if len(history) == 1 else ""  # a single epoch makes no line
    for number, term in enumerate(terms):
        axes = figure.add_subplot(1, len(terms), number + 1)
        for split, colour in (("train", "C0"), ("valid", "C1")):
            curve = history[f"{split}_{term}"]
            axes.plot(history["epoch"], curve, color=colour, marker=marker, label=split)
        axes.set(xlabel="epoch", ylabel=f"{TERMS[term]} (nats per image)")
        if history[[f"train_{term}", f"valid_{term}"]].min().min() > 0:
            axes.set_yscale("log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(frameon=False)
