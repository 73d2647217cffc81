"""Comparison of training objectives by their disentanglement metrics over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.metrics import reconstruction
from latent_atlas.metrics.disentanglement import udr
from latent_atlas.models.vae import kl_to_standard_normal
from latent_atlas.plots.grid import save_figure
from latent_atlas.plots.latent_map import plot_latent_map
from latent_atlas.studies.cell import MATRICES
from latent_atlas.studies.grid import Cell
from latent_atlas.studies.results import Outcome, rounded
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_bytes

SHOWN = {
    "valid_reconstruction_last5": "reconstruction",
    "valid_kl_last5": "KL",
    "active_latents": "active",
    "mig": "MIG",
    "dci_trees_disentanglement": "DCI disent.",
    "dci_trees_completeness": "DCI compl.",
    "dci_trees_informativeness": "DCI inform.",
    "sap": "SAP",
    "modularity": "modularity",
    "factor_vae_score": "FactorVAE score",
    "beta_vae_score": "β-VAE score",
    "gaussian_total_correlation": "Gaussian TC",
    "udr": "UDR",
}
"""Metrics of the table, with their titles; losses in nats per image."""

PLOTTED = ("mig", "dci_trees_disentanglement", "sap", "factor_vae_score", "udr")
"""Metrics of the plot, each from 0 to 1."""

UDR_IMAGES = 2000
"""Number of images whose codes UDR compares, the first of the store."""

UDR_ALPHA = 0.1
"""Penalty of the lasso (Duan et al. 2020)."""

INFORMATIVE = 0.01
"""UDR compares latents with a larger KL, in nats (Duan et al. 2020, appendix)."""

TRAVERSAL, STEPS = 2.0, 9
"""Range of the traversals in standard deviations, and their images per row."""


def draw_disentanglement(outcome: Outcome, folder: Path) -> None:
    """Write ``disentanglement.md``, ``disentanglement.png``, and maps of the best objective.

    The best objective of a data set has the largest mean MIG. Each of its seeds has a map
    ``latents_s<seed>.png``, with the data set as prefix where there are several: traversals of all
    latents, and heat maps of their information about the factors.
    """
    rows = disentanglement_table(outcome)
    if rows.empty:
        return
    write_bytes(folder / "disentanglement.md", _markdown(outcome, rows).encode())
    _plot_metrics(outcome, rows, folder / "disentanglement.png")
    several = rows["data"].nunique() > 1
    for data, part in rows.groupby("data", sort=False):
        best = part.groupby("objective", observed=True)["mig"].mean().idxmax()
        for name, seed in part.loc[part["objective"] == best, ["run", "seed"]].itertuples(False):
            path = folder / f"{f'{data}_' if several else ''}latents_s{seed}.png"
            _plot_map(outcome, outcome.models[name], path)


def _plot_map(outcome: Outcome, model: Path, path: Path) -> None:
    trained = open_run(model)
    store = outcome.stores[trained.run.data]
    latents = reconstruction.latent_activity(trained, store, outcome.study.active_threshold)
    matrices = pd.read_csv(model.parent / MATRICES)
    plot_latent_map(trained, store, matrices, latents, TRAVERSAL, STEPS, path)


def disentanglement_table(outcome: Outcome) -> pd.DataFrame:
    """A row per examined cell: ``objective``, ``run``, ``data``, ``seed``, and `SHOWN`.

    The objective is the name of the study's table, with β and latent size where it has several.
    Images without true factors are left out; without examined cells there are no rows.
    """
    finished = [cell for cell in outcome.cells if cell.run.name in outcome.models]
    if not finished or "sap" not in outcome.results:
        return pd.DataFrame()
    rows = outcome.results.reset_index(drop=True)
    examined = rows["sap"].notna()
    finished = [cell for cell, kept in zip(finished, examined, strict=True) if kept]
    rows = rows[examined].reset_index(drop=True)
    rows["objective"] = [_objective(outcome, cell) for cell in finished]
    rows["run"] = [cell.run.name for cell in finished]
    rows["udr"] = np.nan
    for _, group in rows.groupby("objective"):
        if len(group) > 1:
            runs = [open_run(outcome.models[name]) for name in group["run"]]
            store = outcome.stores[group["data"].iloc[0]]
            rows.loc[group.index, "udr"] = udr_of_runs(runs, store)
    order = [_objective(outcome, cell) for cell in sorted(finished, key=_position(outcome))]
    rows["objective"] = pd.Categorical(rows["objective"], list(dict.fromkeys(order)), ordered=True)
    columns = ["objective", "run", "data", "seed", *[name for name in SHOWN if name in rows]]
    return rows.sort_values(["objective", "seed"])[columns].reset_index(drop=True)


def udr_of_runs(runs: Sequence[TrainedRun], store: Store) -> npt.NDArray[np.float64]:
    """UDR of each of some runs that differ in their seeds only, by lasso."""
    images = store.images[:UDR_IMAGES]
    codes, informative = [], []
    for run in runs:
        means, log_variance = run.encode(images), run.log_variance(images)
        if log_variance is None:
            raise UserError(
                f"run {run.run.name}: found a model without a posterior, which UDR compares; "
                "remove the model or the chart disentanglement from the study"
            )
        posterior = (torch.from_numpy(array).double() for array in (means, log_variance))
        codes.append(means)
        informative.append(kl_to_standard_normal(*posterior).mean(0).numpy() > INFORMATIVE)
    return udr(codes, informative, similarity="lasso", alpha=UDR_ALPHA).scores


def _markdown(outcome: Outcome, rows: pd.DataFrame) -> str:
    """A row per objective, ``mean ± sd`` over its seeds."""
    shown = [name for name in SHOWN if name in rows]
    lines = [
        f"# {outcome.study.title}",
        "",
        f"{_sizes(outcome, rows, ': ')}. Mean ± sample standard deviation over seeds. Losses are "
        "in nats per validation image, means of the last five epochs. The metrics are those of the "
        "posterior means of all images, with the settings of disentanglement_lib. UDR compares the "
        "seeds. `results.csv` has every cell, with bootstrap intervals.",
        "",
        f"| {' | '.join(['objective', 'seeds', *[SHOWN[name] for name in shown]])} |",
        f"| :--- |{' ---: |' * (1 + len(shown))}",
    ]
    for objective, group in rows.groupby("objective", sort=True, observed=True):
        cells = [str(objective), str(len(group)), *[_mean(group[name]) for name in shown]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _sizes(outcome: Outcome, rows: pd.DataFrame, separator: str) -> str:
    """Data sets of some rows with training images and epochs, and with their tables if several."""
    names = list(dict.fromkeys(rows["data"]))
    parts = []
    for data in names:
        tables = [name for name, table in outcome.study.tables.items() if table.data == data]
        of = f" (table {', '.join(tables)})" if len(names) > 1 else ""
        parts.append(f"{data}{of}{separator}{outcome.size(data)}")
    return "; ".join(parts)


def _mean(values: pd.Series) -> str:
    if values.isna().all():
        return "–"
    mean = rounded(values.mean(), 3)
    return mean if len(values) < 2 else f"{mean} ± {rounded(values.std(ddof=1), 2)}"


def _objective(outcome: Outcome, cell: Cell) -> str:
    grid = outcome.study.tables[cell.tables[0]]
    beta = f" β {cell.run.beta:g}" if len(grid.beta) > 1 else ""
    size = f" z {cell.run.latent_dim}" if len(grid.latent_dim) > 1 else ""
    return f"{cell.tables[0]}{beta}{size}"


def _position(outcome: Outcome) -> Callable[[Cell], int]:
    """The position of a cell's table in the study's file."""
    return lambda cell: list(outcome.study.tables).index(cell.tables[0])


def _plot_metrics(outcome: Outcome, rows: pd.DataFrame, path: Path) -> None:
    """A panel per metric: a point per seed, a bar for their mean."""
    names = list(rows["objective"].cat.categories)
    plotted = [name for name in PLOTTED if rows[name].notna().any()]
    figure = Figure(
        figsize=(2.1 * len(plotted) + 1.6, 0.42 * len(names) + 1.5), layout="constrained"
    )
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(plotted))), plotted, strict=True):
        places = -rows["objective"].cat.codes
        means = rows.groupby("objective", observed=True)[name].mean()
        axes.barh(-np.arange(len(names)), means[names], height=0.62, color="C0", alpha=0.35)
        axes.plot(rows[name], places, "o", color="C0", markersize=3.5)
        axes.set(xlim=(0, 1), title=SHOWN[name])
        axes.set_yticks(-np.arange(len(names)), names if name == plotted[0] else [], fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(alpha=0.3, axis="x")
    figure.suptitle(
        f"{outcome.study.title}, {outcome.scale} scale: {_sizes(outcome, rows, ', ')}\n"
        "a point per seed, a bar for their mean",
        fontsize=9,
    )
    save_figure(path, figure)
