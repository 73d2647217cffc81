"""Generated parts of dvc.yaml: the stages of each run, and every stage's dependencies on code.

DVC's templates cannot nest lists, so the dependencies of a run cannot be written as a template.
Parts between a line ``# >>> …`` and the next ``# <<<`` are generated; all else is written by hand.
The text after ``>>>`` says what is generated:

- ``runs``: a training of each run, and an evaluation of those that have one of their own, as all
  under ``runs.translation`` have;
- ``plots`` and ``artifacts``: an entry for each run;
- ``stores``: all image stores, as dependencies;
- ``code: A + B``: dependencies. ``stages.x`` stands for that module with all that it imports;
  ``runs.<family>`` and ``interpolation.runs`` for the checkpoints of runs and the modules of their
  models and networks; ``study.<name>`` for those of the tables of a study.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from latent_atlas.config.charts import modules_of_charts
from latent_atlas.config.reading import read
from latent_atlas.config.registry import MODELS, modules_of
from latent_atlas.config.runs import FAMILIES, RunSpec
from latent_atlas.config.schema import SHOP, WORN, Params
from latent_atlas.config.translation import TranslationSpec, translator_modules
from latent_atlas.util.console import UserError
from latent_atlas.util.imports import ROOT, closure

BEGIN = re.compile(r"^(?P<indent> *)# >>> (?P<what>.+)$")
SHARED = ("arithmetic", "threads")
"""Parameters of every stage that computes."""

END = re.compile(r"^ *# <<<$")


def generate(text: str, params: Params, where: str) -> str:
    """Renew the generated parts of a dvc.yaml.

    Args:
        text: the file.
        params: the parameters that name the runs.
        where: name of the file, for errors.

    Raises:
        UserError: for a part that does not end, or that nobody knows.
    """
    lines, out = iter(text.splitlines()), list[str]()
    for line in lines:
        out.append(line)
        begin = BEGIN.match(line)
        if begin is None:
            continue
        for old in lines:
            if END.match(old):
                break
        else:
            raise UserError(f"{where}: the part '{begin['what']}' has no line '# <<<'; add one")
        indent = begin["indent"]
        out += [f"{indent}{row}" if row else "" for row in _part(begin["what"], params, where)]
        out.append(old)
    return "\n".join(out) + "\n"


def _part(what: str, params: Params, where: str) -> Iterator[str]:
    if what == "runs":
        yield from _run_stages(params)
    elif what == "plots":
        yield from _plots(params)
    elif what == "artifacts":
        yield from _artifacts(params)
    elif what == "stores":
        yield from (f"- data/{name}" for name in [*params.data, SHOP])
    elif what.startswith("code: "):
        yield from _code(what.removeprefix("code: ").split(" + "), params, where)
    else:
        raise UserError(
            f"{where}: found the part '{what}', expected runs, plots, artifacts, stores or code"
        )


def _code(sources: Iterable[str], params: Params, where: str) -> Iterator[str]:
    """The dependencies that a list of sources stands for, checkpoints first."""
    modules, checkpoints = list[str](), list[str]()
    for source in sources:
        head, _, name = source.partition(".")
        if head == "stages":
            modules.append(source)
        elif head == "runs" and name in FAMILIES:
            runs: dict[str, RunSpec] = getattr(params.runs, name)
            checkpoints += [f"models/{run}" for run in runs]
            modules += [module for spec in runs.values() for module in _modules(spec)]
        elif source == "interpolation.runs":
            checkpoints += [f"models/{run}" for run in params.interpolation.runs]
            specs = {run: spec for _, run, spec in params.runs.items()}
            modules += [m for run in params.interpolation.runs for m in _modules(specs[run])]
        elif head == "study":
            modules += _modules_of_study(name)
        else:
            raise UserError(
                f"{where}: found the code of '{source}', see latent_atlas/config/dag.py"
            )
    yield from (f"- {path}" for path in [*checkpoints, *code_of(modules)])


def code_of(modules: Iterable[str]) -> list[str]:
    """The closure of `modules` as paths from the root of the repository."""
    return [path.relative_to(ROOT).as_posix() for path in closure(modules)]


def _modules(spec: RunSpec) -> list[str]:
    return modules_of(spec.model, spec.network)


def _modules_of_study(name: str) -> list[str]:
    """The modules of a study's charts, and of the models and networks in its tables."""
    study = read(ROOT / "studies" / name / "study.yaml")
    pairs = {(table["model"], table["network"]) for table in study["tables"].values()}
    models = [module for model, network in sorted(pairs) for module in modules_of(model, network)]
    return models + modules_of_charts(study["charts"])


def _run_stages(params: Params) -> Iterator[str]:
    evaluated = set(params.latent_run_names())
    for family, name, spec in params.runs.items():
        yield from _training(family, name, spec)
        if name in evaluated:
            yield from _evaluation(name, spec)
    if any(f"data/{WORN}" in _translation_data(spec) for spec in params.runs.translation.values()):
        yield from _model_photos()
    for name, translation in params.runs.translation.items():
        yield from _translation_training(name, translation)
        yield from _translation_evaluation(name, translation, params)


def _training(family: str, name: str, spec: RunSpec) -> Iterator[str]:
    entry, rules = MODELS[spec.model], FAMILIES[family]
    knobs = [f"loss_weights.{term}" for term in entry.weights]
    if not rules.own_latent_dim:
        knobs.insert(0, "latent_dim")
    if entry.beta is None and not rules.own_beta:
        knobs.insert(0, "beta")
    if spec.recipe is None:
        knobs.append("recipe")
    data = [f"data/{spec.data}", *([f"data/{spec.data}-neighbours"] if entry.partners else [])]
    yield f"train_{name}:"
    yield f"  desc: train {spec.model} on {spec.data}"
    yield f"  cmd: python -m stages.train {name}"
    params = [*SHARED, *knobs, "seed", "scale", "train", f"runs.{family}.{name}"]
    yield f"  params: [{', '.join(params)}]"
    yield from _deps([*data, *code_of(["stages.train", *_modules(spec)])])
    yield "  outs:"
    yield f"    - models/{name}"
    yield ""


def _evaluation(name: str, spec: RunSpec) -> Iterator[str]:
    code = code_of(["stages.evaluate", *_modules(spec)])
    yield f"evaluate_{name}:"
    yield f"  desc: metrics and pictures of {name}"
    yield f"  cmd: python -m stages.evaluate {name}"
    yield f"  params: [{', '.join(SHARED)}, evaluate]"
    yield from _deps([f"data/{spec.data}", f"models/{name}", *code])
    yield "  metrics:"
    yield f"    - metrics/{name}.json: {{cache: false}}"
    yield "  plots:"
    yield f"    - plots/{name}"
    yield ""


def _model_photos() -> Iterator[str]:
    yield "model_photos:"
    yield "  desc: make the image store of the model photos of the shop"
    yield "  cmd: python -m stages.model_photos"
    yield f"  params: [{', '.join(SHARED)}]"
    data = ["data/crawl", "data/products", f"data/{SHOP}"]
    yield from _deps([*data, *code_of(["stages.model_photos"])])
    yield "  outs:"
    yield f"    - data/{WORN}"
    yield ""


def _translation_training(name: str, spec: TranslationSpec) -> Iterator[str]:
    code = code_of(["stages.train", *translator_modules(spec.model)])
    yield f"train_{name}:"
    yield f"  desc: train {spec.model} on {spec.data}"
    yield f"  cmd: python -m stages.train {name}"
    yield f"  params: [{', '.join(SHARED)}, seed, scale, train, runs.translation.{name}]"
    yield from _deps([*_translation_data(spec), *code])
    yield "  outs:"
    yield f"    - models/{name}"
    yield ""


def _translation_evaluation(name: str, spec: TranslationSpec, params: Params) -> Iterator[str]:
    modules, checkpoints = translator_modules(spec.model), [f"models/{name}"]
    vae = params.translation.vae
    specs = {run: one for _, run, one in params.runs.items()}
    if vae is not None and specs[vae].data == spec.data:
        checkpoints.append(f"models/{vae}")
        modules += _modules(specs[vae])
    yield f"translation_{name}:"
    yield f"  desc: scores and pictures of {name}"
    yield f"  cmd: python -m stages.translation {name}"
    yield f"  params: [{', '.join(SHARED)}, seed, scale, translation]"
    yield from _deps(
        [*_translation_data(spec), *checkpoints, *code_of(["stages.translation", *modules])]
    )
    yield "  metrics:"
    yield f"    - metrics/{name}.json: {{cache: false}}"
    yield "  plots:"
    yield f"    - plots/{name}"
    yield ""


def _translation_data(spec: TranslationSpec) -> list[str]:
    """The folders of the image stores of a run."""
    target = None if spec.pairs is None else spec.pairs.target
    return [f"data/{spec.data}", *([f"data/{target}"] if target else [])]


def _deps(paths: Iterable[str]) -> Iterator[str]:
    yield "  deps:"
    yield from (f"    - {path}" for path in paths)


def _plots(params: Params) -> Iterator[str]:
    for _, name, _ in params.runs.items():
        yield f"- {name}, reconstruction loss:"
        yield "    x: epoch"
        columns = "train_reconstruction, valid_reconstruction"
        yield f"    y: {{models/{name}/history.csv: [{columns}]}}"
        yield "    y_label: nats per image"


def _artifacts(params: Params) -> Iterator[str]:
    for _, name, spec in params.runs.items():
        yield from _artifact(name, f"{spec.model} ({spec.network}) trained on {spec.data}")
    for name, translation in params.runs.translation.items():
        yield from _artifact(name, f"{translation.model} trained on {translation.data}")


def _artifact(name: str, description: str) -> Iterator[str]:
    yield f"{name.replace('_', '-')}:"
    yield f"  path: models/{name}"
    yield "  type: model"
    yield f"  desc: {description}"


def files() -> list[Path]:
    """The files with generated parts: dvc.yaml, data/dvc.yaml and those of the studies."""
    return [ROOT / "dvc.yaml", ROOT / "data" / "dvc.yaml", *sorted(ROOT.glob("studies/*/dvc.yaml"))]
