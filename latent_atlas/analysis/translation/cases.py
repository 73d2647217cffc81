"""Images to translate, what they shall become, and the true counterfactual where it is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latent_atlas.config.translation import Pairs, Task
from latent_atlas.data import domains
from latent_atlas.data.domains import Attributes
from latent_atlas.data.store import Images, Store
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.data.synthetic.store import PREFIX
from latent_atlas.training.translated import TrainedTranslator
from latent_atlas.training.translation import OpenStore, joined
from latent_atlas.util.console import UserError
from latent_atlas.util.seeds import seed_for

Numbers = npt.NDArray[np.int64]

_SPARE = 4
"""Candidates per wanted image: not every garment can be drawn with every value."""


@dataclass(frozen=True)
class Cases:
    """Validation images to translate, grouped by the requested change.

    Attributes:
        changes: N names of the change; a row of the table each.
        words: N descriptions of the request, e.g. ``sleeve_length long``.
        images: uint8 N×H×W×C, the inputs.
        rows: N rows of the store.
        attributes: N×A numbers of the values that the inputs have, for the model.
        targets: N×A numbers of the values that they shall have.
        own: N×K numbers of the values of the inputs, of all scored attributes; −1 where unknown.
        expected: N×K numbers that a classifier should find in the output, −1 where unknown.
        requested: N×K, whether that value is a request; the others are to be preserved.
        truth: uint8 N×H×W×C, the true outputs; None where they are unknown.
        real: change → uint8 real images of what the outputs shall be like.
    """

    changes: npt.NDArray[np.str_]
    words: list[str]
    images: Images
    rows: Numbers
    attributes: Numbers
    targets: Numbers
    own: Numbers
    expected: Numbers
    requested: npt.NDArray[np.bool_]
    truth: Images | None
    real: Mapping[str, Images]

    def names(self) -> list[str]:
        """The changes, in order."""
        return list(dict.fromkeys(self.changes.tolist()))


@dataclass(frozen=True)
class Part:
    """The cases of one change; fields as those of `Cases`, ``edits`` column → value for each."""

    change: str
    rows: Numbers
    attributes: Numbers
    targets: Numbers
    edits: Sequence[Mapping[str, str]]
    truth: Images | None
    real: Images
    images: Images


def required_columns(trained: TrainedTranslator) -> list[str]:
    """The columns that the changes of a run are about."""
    run = trained.run
    if run.task is not None:
        return list(dict.fromkeys([*run.task.from_, *run.task.to]))
    if run.pairs is not None:
        return list(run.pairs.edit or {})
    return list(run.attributes)


def cases_of(
    trained: TrainedTranslator,
    store: Store,
    scored: Attributes,
    count: int,
    seed: int,
    open_other: OpenStore,
) -> Cases:
    """The cases of a run: of each change at most `count` validation images, chosen at random.

    Two domains give two changes, one in each direction. Each attribute of a model of attributes is
    a change, from an image's own value to a random other one. Of drawn images, only those count
    that can be drawn with the new value: a skirt has no sleeves.

    Args:
        trained: a run of a model that translates.
        store: its images.
        scored: what the attribute classifier finds.
        count: largest number of images of a change, and of real images to compare with.
        seed: of all choices.
        open_other: opens the store of the targets, for pairs of two stores.

    Raises:
        UserError: if no image is left, or the classifier does not know a requested value.
    """
    run = trained.run
    where = f"runs.translation.{run.name}"
    if run.task is not None:
        parts = _of_task(run.task, store, count, seed, f"{where}.task")
    elif run.pairs is not None:
        parts = [_of_pairs(run.pairs, store, count, seed, f"{where}.pairs", open_other)]
    else:
        parts = _of_attributes(trained, store, count, seed, f"{where}.attributes")
    parts = [part for part in parts if len(part.rows)]
    if not parts:
        raise UserError(
            f"{where}: no validation image of {store.path} can be translated so; add images, or "
            "choose another value"
        )
    return _join(parts, scored, where)


def target_images(
    trained: TrainedTranslator, store: Store, open_other: OpenStore
) -> tuple[Images, npt.NDArray[np.bool_]]:
    """The images on the side of the outputs, a row for each of the store, and which there are."""
    pairs = trained.run.pairs
    if pairs is None or pairs.target is None:
        return store.images, np.ones(len(store.index), np.bool_)
    where = f"runs.translation.{trained.run.name}.pairs"
    return joined(store, open_other(Path("data") / pairs.target), where)


def input_images(trained: TrainedTranslator, images: Images) -> Images:
    """What a model of pairs gets in place of `images`: edges, grey, or the images."""
    pairs = trained.run.pairs
    if pairs is None or pairs.input is None:
        return images
    return (domains.edges if pairs.input == "edges" else domains.in_grey)(images)


def drawn_columns(store: Store, names: Iterable[str]) -> dict[str, str] | None:
    """Column → factor with which an image of the store can be drawn again; None if it cannot."""
    source = str(store.card["source"])
    if not source.startswith(PREFIX):
        return None
    drawing = DRAWINGS[source.removeprefix(PREFIX)]
    factors = {name: drawing.label or name if name == "label" else name for name in names}
    return factors if set(factors.values()) <= set(drawing.values) else None


def _of_task(task: Task, store: Store, count: int, seed: int, where: str) -> list[Part]:
    parts = []
    sides = (("from", task.from_), ("to", task.to))
    for own, (start, end) in enumerate((sides, sides[::-1])):
        inside = domains.domain(store, start[1], f"{where}.{start[0]}")
        like = domains.domain(store, end[1], f"{where}.{end[0]}")
        random = np.random.default_rng(seed_for(seed, "cases", own))
        rows = random.permutation(_in_split(store, inside, "valid"))
        rows, edits, truth = _drawable(store, rows, [end[1]] * len(rows), count, where)
        attributes = np.full((len(rows), 1), own, np.int64)
        real = _some(random, _in_split(store, like, "train"), count)
        parts.append(
            Part(
                _words(end[1]),
                rows,
                attributes,
                1 - attributes,
                edits,
                truth,
                store.images[real],
                store.images[rows],
            )
        )
    return parts


def _of_attributes(
    trained: TrainedTranslator, store: Store, count: int, seed: int, where: str
) -> list[Part]:
    found = domains.attributes_of(store, trained.run.attributes, where)
    known = {split: found.complete(store.rows(split)) for split in ("train", "valid")}
    parts = []
    for place, (name, values) in enumerate(found.values.items()):
        random = np.random.default_rng(seed_for(seed, "cases", name))
        rows = random.permutation(known["valid"])
        shift = random.integers(1, len(values), len(rows))
        aims = dict(zip(rows, (found.numbers[rows, place] + shift) % len(values), strict=True))
        wanted = [{name: values[aims[row]]} for row in rows]
        rows, edits, truth = _drawable(store, rows, wanted, count, where)
        attributes = found.numbers[rows]
        targets = attributes.copy()
        targets[:, place] = [aims[row] for row in rows]
        real = _alike(random, known["train"], found.numbers[:, place], targets[:, place])
        parts.append(
            Part(
                name,
                rows,
                attributes,
                targets,
                edits,
                truth,
                store.images[real],
                store.images[rows],
            )
        )
    return parts


def _of_pairs(
    pairs: Pairs, store: Store, count: int, seed: int, where: str, open_other: OpenStore
) -> Part:
    random = np.random.default_rng(seed_for(seed, "cases"))
    rows = {split: random.permutation(store.rows(split)) for split in ("train", "valid")}
    if pairs.edit is not None:
        return _edited_pairs(pairs.edit, store, rows, count, where)
    images, truths = store.images, store.images
    if pairs.target is not None:
        truths, found = joined(store, open_other(Path("data") / pairs.target), where)
        rows = {split: inside[found[inside]] for split, inside in rows.items()}
    valid, train = (np.sort(rows[split][:count]) for split in ("valid", "train"))
    images = images[valid]
    if pairs.input is not None:
        images = (domains.edges if pairs.input == "edges" else domains.in_grey)(images)
    name = f"{pairs.input} to image" if pairs.input else f"to {pairs.target}"
    none = np.empty((len(valid), 0), np.int64)
    edits: list[Mapping[str, str]] = [{}] * len(valid)
    return Part(name, valid, none, none, edits, truths[valid], truths[train], images)


def _edited_pairs(
    edit: Mapping[str, str], store: Store, rows: Mapping[str, Numbers], count: int, where: str
) -> Part:
    found: dict[str, tuple[Numbers, Images]] = {}
    for split, inside in rows.items():
        chosen = inside[: _SPARE * count]
        truth, legal = domains.edited(store, chosen, [edit] * len(chosen), f"{where}.edit")
        changed = legal & (truth != store.images[chosen]).any((1, 2, 3))
        found[split] = chosen[changed][:count], truth[changed][:count]
    valid, truth = found["valid"]
    none = np.empty((len(valid), 0), np.int64)
    edits, images = [edit] * len(valid), store.images[valid]
    return Part(_words(edit), valid, none, none, edits, truth, found["train"][1], images)


def _drawable(
    store: Store, rows: Numbers, edits: Sequence[Mapping[str, str]], count: int, where: str
) -> tuple[Numbers, list[Mapping[str, str]], Images | None]:
    """The first `count` images that can be drawn with their edit; all can if none is drawn."""
    names = drawn_columns(store, {name for edit in edits for name in edit})
    if names is None:
        return rows[:count], list(edits[:count]), None
    rows, edits = rows[: _SPARE * count], edits[: _SPARE * count]
    changes = [{names[name]: value for name, value in edit.items()} for edit in edits]
    truth, legal = domains.edited(store, rows, changes, where)
    kept = np.flatnonzero(legal)[:count]
    return rows[kept], [edits[place] for place in kept], truth[kept]


def _join(parts: Sequence[Part], scored: Attributes, where: str) -> Cases:
    rows = np.concatenate([part.rows for part in parts])
    edits = [edit for part in parts for edit in part.edits]
    own = scored.numbers[rows]
    expected = own.copy()
    requested = np.zeros(expected.shape, np.bool_)
    columns = list(scored.values)
    for case, edit in enumerate(edits):
        for name, value in edit.items():
            if value not in scored.values[name]:
                raise UserError(
                    f"{where}: {name} {value!r} has fewer than {domains.LEAST} training images, "
                    "so that no classifier can tell it; add images, or choose another value"
                )
            place = columns.index(name)
            expected[case, place] = scored.values[name].index(value)
            requested[case, place] = True
    truths = [part.truth for part in parts if part.truth is not None]
    return Cases(
        changes=np.concatenate([np.full(len(part.rows), part.change) for part in parts]),
        words=[_words(edit) or part.change for part in parts for edit in part.edits],
        images=np.concatenate([part.images for part in parts]),
        rows=rows,
        attributes=np.concatenate([part.attributes for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        own=own,
        expected=expected,
        requested=requested,
        truth=np.concatenate(truths) if len(truths) == len(parts) else None,
        real={part.change: part.real for part in parts},
    )


def _in_split(store: Store, inside: npt.NDArray[np.bool_], split: str) -> Numbers:
    rows = store.rows(split)
    return rows[inside[rows]]


def _some(random: np.random.Generator, rows: Numbers, count: int) -> Numbers:
    return np.sort(random.permutation(rows)[:count])


def _alike(
    random: np.random.Generator, rows: Numbers, numbers: Numbers, targets: Numbers
) -> Numbers:
    """For each target a row with that number, without repetition as long as there are enough."""
    parts = [np.empty(0, np.int64)]
    for number in np.unique(targets):
        pool, wanted = rows[numbers[rows] == number], int((targets == number).sum())
        parts.append(np.resize(random.permutation(pool), wanted))
    return np.sort(np.concatenate(parts))


def _words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
