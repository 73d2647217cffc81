"""`python -m stages.translation <run> …`: scores and pictures of runs under `runs.translation`.

It writes `metrics/<run>.json` and `plots/<run>/` of each: `scores.csv` with all scores of the run
and of the baselines, `metrics.csv` and a sheet. Weights, speed and time are only printed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from latent_atlas.analysis.translation import plots, scores
from latent_atlas.analysis.translation.evaluation import evaluate_translator
from latent_atlas.analysis.translation.generators import evaluate_generator
from latent_atlas.config import reading
from latent_atlas.config.schema import Params
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.store import Store, open_store
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.models.translation.base import Generator
from latent_atlas.training.checkpoint import MODELS, TrainedRun, open_run
from latent_atlas.training.translated import open_translator
from latent_atlas.util.console import fields_of, run_command
from latent_atlas.util.files import write_bytes


def main() -> None:
    """Read the parameters, and evaluate one run after the other."""
    parser = argparse.ArgumentParser(prog="python -m stages.translation", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="names under `runs.translation`")
    params = reading.load()
    for run in [params.translation_run(name) for name in parser.parse_args().runs]:
        with fields_of("translation"):
            _evaluate(run, params)


def _evaluate(run: TranslationRun, params: Params) -> None:
    """Open the run and its images, score, then draw."""
    settings, name, out = params.translation, run.name, Path("plots") / run.name
    trained = open_translator(MODELS / name)
    store = open_store(Path("data") / trained.run.data)
    trained.check(store)
    started = time.monotonic()
    if isinstance(trained.model, Generator):
        made = evaluate_generator(trained, store, settings, params.seed)
        table, values, speed = made.table, made.values, made.images_per_second
        plots.plot_samples(made, trained, settings.examples, out / "sheet.png")
    else:
        vae = _open_vae(params, store)
        found = evaluate_translator(trained, store, settings, params.seed, open_store, vae)
        table, values, speed = found.table, found.values, found.images_per_second
        plots.plot_translations(found, trained, settings.examples, out / "sheet.png")
    write_bytes(out / "scores.csv", scores.written([table]))
    write_metrics(name, {name: values}, [scores.METRICS])
    seconds = time.monotonic() - started
    print(
        f"{name}: {trained.parameters:,} parameters, {speed:.1f} images/s, "
        f"{seconds:.0f} s for the evaluation"
    )


def _open_vae(params: Params, store: Store) -> TrainedRun | None:
    """The run of the attribute vectors, where one is named and has the same data."""
    name = params.translation.vae
    if name is None or params.run(name).data != store.name:
        return None
    vae = open_run(MODELS / name)
    vae.check(store)
    return vae


if __name__ == "__main__":
    run_command(main)
