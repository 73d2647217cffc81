"""The training loop against a bare loop, and against pythae's trainer.

All train the VAE of the fashion VAE thesis (tables 4.1 and 4.2) on circles of 96×64 pixels, with
three latents and batches of 50.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import partial
from pathlib import Path

import torch

from benchmarks.alternation import Training, alternate
from benchmarks.results import Result, Target, rates, ratio
from benchmarks.size import Size
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import DataSet
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw_data_set
from latent_atlas.models.base import Batch, Model
from latent_atlas.models.build import new_model
from latent_atlas.training import loop

LATENTS, BATCH, LEARNING_RATE = 3, 50, 0.001
PRECISIONS = ("32-true", "bf16-mixed")
PYTHAE = "0.1.2"
VALID_IMAGES = 20
"""Few, since validation is no part of a step; the loop needs some."""

LAYERS = {"PyTorch's layers": True, "our layers": False}
"""Layers of the networks that pythae trains → whether they are PyTorch's."""

TO_BARE, TO_PYTHAE = Target("at least", 0.97), Target("at least", 1.6)


def measure_training(size: Size, folder: Path) -> list[Result]:
    """Throughput of the loop; `folder` takes the data and the files of the trainings."""
    store = folder / "circles"
    share = VALID_IMAGES / size.images
    data = DataSet(
        source="drawn:circles_mono", height=96, width=64, valid_share=share, count=size.images
    )
    draw_data_set("circles", data, size.images, 0, store)
    has_pythae = importlib.util.find_spec("pythae") is not None
    trainings: dict[str, Training] = {}
    for precision in PRECISIONS:
        trainings[f"loop {precision}"] = partial(train_in_loop, precision, store, folder)
        trainings[f"bare {precision}"] = partial(train_bare, precision, store)
    if has_pythae:
        from benchmarks.pythae_vae import train_with_pythae

        for layers, plain in LAYERS.items():
            out = folder / f"pythae-{plain}"
            trainings[layers] = partial(train_with_pythae, store, LATENTS, BATCH, out, plain)
    seconds = alternate(trainings, size)

    def compare(precision: str, rival: str, name: str, target: Target) -> Result:
        ours, theirs = seconds[f"loop {precision}"], seconds[rival]
        note = rates(size.steps * BATCH, ours, theirs)
        return Result(f"{_title(precision)} / {name}", "×", ratio(ours, theirs), target, note)

    results = [
        compare(precision, f"bare {precision}", "bare loop", TO_BARE) for precision in PRECISIONS
    ]
    if has_pythae:
        name = f"pythae {importlib.metadata.version('pythae')}"
        return results + [
            compare(one, layers, f"{name}, {layers}", TO_PYTHAE)
            for layers in LAYERS
            for one in PRECISIONS
        ]
    note = f"not installed; run: .venv/bin/python -m pip install pythae=={PYTHAE}"
    absent = [
        Result(f"{_title(one)} / pythae {PYTHAE}", "×", (), TO_PYTHAE, note) for one in PRECISIONS
    ]
    return results + absent


def train_in_loop(precision: str, store: Path, folder: Path) -> None:
    """Train as `stages.train` does, with data, noise, sums, checks and saved state."""
    out, resume = folder / f"checkpoint-{precision}", folder / f"resume-{precision}.pt"
    loop.train(_run(precision), open_store(store), out, resume)


def train_bare(precision: str, store: Path) -> None:
    """Forward, backward and optimiser step of the same model on one constant batch."""
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
    model = new_model(_run(precision), store.shape)
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
            "recipe": "published",
            "seed": 0,
            "epochs": 10**6,
            "train": {
                "epochs": 1,
                "batch_size": BATCH,
                "learning_rate": LEARNING_RATE,
                "schedule": {},
                "patience": None,
                "precision": precision,
                "accelerator": "auto",
                "checkpoint_seconds": 3600.0,
            },
        }
    )


def _title(precision: str) -> str:
    return f"training, {precision}"
