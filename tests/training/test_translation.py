"""The samples of translation runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from latent_atlas.data import domains
from latent_atlas.data.store import Store, StoreWriter, open_store
from latent_atlas.training.translation import Samples, build_translator, samples_of
from latent_atlas.util.console import UserError
from tests.translations import TASK, draw_garments, run_with

EDIT = {"model": "pix2pix", "pairs": {"edit": {"color": "red"}}}


@pytest.fixture(scope="module")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return draw_garments(tmp_path_factory.mktemp("data"))


def samples(store: Store, **run: Any) -> Samples:
    return samples_of(run_with(**run), store, open_store)


def test_partners_stay_in_the_split_of_their_image(garments: Store) -> None:
    for run in ({"model": "cyclegan", "task": TASK}, {"model": "stargan", "attributes": ["fit"]}):
        made = samples(garments, **run)
        assert made.partners is not None
        split = garments.index["split"].to_numpy()
        for rows in (made.selection.train, made.selection.valid):
            partners, distances = made.partners.draw(rows, np.random.default_rng(0))
            assert partners.shape == distances.shape == (len(rows), 1)
            np.testing.assert_array_equal(split[partners[:, 0]], split[rows])


def test_the_images_of_a_task_come_from_one_domain_and_their_partners_from_the_other(
    garments: Store,
) -> None:
    made = samples(garments, model="cyclegan", task=TASK)
    assert made.partners is not None
    sleeves = garments.index["sleeve_length"].to_numpy()
    assert set(sleeves[made.selection.train]) == {"short"}
    partners, _ = made.partners.draw(made.selection.train, np.random.default_rng(0))
    assert set(sleeves[partners[:, 0]]) == {"long"}
    assert made.selection.attributes is not None
    np.testing.assert_array_equal(made.selection.attributes[:, 0] == 1, sleeves == "long")
    assert made.sizes == (2,)
    assert made.selection.card == {"attributes": {"domain": ["short", "long"]}}


def test_an_epoch_has_as_many_samples_as_the_larger_domain(garments: Store) -> None:
    train = garments.index.iloc[garments.rows("train")]
    small, large = {"category": "tops"}, {"sleeve_length": "none"}
    for start, end in ((small, large), (large, small)):
        made = samples(garments, model="cyclegan", task={"from": start, "to": end})
        assert len(made.selection.train) == (train["sleeve_length"] == "none").sum()
    tops = set(np.flatnonzero(garments.index["category"] == "tops"))
    made = samples(garments, model="cyclegan", task={"from": small, "to": large})
    assert set(made.selection.train) <= tops


def test_the_draws_of_a_row_do_not_depend_on_other_splits(garments: Store) -> None:
    made = samples(garments, model="stargan", attributes=["fit"])
    assert made.partners is not None
    rows = made.selection.train[:6]
    first, _ = made.partners.draw(rows, np.random.default_rng(3))
    mixed = np.concatenate([rows, made.selection.valid[:3]])
    second, _ = made.partners.draw(mixed, np.random.default_rng(3))
    np.testing.assert_array_equal(first, second[:6])


def test_images_in_both_domains_are_one_line(garments: Store) -> None:
    task = {"from": {"sleeve_length": "none"}, "to": {"category": "skirts"}}
    with pytest.raises(UserError, match=r"images of .* are in both domains, expected none"):
        samples(garments, model="cyclegan", task=task)


def test_a_value_that_is_not_there_names_its_key(garments: Store) -> None:
    task = {"from": {"sleeve_length": "shot"}, "to": {"sleeve_length": "long"}}
    with pytest.raises(
        UserError, match=r"runs\.translation\.garments_run\.task\.from\.sleeve_length: found 'shot'"
    ):
        samples(garments, model="cyclegan", task=task)


def test_attributes_leave_out_images_that_lack_one(garments: Store) -> None:
    kinds: list[str | None] = ["a", "b"] * 120
    kinds[int(garments.rows("train")[0])] = None
    store = replace(garments, index=garments.index.assign(kind=pd.Series(kinds)))
    made = samples(store, model="stargan", attributes=["kind", "color"])
    assert len(made.selection.train) == len(garments.rows("train")) - 1
    assert made.sizes == (2, 9)


def test_the_digest_changes_with_all_that_samples_depend_on(garments: Store) -> None:
    def digests(**run: Any) -> tuple[str, str]:
        made = samples(garments, **run)
        assert made.partners is not None
        return made.selection.digest, made.partners.digest

    task = {"model": "cyclegan", "task": TASK}
    back = {"model": "cyclegan", "task": {"from": TASK["to"], "to": TASK["from"]}}
    assert digests(**task) == digests(**task)
    assert len({digests(**one) for one in (task, back)}) == 2
    attributes = [{"model": "stargan", "attributes": one} for one in (["fit"], ["color"])]
    assert len({digests(**one)[0] for one in attributes}) == 2
    blue = {"model": "pix2pix", "pairs": {"edit": {"color": "blue"}}}
    assert len({digests(**one)[1] for one in (EDIT, blue)}) == 2


def test_an_edit_pairs_an_image_with_its_counterfactual(garments: Store) -> None:
    made = samples(garments, **EDIT)
    assert made.partners is not None
    assert not made.reverse
    rows = made.selection.train
    assert "red" not in set(garments.index["color"].iloc[rows])
    partners, _ = made.partners.draw(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(partners[:, 0], rows)
    expected, _ = domains.edited(garments, rows, [{"color": "red"}] * len(rows), "x")
    assert made.partners.images is not None
    np.testing.assert_array_equal(made.partners.images[rows], expected)


@pytest.mark.parametrize("kind", ["edges", "grey"])
def test_computed_inputs_reverse_the_pairs(garments: Store, kind: str) -> None:
    made = samples(garments, model="pix2pix", pairs={"input": kind})
    assert made.reverse
    assert made.partners is not None
    function = domains.edges if kind == "edges" else domains.in_grey
    np.testing.assert_array_equal(made.partners.images, function(garments.images))
    np.testing.assert_array_equal(made.selection.train, garments.rows("train"))


def write_targets(
    garments: Store, folder: Path, rows: np.ndarray, ids: list[str] | None = None
) -> Store:
    """A store of the inverted images of `rows`."""
    index = garments.index.iloc[rows].reset_index(drop=True)
    if ids is not None:
        index["id"] = ids
    with StoreWriter(folder, *garments.shape) as writer:
        writer.append(255 - garments.images[rows], index)
        writer.finish(name="inverted", source="test", licence="CC0-1.0")
    return open_store(folder)


def joined(garments: Store, other: Store) -> Samples:
    run = run_with(**EDIT).model_copy(
        update={"pairs": run_with(**EDIT).pairs.model_copy(update={"edit": None, "target": "x"})}  # type: ignore[union-attr]
    )
    return samples_of(run, garments, lambda path: other)


def test_two_stores_are_joined_by_id(garments: Store, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).permutation(240)[:200]
    made = joined(garments, write_targets(garments, tmp_path / "other", rows))
    assert made.partners is not None
    assert made.partners.images is not None
    used = np.concatenate([made.selection.train, made.selection.valid])
    assert set(used) == set(rows)
    np.testing.assert_array_equal(made.partners.images[used], 255 - garments.images[used])


def test_pairs_that_do_not_match_are_one_line(garments: Store, tmp_path: Path) -> None:
    rows = np.arange(20)
    other = write_targets(garments, tmp_path / "a", rows, [f"p{row}" for row in rows])
    with pytest.raises(UserError, match=r"pairs\.target: no id of .* is in .* \(e\.g\. 'p0'\)"):
        joined(garments, other)
    other = write_targets(garments, tmp_path / "b", rows, ["p"] * 20)
    with pytest.raises(UserError, match="has the id 'p' twice"):
        joined(garments, other)
    other = write_targets(garments, tmp_path / "c", garments.rows("train")[:3])
    with pytest.raises(UserError, match=r"found 3 pairs in the train split of .* expected 8"):
        joined(garments, other)
    small = replace(other, images=other.images[:, :16])
    with pytest.raises(UserError, match=r"has 16×32×3 images, but .* has 32×32×3"):
        joined(garments, small)


def test_a_model_without_attributes_has_all_images_and_no_partners(garments: Store) -> None:
    made = samples(garments, model="dcgan")
    assert made.partners is None
    assert made.sizes == ()
    np.testing.assert_array_equal(made.selection.valid, garments.rows("valid"))


def test_the_untrained_weights_follow_from_the_seed() -> None:
    run = run_with(model="dcgan", options={"width": 0.0625})
    states = [build_translator(one, (32, 32, 3), (), False).state_dict() for one in (run, run)]
    other = build_translator(run.model_copy(update={"seed": 1}), (32, 32, 3), (), False)
    assert all((states[0][name] == states[1][name]).all() for name in states[0])
    assert any((states[0][name] != one).any() for name, one in other.state_dict().items())
