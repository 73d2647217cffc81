"""Mixed scenes of a study's models, compared with each other and with the published ablation.

The second table has the layout of Zbinden 2019, table 4.5. The first one needs drawn scenes: it
shows whether the intended objects appear, and the similarity to the true picture of the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.analysis.scene_mixing.evaluator import (
    KINDS,
    OBJECT_PROBE,
    MixingEvaluator,
    distance_names,
)
from latent_atlas.analysis.scene_mixing.mixes import open_mixable
from latent_atlas.models.mixing import DenseAE
from latent_atlas.studies import plan
from latent_atlas.studies.published import read_table
from latent_atlas.studies.results import PICTURES, Outcome, compare_with_published
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import Progress, fields_of
from latent_atlas.util.files import write_bytes

PUBLISHED = ("table", "fid", "inception_score", "stl10_accuracy_percent")

_MEASURES = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "transferred": "transferred",
    "kept": "kept",
}
"""Metrics of both kinds of mixes, with their titles."""


def draw_mixing(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_mixing.md`` and ``.csv``, and a sheet of each kind of mixes.

    The first finished run of each table is shown, beside ``published_ablation.csv`` of the study,
    if there is one.
    """
    settings = outcome.study.mixing
    if settings is None:
        return
    path = plan.STUDIES / outcome.name / "published_ablation.csv"
    published = read_table(path, PUBLISHED[:1], PUBLISHED[1:])
    for data, store in outcome.stores.items():
        runs = _first_runs(outcome, data)
        if not runs:
            continue
        with fields_of("mixing"):
            evaluator = MixingEvaluator(
                store, settings, outcome.study.seed, outcome.neighbours[data]
            )
        rows = pd.concat([_ours(outcome, list(runs)), _references(evaluator)])
        about = _about(outcome, evaluator, data)
        csv = rows.to_csv(index_label="run", float_format="%.4g")
        write_bytes(folder / f"{data}_mixing.csv", csv.encode())
        lines = [f"# {outcome.study.title}: mixed scenes", "", about, "", *_transfer(rows)]
        lines += _beside_published(rows, published, settings.backbone)
        write_bytes(folder / f"{data}_mixing.md", "\n".join(lines).encode())
        first = next(iter(runs.values())).run
        title = f"{outcome.study.title}, {outcome.scale} scale, {outcome.size(data)}, "
        title += f"latent_dim {first.latent_dim}, seed {first.seed}"
        for kind in KINDS:
            renderings = {table: evaluator.render(kind, run) for table, run in runs.items()}
            evaluator.plot_kind(
                kind, renderings, title, folder / PICTURES / f"{data}_mixing_{kind}.png"
            )


def _first_runs(outcome: Outcome, data: str) -> dict[str, TrainedRun]:
    """Table → its first finished run whose codes can be mixed."""
    runs: dict[str, TrainedRun] = {}
    for cell in outcome.cells:
        if cell.run.data != data or cell.run.name not in outcome.models:
            continue
        for table in cell.tables:
            path = outcome.models[cell.run.name]
            if table not in runs and isinstance(open_run(path).model, DenseAE):
                runs[table] = open_mixable(path)
    return {table: runs[table] for table in outcome.study.tables if table in runs}


def _ours(outcome: Outcome, tables: Sequence[str]) -> pd.DataFrame:
    """A row per table: means over its seeds of the metrics of `MixingEvaluator.measure_run`."""
    rows = (
        compare_with_published(outcome)
        .drop_duplicates("table")
        .set_index("table")
        .loc[list(tables)]
    )
    kinds = tuple(f"{kind}_" for kind in KINDS)
    names = [name for name in outcome.metrics() if name.startswith(kinds) or name == OBJECT_PROBE]
    return rows[names]


def _references(evaluator: MixingEvaluator) -> pd.DataFrame:
    """The same metrics of pasted mixes and, where they are known, of the true mixes."""
    rows: dict[str, dict[str, float]] = {"pasted": {}, "true": {}}
    with Progress("reference mixes", 2 * len(KINDS), "measured") as progress:
        for kind in KINDS:
            rows["pasted"] |= evaluator.measure_pictures(kind, evaluator.paste(kind))
            progress.advance()
            if (truth := evaluator.truth[kind]) is not None:
                rows["true"] |= evaluator.measure_pictures(kind, truth.images)
            progress.advance()
    return pd.DataFrame.from_dict({row: values for row, values in rows.items() if values}, "index")


def _about(outcome: Outcome, evaluator: MixingEvaluator, data: str) -> str:
    store, seeds = outcome.stores[data], outcome.summary()["seeds"].max()
    text = (
        f"{data} ({store.card['source']}), {store.shape[0]}×{store.shape[1]} pixels: "
        f"{outcome.size(data)}, {seeds} {'seed' if seeds == 1 else 'seeds'}. "
        f"{len(evaluator.mixes['near'].references)} validation images are mixed twice: near takes "
        "quadrants of neighbours by the rule of the training, random takes one to three quadrants "
        "of random images."
    )
    truth = evaluator.truth["near"]
    if evaluator.classifier is None or truth is None:
        return text
    _, counts = np.unique(truth.before, return_counts=True)
    share = counts.max() / counts.sum()
    return (
        f"{text} The object classifier is right in {evaluator.classifier.accuracy:.1%} of the "
        f"quadrants of whole scenes. The commonest class, empty quadrants included, has "
        f"{share:.1%}."
    )


def _transfer(rows: pd.DataFrame) -> list[str]:
    """The table against the true mix, where it is known."""
    if "near_psnr" not in rows:
        return []
    head = ["", *(f"{title}: {' / '.join(KINDS)}" for title in _MEASURES.values())]
    lines = []
    for name, row in rows.iterrows():
        cells = [str(name)]
        for measure in _MEASURES:
            digits = ".1f" if measure == "psnr" else ".3f"
            cells.append(" / ".join(f"{row[f'{kind}_{measure}']:{digits}}" for kind in KINDS))
        lines.append(cells)
    return [
        "## Against the true mix",
        "",
        "PSNR and SSIM against the true picture of the mix. Transferred: share of the replaced "
        "quadrants with a new object in which the classifier recognises it. Kept: share of the "
        "kept quadrants whose object it still recognises. The last two rows are no models: pasted "
        "quadrants, and the true picture itself, which gives the upper limit of the classifier.",
        "",
        *_table(head, lines),
    ]


def _beside_published(rows: pd.DataFrame, published: pd.DataFrame, backbone: str) -> list[str]:
    """Table 4.5 beside our most similar metrics, and the order of the models by each."""
    (ours, _), backbone = distance_names(backbone), backbone.partition("@")[0]
    fid = published.set_index("table")
    head = ["", "published FID", f"ours: Fréchet distance ({backbone}), {' / '.join(KINDS)}"]
    score = "near_inception_score" in rows
    head += ["published inception score", *(["ours"] if score else [])]
    head += ["published STL-10 accuracy"]
    head += ["ours: object probe accuracy"] if OBJECT_PROBE in rows else []
    lines = []
    for name, row in rows.iterrows():
        row_published = fid.loc[name] if name in fid.index else pd.Series(dtype=float)
        cells = [str(name), _number(row_published.get("fid"), ".1f")]
        cells.append(" / ".join(_number(row[f"{kind}_{ours}"], ".0f") for kind in KINDS))
        cells.append(_number(row_published.get("inception_score"), ".1f"))
        if score:
            cells.append(" / ".join(f"{row[f'{kind}_inception_score']:.2f}" for kind in KINDS))
        cells.append(_number(row_published.get("stl10_accuracy_percent"), ".1f", " %"))
        cells += [_number(100 * row[OBJECT_PROBE], ".1f", " %")] if OBJECT_PROBE in rows else []
        lines.append(cells)
    both = [str(name) for name in rows.index if name in fid.index]
    return [
        "## Beside the published ablation (table 4.5)",
        "",
        "Metrics and images differ, so only the order of the models can be compared. Published: "
        "mixed scenes of COCO after ten epochs, FID and inception score by the Inception network, "
        "and the accuracy of a linear classifier on the frozen encoder on STL-10. Ours: the "
        f"Fréchet distance of {backbone} features between mixed and real images, and the share of "
        "quadrants whose object, or none, a linear classifier predicts from that quadrant's part "
        "of the code. Lower distances and higher shares are better.",
        "",
        *_table(head, lines),
        *_order("FID", fid.loc[both, "fid"]),
        *(
            line
            for kind in KINDS
            for line in _order(f"Our distance ({kind})", rows.loc[both, f"{kind}_{ours}"])
        ),
    ]


def _order(name: str, values: pd.Series) -> list[str]:
    """A line with the runs in order, the smallest value first."""
    best = ", ".join(str(run) for run in values.sort_values().index)
    return [f"- {name}, best first: {best}."] if best else []


def _number(value: float | None, digits: str, unit: str = "") -> str:
    return "–" if value is None or pd.isna(value) else f"{value:{digits}}{unit}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]
