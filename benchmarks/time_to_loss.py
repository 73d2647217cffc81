"""Time to the published loss, against pythae with its own defaults and the same layers.

The condition is the first of the fashion VAE thesis: 10,000 circles of one colour at 96×64 pixels,
three latents, β 1, at most 50 epochs. Its table 5.1 has a reconstruction loss of 66.6 nats per
image after them. Both are measured on the same validation images; validation takes no time of
pythae's.
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.results import Result, Target, number
from latent_atlas.config import reading
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import DataSet
from latent_atlas.data.store import open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.training.fabric import make_fabric
from latent_atlas.training.loop import Training
from latent_atlas.util.console import Progress

PUBLISHED = 66.6
"""Nats per image: fashion VAE thesis, table 5.1, three latents, β 1."""

LATENTS, EPOCHS, IMAGES = 3, 50, 10_000
TARGET = Target("at most", 0.5)
NAME = f"time to {PUBLISHED} nats on circles, recipe modern / pythae"


def measure_time_to_loss(
    folder: Path, images: int = IMAGES, epochs: int = EPOCHS, loss: float = PUBLISHED
) -> list[Result]:
    """Seconds of both until the validation reconstruction is at most `loss`, as a ratio.

    If pythae does not reach it, the ratio is to all of its epochs, an upper bound.
    """
    from benchmarks.pythae_vae import train_to_loss

    data = DataSet(
        source="drawn:circles_mono", height=96, width=64, valid_share=0.0909, count=images
    )
    draw_data_set("circles", data, images, 0, folder / "circles")
    ours, best = _train(folder, epochs, loss)
    theirs, other = train_to_loss(folder / "circles", LATENTS, folder, epochs, loss)
    note = (
        f"{_words(ours, best, loss)} against {_words(theirs, other, loss)}, "
        f"of at most {epochs} epochs"
    )
    if best > loss:
        return [Result(NAME, "×", (), TARGET, f"not reached: {note}")]
    return [Result(NAME, "×", [ours / theirs], TARGET, note)]


def _train(folder: Path, epochs: int, loss: float) -> tuple[float, float]:
    """Seconds and best loss of a training by this project's loop, which includes validation."""
    store, run = open_store(folder / "circles"), _run(epochs)
    training = Training(make_fabric(run.train), run, store, folder / "resume.pt")
    started, best = time.perf_counter(), float("inf")
    with Progress("recipe modern", epochs * len(training.rows), "images") as progress:
        while training.at.epoch <= epochs and best > loss:
            training.run_epoch(progress)
            best = min(best, training.at.history[-1]["valid_reconstruction"])
    return time.perf_counter() - started, best


def _run(epochs: int) -> Run:
    """The run `circles_vae` of params.yaml, with the recipe modern and three latents."""
    run = reading.load().run("circles_vae")
    return run.model_copy(
        update={"recipe": "modern", "latent_dim": LATENTS, "epochs": epochs, "seed": 0}
    )


def _words(seconds: float, best: float, loss: float) -> str:
    reached = "" if best <= loss else " (not reached)"
    return f"{seconds:.0f} s, best {number(best)} nats{reached}"
