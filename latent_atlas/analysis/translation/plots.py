"""Sheets of translated and of generated images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latent_atlas.analysis.translation import baselines
from latent_atlas.analysis.translation.cases import Cases
from latent_atlas.analysis.translation.evaluation import TRUTH, Evaluation
from latent_atlas.analysis.translation.generators import Generation
from latent_atlas.data.store import Images
from latent_atlas.plots.grid import enlargement, save_grid
from latent_atlas.training.translated import TrainedTranslator

_VARIANTS = 3
"""Rows of further outputs of a model that draws several."""

_LABELS = {
    TRUTH: "truth",
    baselines.NEAREST: "nearest training image",
    baselines.VECTOR: "attribute vector",
}


def plot_translations(
    evaluation: Evaluation, trained: TrainedTranslator, examples: int, path: Path
) -> None:
    """Save a sheet with a column per example: input, truth, model, baselines.

    Args:
        evaluation: of the run.
        trained: the run.
        examples: number of columns, spread over all changes.
        path: the PNG to write.
    """
    name, outputs = trained.run.name, dict(evaluation.outputs)
    rows = {"input (doing nothing)": outputs.pop(baselines.NOTHING)}
    rows |= {_LABELS[TRUTH]: outputs.pop(TRUTH)} if TRUTH in outputs else {}
    rows |= {f"{name} ({trained.run.model})": outputs.pop(name)}
    if evaluation.variants is not None:
        for number in range(1, min(_VARIANTS + 1, evaluation.variants.shape[1])):
            rows[f"{name}, output {number + 1}"] = evaluation.variants[:, number]
    rows |= {_LABELS[key]: images for key, images in outputs.items()}
    plot_sheet(evaluation.cases, rows, trained.title(), examples, path)


def plot_sheet(
    cases: Cases, rows: Mapping[str, Images], title: str, examples: int, path: Path
) -> None:
    """Save a sheet of the same cases for any rows, e.g. the outputs of several runs.

    Args:
        cases: whose requests are the labels of the columns.
        rows: label of a row → uint8 N×H×W×C.
        title: names runs, source and parameters.
        examples: number of columns.
        path: the PNG to write.
    """
    chosen = spread(cases, examples)
    height, width = cases.images.shape[1:3]
    save_grid(
        path,
        np.concatenate([images[chosen] for images in rows.values()]),
        len(chosen),
        title,
        [cases.words[case] for case in chosen],
        list(rows),
        enlargement(height, width),
    )


def spread(cases: Cases, count: int) -> npt.NDArray[np.int64]:
    """`count` cases at even distances, first of those with a visible change."""
    visible = np.arange(len(cases.rows))
    if cases.truth is not None:
        changed = (cases.truth != cases.images).any((1, 2, 3))
        visible = visible[changed] if changed.any() else visible
    places = np.linspace(0, len(visible) - 1, min(count, len(visible))).round().astype(np.int64)
    return visible[places]


def plot_samples(
    generation: Generation, trained: TrainedTranslator, examples: int, path: Path
) -> None:
    """Save a grid of samples; of a conditional model with one attribute, a class in each row.

    Args:
        generation: of the run.
        trained: the run.
        examples: images in a row.
        path: the PNG to write.
    """
    images = generation.images
    height, width = images.shape[1:3]
    labels: Sequence[str] = ()
    if len(trained.run.attributes) == 1:
        labels = trained.values[trained.run.attributes[0]]
        wanted = generation.attributes[:, 0]
        rows = [np.flatnonzero(wanted == number)[:examples] for number in range(len(labels))]
        most = min(map(len, rows))
        images = images[np.concatenate([row[:most] for row in rows])]
        columns = max(1, most)
    else:
        columns = min(examples, len(images))
        images = images[: columns * min(examples, len(images) // columns)]
    title = trained.title()
    save_grid(path, images, columns, title, (), labels, enlargement(height, width, 64))
