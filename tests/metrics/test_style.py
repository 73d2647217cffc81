"""Style and content of images: Gatys' formula by hand, each image seen once, and an honest AUC."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from latent_atlas.data.store import Images
from latent_atlas.metrics import style
from latent_atlas.metrics.style import (
    Measure,
    content_code,
    separation,
    squared_distances,
    style_code,
)
from latent_atlas.models import backbones
from latent_atlas.util.console import UserError

LAYERS = {"conv1_1": 0.2, "conv2_1": 0.8}
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def measure() -> Measure:
    return Measure(backbones.load("vgg19_random"), LAYERS, 32, batch_size=5)


@pytest.fixture(scope="module")
def images() -> Images:
    return RANDOM.integers(0, 256, (12, 32, 32, 3), np.uint8)


def gatys(first: Tensor, second: Tensor) -> float:
    """Equation 4 of Gatys et al. (2016) for N×H×W maps, entry by entry."""
    channels, height, width = first.shape
    total = 0.0
    for i, j in itertools.product(range(channels), repeat=2):
        grams = [0.0, 0.0]
        for at, maps in enumerate((first, second)):
            for y, x in itertools.product(range(height), range(width)):
                grams[at] += float(maps[i, y, x]) * float(maps[j, y, x])
        total += (grams[0] - grams[1]) ** 2
    return total / (4 * channels**2 * (height * width) ** 2)


def test_style_loss_is_gatys_formula() -> None:
    maps = torch.from_numpy(RANDOM.normal(size=(3, 4, 2, 3)))
    codes = style_code(maps)
    assert codes.shape == (3, 10)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        found = float((codes[i] - codes[j]).square().sum())
        assert found == pytest.approx(gatys(maps[i], maps[j]))


def test_style_does_not_know_where_things_are() -> None:
    maps = torch.from_numpy(RANDOM.normal(size=(1, 4, 3, 3)))
    moved = maps.flatten(2)[..., torch.randperm(9)].view_as(maps)
    torch.testing.assert_close(style_code(maps), style_code(moved))
    assert (content_code(maps) - content_code(moved)).square().sum() > 0.1


def test_content_distance_is_of_directions_at_each_position() -> None:
    maps = torch.zeros(3, 2, 1, 2)
    maps[0, 0], maps[1, 0], maps[2, 1] = 1.0, 5.0, 1.0  # along the first map, farther, the second
    codes = content_code(maps)
    assert float((codes[0] - codes[1]).square().sum()) == pytest.approx(0)
    assert float((codes[0] - codes[2]).square().sum()) == pytest.approx(2)


def test_steps_of_paths_are_distances_of_codes(measure: Measure, images: Images) -> None:
    paths = images.reshape(3, 4, *images.shape[1:])
    found = measure.along(paths)
    styles, content = measure.codes(images)
    for path in range(3):
        for step in range(3):
            a, b = 4 * path + step, 4 * path + step + 1
            loss = sum(w * np.square(styles[k][a] - styles[k][b]).sum() for k, w in LAYERS.items())
            assert found.style[path, step] == pytest.approx(loss, rel=1e-3)
            away = sum(np.square(content[k][a] - content[k][b]).sum() for k in LAYERS)
            assert found.content[path, step] == pytest.approx(away, rel=1e-3)
        first, last = 4 * path, 4 * path + 3
        ends = sum(
            w * np.square(styles[k][first] - styles[k][last]).sum() for k, w in LAYERS.items()
        )
        way = np.sqrt(found.style[path]).sum()
        assert found.smoothness[path] == pytest.approx(ends**0.5 / way, rel=1e-3)
        assert 0 < found.smoothness[path] < 1


@pytest.mark.parametrize("size", [1, 3, 100])
def test_steps_do_not_depend_on_the_batch_size(measure: Measure, images: Images, size: int) -> None:
    paths = images.reshape(3, 4, *images.shape[1:])
    other = Measure(measure.backbone, LAYERS, 32, batch_size=size).along(paths)
    expected = measure.along(paths)
    for name in ("style", "content", "smoothness"):
        np.testing.assert_allclose(getattr(other, name), getattr(expected, name), rtol=1e-3)


def test_each_image_passes_the_backbone_once(
    measure: Measure, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = measure.backbone.maps

    def maps(batch: Tensor, *rest: object) -> dict[str, Tensor]:
        seen.append(len(batch))
        return real(batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(measure.backbone, "maps", maps)
    measure.along(images.reshape(3, 4, *images.shape[1:]))
    assert sum(seen) == len(images)


def test_a_path_that_stays_changes_nothing(measure: Measure, images: Images) -> None:
    found = measure.along(np.repeat(images[:1, None], 3, axis=1))
    assert found.style.max() < 1e-6 * np.square(measure.codes(images[:1])[0]["conv1_1"]).sum()
    assert found.content.max() < 1e-6


def test_an_unknown_layer_is_refused(measure: Measure) -> None:
    with pytest.raises(UserError, match=r"paths\.layers: vgg19_random has no 'block1'; expected"):
        Measure(measure.backbone, {"block1": 1.0})
    with pytest.raises(UserError, match=r"paths\.layers: found none; expected some of conv1_1"):
        Measure(measure.backbone, {})


def test_squared_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_COLUMNS", 2)
    codes = RANDOM.normal(size=(6, 5)).astype(np.float32) + 100
    expected = np.square(codes[:, None] - codes).sum(2)
    np.testing.assert_allclose(squared_distances(codes), expected, rtol=1e-4, atol=1e-6)
    assert np.all(np.diag(squared_distances(codes)) == 0)


def every_pair(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.ones((count, count), np.bool_)


def test_separation_of_labels_that_are_apart_alike_or_opposed() -> None:
    labels = np.arange(20) % 2
    place = labels[:, None] * 10.0 + RANDOM.normal(size=(20, 1)) * 0.1
    distances = np.abs(place - place.T)
    assert separation(distances, labels, every_pair(20), 0)[0] == 1
    assert separation(-distances, labels, every_pair(20), 0)[0] == 0
    assert separation(np.zeros((20, 20)), labels, every_pair(20), 0) == (0.5, 0.5, 0.5)


def test_separation_is_the_area_under_the_curve() -> None:
    labels = RANDOM.integers(0, 3, 40)
    codes = RANDOM.normal(size=(40, 4)).astype(np.float32) + labels[:, None] * 0.5
    distances = squared_distances(codes).round(1)  # with ties
    value, low, high = separation(distances, labels, every_pair(40), 0)
    first, second = np.triu_indices(40, 1)
    expected = roc_auc_score(labels[first] == labels[second], -distances[first, second])
    assert value == pytest.approx(expected)
    assert low < value < high
    assert high - low > 0.02


def test_separation_counts_only_what_it_is_told_to() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    distances = np.array([[0, 1, 9, 5, 5]] * 5, np.float64)
    distances = np.minimum(distances, distances.T)
    counted = every_pair(5)
    counted[0, 2] = counted[2, 0] = counted[1, 2] = counted[2, 1] = False
    with_all, _, _ = separation(distances, labels, every_pair(5), 0)
    without, _, _ = separation(distances, labels, counted, 0)
    assert with_all != without
    with pytest.raises(ValueError, match="no pairs"):
        separation(distances, np.zeros(5, np.int64), every_pair(5), 0)


def test_noise_separates_nothing() -> None:
    random = np.random.default_rng(1)
    distances = squared_distances(random.normal(size=(60, 3)).astype(np.float32))
    _, low, high = separation(distances, random.integers(0, 3, 60), every_pair(60), 0)
    assert low < 0.5 < high


def test_the_interval_is_as_wide_as_the_value_varies() -> None:
    """Over sets that share no image; weighing pairs by one of their images would say too little."""
    random = np.random.default_rng(2)
    labels = np.arange(40) % 2
    values, widths = [], []
    for _ in range(60):
        codes = random.normal(size=(40, 3)) + 0.8 * labels[:, None]
        distances = squared_distances(codes.astype(np.float32))
        value, low, high = separation(distances, labels, every_pair(40), 0, draws=100)
        values.append(value)
        widths.append((high - low) / 3.92)
    assert 0.75 < np.mean(widths) / np.std(values) < 1.4
