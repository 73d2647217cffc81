"""Mixed scenes of a study's models, side by side, and beside the published ablation.

The layout of Zbinden 2019, table 4.5, and before it what only drawn scenes can tell: whether the
intended objects appear, and how far the picture is from the one that the mix ought to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.analysis.scene_mixing.evaluator import KINDS, Asked, Bench, distances_of
from latent_atlas.analysis.scene_mixing.mixes import open_mixable
from latent_atlas.models.mixing import DenseAE
from latent_atlas.studies import plan
from latent_atlas.studies.published import read_table
from latent_atlas.studies.results import Outcome, beside
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import Progress
from latent_atlas.util.files import write_bytes

PUBLISHED = ("table", "fid", "inception_score", "stl10_accuracy_percent")

_MEASURES = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "transferred": "transferred",
    "kept": "kept",
}
"""Of both kinds of mixes, with their titles."""

CODES = "named_from_codes"


def write(
    outcome: Outcome, asked: Asked, models: Mapping[str, Path], folder: Path, pictures: Path
) -> None:
    """Write ``<data>_mixing.md`` and ``.csv``, and a sheet of each kind of mixes.

    Args:
        outcome: of the study; its ``published_ablation.csv`` is read, if there is one.
        asked: what was measured in every cell.
        models: checkpoint folders of the finished cells.
        folder: for the tables.
        pictures: for the sheets.
    """
    path = plan.STUDIES / outcome.name / "published_ablation.csv"
    published = read_table(path, PUBLISHED[:1], PUBLISHED[1:])
    for data, store in outcome.stores.items():
        runs = _first_runs(outcome, models, data)
        if not runs:
            continue
        bench = Bench(store, asked, outcome.neighbours[data])
        rows = pd.concat([_ours(outcome, list(runs)), _references(bench)])
        about = _about(outcome, bench, data)
        csv = rows.to_csv(index_label="run", float_format="%.4g")
        write_bytes(folder / f"{data}_mixing.csv", csv.encode())
        lines = [f"# {outcome.study.title}: mixed scenes", "", about, "", *_transfer(rows)]
        lines += _beside_published(rows, published, asked.settings.backbone)
        write_bytes(folder / f"{data}_mixing.md", "\n".join(lines).encode())
        first = next(iter(runs.values())).run
        title = f"{outcome.study.title}, {outcome.scale} scale, {outcome.size(data)}, "
        title += f"latent_dim {first.latent_dim}, seed {first.seed}"
        for kind in KINDS:
            drawn = {table: bench.render(kind, run) for table, run in runs.items()}
            bench.draw(kind, drawn, title, pictures / f"{data}_mixing_{kind}.png")


def _first_runs(outcome: Outcome, models: Mapping[str, Path], data: str) -> dict[str, TrainedRun]:
    """Table → its first finished run whose codes can be mixed."""
    runs: dict[str, TrainedRun] = {}
    for cell in outcome.cells:
        if cell.run.data != data or cell.run.name not in models:
            continue
        for table in cell.tables:
            path = models[cell.run.name]
            if table not in runs and isinstance(open_run(path).model, DenseAE):
                runs[table] = open_mixable(path)
    return {table: runs[table] for table in outcome.study.tables if table in runs}


def _ours(outcome: Outcome, tables: Sequence[str]) -> pd.DataFrame:
    """A row a table: means over its seeds of all that `Bench.of_run` tells."""
    rows = beside(outcome).drop_duplicates("table").set_index("table").loc[list(tables)]
    kinds = tuple(f"{kind}_" for kind in KINDS)
    names = [name for name in outcome.numbers() if name.startswith(kinds) or name == CODES]
    return rows[names]


def _references(bench: Bench) -> pd.DataFrame:
    """What is merely pasted, and where it is known the truth itself, measured alike."""
    rows: dict[str, dict[str, float]] = {"pasted": {}, "true": {}}
    with Progress("mixes beside the runs", 2 * len(KINDS), "measured") as progress:
        for kind in KINDS:
            rows["pasted"] |= bench.measure(kind, bench.paste(kind))
            progress.advance()
            if (truth := bench.truth[kind]) is not None:
                rows["true"] |= bench.measure(kind, truth.pictures)
            progress.advance()
    return pd.DataFrame.from_dict({row: values for row, values in rows.items() if values}, "index")


def _about(outcome: Outcome, bench: Bench, data: str) -> str:
    store, seeds = outcome.stores[data], outcome.summary()["seeds"].max()
    text = (
        f"{data} ({store.card['source']}), {store.shape[0]}×{store.shape[1]} pixels: "
        f"{outcome.size(data)}, {seeds} {'seed' if seeds == 1 else 'seeds'}. "
        f"{len(bench.mixes['near'].references)} validation images are mixed twice: near takes "
        "quadrants of neighbours by the rule of the training, any takes one to three quadrants of "
        "any images."
    )
    truth = bench.truth["near"]
    if bench.judge is None or truth is None:
        return text
    _, counts = np.unique(truth.before, return_counts=True)
    share = counts.max() / counts.sum()
    return (
        f"{text} The judge of objects is right in {bench.judge.accuracy:.1%} of whole scenes; the "
        f"commonest class of a quadrant, empty ones among them, has {share:.1%}."
    )


def _transfer(rows: pd.DataFrame) -> list[str]:
    """Against the true mix, where it is known."""
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
        "PSNR and SSIM against the picture that the mix ought to be. Transferred: share of the "
        "replaced quadrants with a new object in which the judge sees it; kept: share of the kept "
        "quadrants whose object it still sees. The last two rows are no models: quadrants laid on, "
        "and the true picture itself, which shows the most that the judge can find.",
        "",
        *_table(head, lines),
    ]


def _beside_published(rows: pd.DataFrame, published: pd.DataFrame, backbone: str) -> list[str]:
    """Table 4.5 beside our nearest measures, and both orders."""
    (ours, _), backbone = distances_of(backbone), backbone.partition("@")[0]
    fid = published.set_index("table")
    head = ["", "published FID", f"ours: Fréchet distance ({backbone}), {' / '.join(KINDS)}"]
    score = "near_inception_score" in rows
    head += ["published inception score", *(["ours"] if score else [])]
    head += ["published STL-10 accuracy"]
    head += ["ours: objects named from codes"] if CODES in rows else []
    lines = []
    for name, row in rows.iterrows():
        known = fid.loc[name] if name in fid.index else pd.Series(dtype=float)
        cells = [str(name), _number(known.get("fid"), ".1f")]
        cells.append(" / ".join(_number(row[f"{kind}_{ours}"], ".0f") for kind in KINDS))
        cells.append(_number(known.get("inception_score"), ".1f"))
        if score:
            cells.append(" / ".join(f"{row[f'{kind}_inception_score']:.2f}" for kind in KINDS))
        cells.append(_number(known.get("stl10_accuracy_percent"), ".1f", " %"))
        cells += [_number(100 * row[CODES], ".1f", " %")] if CODES in rows else []
        lines.append(cells)
    both = [str(name) for name in rows.index if name in fid.index]
    return [
        "## Beside the published ablation (table 4.5)",
        "",
        "Not the same measures, nor the same images, so only the order can be compared. Published: "
        "mixed scenes of COCO after ten epochs, FID and inception score by the Inception network, "
        "and the accuracy of a linear classifier on the frozen encoder on STL-10. Ours: the "
        f"Fréchet distance of {backbone} features between mixed and real images, and the share of "
        "quadrants whose object, or none, a linear classifier names from that quadrant's part of "
        "the code. Lower distances and higher shares are better.",
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
    """A sentence that sorts runs, the smallest value first."""
    best = ", ".join(str(run) for run in values.sort_values().index)
    return [f"- {name}, best first: {best}."] if best else []


def _number(value: float | None, digits: str, unit: str = "") -> str:
    return "–" if value is None or pd.isna(value) else f"{value:{digits}}{unit}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]
