"""What the documents left open: recognised digits, experts with a router, search by code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.studies.charts import experts, recognition, retrieval
from latent_atlas.studies.charts.retrieval import Items
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError

Maker = Callable[..., Store]


def model(latent_dim: int, decode: Callable[[Any], Any]) -> TrainedRun:
    """A run whose codes are the images themselves, and whose decoder is `decode`."""
    run = SimpleNamespace(latent_dim=latent_dim, seed=0, model="vae", network="conv", beta=1.0)
    run.likelihood, run.title = "bernoulli", lambda: f"run of {latent_dim}"
    return cast(
        TrainedRun,
        SimpleNamespace(run=run, batch_size=7, encode=lambda images: images, decode=decode),
    )


def halves(make_store: Maker, count: int = 200) -> Store:
    """Images of two classes, which half of the picture is bright, with a little noise."""
    store = make_store(count=count, height=8, width=8, channels=1)
    random = np.random.default_rng(1)
    images = random.integers(0, 40, store.images.shape, dtype=np.uint8)
    for number, label in enumerate(store.labels()):
        images[number, :, 4 * label : 4 * label + 4] += 200
    split = np.where(np.arange(count) % 8 < 6, "train", "valid")
    return Store(store.path, images, store.index.assign(split=split), store.card)


def test_what_comes_back_whole_is_recognised_and_a_grey_is_not(
    make_store: Maker, tmp_path: Path
) -> None:
    store = halves(make_store)
    blank = model(2, lambda codes: np.full_like(codes, 120))
    table = recognition.recognised([blank, model(3, lambda codes: codes)], store)
    assert list(table["latent_dim"]) == [2, 2, 3, 3]
    assert (table["originals"] > 0.9).all()
    whole = table[table["latent_dim"] == 3]
    assert (whole["reconstructions"] == whole["originals"]).all()
    # All greys get one name, so one class seems to be recognised and the other is not at all.
    assert sorted(table[table["latent_dim"] == 2]["reconstructions"]) == [0, 1]
    assert table["images"].sum() == 2 * len(store.rows("valid"))
    recognition.draw([blank], store, "A study", tmp_path / "out")
    assert (tmp_path / "out" / "blobs_recognition.csv").exists()
    assert (tmp_path / "out" / "blobs_recognition.png").exists()


def test_a_class_is_recognised_from_the_size_on_where_it_stays() -> None:
    shares = {"always": [0.9, 0.9, 0.9], "late": [0.9, 0.5, 0.86], "never": [0.9, 0.9, 0.2]}
    table = pd.DataFrame(
        [
            {"latent_dim": size, "class": name, "originals": 0.9, "reconstructions": share}
            for name, row in shares.items()
            for size, share in zip((2, 5, 10), row, strict=True)
        ]
    )
    assert recognition.smallest(table) == {"always": 2, "late": 10, "never": None}


def test_the_smallest_error_routes() -> None:
    whole = np.array([0.1, 0.1, 0.01, 0.01])
    errors = np.array([[0.01, 0.1], [0.1, 0.001], [0.1, 0.001], [0.5, 0.01]])
    table = experts.compare(whole, errors, ["a", "b"], np.array(["a", "a", "b", "b"]))
    a, b, every = (row for _, row in table.iterrows())
    assert (a["routing_accuracy"], b["routing_accuracy"], every["routing_accuracy"]) == (
        0.5,
        1.0,
        0.75,
    )
    assert (a["to_a"], a["to_b"], b["to_a"]) == (0.5, 0.5, 0)
    assert a["one_model"] == pytest.approx(10)  # dB of an error of 0.1
    assert a["right_expert"] == pytest.approx(-10 * np.log10((0.01 + 0.1) / 2))
    assert a["routed"] == pytest.approx(-10 * np.log10((0.01 + 0.001) / 2))
    assert every["images"] == 4


def test_experts_that_know_one_half(make_store: Maker, tmp_path: Path) -> None:
    store = halves(make_store, 60)

    def knows(half: int) -> Callable[[Any], Any]:
        def decode(codes: Any) -> Any:
            kept = np.zeros_like(codes)
            kept[:, :, 4 * half : 4 * half + 4] = codes[:, :, 4 * half : 4 * half + 4]
            return kept

        return decode

    whole = model(3, lambda codes: codes // 2)
    them = {f"class{half}": model(3, knows(half)) for half in (0, 1)}
    experts.draw(whole, them, store, "A study", tmp_path)
    table = pd.read_csv(tmp_path / "blobs_z3_experts.csv")
    assert list(table["routing_accuracy"]) == [1, 1, 1]
    assert (table["routed"] > table["one_model"]).all()
    assert (tmp_path / "blobs_z3_experts.png").exists()

    valid = store.rows("valid")
    store.index.loc[valid[:3], "label"] = None
    experts.draw(whole, them, store, "A study", tmp_path)
    known = pd.read_csv(tmp_path / "blobs_z3_experts.csv").set_index("class")
    assert known.loc["all", "images"] == len(valid) - 3
    assert (known["routing_accuracy"] == 1).all(), "an image without a label is of no class"


def items(count: int, turn: float, seed: int) -> Items:
    """Two attributes, each on a direction of its own of three; the directions are not the axes."""
    random = np.random.default_rng(seed)
    collar, sleeve = random.integers(0, 2, count), random.integers(0, 3, count)
    codes = np.stack([4 * collar, 4 * sleeve, 0 * collar], axis=1) + random.normal(
        0, 0.3, (count, 3)
    )
    rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(3, 3)))[0] if turn else np.eye(3)
    values = {
        "collar": np.array(["round", "v"])[collar],
        "sleeve": np.array(["none", "short", "long"])[sleeve],
        "luck": np.array(["heads", "tails"])[random.integers(0, 2, count)],
    }
    return Items(codes @ rotation, values)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_search_by_the_whole_code_and_by_one_feature(turn: float) -> None:
    known, asked = items(300, turn, 0), items(200, turn, 1)
    whole = retrieval.alike(asked).set_index("same")
    assert whole.loc["collar", "found"] == 1
    assert whole.loc["luck", "found"] == pytest.approx(0.5, abs=0.06)
    assert whole.loc["collar", "chance"] == pytest.approx(0.5, abs=0.03)
    pairs = retrieval.same_but(known, asked).set_index(["same", "other"])
    assert pairs.loc[("collar", "sleeve"), "found"] > 0.98
    assert pairs.loc[("collar", "sleeve"), "chance"] == pytest.approx(0.25, abs=0.04)
    # What the code does not hold cannot be found: same luck is right half of the time.
    assert pairs.loc[("luck", "sleeve"), "found"] == pytest.approx(0.5, abs=0.07)


def test_an_attribute_that_makes_no_sense_is_in_no_search() -> None:
    asked = items(200, 0.0, 1)
    there = asked.attributes["sleeve"] != "none"
    expected = asked.attributes["sleeve"][there]
    share = np.mean([(np.delete(expected, i) == value).mean() for i, value in enumerate(expected)])
    assert retrieval.alike(asked).set_index("same").loc["sleeve", "chance"] == pytest.approx(share)


def test_a_class_called_all_is_a_row_of_its_own(
    make_store: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(experts, "save_figure", lambda path, figure: drawn.append(figure))
    errors = np.array([[0.01, 0.1], [0.1, 0.001]])
    table = experts.compare(errors[:, 0], errors, ["all", "b"], np.array(["all", "b"]))
    whole = model(3, lambda codes: codes)
    experts._confusion(table, ["all", "b"], whole, make_store(), "A study", tmp_path / "x.png")
    (axes,) = drawn[0].axes
    np.testing.assert_array_equal(axes.images[0].get_array(), np.eye(2))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "b"]
    assert "2 validation images" in axes.get_title("left")


def test_an_attribute_that_varies_in_no_training_image_is_not_searched(make_store: Maker) -> None:
    store = make_store(count=40)
    train = (store.index["split"] == "train").to_numpy()
    collar = np.where(train, "round", np.array(["round", "v"])[np.arange(40) % 2])
    sleeve = np.array(["long", "short"])[np.arange(40) % 2]
    index = store.index.assign(collar=collar, sleeve=sleeve)
    card = {**store.card, "factors": ["collar", "sleeve"]}
    assert retrieval._attributes(Store(store.path, store.images, index, card)) == ["sleeve"]


def test_attributes_that_no_item_has_together_are_not_searched() -> None:
    known = Items(
        np.random.default_rng(0).random((60, 3)),
        {"sleeve": np.array(["long", "short"] * 30), "legs": np.array(["wide", "tight"] * 30)},
    )
    nothing = ["none"] * 30
    asked = Items(
        known.codes,
        {
            "sleeve": np.array([*["long", "short"] * 15, *nothing]),
            "legs": np.array([*nothing, *["wide", "tight"] * 15]),
        },
    )
    assert retrieval.same_but(known, asked)[["found", "chance"]].isna().all(axis=None)
    assert retrieval.alike(asked)["found"].notna().all()


def test_a_classifier_of_too_few_images_is_one_line(make_store: Maker) -> None:
    store = halves(make_store, 10)
    with pytest.raises(UserError, match="training images of 2 classes are too few for a class"):
        recognition._classifier(store, 0)


def test_an_attribute_of_one_value_is_in_no_search(make_store: Maker, tmp_path: Path) -> None:
    store = make_store(count=120)
    collar = np.array(["round", "v"])[np.arange(120) % 2]
    sleeve = np.array(["none", "short"])[np.arange(120) // 2 % 2]
    sides = np.array(["left", "right", "both"])[np.arange(120) % 3]
    index = store.index.assign(collar=collar, sleeve=sleeve, sides=sides)
    card = store.card | {"factors": ["x", "collar", "sleeve", "sides"]}
    store = Store(store.path, store.images, index, card)
    run = model(3, lambda codes: codes)
    run = cast(
        TrainedRun,
        SimpleNamespace(**vars(run) | {"encode": lambda images: images.mean(axis=(1, 3))[:, 8:11]}),
    )
    retrieval.draw([run], store, "A study", tmp_path)
    found = pd.read_csv(tmp_path / "blobs_retrieval.csv")
    assert set(found["same"]) == {"collar", "sides"}
