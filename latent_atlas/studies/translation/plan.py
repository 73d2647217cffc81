"""Plan of a study of translation models: a study.yaml with ``runs`` in place of ``tables``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from latent_atlas.config import reading
from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS, TRANSLATORS
from latent_atlas.config.runs import ModelSpec, Run, RunSpec, Train
from latent_atlas.config.schema import DataSet, Side, Translation
from latent_atlas.config.section import Name, Options, Scaled, Section, Seed
from latent_atlas.config.translation import TranslationModel, TranslationRun, TranslationSpec
from latent_atlas.studies.plan import STUDIES, Scale, scale_of
from latent_atlas.util.console import UserError

GIVEN = "given"
"""Source of a data set whose images ``--source`` gives."""

DEFAULT_RECIPE = "modern"


class StudyData(DataSet):
    """A data set of the study.

    Attributes:
        source: as in params.yaml, or ``given`` for the images of ``--source``.
        full_side: height and width at full scale; null for those of the small scale.
        keep: column → values of the images that are kept; empty for all.
    """

    full_side: Side | None = None
    keep: dict[str, list[str]] = Field(default_factory=dict)

    def at(self, scale: Scale, source: str | None) -> DataSet:
        """The data set at `scale`; `source` is that of the command."""
        values = self.model_dump(exclude={"full_side", "keep"})
        if scale == "full" and self.full_side is not None:
            values |= {"height": self.full_side, "width": self.full_side}
        if self.source == GIVEN and source is not None:
            values["source"] = source
        return DataSet.model_validate(values)


class StudyRun(TranslationSpec):
    """A model to train, with all that differs between its scales.

    Attributes:
        table: heading of the table in which the run stands.
        seeds: number of trainings.
        epochs: passes over the training images.
        full_options: replace those of `options` at full scale.
        optional: the small scale has the run only where ``--only`` names it.
    """

    table: Annotated[str, Field(min_length=1)]
    seeds: Scaled = 1
    epochs: Scaled
    full_options: dict[str, Any] = Field(default_factory=dict)
    optional: bool = False

    def options_at(self, scale: Scale) -> Options:
        """The options at `scale`."""
        if scale == "small":
            return self.options
        values = self.options.model_dump() | self.full_options
        return type(self.options).model_validate(values)

    @model_validator(mode="after")
    def _full_options_exist(self) -> StudyRun:
        known = type(self.options).model_fields
        for key in self.full_options:
            if key not in known:
                raise ValueError(
                    f"full_options: model {self.model!r} has no option {key!r}"
                    f"{did_you_mean(key, known)} (it has {', '.join(known)})"
                )
        self.options_at("full")
        return self

    @model_validator(mode="after")
    def _one_store(self) -> StudyRun:
        if self.pairs is not None and self.pairs.target is not None:
            raise ValueError("pairs.target: a study has pairs of one data set only")
        return self


class StudyScores(Translation):
    """Scores and sheets, as in params.yaml; the VAE is that of the study."""

    vae: None = None


class TranslationStudy(Section):
    """The contents of a study.yaml of translation models.

    Attributes:
        title: of the study, for tables.
        seed: of drawn data and of the scores; the seeds of the trainings count from 0.
        data: name → data set.
        runs: name → model to train.
        vae: whose attribute vectors are a baseline of the runs on the same data; null for none.
        train: the training loop; batch size and learning rate are those of the VAE, as
            translation models have their own.
        translation: scores and sheets.
    """

    title: str
    seed: Seed
    data: dict[Name, StudyData]
    runs: Annotated[dict[Name, StudyRun], Field(min_length=1)]
    vae: RunSpec | None = None
    train: Train
    translation: StudyScores

    @model_validator(mode="after")
    def _runs_have_data(self) -> TranslationStudy:
        used = {f"runs.{name}": run.data for name, run in self.runs.items()}
        used |= {"vae": self.vae.data} if self.vae else {}
        for where, name in used.items():
            if name not in self.data:
                raise ValueError(
                    f"{where}.data: found {name!r}, expected one of {', '.join(self.data)}"
                    f"{did_you_mean(name, self.data)}"
                )
        return self

    @model_validator(mode="after")
    def _vae_is_complete(self) -> TranslationStudy:
        if self.vae is not None:
            for key in ("latent_dim", "epochs"):
                if getattr(self.vae, key) is None:
                    raise ValueError(f"vae.{key}: required key is missing; add it")
        return self

    def names(self, given: bool) -> list[str]:
        """The runs on the images of ``--source``, or those on the study's own."""
        return [
            name
            for name, run in self.runs.items()
            if (self.data[run.data].source == GIVEN) == given
        ]

    def select(self, only: str, scale: Scale, given: bool) -> list[str]:
        """The runs to train.

        Args:
            only: names of runs, with commas or spaces between; empty for all of the scale.
            scale: of the study.
            given: whether there is a ``--source``.

        Raises:
            UserError: for a name that does not exist, or a run that `given` rules out.
        """
        available = self.names(given)
        chosen = [name for name in re.split(r"[,\s]+", only) if name]
        for name in chosen:
            if name not in self.runs:
                raise UserError(
                    f"--only: no run {name!r}{did_you_mean(name, self.runs)} "
                    f"(there are {', '.join(self.runs)})"
                )
            if name not in available:
                need = "its own images; leave out --source" if given else "images; give --source"
                raise UserError(f"--only: run {name!r} needs {need}")
        every = [
            one for one in available if scale == "full" or given or not self.runs[one].optional
        ]
        if not every:
            raise UserError("--source: no run of this study takes other images; leave it out")
        return list(dict.fromkeys(chosen)) or every

    def trainings(self, name: str, scale: Scale) -> list[TranslationRun]:
        """The trainings of the run `name`, one per seed."""
        spec = self.runs[name]
        entry = TRANSLATORS[spec.model]
        update = {
            "batch_size": spec.batch_size or entry.batch_size,
            "learning_rate": spec.learning_rate or entry.learning_rate,
        }
        return [
            TranslationRun(
                **(
                    {key: getattr(spec, key) for key in TranslationModel.model_fields}
                    | {"options": spec.options_at(scale)}
                ),
                name=f"{name}_s{seed}",
                family="study",
                recipe="published",
                seed=seed,
                epochs=spec.epochs,
                train=self.train.model_copy(update=update),
            )
            for seed in range(spec.seeds)
        ]

    def vae_run(self) -> Run | None:
        """The training of the VAE."""
        spec = self.vae
        if spec is None:
            return None
        entry = MODELS[spec.model]
        beta = 1.0 if spec.beta is None else spec.beta
        return Run.model_validate(
            {
                **{key: getattr(spec, key) for key in ModelSpec.model_fields},
                "name": f"{spec.data}_vae",
                "family": "study",
                "latent_dim": spec.latent_dim,
                "beta": beta if entry.beta is None else entry.beta,
                "loss_weights": dict.fromkeys(entry.weights, 1.0),
                "recipe": spec.recipe or DEFAULT_RECIPE,
                "seed": self.seed,
                "epochs": spec.epochs,
                "train": self.train,
            }
        )


def load(name: str, scale: Scale) -> TranslationStudy:
    """Read and validate ``studies/<name>/study.yaml``; numbers are those of `scale`.

    Raises:
        UserError: if the file is wrong.
    """
    path = STUDIES / name / "study.yaml"
    return check(reading.read(path), str(path), scale)


def check(values: Mapping[str, Any], where: str, scale: Scale) -> TranslationStudy:
    """Validate the values of a study.yaml; raises UserError, which begins with `where`."""
    return reading.check(TranslationStudy, values, where, scale_of(scale))
