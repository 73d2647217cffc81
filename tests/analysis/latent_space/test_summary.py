"""The survey of a run: what it finds in known codes, and which images it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.latent_space import plots
from latent_atlas.analysis.latent_space import summary as module
from latent_atlas.analysis.latent_space.summary import paired_difference, partitions, survey, table
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import UserError

MakeRun = Callable[..., Run]
MakeStore = Callable[..., Store]

SETTINGS = Cartography(
    partitions=["side", "nothing"],
    components=4,
    clusters=(2, 3),
    neighbours=5,
    draws=8,
    resamples=40,
    mapped=30,
    perplexity=8.0,
    thumbnails=4,
)


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    made = make_store(count=120, classes=2)
    made.index["side"] = np.where(made.index["x"] > 16, "right", "left")
    return made


@pytest.fixture
def trained(make_run: MakeRun, store: Store, tmp_path: Path) -> TrainedRun:
    run = make_run(model="vae", beta=1.0, epochs=1, likelihood="gaussian")
    loop.train(run, store, tmp_path / "model", tmp_path / "state.pt")
    return open_run(tmp_path / "model")


def knows(monkeypatch: pytest.MonkeyPatch, codes: np.ndarray) -> None:
    """Let every run have these codes for the store's images."""
    monkeypatch.setattr(TrainedRun, "encode", lambda self, images: codes.astype(np.float32))
    monkeypatch.setattr(TrainedRun, "log_variance", lambda self, images: None)


def test_codes_that_know_the_side_are_ordered_by_it(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store
) -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((len(store.index), 3))
    codes[:, 1] += np.where(store.index["side"] == "right", 9, 0)
    knows(monkeypatch, codes)
    found = survey(trained, store, SETTINGS, 0)
    assert found.numbers["ami_side"] == found.numbers["knn_side"] == 1
    assert found.numbers["ami_side_low"] == found.numbers["ami_side_high"] == 1
    assert found.numbers["probe_side"] == 1
    assert abs(found.numbers["ami_style"]) < 0.1
    assert found.numbers["knn_style_low"] < 0.5 < found.numbers["knn_style_high"]
    assert found.numbers["first_share"] > 0.8
    assert found.numbers["energy_prior_p"] < 0.05
    styles = table([found], "styles").set_index("style")
    assert list(styles.index) == ["all", "class0", "class1"]
    assert styles.loc["all", "centroid_offset_l1"] == 0
    assert (styles["first_angle"] < 15).all()
    rows = table([found], "clusters")
    valid = (store.index["split"] == "valid").sum()
    sums = rows.groupby(["partition", "method"])["count"].sum()
    assert (sums == valid).all()
    assert set(rows["partition"]) == {"style", "side"}
    # The same again, to the last digit.
    again = survey(trained, store, SETTINGS, 0)
    assert again.numbers == found.numbers
    np.testing.assert_array_equal(again.maps[1].places, found.maps[1].places)


@pytest.mark.filterwarnings("ignore")  # of scikit-learn, on equal codes
def test_a_collapsed_model_is_measured_and_drawn(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store, tmp_path: Path
) -> None:
    knows(monkeypatch, np.full((len(store.index), 3), 0.3))
    found = survey(trained, store, SETTINGS, 0)
    assert found.numbers["ami_side"] == found.numbers["effective_rank"] == 0
    assert found.numbers["knn_side"] == found.numbers["probe_side"] == 0.5
    assert np.isnan(found.numbers["trust_t_sne"])
    assert np.isnan(table([found], "styles")["first_angle"]).all()
    sorted_by = partitions(store, SETTINGS.partitions)
    plots.draw([found], store, sorted_by, 4, "all alike", tmp_path / "out", tmp_path / "out")
    assert (tmp_path / "out" / f"map_{found.run}.png").exists()


def test_a_column_with_too_few_known_images_to_cluster_is_refused(
    trained: TrainedRun, store: Store
) -> None:
    valid, train = store.rows("valid"), store.rows("train")
    store.index["side"] = None
    for number, row in enumerate([*valid[:4], *train[:4]]):
        store.index.loc[row, "side"] = ("left", "right")[number % 2]
    few = SETTINGS.model_copy(update={"clusters": (4, 8)})
    with pytest.raises(UserError, match=r"clusters: found 4 .* the 4 .* a known side"):
        survey(trained, store, few, 0)


def test_two_models_are_compared_on_the_same_halves(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store
) -> None:
    random = np.random.default_rng(0)
    noise = random.standard_normal((len(store.index), 3))
    knows(monkeypatch, noise)
    blind = survey(trained, store, SETTINGS, 0)
    knows(monkeypatch, noise + 9 * store.labels()[:, None])
    knowing = survey(trained, store, SETTINGS, 0)
    value, low, high = paired_difference(knowing, blind, "style")
    assert value == pytest.approx(1, abs=0.1)
    assert 0.5 < low < value < high
    assert paired_difference(blind, blind, "style") == (0, 0, 0)
    # Of 95 %: the spread over halves is the error of all images.
    spread = 1.96 * blind.halves["style"].std(ddof=1)
    middle = blind.numbers["ami_style"]
    ends = [blind.numbers["ami_style_low"], blind.numbers["ami_style_high"]]
    assert ends == pytest.approx([middle - spread, middle + spread])
    apart = 1.96 * (knowing.halves["style"] - blind.halves["style"]).std(ddof=1)
    assert (high - value, value - low) == pytest.approx((apart, apart))


def test_losses_stand_summed_and_per_pixel(trained: TrainedRun, store: Store) -> None:
    found = survey(trained, store, SETTINGS, 0)
    rows = table([found], "losses").set_index(["split", "term"])
    valid = rows.loc[("valid", "reconstruction")]
    images = store.images[store.rows("valid")] / 255.0
    assert valid["value"] == pytest.approx(trained.history["valid_reconstruction"].iloc[-1])
    # ½ Σ (o − x)² over 32 × 32 × 3 numbers, as the mean of (o − x)².
    assert valid["per_pixel"] == pytest.approx(valid["value"] * 2 / images[0].size)
    latent = rows.loc[("valid", "kl")]
    assert latent["per_pixel"] == pytest.approx(latent["value"] / images[0].size)
    assert found.numbers["valid_reconstruction_per_pixel"] == valid["per_pixel"]
    assert set(rows.index.get_level_values("term")) == {"reconstruction", "kl"}


def test_partitions_are_the_label_and_the_columns_that_there_are(store: Store) -> None:
    style, side = partitions(store, ["side", "nothing"])
    assert (style.name, style.values) == ("style", ["class0", "class1"])
    np.testing.assert_array_equal(style.numbers, store.labels())
    assert side.values == ["left", "right"]
    assert (side.numbers == (store.index["side"] == "right")).all()


def test_a_style_with_one_picture_is_left_out(store: Store) -> None:
    store.index.loc[3, "label"] = "alone"
    store.index.loc[4, "label"] = None
    (style,) = partitions(store, [])
    assert style.values == ["class0", "class1"]
    assert style.numbers[3] == style.numbers[4] == -1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(None, "no label"), ("same", r"found same \d+"), ("own", r"found row\d+ 1")],
)
def test_images_without_two_styles_are_refused(
    store: Store, labels: str | None, expected: str
) -> None:
    store.index["label"] = (
        [f"row{i}" for i in range(len(store.index))] if labels == "own" else labels
    )
    with pytest.raises(UserError, match=f"fewer than two of them have two .*{expected}"):
        partitions(store, [])


def test_a_class_called_as_all_together_is_refused(store: Store) -> None:
    store.index["label"] = store.index["label"].replace("class0", "all")
    with pytest.raises(UserError, match=r"found a class 'all', expected another name: .*rename it"):
        partitions(store, [])


def test_too_few_validation_images_are_refused(trained: TrainedRun, store: Store) -> None:
    kept = np.flatnonzero(store.index["split"] == "valid")[module.FEWEST - 1 :]
    store.index.loc[kept, "split"] = "test"
    with pytest.raises(UserError, match=r"found 11 validation images, expected at least 12"):
        survey(trained, store, SETTINGS, 0)


def test_tables_of_runs_stand_below_each_other() -> None:
    surveys = [module.Survey(name, name) for name in ("a", "b")]
    surveys[0].add("things", size=1)
    surveys[1].add("things", size=2)
    expected = pd.DataFrame({"run": ["a", "b"], "size": [1, 2]})
    pd.testing.assert_frame_equal(table(surveys, "things"), expected)
    assert table(surveys, "nothing").empty
