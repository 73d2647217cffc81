"""`python -m stages.paths <data set>`: walk between images through the codes of models.

Every run under ``paths.runs`` joins the same random pairs of validation images, and its own closest
and farthest ones; style loss, content, distances from the data and the cross-dissolve index are
measured on the way. First it is shown whether the style loss tells the styles of real images apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from stages.lib import params
from stages.lib.console import Progress, UserError, door
from stages.lib.files import write_bytes
from stages.lib.params import MIN_REFERENCE, Params
from stages.lib.run import TrainedRun, open_runs, write_metrics
from stages.lib.store import Store, open_store
from stages.lib.style import Measure
from stages.models import backbones
from stages.paths import figures, summary
from stages.paths.pairs import Pairs, compared, extreme_pairs, random_pairs, styles
from stages.paths.separation import sample, separations, verdict
from stages.paths.summary import RANDOM, Joined
from stages.paths.walk import KINDS, Walker


def main() -> None:
    """Read the parameters, open store and runs, walk, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.paths", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = params.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    runs = _open_runs(settings, store)
    measure = _measure(settings)
    out = Path("plots") / f"{name}-paths"

    table = _separate(settings, store, measure, out)
    found = verdict(table)
    joined = [one for run in runs for one in _join(settings, store, run, measure)]
    _write_tables(joined, store, settings.seed, out)
    figures.draw(joined, runs, measure.title(), settings, out)

    values = {f"{name}_separation": found.metrics} if found is not None else {}
    for run in runs:
        values |= _metrics(joined, run.run.name, settings.seed)
    write_metrics(Path("metrics") / f"{name}-paths.json", values)


def _open_runs(settings: Params, store: Store) -> list[TrainedRun]:
    names = [name for name in settings.paths.runs if settings.run(name).data == store.name]
    runs = open_runs(names, store, "paths.runs")
    if len(store.rows("train")) < MIN_REFERENCE:
        raise UserError(
            f"data {store.name}: {len(store.rows('train'))} training images, expected at least "
            f"{MIN_REFERENCE} to stand for the data; lower data.{store.name}.valid_share"
        )
    return runs


def _measure(settings: Params) -> Measure:
    spec = settings.paths
    try:
        backbone = backbones.load(spec.backbone, settings.seed)
    except backbones.BackboneError as error:
        raise UserError(f"paths.backbone: {error}") from None
    return Measure(backbone, spec.layers, spec.size)


def _separate(settings: Params, store: Store, measure: Measure, out: Path) -> pd.DataFrame:
    """The AUCs of real images; empty unless there are two styles."""
    rows = sample(store, settings.number(settings.paths.separated), settings.seed)
    table = separations(store, rows, measure, settings.seed)
    if len(table):
        _write_csv(table, out / "separation.csv")
        source = f"{len(rows)} validation images of {store.name} ({store.card['source']})"
        figures.draw_separation(table, f"{source} · {measure.title()}", out / "separation.png")
    return table


def _join(settings: Params, store: Store, run: TrainedRun, measure: Measure) -> Iterator[Joined]:
    """All experiments of one run."""
    spec, name = settings.paths, run.run.name
    walker = Walker(
        run,
        store,
        measure,
        settings.number(spec.reference),
        spec.neighbours,
        settings.number(spec.iterations),
        settings.seed,
    )
    members, count = styles(store), settings.number(spec.pairs)
    plans: list[tuple[Pairs, str, int]] = []
    same = compared(store, settings.number(spec.compared), settings.seed)
    plans += [(same, kind, spec.steps) for kind in KINDS]
    plans += [(one, "linear", spec.steps) for one in random_pairs(members, count, settings.seed)]
    for one in extreme_pairs(members, walker.codes):
        plans.append((one, "linear", spec.steps))
        if one.experiment == "farthest":
            plans.append((one, "linear", spec.long_steps))
    whole = sum(len(pairs.first) for pairs, _, _ in plans)
    with Progress(f"paths of {name}", whole, "paths") as progress:
        for pairs, kind, steps in plans:
            starts, ends = walker.codes[pairs.first], walker.codes[pairs.second]
            walk = walker.walk(walker.join(kind, starts, ends, steps))
            if pairs.experiment in RANDOM:  # too many to be held, and never drawn
                walk = walk._replace(pictures=walk.pictures[:0])
            progress.advance(len(pairs.first))
            yield Joined(name, kind, pairs, walk)


def _write_tables(joined: list[Joined], store: Store, seed: int, out: Path) -> None:
    ids = store.index["id"].to_numpy()[store.rows("valid")]
    _write_csv(summary.path_table(joined, ids), out / "paths.csv")
    _write_csv(summary.step_table(joined), out / "steps.csv")
    _write_csv(summary.group_table(joined, seed), out / "groups.csv")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False, float_format="%.6g").encode())


def _metrics(joined: list[Joined], run: str, seed: int) -> dict[str, dict[str, float]]:
    kinds = summary.kind_metrics(joined, run, seed)
    groups = summary.group_table(joined, seed)
    shapes = groups["shape"][groups["run"] == run]
    rho = summary.claim(joined, run, seed)
    return {f"{run}_{kind}": values for kind, values in kinds.items()} | {
        run: {
            "curvature_dissolve_rho": rho.value,
            "curvature_dissolve_rho_low": rho.low,
            "curvature_dissolve_rho_high": rho.high,
            **{f"{shape}_groups": float((shapes == shape).sum()) for shape in summary.SHAPES},
        }
    }


if __name__ == "__main__":
    door(main)
