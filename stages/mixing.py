"""`python -m stages.mixing <data set>`: measure and plot mixed scenes of all runs on a data set.

Every run of the family ``scenes`` renders the same mixes. Mixes of pasted pixels and, for drawn
scenes, the true images are measured for comparison.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.scene_mixing.evaluator import KINDS, METRICS, MixingEvaluator
from latent_atlas.analysis.scene_mixing.mixes import open_mixable
from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import neighbours_folder, open_neighbours
from latent_atlas.data.store import open_store
from latent_atlas.metrics import explained
from latent_atlas.metrics.reconstruction import final_losses, mean_psnr_and_ssim
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.training.checkpoint import TrainedRun, open_runs
from latent_atlas.util.console import Progress, fields_of, run_command


def main() -> None:
    """Read the parameters, open store, neighbours and runs, and write metrics and sheets."""
    parser = argparse.ArgumentParser(prog="python -m stages.mixing", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    params, name = reading.load(), parser.parse_args().data
    params.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run, settings in params.runs.scenes.items() if settings.data == store.name]
    runs = open_runs(names, store, "runs.scenes", open_mixable)
    neighbours = open_neighbours(neighbours_folder(store.name))
    with fields_of("mixing"):
        evaluator = MixingEvaluator(store, params.mixing, params.seed, neighbours)
    metrics = {
        run.run.name: final_losses(run.history)
        | explained.explained_share(run, store)
        | mean_psnr_and_ssim(run, store)
        | evaluator.probe_codes(run)
        for run in runs
    }
    for kind in KINDS:
        for row, values in _measure_kind(kind, name, runs, evaluator).items():
            metrics.setdefault(row, {}).update(values)
    if evaluator.classifier is not None:
        metrics[f"{name}_object_classifier"] = {"accuracy": evaluator.classifier.accuracy}
    write_metrics(f"{name}-mixing", metrics, (explained.METRICS, METRICS))


def _measure_kind(
    kind: str, name: str, runs: list[TrainedRun], evaluator: MixingEvaluator
) -> dict[str, dict[str, float]]:
    """Measure the renderings, the pasted and the true pictures of one kind, and plot a sheet."""
    renderings = {run.run.name: evaluator.render(kind, run) for run in runs}
    pictures = {f"{name}_pasted": evaluator.paste(kind), **renderings}
    if (truth := evaluator.truth[kind]) is not None:
        pictures[f"{name}_true"] = truth.images
    metrics = {}
    with Progress(f"{kind} mixes of {name}", len(pictures), "measured") as progress:
        for row, picture in pictures.items():
            metrics[row] = evaluator.measure_pictures(kind, picture)
            progress.advance()
    titles = "; ".join(run.run.title() for run in runs)
    path = Path("plots") / f"{name}-mixing" / f"{kind}.png"
    evaluator.plot_kind(kind, renderings, titles, path)
    return metrics


if __name__ == "__main__":
    run_command(main)
