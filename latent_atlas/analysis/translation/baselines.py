"""Outputs without a translation model, which a translation has to beat.

Doing nothing returns the input. The nearest training image has the requested values and as many of
the other attributes of the input as possible. An attribute vector of a VAE is the mean code of the
images with the requested values less that of the images with the input's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_atlas.analysis.translation.cases import Cases
from latent_atlas.data.store import Images
from latent_atlas.training.checkpoint import TrainedRun

Numbers = npt.NDArray[np.int64]

NOTHING, NEAREST, VECTOR = "nothing", "nearest", "attribute_vector"


@dataclass(frozen=True)
class Pool:
    """Training images to choose an output from.

    Attributes:
        inputs: uint8 M×H×W×C, what a model would get.
        outputs: uint8 M×H×W×C, what it would return; for unpaired tasks the inputs.
        numbers: M×K numbers of the values of the scored attributes.
    """

    inputs: Images
    outputs: Images
    numbers: Numbers


def nearest_images(cases: Cases, pool: Pool) -> Images:
    """The output of the best training image for each case.

    Of the training images with all requested values, those count that share most of the attributes
    to be preserved. The nearest of them by mean squared difference to the input is taken. Without a
    request, as from edges to images, the nearest of all inputs is taken.
    """
    flat = pool.inputs.reshape(len(pool.inputs), -1)
    chosen = [
        _best(flat, pool.numbers, cases.images[case].ravel(), expected, requested)
        for case, (expected, requested) in enumerate(
            zip(cases.expected, cases.requested, strict=True)
        )
    ]
    return pool.outputs[chosen]


def _best(
    flat: npt.NDArray[np.uint8],
    numbers: Numbers,
    image: npt.NDArray[np.uint8],
    expected: Numbers,
    requested: npt.NDArray[np.bool_],
) -> int:
    candidates = np.arange(len(flat))
    if requested.any():
        fitting = (numbers[:, requested] == expected[requested]).all(1)
        shared = (numbers[:, ~requested] == expected[~requested]).sum(1)
        candidates = np.flatnonzero(fitting & (shared == shared[fitting].max()))
    difference = flat[candidates].astype(np.float32) - image
    return int(candidates[np.square(difference).mean(1).argmin()])


def attribute_vector_images(
    cases: Cases, vae: TrainedRun, images: Images, numbers: Numbers
) -> Images:
    """The decoded codes of the inputs, moved by the attribute vectors of a VAE.

    Args:
        cases: with requests.
        vae: trained on the same data.
        images: uint8 M×H×W×C, the training images.
        numbers: M×K, the numbers of their values, as `Cases.expected`.

    Returns:
        uint8 N×H×W×C.
    """
    codes, moved = vae.encode(images), vae.encode(cases.images)
    vectors: dict[bytes, npt.NDArray[np.float32]] = {}
    for case, requested in enumerate(cases.requested):
        own, wanted = cases.own[case, requested], cases.expected[case, requested]
        key = b"/".join(part.tobytes() for part in (requested, own, wanted))
        if key not in vectors:
            there = (numbers[:, requested] == wanted).all(1)
            here = (numbers[:, requested] == own).all(1)
            vectors[key] = codes[there].mean(0) - codes[here].mean(0)
        moved[case] += vectors[key]
    return vae.decode(moved)
