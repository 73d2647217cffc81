"""The training loop against a bare one, and against pythae's.

All train the VAE of the fashion VAE thesis (tables 4.1 and 4.2) on circles of 96×64 pixels, with
three latents and batches of 50.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import partial
from pathlib import Path

import torch

from benchmarks.figures import Figure, Target, rates, ratio
from benchmarks.size import Size
from benchmarks.turns import Crew, take_turns
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import DataSet
from latent_atlas.config.section import Scaled
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw
from latent_atlas.models.base import Batch, Model
from latent_atlas.training import loop

LATENTS, BATCH, LEARNING_RATE = 3, 50, 0.001
PRECISIONS = ("32-true", "bf16-mixed")
PYTHAE = "0.1.2"
TRAININGS = 6
"""How many take turns: so many seconds of the clock are one of a training's own."""

VALID_IMAGES = 20
"""A validation is no part of a step, but the loop does not go without."""

LAYERS = {"PyTorch's layers": True, "our layers": False}
"""What pythae trains the networks with → whether they are plain."""

TO_BARE, TO_PYTHAE = Target("at least", 0.97), Target("at least", 1.6)


def measure(size: Size, folder: Path) -> list[Figure]:
    """The throughput of the loop; `folder` is for the data and what the trainings write."""
    store = folder / "circles"
    images = Scaled(sample=size.images, full=size.images)
    share = VALID_IMAGES / size.images
    data = DataSet(
        source="drawn:circles_mono", height=96, width=64, valid_share=share, count=images
    )
    draw("circles", data, size.images, 0, store)
    has_pythae = importlib.util.find_spec("pythae") is not None
    crews: list[Crew] = [
        {
            f"loop {precision}": partial(train_in_loop, precision, store, folder),
            f"bare {precision}": partial(train_bare, precision, store),
        }
        for precision in PRECISIONS
    ]
    if has_pythae:
        from benchmarks.pythae_vae import train_with_pythae

        for layers, plain in LAYERS.items():
            out = folder / f"pythae-{plain}"
            crews.append({layers: partial(train_with_pythae, store, LATENTS, BATCH, out, plain)})
    seconds = take_turns(crews, size)

    def compare(precision: str, rival: str, name: str, target: Target) -> Figure:
        ours, theirs = seconds[f"loop {precision}"], seconds[rival]
        note = rates(size.steps * size.turns * BATCH, ours, theirs)
        return Figure(f"{_title(precision)} / {name}", "×", ratio(ours, theirs), target, note)

    figures = [
        compare(precision, f"bare {precision}", "bare loop", TO_BARE) for precision in PRECISIONS
    ]
    if has_pythae:
        name = f"pythae {importlib.metadata.version('pythae')}"
        return figures + [
            compare(one, layers, f"{name}, {layers}", TO_PYTHAE)
            for layers in LAYERS
            for one in PRECISIONS
        ]
    note = f"not installed; run: .venv/bin/python -m pip install pythae=={PYTHAE}"
    absent = [
        Figure(f"{_title(one)} / pythae {PYTHAE}", "×", (), TO_PYTHAE, note) for one in PRECISIONS
    ]
    return figures + absent


def train_in_loop(precision: str, store: Path, folder: Path) -> None:
    """Train as `stages.train` does, with data, noise, sums, checks and saved states."""
    out, resume = folder / f"checkpoint-{precision}", folder / f"resume-{precision}.pt"
    loop.train(_run(precision), open_store(store), out, resume)


def train_bare(precision: str, store: Path) -> None:
    """The same model, forward, backward and step on one batch that never changes."""
    opened = open_store(store)
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    model = _model(precision, opened).to(device)
    rows = opened.rows("train")[:BATCH]
    images = to_images(torch.from_numpy(opened.images[rows]).to(device))
    noise, labels = loop.normal(BATCH, LATENTS, 0), torch.full((BATCH,), -1)
    batch = Batch(images, noise.to(device), labels.to(device))
    fused = device.type in ("cpu", "cuda")
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused)
    half = precision == "bf16-mixed"
    while True:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = model(batch)["loss"].mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()


def _model(precision: str, store: Store) -> Model:
    """The model as the loop builds it, in the same memory format."""
    model = loop.new_model(_run(precision), store.shape)
    model.start_from(loop.mean_image(store, store.rows("train")))
    model.to(memory_format=torch.channels_last)
    return model


def _run(precision: str) -> Run:
    return Run.model_validate(
        {
            "name": "bench",
            "family": "plain",
            "data": "circles",
            "model": "vae",
            "network": "conv",
            "likelihood": "bernoulli",
            "latent_dim": LATENTS,
            "beta": 1.0,
            "loss_weights": {"reconstruction": 1.0},
            "options": {},
            "seed": 0,
            "epochs": 10**6,
            "train": {
                "epochs": {"sample": 1, "full": 1},
                "batch_size": BATCH,
                "learning_rate": LEARNING_RATE,
                "schedule": {},
                "patience": None,
                "precision": precision,
                "accelerator": "auto",
                "checkpoint_seconds": 30.0 * TRAININGS,
            },
        }
    )


def _title(precision: str) -> str:
    return f"training, {precision}"
