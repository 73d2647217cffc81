"""Tables of a translation study: all scores as CSV, and table 1 of the thesis with measurements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.translation import baselines
from latent_atlas.analysis.translation.evaluation import TRUTH
from latent_atlas.analysis.translation.generators import REAL
from latent_atlas.analysis.translation.scores import ALL
from latent_atlas.studies.plan import Scale
from latent_atlas.studies.results import rounded
from latent_atlas.studies.translation.plan import StudyRun, TranslationStudy
from latent_atlas.util.files import write_bytes

CHARACTERISTICS = {
    "pix2pix": ("yes", "no", "no", "no"),
    "cyclegan": ("no", "no", "no", "no"),
    "stargan": ("no", "yes", "no", "no"),
    "munit": ("no", "no", "yes", "yes"),
    "fader": ("no", "no", "no", "yes"),
}
"""Model → supervised, multi-domain, multi-modal, latent space: table 1 of the thesis."""

_HEADINGS = ("supervised", "multi-domain", "multi-modal", "latent space")

_TRANSLATORS = {
    "changed_l1": "error in changed pixels (L1) ↓",
    "success": "success ↑",
    "preservation": "preservation ↑",
    "cycle_l1": "cycle error (L1) ↓",
    "diversity_l1": "diversity (L1) ↑",
    "frechet": "Fréchet distance ↓",
}
_GENERATORS = {
    "requested_class": "requested class ↑",
    "confident": "confident ↑",
    "classes_found": "classes found ↑",
    "frechet": "Fréchet distance ↓",
}
"""Metric → heading; ``frechet`` is the distance by the features of any network."""

BASELINES = (baselines.NOTHING, baselines.NEAREST, baselines.VECTOR)

_COMPARED = {"changed_l1": -1, "success": 1}
"""Metric in which a model has to beat the baselines → 1 if higher values are better, else −1."""

COLUMNS = ("run", "model", "seed", "attribute", "metric", "value", "low", "high")
"""Columns of ``scores.csv``; ``model`` is the run or a baseline, with the seed of the run."""

_LEGEND = (
    "Errors are means per image, channel and pixel, in [0, 1]; those in changed pixels count the "
    "pixels in which the input and its true counterfactual differ. *success*: share of outputs in "
    "which a classifier of real images finds the requested value. *preservation*: share of the "
    "other attributes that it finds unchanged. *cycle*: after the translation there and back. "
    "*diversity*: between outputs of one input. In brackets: of several trainings the lowest and "
    "the highest of the seeds, of one the 95 % bootstrap interval over images. *baselines beaten*: "
    "in error, and in success, of *nothing* (the input), *nearest* (a training image with the "
    "requested value and otherwise equal) and *attribute_vector* (of a VAE)."
)


@dataclass(frozen=True)
class Scored:
    """The scores of a finished training.

    Attributes:
        name: of the run in the study.
        seed: of the training.
        parameters: number of weights.
        table: of the stored scores, all as text.
    """

    name: str
    seed: int
    parameters: int
    table: pd.DataFrame

    def find(self, model: str | None, metric: str, attribute: str = ALL) -> Value | None:
        """The score of a baseline, or of the run itself (None); None if it was not measured."""
        own = f"{self.name}_s{self.seed}"
        table = self.table
        names = table["metric"]
        same = names.str.match(r"frechet_|fid$") if metric == "frechet" else names == metric
        same &= (table["model"] == (model or own)) & (table["attribute"] == attribute)
        for row in table[same].to_dict("records"):
            low, high = row["low"], row["high"]
            ends = (float(low), float(high)) if low and high else None
            return Value(float(row["value"]), ends)
        return None


@dataclass(frozen=True)
class Value:
    """A number with the ends of its interval, if it has one."""

    mean: float
    ends: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.ends is None:
            return rounded(self.mean, 3)
        low, high = (rounded(end, 3) for end in self.ends)
        return f"{rounded(self.mean, 3)} [{low}, {high}]"


def read_scores(path: Path) -> pd.DataFrame:
    """Read the scores of a training; numbers stay the text that they are."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def all_scores(scored: Sequence[Scored]) -> bytes:
    """The scores of all trainings as CSV, and the number of weights of each."""
    parts = []
    for one in scored:
        own = f"{one.name}_s{one.seed}"
        weights = {"model": own, "attribute": ALL, "metric": "parameters", "value": one.parameters}
        table = pd.concat([one.table, pd.DataFrame([weights])], ignore_index=True)
        table["model"] = table["model"].replace(own, one.name)
        parts.append(table.assign(run=one.name, seed=one.seed)[list(COLUMNS)])
    table = pd.concat(parts, ignore_index=True)
    return table.to_csv(index=False, lineterminator="\n").encode()


def markdown(study: TranslationStudy, scale: Scale, scored: Sequence[Scored]) -> str:
    """The text of ``table.md``.

    Args:
        study: its plan.
        scale: of the study.
        scored: all finished trainings.
    """
    lines = [f"# {study.title}", "", f"Scale: **{scale}**. {_LEGEND}", ""]
    groups = _by_table(study, {one.name for one in scored})
    for heading, names in groups.items():
        lines += [f"## {heading}", ""]
        translators = [name for name in names if study.runs[name].model in CHARACTERISTICS]
        others = [name for name in names if name not in translators]
        lines += _translators(study, translators, scored) if translators else []
        lines += _generators(study, others, scored) if others else []
    lines += _by_attribute(study, scored)
    return "\n".join(lines)


def _by_table(study: TranslationStudy, finished: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in (name for name in study.runs if name in finished):
        groups.setdefault(study.runs[name].table, []).append(name)
    return groups


def _translators(
    study: TranslationStudy, names: Sequence[str], scored: Sequence[Scored]
) -> list[str]:
    """A row per model, and those of the baselines behind the models with the same task."""
    head = ["change", "model", *_HEADINGS, *_TRANSLATORS.values()]
    rows = [[*head, "baselines beaten", "parameters", "trainings"]]
    tasks: dict[str, list[str]] = {}
    for name in names:
        tasks.setdefault(_task(study.runs[name]), []).append(name)
    for group in tasks.values():
        for name in group:
            own = [one for one in scored if one.name == name]
            values = [_text(own, None, metric) for metric in _TRANSLATORS]
            rows.append(
                [
                    change(study.runs[name]),
                    _link(name, study.runs[name]),
                    *CHARACTERISTICS[study.runs[name].model],
                    *values,
                    _beaten(own),
                    f"{own[0].parameters:,}",
                    str(len(own)),
                ]
            )
        first = [next(one for one in scored if one.name == group[0])]
        for model in (*BASELINES, TRUTH):
            values = [_text(first, model, metric) for metric in _TRANSLATORS]
            if any(value != "–" for value in values):
                rows.append([change(study.runs[group[0]]), f"*{model}*", *["–"] * 4, *values])
                rows[-1] += ["–"] * 3
    return _table(rows, left=2)


def _generators(
    study: TranslationStudy, names: Sequence[str], scored: Sequence[Scored]
) -> list[str]:
    rows = [["data", "model", *_GENERATORS.values(), "parameters", "trainings"]]
    for name in names:
        own = [one for one in scored if one.name == name]
        data = study.runs[name].data
        values = [_text(own, None, metric) for metric in _GENERATORS]
        rows.append([data, _link(name, study.runs[name]), *values])
        rows[-1] += [f"{own[0].parameters:,}", str(len(own))]
        real = [_text(own[:1], REAL, metric) for metric in _GENERATORS]
        rows.append([data, "*real validation images*", *real, "–", "–"])
    return [
        "Shares of samples: *requested class*, in which a classifier of real images finds the "
        "class that was requested; *confident*, of whose class it is sure to 90 %; and the share "
        "of classes that it finds in any sample.",
        "",
        *_table(rows, left=2),
    ]


def _by_attribute(study: TranslationStudy, scored: Sequence[Scored]) -> list[str]:
    """The scores of each change of models with several, beside those of the baselines."""
    metrics = {key: _TRANSLATORS[key] for key in ("changed_l1", "success", "preservation")}
    rows = [["change", "model", *metrics.values()]]
    for name in dict.fromkeys(one.name for one in scored):
        own = [one for one in scored if one.name == name]
        if study.runs[name].model not in CHARACTERISTICS:
            continue
        table = own[0].table
        changes = table.loc[table["model"] == f"{name}_s{own[0].seed}", "attribute"].unique()
        for attribute in [one for one in changes if one != ALL] if len(changes) > 2 else []:
            for model in (None, *BASELINES):
                some = own if model is None else own[:1]
                values = [_text(some, model, metric, attribute) for metric in metrics]
                if any(value != "–" for value in values):
                    label = name if model is None else f"*{model}* ({name})"
                    rows.append([attribute, label, *values])
    return ["## Changes one by one", "", *_table(rows, left=2)] if len(rows) > 1 else []


def _text(scored: Sequence[Scored], model: str | None, metric: str, attribute: str = ALL) -> str:
    found = [one.find(model, metric, attribute) for one in scored]
    values = [value for value in found if value is not None]
    if not values:
        return "–"
    if len(values) == 1:
        return str(values[0])
    means = [value.mean for value in values]
    return str(Value(sum(means) / len(means), (min(means), max(means))))


def _beaten(own: Sequence[Scored]) -> str:
    """How many of the baselines the mean over the seeds beats, in error and in success."""
    parts = []
    for metric, sign in _COMPARED.items():
        values = [one.find(None, metric) for one in own]
        means = [value.mean for value in values if value is not None]
        others = [own[0].find(model, metric) for model in BASELINES]
        known = [value.mean for value in others if value is not None]
        if means and known:
            mean = sum(means) / len(means)
            beaten = sum(sign * (mean - other) > 0 for other in known)
            parts.append(f"{beaten}/{len(known)}")
    return ", ".join(parts) or "–"


def _task(run: StudyRun) -> str:
    """Equal for runs whose inputs and requests, and so whose baselines, are the same."""
    keys = ("data", "task", "attributes", "pairs")
    return json.dumps(run.model_dump(mode="json", include=set(keys)), sort_keys=True)


def change(run: StudyRun) -> str:
    """What the run changes, in words."""
    if run.task is not None:
        pair = (", ".join(side.values()) for side in (run.task.from_, run.task.to))
        return f"{', '.join(run.task.to)} {' ↔ '.join(pair)}"
    if run.pairs is not None:
        edit = run.pairs.edit or {}
        words = ", ".join(f"{key} → {value}" for key, value in edit.items())
        return words or f"{run.pairs.input} → image"
    return ", ".join(run.attributes) or "–"


def _link(name: str, run: StudyRun) -> str:
    return name if name == run.model else f"{name} ({run.model})"


def _table(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    marks = [" --- " if place < left else " ---: " for place in range(len(rows[0]))]
    return [head, f"|{'|'.join(marks)}|", *body, ""]


def renew_readme(path: Path, label: str, text: str, pictures: Mapping[str, str]) -> None:
    """Replace the part of a README between ``<!-- results: label -->`` and ``<!-- end -->``.

    Nothing is written where the README has no such part.

    Args:
        path: the README.
        label: of the results, e.g. ``small``.
        text: of ``table.md``.
        pictures: run → path of its sheet, relative to the README.
    """
    if not path.is_file():
        return
    old = path.read_text(encoding="utf-8")
    begin, end = f"<!-- results: {label} -->", "<!-- end -->"
    body = re.sub(r"^# .*\n\n", "", text).replace("\n## ", "\n### ").rstrip()
    sheets = ", ".join(f"[{name}]({place})" for name, place in pictures.items())
    new = f"{begin}\n\n{body}\n\nSheets: {sheets}.\n\n{end}"
    part = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    renewed = part.sub(lambda _: new, old)
    if renewed != old:
        write_bytes(path, renewed.encode())
