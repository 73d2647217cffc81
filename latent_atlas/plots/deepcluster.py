"""How large the clusters are, and how learning went."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure
from latent_atlas.training.deepcluster import Learnt, Plan


def draw(learnt: Learnt, plan: Plan, store: Store, out: Path) -> None:
    """Write ``sizes.png`` and ``agreement.png`` into the folder `out`."""
    title = (
        f"{plan.shape.network} (width {plan.shape.width:g}), {plan.epochs} epochs, seed {plan.seed}"
        f" · data {store.name} ({store.card['source']}){', quadrants' if plan.quadrants else ''}"
    )
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_subplot()
    axes.hist(learnt.sizes, bins=30, color="#4c72b0")
    even = learnt.sizes.sum() / len(learnt.sizes)
    axes.axvline(even, color="black", linestyle="--", linewidth=1, label=f"even: {even:.0f}")
    axes.set_xlabel("images in a cluster")
    axes.set_ylabel("clusters")
    axes.legend(frameon=False)
    axes.set_title(f"Sizes of the {len(learnt.sizes)} clusters\n{title}", fontsize=7, loc="left")
    figure.tight_layout()
    save_figure(out / "sizes.png", figure)

    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_subplot()
    names = {
        "nmi_previous": "NMI with the epoch before",
        "nmi_labels": "NMI with the classes",
        "purity": "purity",
    }
    for column, label in names.items():
        if column in learnt.history:
            axes.plot(learnt.history["epoch"], learnt.history[column], marker=".", label=label)
    axes.set_ylim(0, 1)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("epoch")
    axes.legend(frameon=False)
    axes.set_title(f"Agreement of the clusters\n{title}", fontsize=7, loc="left")
    figure.tight_layout()
    save_figure(out / "agreement.png", figure)
