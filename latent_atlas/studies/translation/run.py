"""A run of a translation study: its images, its trainings, its tables and sheets."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.sources.urls import redact
from latent_atlas.data.store import Store, StoreWriter, open_store
from latent_atlas.studies import cell, stores, workers
from latent_atlas.studies.plan import STUDIES
from latent_atlas.studies.run import CACHE, SOURCE, Request, check_source, describe_failures
from latent_atlas.studies.translation import plan, tables
from latent_atlas.studies.translation.job import SCORES, SHEET, TranslationJob, VaeJob, fingerprint
from latent_atlas.studies.translation.plan import GIVEN, TranslationStudy
from latent_atlas.studies.translation.tables import Scored
from latent_atlas.util.console import UserError, say
from latent_atlas.util.files import write_bytes, write_folder
from latent_atlas.util.locks import exclusive_lock

PICTURES = "pictures"
"""Folder of the sheets of given images; git ignores it, as their licence may forbid to publish."""


_BLOCK = 1000


def run_study(request: Request) -> None:
    """Train and score the selected runs, and write the results after each of them.

    Raises:
        UserError: if the request or the study is wrong, or runs failed; the others are finished.
    """
    study = plan.load(request.name, request.scale)
    given = request.source is not None
    selected = study.select(request.only, request.scale, given)
    folder = STUDIES / request.name / "results" / request.label
    check_source(request, [GIVEN], folder)
    cache = CACHE / request.name
    with exclusive_lock(cache / f"{request.label}.lock", "this study is running already"):
        images = _stores(study, request, cache)
        vae = _vae_job(study, images, cache)
        jobs = {
            name: [
                _job(run, study, request, images, vae, cache)
                for run in study.trainings(name, request.scale)
            ]
            for name in study.names(given)
        }
        waiting = [job for name in selected for job in jobs[name]]
        failures, count = _train_vae(vae, waiting), len(waiting)
        waiting = [job for job in waiting if job.vae is None or not failures]

        def publish() -> None:
            _publish(study, request, jobs, folder)

        publish()
        title = f"study {request.name}"
        failures |= workers.finish_cells(title, waiting, request.jobs, publish)
    every = [job for one in jobs.values() for job in one]
    finished = sum(job.result() is not None for job in every)
    say(f"{finished} of {len(every)} trainings are finished: {folder / 'table.md'}")
    if failures:
        raise UserError("; ".join(describe_failures(failures, count)))


def _stores(study: TranslationStudy, request: Request, cache: Path) -> dict[str, Store]:
    """The images of the runs that can be trained, by data set."""
    names = {study.runs[name].data for name in study.names(request.source is not None)}
    images = {}
    for name in [name for name in study.data if name in names]:
        entry, read = study.data[name], cache / "read" / request.label
        data = entry.at(request.scale, request.source)
        store = stores.make_store(name, data, study.seed, cache, ingested=read)
        if entry.keep:
            store = keep_images(store, entry.keep, cache / "kept" / request.label / name)
        images[name] = store
    return images


def keep_images(store: Store, keep: Mapping[str, Sequence[str]], folder: Path) -> Store:
    """Write a store of some images of another one.

    Args:
        store: of all images.
        keep: column → values of the images to keep.
        folder: of the new store.

    Raises:
        UserError: if a column does not exist, or no image is left.
    """
    inside = np.ones(len(store.index), np.bool_)
    for column, values in keep.items():
        if column not in store.index:
            raise UserError(
                f"data.{store.name}.keep: {store.path} has no column {column!r}"
                f"{did_you_mean(column, store.index.columns)}"
            )
        inside &= store.index[column].isin(values).to_numpy(np.bool_)
    rows, (height, width, channels) = np.flatnonzero(inside), store.shape
    with StoreWriter(folder, height, width, channels) as writer:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            writer.append(np.array(store.images[block]), store.index.iloc[block])
        copied = ("source", "licence", "factors", "attributes")
        writer.finish(name=store.name, **{key: store.card[key] for key in copied})
    return open_store(folder)


def _vae_job(study: TranslationStudy, images: Mapping[str, Store], cache: Path) -> VaeJob | None:
    run = study.vae_run()
    if run is None or run.data not in images:
        return None
    store = images[run.data]
    mark = cell.fingerprint(run, store)
    return VaeJob(
        run,
        images=run.epochs * len(store.rows("train")),
        store=store.path,
        folder=cache / "cells" / f"{run.name}-{mark}",
        fingerprint=mark,
    )


def _train_vae(vae: VaeJob | None, waiting: Sequence[TranslationJob]) -> dict[str, str]:
    """Train the VAE if a run waits for it; return the reason of a failure by its name."""
    needed = any(job.vae is not None and job.result() is None for job in waiting)
    return workers.finish_cells(vae.run.name, [vae], 1) if vae and needed else {}


def _job(
    run: TranslationRun,
    study: TranslationStudy,
    request: Request,
    images: Mapping[str, Store],
    vae: VaeJob | None,
    cache: Path,
) -> TranslationJob:
    store = images[run.data]
    mark = fingerprint(run, store)
    own = vae if vae is not None and vae.run.data == run.data else None
    return TranslationJob(
        run,
        images=run.epochs * len(store.rows("train")),
        store=store.path,
        folder=cache / "cells" / f"{run.name}-{mark}",
        fingerprint=mark,
        settings=study.translation,
        seed=study.seed,
        vae=None if own is None else own.model,
        vae_fingerprint="" if own is None else own.fingerprint,
    )


def _publish(
    study: TranslationStudy,
    request: Request,
    jobs: Mapping[str, Sequence[TranslationJob]],
    folder: Path,
) -> None:
    """Write the scores, tables and sheets of all finished trainings."""
    scored = [
        Scored(name, job.run.seed, parameters, tables.read_scores(job.folder / SCORES))
        for name, one in jobs.items()
        for job in one
        if (parameters := job.result()) is not None
    ]
    if not scored:
        return
    text = tables.markdown(study, request.scale, scored)
    pictures = {}
    with write_folder(folder) as part:  # no sheet of an earlier run remains
        write_bytes(part / "scores.csv", tables.all_scores(scored))
        write_bytes(part / "table.md", text.encode())
        if request.source is not None:
            write_bytes(part / SOURCE, f"{redact(request.source)}\n".encode())
        for name in dict.fromkeys(one.name for one in scored):
            first = next(job for job in jobs[name] if job.result() is not None)
            given = study.data[study.runs[name].data].source == GIVEN
            path = Path(PICTURES if given else "") / f"{name}.png"
            (part / path).parent.mkdir(exist_ok=True)
            shutil.copyfile(first.folder / SHEET, part / path)
            pictures[name] = "" if given else f"results/{request.label}/{path}"
    readme = STUDIES / request.name / "README.md"
    tables.renew_readme(readme, request.label, text, {k: v for k, v in pictures.items() if v})
