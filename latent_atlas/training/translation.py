"""The samples of translation runs, and their untrained models.

A sample is an image, and what the model needs beside it: for two domains a random image of the
other one, for attributes a random training image whose attributes are the target, for pairs the
partner.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from latent_atlas.config.registry import TRANSLATORS, resolve
from latent_atlas.config.translation import Pairs, Task, TranslationRun
from latent_atlas.data import domains
from latent_atlas.data.store import Images, Store
from latent_atlas.models.base import Model
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.training.loop import Rows, Selection
from latent_atlas.util.console import UserError
from latent_atlas.util.seeds import seed_for

OpenStore = Callable[[Path], Store]


@dataclass(frozen=True)
class Partners:
    """Draws one partner for each image; a `latent_atlas.training.loop.PartnerSource`.

    Attributes:
        digest: of the pools and images.
        pools: split → rows from which partners are drawn.
        split: N split names of the images of the store.
        images: of the partners; None for those of the store.
        paired: the partner of row i is row i, without a draw.
    """

    digest: str
    pools: dict[str, Rows]
    split: npt.NDArray[np.str_]
    images: Images | None = None
    paired: bool = False

    def draw(self, rows: Rows, random: np.random.Generator) -> tuple[Rows, npt.NDArray[np.float32]]:
        """B×1 partners of the same split as their images, and B×1 zeros."""
        nothing = np.zeros((len(rows), 1), np.float32)
        if self.paired:
            return rows[:, None], nothing
        # One number per sample, whatever its split, so that the draws do not depend on the order.
        shares = random.random(len(rows))
        partners = np.empty(len(rows), np.int64)
        for split, pool in self.pools.items():
            inside = self.split[rows] == split
            partners[inside] = pool[(shares[inside] * len(pool)).astype(np.int64)]
        return partners[:, None], nothing


@dataclass(frozen=True)
class Samples:
    """All that the training loop needs beside run and store.

    Attributes:
        selection: the images of both splits, with their attributes.
        partners: where the second image of a sample comes from; None for generators of images.
        sizes: number of values of each attribute.
        reverse: whether the input of a model of pairs is the partner.
    """

    selection: Selection
    partners: Partners | None
    sizes: tuple[int, ...]
    reverse: bool = False


def samples_of(run: TranslationRun, store: Store, open_other: OpenStore) -> Samples:
    """The samples that `run` learns from.

    Args:
        run: a translation run.
        store: its images.
        open_other: opens the store of the targets, for pairs of two stores.

    Raises:
        UserError: for a column, value or pair that does not exist, or too few images.
    """
    where = f"runs.translation.{run.name}"
    if run.task is not None:
        return _two_domains(run.task, store, f"{where}.task")
    if run.pairs is not None:
        return _pairs(run.pairs, store, f"{where}.pairs", open_other)
    if run.attributes:
        return _attributes(run, store, f"{where}.attributes")
    rows = {split: store.rows(split) for split in ("train", "valid")}
    return Samples(_selection(rows, None, {}), None, ())


def _two_domains(task: Task, store: Store, where: str) -> Samples:
    """An epoch has as many samples as the larger domain has images."""
    first = domains.domain(store, task.from_, f"{where}.from")
    second = domains.domain(store, task.to, f"{where}.to")
    if (first & second).any():
        both = int((first & second).sum())
        raise UserError(
            f"{where}: {both} images of {store.path} are in both domains, expected none"
        )
    rows, pools = {}, {}
    for split in ("train", "valid"):
        inside = store.rows(split)
        own, pools[split] = inside[first[inside]], inside[second[inside]]
        rows[split] = np.resize(own, max(len(own), len(pools[split])))
    numbers = second.astype(np.int64)[:, None]
    names = {"domain": [_name(task.from_), _name(task.to)]}
    return Samples(_selection(rows, numbers, names), _partners(store, pools), (2,))


def _attributes(run: TranslationRun, store: Store, where: str) -> Samples:
    found = domains.attributes_of(store, run.attributes, where)
    rows = {split: found.complete(store.rows(split)) for split in ("train", "valid")}
    for split, inside in rows.items():
        if not len(inside):
            raise UserError(
                f"{where}: no image in the {split} split of {store.path} has all of "
                f"{', '.join(run.attributes)}; choose other attributes, or add images"
            )
    names = {name: list(values) for name, values in found.values.items()}
    selection = _selection(rows, found.numbers, names)
    return Samples(selection, _partners(store, rows), found.sizes)


def _pairs(pairs: Pairs, store: Store, where: str, open_other: OpenStore) -> Samples:
    rows = {split: store.rows(split) for split in ("train", "valid")}
    every = np.arange(len(store.index))
    images, reverse = store.images, False
    if pairs.edit is not None:
        images, legal = domains.edited(store, every, [pairs.edit] * len(every), f"{where}.edit")
        # An image that has the value already would teach the model to do nothing.
        changed = legal & (images != store.images).any((1, 2, 3))
        rows = {split: inside[changed[inside]] for split, inside in rows.items()}
    elif pairs.input is not None:
        images = (domains.edges if pairs.input == "edges" else domains.in_grey)(store.images)
        reverse = True
    elif pairs.target is not None:
        images, found = joined(store, open_other(Path("data") / pairs.target), where)
        rows = {split: inside[found[inside]] for split, inside in rows.items()}
    for split, inside in rows.items():
        least = domains.LEAST if split == "train" else 1
        if len(inside) < least:
            raise UserError(
                f"{where}: found {len(inside)} pairs in the {split} split of {store.path}, "
                f"expected {least} or more"
            )
    partners = Partners(_digest(images), {}, np.empty(0, np.str_), images, paired=True)
    return Samples(_selection(rows, None, {}), partners, (), reverse)


def joined(store: Store, other: Store, where: str) -> tuple[Images, npt.NDArray[np.bool_]]:
    """The images of `other` with the ids of `store`, and which of them there are."""
    if store.shape != other.shape:
        raise UserError(
            f"{where}.target: {other.path} has {_size(other)} images, but {store.path} has "
            f"{_size(store)}; give both data sets the same height, width and channels"
        )
    ids = other.index["id"]
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].iloc[0]
        raise UserError(f"{where}.target: {other.path} has the id {twice!r} twice")
    places = pd.Index(ids).get_indexer(store.index["id"])
    found = places >= 0
    if not found.any():
        raise UserError(
            f"{where}.target: no id of {store.path} (e.g. {store.index['id'].iloc[0]!r}) is in "
            f"{other.path} (e.g. {ids.iloc[0]!r}); both need the same ids for the same thing"
        )
    images = np.zeros_like(store.images)
    images[found] = other.images[places[found]]
    return images, found


def build_translator(
    run: TranslationRun, shape: tuple[int, int, int], sizes: tuple[int, ...], reverse: bool
) -> Model:
    """The untrained model for images of `shape` and attributes with `sizes` values.

    The seed is set before anything random is built.

    Raises:
        UserError: if the model cannot be built for images of this size.
    """
    torch.manual_seed(seed_for(run.seed, "weights"))
    config = TranslatorConfig(shape, sizes, reverse, run.options)
    try:
        model: Model = resolve(TRANSLATORS[run.model].place)(config)
    except ValueError as error:
        raise UserError(f"runs.translation.{run.name}: model {run.model}: {error}") from None
    return model


def _selection(
    rows: dict[str, Rows], numbers: Rows | None, names: dict[str, list[str]]
) -> Selection:
    parts: list[Any] = [json.dumps(names, sort_keys=True).encode()]
    parts += [rows["train"], rows["valid"], *([] if numbers is None else [numbers])]
    return Selection(rows["train"], rows["valid"], numbers, _digest(*parts), {"attributes": names})


def _partners(store: Store, pools: dict[str, Rows]) -> Partners:
    split = store.index["split"].to_numpy(dtype=np.str_)
    return Partners(_digest(*pools.values()), pools, split)


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _name(values: dict[str, str]) -> str:
    return ", ".join(values.values())


def _size(store: Store) -> str:
    return "×".join(map(str, store.shape))
