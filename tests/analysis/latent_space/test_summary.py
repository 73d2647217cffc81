"""Summary of a latent space: values for known codes, and refused images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.latent_space import plots
from latent_atlas.analysis.latent_space.summary import (
    MIN_IMAGES,
    LatentSpaceSummary,
    joint_table,
    paired_difference,
    partitions,
    summarise_latent_space,
)
from latent_atlas.config.runs import Run
from latent_atlas.config.schema import Cartography
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import FieldError, UserError

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
    blobs = make_store(count=120, classes=2)
    blobs.index["side"] = np.where(blobs.index["x"] > 16, "right", "left")
    return blobs


@pytest.fixture
def trained(make_run: MakeRun, store: Store, tmp_path: Path) -> TrainedRun:
    run = make_run(model="vae", beta=1.0, epochs=1, likelihood="gaussian")
    loop.train(run, store, tmp_path / "model", tmp_path / "state.pt")
    return open_run(tmp_path / "model")


def set_codes(monkeypatch: pytest.MonkeyPatch, codes: np.ndarray) -> None:
    """Make these the codes of the store's images, for every run."""
    monkeypatch.setattr(TrainedRun, "encode", lambda self, images: codes.astype(np.float32))
    monkeypatch.setattr(TrainedRun, "log_variance", lambda self, images: None)


def test_codes_that_depend_on_the_side_agree_with_it(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store
) -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((len(store.index), 3))
    codes[:, 1] += np.where(store.index["side"] == "right", 9, 0)
    set_codes(monkeypatch, codes)
    summary = summarise_latent_space(trained, store, SETTINGS, 0)
    assert summary.numbers["ami_side"] == summary.numbers["knn_side"] == 1
    assert summary.numbers["ami_side_low"] == summary.numbers["ami_side_high"] == 1
    assert summary.numbers["probe_side"] == 1
    assert abs(summary.numbers["ami_style"]) < 0.1
    assert summary.numbers["knn_style_low"] < 0.5 < summary.numbers["knn_style_high"]
    assert summary.numbers["first_share"] > 0.8
    assert summary.numbers["energy_prior_p"] < 0.05
    styles = joint_table([summary], "styles").set_index("style")
    assert list(styles.index) == ["all", "class0", "class1"]
    assert styles.loc["all", "centroid_offset_l1"] == 0
    assert (styles["first_angle"] < 15).all()
    rows = joint_table([summary], "clusters")
    valid = (store.index["split"] == "valid").sum()
    sums = rows.groupby(["partition", "method"])["count"].sum()
    assert (sums == valid).all()
    assert set(rows["partition"]) == {"style", "side"}
    # The same again, to the last digit.
    again = summarise_latent_space(trained, store, SETTINGS, 0)
    assert again.numbers == summary.numbers
    np.testing.assert_array_equal(again.projections[1].positions, summary.projections[1].positions)


@pytest.mark.filterwarnings("ignore")  # of scikit-learn, on equal codes
def test_a_collapsed_model_is_summarised_and_plotted(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store, tmp_path: Path
) -> None:
    set_codes(monkeypatch, np.full((len(store.index), 3), 0.3))
    summary = summarise_latent_space(trained, store, SETTINGS, 0)
    assert summary.numbers["ami_side"] == summary.numbers["effective_rank"] == 0
    assert summary.numbers["knn_side"] == summary.numbers["probe_side"] == 0.5
    assert np.isnan(summary.numbers["trust_t_sne"])
    assert np.isnan(joint_table([summary], "styles")["first_angle"]).all()
    parts = partitions(store, SETTINGS.partitions)
    plots.plot_latent_spaces(
        [summary], store, parts, 4, "all alike", tmp_path / "out", tmp_path / "out"
    )
    assert (tmp_path / "out" / f"map_{summary.run}.png").exists()


def test_a_column_with_too_few_known_images_to_cluster_is_refused(
    trained: TrainedRun, store: Store
) -> None:
    valid, train = store.rows("valid"), store.rows("train")
    store.index["side"] = None
    for number, row in enumerate([*valid[:4], *train[:4]]):
        store.index.loc[row, "side"] = ("left", "right")[number % 2]
    few = SETTINGS.model_copy(update={"clusters": (4, 8)})
    with pytest.raises(FieldError, match=r"^clusters: found 4 .* for 4 .* a known side"):
        summarise_latent_space(trained, store, few, 0)


def test_two_models_are_compared_on_the_same_halves(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedRun, store: Store
) -> None:
    random = np.random.default_rng(0)
    noise = random.standard_normal((len(store.index), 3))
    set_codes(monkeypatch, noise)
    unrelated = summarise_latent_space(trained, store, SETTINGS, 0)
    set_codes(monkeypatch, noise + 9 * store.labels()[:, None])
    ordered = summarise_latent_space(trained, store, SETTINGS, 0)
    value, low, high = paired_difference(ordered, unrelated, "style")
    assert value == pytest.approx(1, abs=0.1)
    assert 0.5 < low < value < high
    assert paired_difference(unrelated, unrelated, "style") == (0, 0, 0)
    # A 95 % interval: the spread over halves is the standard error of all images.
    spread = 1.96 * unrelated.half_sample_amis["style"].std(ddof=1)
    middle = unrelated.numbers["ami_style"]
    ends = [unrelated.numbers["ami_style_low"], unrelated.numbers["ami_style_high"]]
    assert ends == pytest.approx([middle - spread, middle + spread])
    apart = 1.96 * (ordered.half_sample_amis["style"] - unrelated.half_sample_amis["style"]).std(
        ddof=1
    )
    assert (high - value, value - low) == pytest.approx((apart, apart))


def test_losses_are_summed_and_per_pixel(trained: TrainedRun, store: Store) -> None:
    summary = summarise_latent_space(trained, store, SETTINGS, 0)
    rows = joint_table([summary], "losses").set_index(["split", "term"])
    valid = rows.loc[("valid", "reconstruction")]
    images = store.images[store.rows("valid")] / 255.0
    assert valid["value"] == pytest.approx(trained.history["valid_reconstruction"].iloc[-1])
    # ½ Σ (o − x)² over 32 × 32 × 3 numbers, as the mean of (o − x)².
    assert valid["per_pixel"] == pytest.approx(valid["value"] * 2 / images[0].size)
    latent = rows.loc[("valid", "kl")]
    assert latent["per_pixel"] == pytest.approx(latent["value"] / images[0].size)
    assert summary.numbers["valid_reconstruction_per_pixel"] == valid["per_pixel"]
    assert set(rows.index.get_level_values("term")) == {"reconstruction", "kl"}


def test_partitions_are_the_label_and_the_existing_columns(store: Store) -> None:
    style, side = partitions(store, ["side", "nothing"])
    assert (style.name, style.values) == ("style", ["class0", "class1"])
    np.testing.assert_array_equal(style.numbers, store.labels())
    assert side.values == ["left", "right"]
    assert (side.numbers == (store.index["side"] == "right")).all()


def test_a_style_with_one_image_is_left_out(store: Store) -> None:
    store.index.loc[3, "label"] = "single"
    store.index.loc[4, "label"] = None
    (style,) = partitions(store, [])
    assert style.values == ["class0", "class1"]
    assert style.numbers[3] == style.numbers[4] == -1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(None, "no label"), ("same", r"same \d+"), ("own", r"row\d+ 1")],
)
def test_images_without_two_styles_are_refused(
    store: Store, labels: str | None, expected: str
) -> None:
    store.index["label"] = (
        [f"row{i}" for i in range(len(store.index))] if labels == "own" else labels
    )
    with pytest.raises(UserError, match=f"found {expected}.*, expected at least two labels"):
        partitions(store, [])


def test_a_class_named_all_is_refused(store: Store) -> None:
    store.index["label"] = store.index["label"].replace("class0", "all")
    with pytest.raises(
        UserError, match=r"found a class 'all', expected another name: .*rename the class"
    ):
        partitions(store, [])


def test_too_few_validation_images_are_refused(trained: TrainedRun, store: Store) -> None:
    kept = np.flatnonzero(store.index["split"] == "valid")[MIN_IMAGES - 1 :]
    store.index.loc[kept, "split"] = "test"
    with pytest.raises(UserError, match=r"found 11 validation images, expected at least 12"):
        summarise_latent_space(trained, store, SETTINGS, 0)


def test_a_joint_table_has_the_rows_of_all_runs() -> None:
    summaries = [LatentSpaceSummary(name, name) for name in ("a", "b")]
    summaries[0].add_row("things", size=1)
    summaries[1].add_row("things", size=2)
    expected = pd.DataFrame({"run": ["a", "b"], "size": [1, 2]})
    pd.testing.assert_frame_equal(joint_table(summaries, "things"), expected)
    assert joint_table(summaries, "nothing").empty
