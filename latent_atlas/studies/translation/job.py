"""A training of a translation study and its scores, kept in a folder and resumed from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.translation import evaluation, generators, plots, scores
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import Translation
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.translation.base import Generator
from latent_atlas.studies import cell
from latent_atlas.studies.cell import CHANGED, RESULT, Job, no_progress
from latent_atlas.studies.stores import weights_digest
from latent_atlas.training import loop, translated
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.training.translated import TrainedTranslator
from latent_atlas.training.translation import build_translator, samples_of
from latent_atlas.util.console import UserError, fields_of
from latent_atlas.util.files import write_bytes, write_json
from latent_atlas.util.imports import code_digest

SCORES = "scores.csv"
"""All scores of the run and the baselines, see `latent_atlas.analysis.translation.scores`."""

SHEET = "sheet.png"


@dataclass(frozen=True)
class VaeJob(Job):
    """The VAE of the attribute vectors; its metrics are not measured."""

    run: Run

    def result(self) -> bool | None:
        """True if it is trained, else None."""
        return True if self.is_trained() else None

    def finish(self) -> None:
        """Train; raises UserError if that fails, or images changed."""
        self.remove_parts()
        store = open_store(self.store)
        if cell.fingerprint(self.run, store) != self.fingerprint:
            raise UserError(CHANGED)
        with fields_of("train"):
            loop.train(self.run, store, self.model, self.folder / "training.pt")


@dataclass(frozen=True)
class TranslationJob(Job):
    """A translation run to finish.

    Attributes:
        settings: of the scores and the sheet.
        seed: of the study, for the scores.
        vae: checkpoint folder of the VAE of the attribute vectors, if there is one for the images.
        vae_fingerprint: of its weights.
    """

    run: TranslationRun
    settings: Translation
    seed: int
    vae: Path | None = None
    vae_fingerprint: str = ""

    def result(self) -> int | None:
        """The number of weights of the scored model; None if it is still to be done."""
        try:
            result = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        files = all((self.folder / name).is_file() for name in (SCORES, SHEET))
        if not (self.is_trained() and files and result.get("measured_by") == self.measured_by()):
            return None
        parameters: int = result["parameters"]
        return parameters

    def finish(self) -> None:
        """Train unless the checkpoint is complete, score, and write the result last.

        Raises:
            UserError: if the training fails, or code or images are not those of `fingerprint`.
        """
        self.remove_parts()
        store = open_store(self.store)
        if fingerprint(self.run, store) != self.fingerprint:
            raise UserError(CHANGED)
        if not self.is_trained():
            self._train(store)
        trained = translated.open_translator(self.model)
        trained.check(store)
        with no_progress(), fields_of("translation"):  # the bar counts trainings only
            table, speed = self._score(trained, store)
        print(f"{self.run.name}: {trained.parameters:,} parameters, {speed:.1f} images/s")
        write_bytes(self.folder / SCORES, scores.written([table]))
        result = {"measured_by": self.measured_by(), "parameters": trained.parameters}
        write_json(self.folder / RESULT, result)

    def _train(self, store: Store) -> None:
        run = self.run
        samples = samples_of(run, store, open_store)
        model = build_translator(run, store.shape, samples.sizes, samples.reverse)
        resume = self.folder / "training.pt"
        with fields_of("train"):
            loop.train(run, store, self.model, resume, samples.partners, model, samples.selection)

    def _score(self, trained: TrainedTranslator, store: Store) -> tuple[pd.DataFrame, float]:
        """Plot the sheet; return all scores, and the speed in images/s."""
        settings, path = self.settings, self.folder / SHEET
        if isinstance(trained.model, Generator):
            made = generators.evaluate_generator(trained, store, settings, self.seed)
            plots.plot_samples(made, trained, settings.examples, path)
            return made.table, made.images_per_second
        vae = self._open_vae(store)
        found = evaluation.evaluate_translator(trained, store, settings, self.seed, open_store, vae)
        plots.plot_translations(found, trained, settings.examples, path)
        return found.table, found.images_per_second

    def _open_vae(self, store: Store) -> TrainedRun | None:
        if self.vae is None:
            return None
        vae = open_run(self.vae)
        vae.check(store)
        return vae

    def measured_by(self) -> str:
        """Fingerprint of all that the scores depend on beside weights and images."""
        modules = [evaluation, generators, plots, translated]
        settings = [
            self.seed,
            self.settings.model_dump_json(),
            weights_digest(self.settings.backbone),
            self.vae_fingerprint,
            code_digest(module.__name__ for module in modules),
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def fingerprint(run: TranslationRun, store: Store) -> str:
    """Fingerprint of all that the weights depend on: parameters, images and code."""
    parameters = run.model_dump(mode="json", exclude={"name": True, "family": True})
    for key in ("epochs", "checkpoint_seconds", "accelerator"):  # run.epochs holds the number
        del parameters["train"][key]
    contents = [json.dumps(parameters, sort_keys=True), store.digest, loop.code_digest(run)]
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:16]
