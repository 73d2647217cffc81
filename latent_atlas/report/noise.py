"""Noise of metrics: every run trained and measured with several training seeds.

Each training seed has a folder, in which the stages run as they do in the repository: it has the
repository's data and code, and models and metrics of its own. Only `Run.seed` differs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import Params
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.neighbour_table import neighbours_folder, open_neighbours
from latent_atlas.data.store import open_store
from latent_atlas.metrics.noise import Measurement, Noise, digest_of, measurements, summarise
from latent_atlas.metrics.tolerance import flatten
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import MODELS as CHECKPOINTS
from latent_atlas.util.console import Progress, say
from latent_atlas.util.files import write_bytes
from latent_atlas.util.imports import code_digest
from latent_atlas.util.parallel import in_order

FOLDER = Path(".cache/noise")
"""A folder for each training seed, named by it."""

OWN = frozenset({"models", "metrics", "plots", "report", "params.yaml"})
"""What the folder of a seed has for itself; all else leads to the repository."""


@dataclass(frozen=True)
class Command:
    """A stage's command in the folder of a seed; it is skipped once it is done.

    Attributes:
        stage: name of the module under ``stages``.
        name: its argument.
        folder: where it runs.
        output: a file that it writes last, relative to `folder`.
        mark: fingerprint of all that the output depends on.
    """

    stage: str
    name: str
    folder: Path
    output: Path
    mark: str

    def is_done(self) -> bool:
        """Whether the output is there and was written with this fingerprint."""
        done = self._done.is_file() and self._done.read_text(encoding="utf-8") == self.mark
        return done and (self.folder / self.output).is_file()

    def run(self) -> str | None:
        """Run the command; its output goes to a log. Return the reason of a failure."""
        log = self.folder / "logs" / f"{self.stage}-{self.name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", f"stages.{self.stage}", self.name],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode == 0:
            write_bytes(self._done, self.mark.encode())
            return None
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        reason = last.removeprefix("error: ")
        where = f"{self.stage} {self.name} with seed {self.folder.name}"
        return f"{where} failed with {done.returncode}: {reason} (the log is {log})"

    @property
    def _done(self) -> Path:
        return self.folder / ".done" / f"{self.stage}-{self.name}"


def measure_noise(
    params: Params, values: Mapping[str, Any], chosen: Sequence[str], seeds: int, jobs: int
) -> tuple[list[Noise], list[str]]:
    """Train and measure runs with `seeds` training seeds, from ``params.seed`` on.

    What an earlier call finished with the same parameters, data and code is not done again.

    Args:
        params: the parameters.
        values: the same, as params.yaml has them.
        chosen: names of runs; all other runs of their measurements are trained as well. Empty for
            all runs.
        seeds: number of training seeds.
        jobs: commands side by side, of one thread each.

    Returns:
        The noise of all metrics of these runs, and the reasons of failed commands.

    Raises:
        UserError: if there is no such run, or its images cannot be opened.
    """
    for name in chosen:
        params.training(name)
    selected = [
        one for one in measurements(params) if not chosen or not set(one.runs).isdisjoint(chosen)
    ]
    folders = {FOLDER / str(seed): seed for seed in range(params.seed, params.seed + seeds)}
    trainings, measured = _commands(params, selected, folders)
    failures = _run(params, {**values, "threads": 1}, folders, trainings, measured, jobs)
    noises = []
    for one in selected:
        done = [measured[folder, one] for folder in folders if measured[folder, one].is_done()]
        noises += summarise([_read(command) for command in done], digest_of(params, one.runs))
    return noises, failures


def _commands(
    params: Params, selected: Sequence[Measurement], folders: Mapping[Path, int]
) -> tuple[dict[tuple[Path, str], Command], dict[tuple[Path, Measurement], Command]]:
    """The trainings by folder and run, and the measurements by folder."""
    names = list(dict.fromkeys(name for one in selected for name in _needed(one)))
    trainings = {
        (folder, name): _training(params, name, folder, seed)
        for folder, seed in folders.items()
        for name in names
    }
    measured = {
        (folder, one): _measuring(
            one, params, folder, [trainings[folder, run] for run in _needed(one)]
        )
        for folder in folders
        for one in selected
    }
    return trainings, measured


def _run(
    params: Params,
    values: Mapping[str, Any],
    folders: Mapping[Path, int],
    trainings: Mapping[tuple[Path, str], Command],
    measured: Mapping[tuple[Path, Measurement], Command],
    jobs: int,
) -> list[str]:
    """Run all trainings, then the measurements of those that succeeded; return the failures."""
    with Progress("noise", len(trainings) + len(measured), "commands") as progress:
        runs = [*params.run_names(), *params.runs.translation]
        for folder, seed in folders.items():
            _prepare(folder, {**values, "seed": seed}, runs)
        failures = _finish(list(trainings.values()), jobs, progress)
        for folder in folders:  # the measurements have the seed of the pipeline
            _prepare(folder, values, runs)
        ready = [
            command
            for (folder, one), command in measured.items()
            if all(trainings[folder, run].is_done() for run in _needed(one))
        ]
        return failures + _finish(ready, jobs, progress)


def _needed(one: Measurement) -> tuple[str, ...]:
    """The runs whose checkpoints a measurement reads."""
    return (*one.runs, *one.others)


def _training(params: Params, name: str, folder: Path, seed: int) -> Command:
    run = params.training(name).model_copy(update={"seed": seed})
    store = open_store(Path("data") / run.data)
    contents = [run.model_dump_json(), params.arithmetic, store.digest, loop.code_digest(run)]
    if isinstance(run, TranslationRun) and run.pairs and run.pairs.target:
        contents.append(open_store(Path("data") / run.pairs.target).digest)
    if isinstance(run, Run) and MODELS[run.model].partners:
        contents.append(open_neighbours(neighbours_folder(store.name)).digest)
    output = CHECKPOINTS / run.name / "config.json"
    return Command("train", run.name, folder, output, _mark(contents))


def _measuring(
    one: Measurement, params: Params, folder: Path, trainings: Sequence[Command]
) -> Command:
    contents = [training.mark for training in trainings]
    contents += [getattr(params, one.stage).model_dump_json(), str(params.seed)]
    contents.append(code_digest([f"stages.{one.stage}"]))
    return Command(one.stage, one.name, folder, one.path, _mark(contents))


def _mark(contents: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()


def _prepare(folder: Path, values: Mapping[str, Any], runs: Sequence[str]) -> None:
    """Link the files of the repository in the folder of a seed, and write its params.yaml."""
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    for old in [*folder.iterdir(), *(folder / CHECKPOINTS).iterdir()]:
        if old.is_symlink():
            old.unlink()
    shared = [path for path in Path().iterdir() if path.name not in OWN]
    if CHECKPOINTS.is_dir():  # features that another stage learnt
        shared += [path for path in CHECKPOINTS.iterdir() if path.name not in runs]
    for path in shared:
        if not path.name.startswith("."):
            (folder / path).symlink_to(path.resolve())
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
    write_bytes(folder / "params.yaml", text.encode())


def _finish(commands: Sequence[Command], jobs: int, progress: Progress) -> list[str]:
    """Run the commands that are not done; return the reasons of failures."""
    waiting = [command for command in commands if not command.is_done()]
    progress.skip(len(commands) - len(waiting))
    failures = []
    with closing(in_order(Command.run, waiting, jobs=jobs, threads=True)) as problems:
        for command, problem in zip(waiting, problems, strict=True):
            progress.advance()
            progress.note(f"{command.stage} {command.name}, seed {command.folder.name}")
            if problem is not None:
                say(problem)
                failures.append(problem)
    return failures


def _read(command: Command) -> dict[str, float]:
    """The metrics that a command wrote, as ``run.metric``."""
    return flatten(json.loads((command.folder / command.output).read_text(encoding="utf-8")))
