"""All walks that are asked of a run, one after the other, and kept on disk."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from latent_atlas.analysis.interpolation import plots
from latent_atlas.analysis.interpolation.interpolate import KINDS, Walk, Walker
from latent_atlas.analysis.interpolation.pairs import (
    Pairs,
    compared,
    extreme_pairs,
    random_pairs,
    styles,
)
from latent_atlas.analysis.interpolation.style_auc import sample, separations
from latent_atlas.analysis.interpolation.tables import RANDOM, Joined
from latent_atlas.config.schema import MIN_REFERENCE, Interpolation
from latent_atlas.config.section import Scaled
from latent_atlas.data.store import Store
from latent_atlas.metrics.style import Measure
from latent_atlas.models import backbones
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.files import write_bytes


@dataclass(frozen=True)
class Asked:
    """Which walks, and how many.

    Attributes:
        settings: from params.yaml or a study.
        scale: which number of a pair counts.
        seed: of all that is drawn.
    """

    settings: Interpolation
    scale: Literal["sample", "full"]
    seed: int

    def number(self, scaled: Scaled) -> int:
        """The value of `scaled`."""
        return int(getattr(scaled, self.scale))

    def measure(self, where: str = "paths") -> Measure:
        """Of style and content; raises UserError, naming `where` the settings stand."""
        try:
            backbone = backbones.load(self.settings.backbone, self.seed)
        except backbones.BackboneError as error:
            raise UserError(f"{where}.backbone: {error}") from None
        return Measure(backbone, self.settings.layers, self.settings.size)

    def dump(self) -> dict[str, Any]:
        """As `read` takes it."""
        settings = self.settings.model_dump(mode="json")
        return {"settings": settings, "scale": self.scale, "seed": self.seed}

    @staticmethod
    def read(values: dict[str, Any]) -> Asked:
        """What `dump` gave."""
        return Asked(
            Interpolation.model_validate(values["settings"]), values["scale"], values["seed"]
        )


def separate(asked: Asked, store: Store, measure: Measure, out: Path) -> pd.DataFrame:
    """Write ``separation.csv`` and ``.png``: the AUCs of real images, if there are two styles."""
    rows = sample(store, asked.number(asked.settings.separated), asked.seed)
    table = separations(store, rows, measure, asked.seed)
    if len(table):
        write_bytes(out / "separation.csv", table.to_csv(index=False, float_format="%.6g").encode())
        source = f"{len(rows)} validation images of {store.name} ({store.card['source']})"
        plots.draw_separation(table, f"{source} · {measure.title()}", out / "separation.png")
    return table


def walk(asked: Asked, store: Store, run: TrainedRun, measure: Measure) -> Iterator[Joined]:
    """All experiments of one run; pictures are held of the examples and the extreme pairs alone.

    Raises:
        UserError: if there are too few images.
    """
    if len(store.rows("train")) < MIN_REFERENCE:
        raise UserError(
            f"data {store.name}: {len(store.rows('train'))} training images, expected at least "
            f"{MIN_REFERENCE} to stand for the data; lower data.{store.name}.valid_share"
        )
    spec, name = asked.settings, run.run.name
    members, count = styles(store), asked.number(spec.pairs)
    walker = Walker(
        run,
        store,
        measure,
        asked.number(spec.reference),
        spec.neighbours,
        asked.number(spec.iterations),
        asked.seed,
    )
    plans: list[tuple[Pairs, str, int]] = []
    same = compared(store, asked.number(spec.compared), asked.seed)
    plans += [(same, kind, spec.steps) for kind in KINDS]
    plans += [(one, "linear", spec.steps) for one in random_pairs(members, count, asked.seed)]
    for one in extreme_pairs(members, walker.codes):
        plans.append((one, "linear", spec.steps))
        if one.experiment == "farthest":
            plans.append((one, "linear", spec.long_steps))
    whole = sum(len(pairs.first) for pairs, _, _ in plans)
    with Progress(f"paths of {name}", whole, "paths") as progress:
        for pairs, kind, steps in plans:
            starts, ends = walker.codes[pairs.first], walker.codes[pairs.second]
            found = walker.walk(walker.join(kind, starts, ends, steps))
            drawn = {"compared": spec.examples} | dict.fromkeys(RANDOM, 0)
            most = drawn.get(pairs.experiment, len(pairs.first))
            progress.advance(len(pairs.first))
            yield Joined(name, kind, pairs, found._replace(pictures=found.pictures[:most]))


def save(joined: Sequence[Joined], path: Path) -> None:
    """Keep walks in a file that `load` opens."""
    arrays: dict[str, Any] = {}
    notes = []
    for number, one in enumerate(joined):
        measures = list(one.walk.table)
        notes.append([one.run, one.kind, one.pairs.experiment, one.pairs.group, measures])
        parts = (*one.pairs[2:], one.walk.table.to_numpy(), *one.walk[1:])
        arrays |= {f"{number}_{place}": part for place, part in enumerate(parts)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, notes=json.dumps(notes), **arrays)
    write_bytes(path, buffer.getvalue())


def load(path: Path) -> list[Joined]:
    """The walks that `save` kept.

    Raises:
        UserError: if the file is missing or damaged.
    """
    found = []
    try:
        with np.load(path) as kept:
            for number, note in enumerate(json.loads(str(kept["notes"]))):
                run, kind, experiment, group, measures = note
                parts = [kept[f"{number}_{place}"] for place in range(6)]
                first, second, table, style, content, pictures = parts
                walked = Walk(pd.DataFrame(table, columns=measures), style, content, pictures)
                found.append(Joined(run, kind, Pairs(experiment, group, first, second), walked))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: no walks to be read ({error}); run the study again") from None
    return found
