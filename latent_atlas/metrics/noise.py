"""The noise of metrics: their standard deviation over training seeds, in ``noise.csv``."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import SHOP, WORN, Params
from latent_atlas.config.translation import TranslationRun
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_bytes

NOISE = Path("noise.csv")
"""The committed table; neither an output nor a metric of DVC."""

MIN_SEEDS = 2
"""Smallest number of trainings that have a standard deviation."""

COLUMNS = ("run", "metric", "seeds", "mean", "sd", "digest")

_REMEDY = "run `make noise`"


class Noise(NamedTuple):
    """A metric over trainings that differ in their seed alone.

    Attributes:
        run: row of the metric in its file, for example the name of a run.
        metric: name of the metric.
        seeds: number of trainings.
        mean: over the trainings.
        sd: standard deviation over the trainings, with the divisor ``seeds`` − 1.
        digest: of what was measured, see `digest_of`.
    """

    run: str
    metric: str
    seeds: int
    mean: float
    sd: float
    digest: str

    @property
    def key(self) -> str:
        """Run and metric as `dvc metrics diff` names them."""
        return f"{self.run}.{self.metric}"


class Measurement(NamedTuple):
    """A stage that measures trained runs.

    Attributes:
        stage: name of its module under ``stages``.
        name: its argument, a run or a data set.
        runs: the runs whose metrics it writes.
        others: further runs whose checkpoints it reads.
    """

    stage: str
    name: str
    runs: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file of its metrics."""
        suffix = "" if self.stage in ("evaluate", "translation") else f"-{self.stage}"
        return Path("metrics") / f"{self.name}{suffix}.json"


def measurements(params: Params) -> list[Measurement]:
    """The stages of the DAG that measure runs of params.yaml."""
    runs = params.latent_run_names()
    found = [Measurement("evaluate", name, (name,)) for name in runs]
    for stage, names in (
        ("mixing", params.runs.scenes),
        ("cartography", params.runs.paintings),
        ("interpolation", params.interpolation.runs),
    ):
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(params.run(name).data, []).append(name)
        found += [Measurement(stage, data, tuple(group)) for data, group in groups.items()]
    vae = params.translation.vae
    for name, spec in params.runs.translation.items():
        same = vae is not None and params.run(vae).data == spec.data
        others = (vae,) if vae is not None and same else ()
        found.append(Measurement("translation", name, (name,), others))
    return found


def digest_of(params: Params, runs: Iterable[str]) -> str:
    """Digest of what the noise of some runs belongs to: their parameters, data sets and code.

    The seed is no part of it, and neither are parameters that change no result.

    Returns:
        12 hexadecimal digits.
    """
    parts: list[object] = []
    for run in map(params.training, runs):
        parameters = run.model_dump(mode="json", exclude={"seed"})
        for key in ("epochs", "checkpoint_seconds", "accelerator"):  # run.epochs holds the number
            del parameters["train"][key]
        parts += [parameters, _data_of(params, run.data), loop.code_digest(run)]
        if isinstance(run, TranslationRun) and run.pairs and run.pairs.target:
            parts.append(_data_of(params, run.pairs.target))
        if isinstance(run, Run) and MODELS[run.model].partners:
            sections = params.neighbours, params.deepcluster
            parts += [section.model_dump(mode="json") for section in sections]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _data_of(params: Params, name: str) -> object:
    """The parameters of a data set that decide its images."""
    if name not in (SHOP, WORN):
        return params.data[name].model_dump(mode="json", exclude={"licence"})
    crawl = params.scrape.model_dump(mode="json", include={"shop", "products"})
    return [crawl, params.products.model_dump(mode="json")]


def other_digests(noises: Iterable[Noise], params: Params) -> list[Noise]:
    """The rows that were measured with other parameters or code than `params` and this code."""
    current = {digest_of(params, one.runs) for one in measurements(params)}
    return [noise for noise in noises if noise.digest not in current]


def summarise(values: Sequence[Mapping[str, float]], digest: str) -> list[Noise]:
    """Mean and standard deviation of each metric that at least `MIN_SEEDS` trainings have.

    Args:
        values: for each training, ``run.metric`` → value.
        digest: see `digest_of`.
    """
    noises = []
    for key in sorted({key for one in values for key in one}):
        run, _, metric = key.rpartition(".")
        found = [one[key] for one in values if key in one]
        if len(found) >= MIN_SEEDS:
            noises.append(Noise(run, metric, len(found), fmean(found), stdev(found), digest))
    return noises


def write_noise(path: Path, noises: Iterable[Noise]) -> None:
    """Write the table atomically, sorted by run and metric, with five significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for noise in sorted(noises):
        mean, sd = (f"{value:.5g}" for value in (noise.mean, noise.sd))
        writer.writerow([noise.run, noise.metric, noise.seeds, mean, sd, noise.digest])
    write_bytes(path, text.getvalue().encode())


def read_noise(path: Path) -> dict[str, Noise]:
    """Read the table: ``run.metric`` → row; empty if there is no file.

    Raises:
        UserError: naming file, row, what was found and what was expected.
    """
    if not path.is_file():
        return {}
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}); {_REMEDY}") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        found = ",".join(rows[0]) if rows else "an empty file"
        raise UserError(f"{path}: row 1: found {found}, expected {','.join(COLUMNS)}; {_REMEDY}")
    noises: dict[str, Noise] = {}
    for number, row in enumerate(rows[1:], 2):
        noise = _parse(row, f"{path}: row {number}")
        if noise.key in noises:
            raise UserError(
                f"{path}: row {number}: found {noise.key} again, expected each metric once; "
                f"{_REMEDY}"
            )
        noises[noise.key] = noise
    return noises


def _parse(row: Sequence[str], where: str) -> Noise:
    if len(row) != len(COLUMNS) or not all(row):
        raise UserError(
            f"{where}: found {','.join(row)!r}, expected {len(COLUMNS)} values; {_REMEDY}"
        )
    run, metric, seeds, mean, sd, digest = row
    count = _number(seeds, MIN_SEEDS, f"{where}: seeds")
    if not count.is_integer():
        raise UserError(f"{where}: seeds: found {seeds!r}, expected a whole number; {_REMEDY}")
    return Noise(
        run,
        metric,
        int(count),
        _number(mean, -math.inf, f"{where}: mean"),
        _number(sd, 0.0, f"{where}: sd"),
        digest,
    )


def _number(text: str, least: float, where: str) -> float:
    """Parse a finite number; raises UserError if it is none, or below `least`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        bound = "" if math.isinf(least) else f" of at least {least:g}"
        raise UserError(f"{where}: found {text!r}, expected a finite number{bound}; {_REMEDY}")
    return value
