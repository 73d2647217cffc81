"""Style loss along interpolations, in batches and pair by pair; and the cost of geodesics.

The loop is what the formula suggests: for each step both of its images pass the backbone, and two
Gram matrices of each layer are compared. It is measured on the first curves only, and scaled up.
Ours measures the content distance beside the style loss in the same time.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import torch

from benchmarks.results import Result, Target, number, ratio
from benchmarks.size import Size
from latent_atlas.analysis.interpolation.geodesic import geodesics
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.metrics.style import StyleMeasure
from latent_atlas.models import backbones
from latent_atlas.models.base import ModelConfig
from latent_atlas.models.build import build

LAYERS = {f"block{number}": 0.2 for number in range(1, 6)}
SIDE, STEPS, LATENT_DIM, ITERATIONS = 64, 10, 10, 100
_LOOPED = 3

TO_LOOP = Target("at least", 2.0)


def measure_interpolation(size: Size) -> list[Result]:
    """Interpolations per second, and seconds of geodesics."""
    return [_style(size), _geodesics(size)]


def _style(size: Size) -> Result:
    random = np.random.default_rng(0)
    shape = (size.interpolations, STEPS + 1, SIDE, SIDE, 3)
    interpolations = random.integers(0, 256, shape, np.uint8)
    ours_on = StyleMeasure(backbones.load("efficientnet_lite0"), LAYERS, SIDE)
    looped = interpolations[:_LOOPED]
    ours, loop = [], []
    for _ in range(size.searches):
        began = time.perf_counter()
        ours_on.changes(interpolations)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        by_pairs(ours_on, looped)
        loop.append((time.perf_counter() - began) * len(interpolations) / len(looped))
    ahead, behind = (len(interpolations) / np.median(seconds) for seconds in (ours, loop))
    return Result(
        f"style of {STEPS + 1}-point curves / loop over pairs",
        "×",
        ratio(ours, loop),
        TO_LOOP,
        f"{number(ahead)} against {number(behind)} curves/s",
    )


@torch.no_grad()
def by_pairs(measure: StyleMeasure, interpolations: Images) -> list[list[float]]:
    """The style loss of each step of P×K×H×W×C images, a pair at a time."""
    losses_by_pair = []
    for curve in interpolations:
        losses = []
        for pair in pairwise(curve):
            grams = []
            for image in pair:
                batch = to_images(torch.from_numpy(image[None]))
                maps = measure.backbone.maps(batch, list(measure.layers), measure.size)
                grams.append({name: _gram(values[0]) for name, values in maps.items()})
            loss = 0.0
            for name, weight in measure.layers.items():
                first, positions = grams[0][name]
                second, _ = grams[1][name]
                scale = 4 * len(first) ** 2 * positions**2
                loss += weight * float((first - second).square().sum()) / scale
            losses.append(loss)
        losses_by_pair.append(losses)
    return losses_by_pair


def _gram(maps: torch.Tensor) -> tuple[torch.Tensor, int]:
    flat = maps.flatten(1)
    return flat @ flat.T, flat.shape[1]


def _geodesics(size: Size) -> Result:
    """Geodesics of an untrained decoder; the cost does not depend on its weights."""
    torch.manual_seed(0)
    config = ModelConfig(
        (SIDE, SIDE, 3), LATENT_DIM, "conv", "bernoulli", 1.0, {"reconstruction": 1.0}
    )
    model = build("vae", config).eval()
    ends = np.random.default_rng(0).normal(size=(2, size.geodesics, LATENT_DIM))
    starts, ends = ends.astype(np.float32)
    seconds = []
    for _ in range(min(size.rounds, 3)):
        began = time.perf_counter()
        geodesics(model.decode, starts, ends, STEPS, ITERATIONS)
        seconds.append(time.perf_counter() - began)
    return Result(
        f"geodesics of {size.geodesics} pairs",
        "s",
        seconds,
        None,
        f"{STEPS} steps, {ITERATIONS} iterations, {SIDE}×{SIDE} pixels, {LATENT_DIM} latents",
    )
