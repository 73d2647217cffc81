"""All interpolations of a run as its settings describe them, and their storage on disk."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from latent_atlas.analysis.interpolation import plots
from latent_atlas.analysis.interpolation.interpolate import KINDS, Interpolator, MeasuredCurves
from latent_atlas.analysis.interpolation.pairs import (
    Pairs,
    compared_pairs,
    extreme_pairs,
    random_pairs,
    style_members,
)
from latent_atlas.analysis.interpolation.style_auc import sample_labelled_rows, style_auc_table
from latent_atlas.analysis.interpolation.tables import RANDOM, Interpolations
from latent_atlas.config.schema import MIN_REFERENCE, Interpolation
from latent_atlas.data.store import Store
from latent_atlas.metrics.style import StyleMeasure
from latent_atlas.models import backbones
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import FieldError, Progress, UserError
from latent_atlas.util.files import write_bytes


def load_style_measure(settings: Interpolation, seed: int) -> StyleMeasure:
    """The measure of style and content that `settings` describe.

    Raises:
        FieldError: if there is no such backbone, or it has no such layers.
    """
    try:
        backbone = backbones.load(settings.backbone, seed)
    except backbones.BackboneError as error:
        raise FieldError("backbone", str(error)) from None
    return StyleMeasure(backbone, settings.layers, settings.size)


def write_style_auc(
    settings: Interpolation, seed: int, store: Store, style_measure: StyleMeasure, out: Path
) -> pd.DataFrame:
    """Compute the AUCs of real images; write ``style_auc.csv`` and ``.png`` for two or more styles.

    Returns:
        See `style_auc_table`.
    """
    rows = sample_labelled_rows(store, settings.auc_images, seed)
    table = style_auc_table(store, rows, style_measure, seed)
    if len(table):
        write_bytes(out / "style_auc.csv", table.to_csv(index=False, float_format="%.6g").encode())
        source = f"{len(rows)} validation images of {store.name} ({store.card['source']})"
        plots.plot_style_auc(table, f"{source} · {style_measure.title()}", out / "style_auc.png")
    return table


def interpolate_pairs(
    settings: Interpolation, seed: int, store: Store, run: TrainedRun, style_measure: StyleMeasure
) -> Iterator[Interpolations]:
    """All experiments of one run.

    Images are kept for the examples and the extreme pairs only: those of all curves need too much
    memory.

    Raises:
        UserError: if there are too few images.
    """
    train = len(store.rows("train"))
    if train < MIN_REFERENCE:
        raise UserError(
            f"data {store.name}: found {train} training images, expected at least {MIN_REFERENCE} "
            "as references; lower `valid_share` of the data set"
        )
    name, members = run.run.name, style_members(store)
    interpolator = Interpolator(
        run,
        store,
        style_measure,
        settings.reference,
        settings.neighbours,
        settings.iterations,
        seed,
    )
    jobs: list[tuple[Pairs, str, int]] = []
    same = compared_pairs(store, settings.compared, seed)
    jobs += [(same, kind, settings.steps) for kind in KINDS]
    for pairs in random_pairs(members, settings.pairs, seed):
        jobs.append((pairs, "linear", settings.steps))
    for pairs in extreme_pairs(members, interpolator.codes):
        jobs.append((pairs, "linear", settings.steps))
        if pairs.experiment == "farthest":
            jobs.append((pairs, "linear", settings.long_steps))
    kept_images = {"compared": settings.examples} | dict.fromkeys(RANDOM, 0)
    total = sum(len(pairs.first) for pairs, _, _ in jobs)
    with Progress(f"interpolation of {name}", total, "curves") as progress:
        for pairs, kind, steps in jobs:
            starts, ends = interpolator.codes[pairs.first], interpolator.codes[pairs.second]
            codes = interpolator.interpolate(kind, starts, ends, steps)
            curves = interpolator.decode_and_measure(codes)
            kept = kept_images.get(pairs.experiment, len(pairs.first))
            progress.advance(len(pairs.first))
            yield Interpolations(name, kind, pairs, curves._replace(images=curves.images[:kept]))


def save_interpolations(parts: Sequence[Interpolations], path: Path) -> None:
    """Write interpolations to a file that `load_interpolations` opens."""
    arrays: dict[str, Any] = {}
    headers = []
    for number, part in enumerate(parts):
        columns = list(part.curves.table)
        headers.append([part.run, part.kind, part.pairs.experiment, part.pairs.group, columns])
        values = (*part.pairs[2:], part.curves.table.to_numpy(), *part.curves[1:])
        arrays |= {f"{number}_{place}": value for place, value in enumerate(values)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, headers=json.dumps(headers), **arrays)
    write_bytes(path, buffer.getvalue())


def load_interpolations(path: Path) -> list[Interpolations]:
    """Read interpolations that `save_interpolations` wrote.

    Raises:
        UserError: if the file is missing or damaged.
    """
    parts = []
    try:
        with np.load(path) as file:
            for number, header in enumerate(json.loads(str(file["headers"]))):
                run, kind, experiment, group, columns = header
                values = [file[f"{number}_{place}"] for place in range(6)]
                first, second, table, *arrays = values
                curves = MeasuredCurves(pd.DataFrame(table, columns=columns), *arrays)
                pairs = Pairs(experiment, group, first, second)
                parts.append(Interpolations(run, kind, pairs, curves))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path}: cannot read interpolations ({error}); run the study again"
        ) from None
    return parts
