"""The measures of mixed scenes: true pictures, the judge, and what codes tell of objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latent_atlas.analysis.scene_mixing import object_classifier, object_probe
from latent_atlas.analysis.scene_mixing.evaluator import KINDS, Asked, Bench, distances_of
from latent_atlas.analysis.scene_mixing.ground_truth import (
    Truth,
    classes_of,
    is_drawn,
    transfer,
    truth_of,
)
from latent_atlas.analysis.scene_mixing.mixes import Mixes, of_strangers, paste
from latent_atlas.config.schema import DataSet, Mixing
from latent_atlas.config.section import Scaled
from latent_atlas.data.neighbour_table import Neighbours, write_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.scenes import scenes
from latent_atlas.data.synthetic.store import draw
from latent_atlas.models import backbones, inception
from latent_atlas.models.base import Recipe
from latent_atlas.models.mixing import DenseAE, cells
from latent_atlas.util.console import UserError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = DataSet(
        source="drawn:scenes",
        height=32,
        width=32,
        valid_share=0.3,
        count=Scaled(sample=60, full=60),
    )
    draw("scenes", data, 60, 0, tmp_path / "data" / "scenes")
    return open_store(tmp_path / "data" / "scenes")


def test_the_true_mix_is_the_picture_of_the_mixed_factors(store: Store) -> None:
    assert is_drawn(store)
    mixes = of_strangers(np.arange(20), np.random.default_rng(0))
    truth = truth_of(store, mixes)
    for number in range(20):
        for quadrant in range(4):
            source = (
                mixes.donors[number, quadrant]
                if mixes.replaced[number, quadrant]
                else mixes.references[number]
            )
            assert truth.after[number, quadrant] == store.index[f"q{quadrant + 1}_class"][source]
    kept = Mixes(mixes.references, mixes.donors, np.zeros_like(mixes.replaced))
    assert np.array_equal(truth_of(store, kept).pictures, store.images[:20][mixes.references])
    assert (truth.pictures != paste(store.images, mixes)).any()  # the donors' land stays away


def test_transfer_counts_only_what_is_in_question() -> None:
    before = np.array([["car", "car", "star", "none"]])
    after = np.array([["fish", "car", "star", "none"]])
    mixes = Mixes(np.array([0]), np.zeros((1, 4), int), np.array([[True, True, False, False]]))
    truth = Truth(np.zeros((1, 2, 2, 3), np.uint8), before, after)
    assert transfer(truth, mixes, after) == {"transferred": 1.0, "kept": 1.0}
    seen = np.array([["car", "tree", "none", "ball"]])
    assert transfer(truth, mixes, seen) == {"transferred": 0.0, "kept": 0.0}
    # A replaced quadrant of the same class says nothing of the exchange, nor of what was kept.
    seen = np.array([["car", "car", "none", "none"]])
    assert transfer(truth, mixes, seen) == {"transferred": 0.0, "kept": 0.0}
    seen = np.array([["fish", "car", "none", "none"]])
    assert transfer(truth, mixes, seen) == {"transferred": 1.0, "kept": 0.0}
    nothing = Mixes(np.array([0]), np.zeros((1, 4), int), np.zeros((1, 4), bool))
    assert np.isnan(transfer(truth, nothing, after)["transferred"])


def test_a_judge_knows_objects_and_not_noise() -> None:
    backbone = backbones.load("efficientnet_lite0")
    judged = object_classifier.train(backbone, 64, 150, (64, 64), 7)
    assert judged.accuracy > 0.75
    factors = scenes.factors(20, 99)
    seen = judged.see(scenes.render(factors, 64, 64))
    assert seen.shape == (20, 4)
    assert (seen == classes_of(factors)).mean() > 0.7
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    assert (judged.see(noise) == classes_of(factors)).mean() < 0.5


class _Knows:
    """A run whose codes hold, cell by cell of a 4×4 grid, the class of the cell's quadrant."""

    def __init__(self, store: Store, quadrants: list[int]) -> None:
        options = {"width": 0.06, "depth": 0.125, "halvings": 3}
        weights = {"reconstruction": 1.0}
        recipe = Recipe((32, 32, 3), 16, "dense", "laplace", 0.0, weights, options)
        self.model = DenseAE(recipe)
        assert self.model.grid == (4, 4)
        classes = classes_of(store.index)
        _, numbers = np.unique(classes, return_inverse=True)
        told = np.eye(numbers.max() + 1, dtype=np.float32)[numbers.reshape(classes.shape)]
        quadrant = np.asarray(quadrants)[cells((4, 4)).numpy()]
        self._codes = told[:, quadrant].reshape(len(classes), -1)
        self._images = store.images

    def encode(self, images: np.ndarray) -> np.ndarray:
        rows = [int((self._images == image).all(axis=(1, 2, 3)).argmax()) for image in images]
        codes: np.ndarray = self._codes[rows]
        return codes


def test_objects_are_named_from_the_cells_of_their_own_quadrant(store: Store) -> None:
    knows = _Knows(store, [0, 1, 2, 3])
    assert object_probe.named_from_codes(knows, store, 60, 60) == 1.0  # type: ignore[arg-type]
    elsewhere = _Knows(store, [1, 2, 3, 0])
    assert object_probe.named_from_codes(elsewhere, store, 60, 60) < 0.5  # type: ignore[arg-type]


@pytest.fixture
def neighbours(store: Store, tmp_path: Path) -> Neighbours:
    random = np.random.default_rng(0)
    train = store.rows("train")
    ids = np.array([random.choice(train[train != row], 10, replace=False) for row in range(60)])
    return write_neighbours(
        tmp_path / "neighbours",
        np.repeat(ids[:, None].astype(np.int32), 4, axis=1),
        np.sort(random.random((60, 4, 10), np.float32), axis=2),
        {"store": {"name": "scenes", "digest": store.digest}},
    )


def asked_of(mixes: int) -> Asked:
    spec = Mixing(
        mixes=Scaled(sample=mixes, full=mixes),
        tau=0.5,
        judged=Scaled(sample=60, full=60),
        backbone="efficientnet_lite0",
        size=32,
        examples=2,
    )
    return Asked(spec, "sample", 0)


def test_as_many_real_images_are_compared_as_there_are_mixes(
    store: Store, neighbours: Neighbours
) -> None:
    valid = len(store.rows("valid"))
    assert valid < 30 < len(store.rows("train"))
    bench = Bench(store, asked_of(30), neighbours)
    assert len(bench._real) == len(bench.mixes["near"].references) == valid


def test_too_few_mixes_to_compare_are_refused(store: Store, neighbours: Neighbours) -> None:
    with pytest.raises(UserError, match=r"found 5 mixes of .* coco, expected more than 5 of each"):
        Bench(store, asked_of(5), neighbours)
    store.index.loc[store.rows("valid")[3:], "split"] = "test"
    with pytest.raises(UserError, match=r"of 3 validation and .* data\.scenes\.valid_share"):
        Bench(store, asked_of(12), neighbours)


def test_the_truth_measures_best_and_pasting_next(store: Store, neighbours: Neighbours) -> None:
    asked = asked_of(12)
    assert Asked.read(asked.dump()) == asked
    bench = Bench(store, asked, neighbours)
    for kind in KINDS:
        truth = bench.truth[kind]
        assert truth is not None
        best = bench.measure(kind, truth.pictures)
        pasted = bench.measure(kind, bench.paste(kind))
        grey = bench.measure(kind, np.full_like(truth.pictures, 128))
        assert best[f"{kind}_psnr"] == 100
        assert pasted[f"{kind}_psnr"] > grey[f"{kind}_psnr"]
        distance = f"{kind}_frechet_efficientnet_lite0"
        assert best[distance] < grey[distance]
        assert best.keys() == pasted.keys()


def test_a_frechet_distance_is_a_fid_with_one_network_only() -> None:
    assert distances_of("inception") == distances_of("inception@weights.pth") == ("fid", "kid")
    name = "efficientnet_lite0"
    assert distances_of(name) == (f"frechet_{name}", f"kid_{name}")


def test_the_size_that_defines_fid_is_asked_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def random(name: str, seed: int) -> backbones.Backbone:
        return backbones.InceptionBackbone(name, inception.network().state_dict())

    monkeypatch.setitem(backbones.BACKBONES, "inception", random)
    scaled = Scaled(sample=20, full=20)
    spec = Mixing(mixes=scaled, tau=0.5, judged=scaled, backbone="inception", size=64, examples=2)
    with pytest.raises(UserError, match=r"scenes\.backbone: inception sees 299 pixels"):
        Bench(store, Asked(spec, "sample", 0), None)  # type: ignore[arg-type]
