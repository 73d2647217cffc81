"""Style loss and content distance: the formulas, changes along sequences, AUC of pairs."""

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
    StyleMeasure,
    content_code,
    pair_auc,
    squared_distances,
    style_code,
)
from latent_atlas.models import backbones
from latent_atlas.util.console import FieldError

LAYERS = {"conv1_1": 0.2, "conv2_1": 0.8}
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def measure() -> StyleMeasure:
    return StyleMeasure(backbones.load("vgg19_random"), LAYERS, 32, batch_size=5)


@pytest.fixture(scope="module")
def images() -> Images:
    return RANDOM.integers(0, 256, (12, 32, 32, 3), np.uint8)


def gatys(first: Tensor, second: Tensor) -> float:
    """Equation 4 of Gatys et al. (2016) for N×H×W maps, entry by entry."""
    channels, height, width = first.shape
    total = 0.0
    for i, j in itertools.product(range(channels), repeat=2):
        grams = [0.0, 0.0]
        for number, maps in enumerate((first, second)):
            for y, x in itertools.product(range(height), range(width)):
                grams[number] += float(maps[i, y, x]) * float(maps[j, y, x])
        total += (grams[0] - grams[1]) ** 2
    return total / (4 * channels**2 * (height * width) ** 2)


def test_style_loss_is_the_formula_of_gatys() -> None:
    maps = torch.from_numpy(RANDOM.normal(size=(3, 4, 2, 3)))
    codes = style_code(maps)
    assert codes.shape == (3, 10)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        distance = float((codes[i] - codes[j]).square().sum())
        assert distance == pytest.approx(gatys(maps[i], maps[j]))


def test_style_does_not_depend_on_positions_and_content_does() -> None:
    maps = torch.from_numpy(RANDOM.normal(size=(1, 4, 3, 3)))
    permuted = maps.flatten(2)[..., torch.randperm(9)].view_as(maps)
    torch.testing.assert_close(style_code(maps), style_code(permuted))
    assert (content_code(maps) - content_code(permuted)).square().sum() > 0.1


def test_content_distance_compares_directions_at_each_position() -> None:
    maps = torch.zeros(3, 2, 1, 2)
    maps[0, 0], maps[1, 0], maps[2, 1] = (
        1.0,
        5.0,
        1.0,
    )  # first map, first map again but larger, second map
    codes = content_code(maps)
    assert float((codes[0] - codes[1]).square().sum()) == pytest.approx(0)
    assert float((codes[0] - codes[2]).square().sum()) == pytest.approx(2)


def test_changes_along_sequences_are_distances_of_codes(
    measure: StyleMeasure, images: Images
) -> None:
    changes = measure.changes(images.reshape(3, 4, *images.shape[1:]))
    styles, content = measure.codes(images)
    for row in range(3):
        for step in range(3):
            a, b = 4 * row + step, 4 * row + step + 1
            loss = sum(w * np.square(styles[k][a] - styles[k][b]).sum() for k, w in LAYERS.items())
            assert changes.style[row, step] == pytest.approx(loss, rel=1e-3)
            distance = sum(np.square(content[k][a] - content[k][b]).sum() for k in LAYERS)
            assert changes.content[row, step] == pytest.approx(distance, rel=1e-3)
        first, last = 4 * row, 4 * row + 3
        ends = sum(
            w * np.square(styles[k][first] - styles[k][last]).sum() for k, w in LAYERS.items()
        )
        total = np.sqrt(changes.style[row]).sum()
        assert changes.smoothness[row] == pytest.approx(ends**0.5 / total, rel=1e-3)
        assert 0 < changes.smoothness[row] < 1


@pytest.mark.parametrize("size", [1, 3, 100])
def test_changes_do_not_depend_on_the_batch_size(
    measure: StyleMeasure, images: Images, size: int
) -> None:
    sequences = images.reshape(3, 4, *images.shape[1:])
    other = StyleMeasure(measure.backbone, LAYERS, 32, batch_size=size).changes(sequences)
    expected = measure.changes(sequences)
    for name in ("style", "content", "smoothness"):
        np.testing.assert_allclose(getattr(other, name), getattr(expected, name), rtol=1e-3)


def test_each_image_passes_the_backbone_once(
    measure: StyleMeasure, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    original = measure.backbone.maps

    def maps(batch: Tensor, *rest: object) -> dict[str, Tensor]:
        counts.append(len(batch))
        return original(batch, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(measure.backbone, "maps", maps)
    measure.changes(images.reshape(3, 4, *images.shape[1:]))
    assert sum(counts) == len(images)


def test_a_constant_sequence_has_no_changes(measure: StyleMeasure, images: Images) -> None:
    changes = measure.changes(np.repeat(images[:1, None], 3, axis=1))
    assert changes.style.max() < 1e-6 * np.square(measure.codes(images[:1])[0]["conv1_1"]).sum()
    assert changes.content.max() < 1e-6


def test_an_unknown_layer_is_refused(measure: StyleMeasure) -> None:
    with pytest.raises(FieldError, match=r"^layers: vgg19_random has no 'block1'; expected some"):
        StyleMeasure(measure.backbone, {"block1": 1.0})
    with pytest.raises(FieldError, match=r"^layers: found none; expected some of conv1_1"):
        StyleMeasure(measure.backbone, {})


def test_squared_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_COLUMNS", 2)
    codes = RANDOM.normal(size=(6, 5)).astype(np.float32) + 100
    expected = np.square(codes[:, None] - codes).sum(2)
    np.testing.assert_allclose(squared_distances(codes), expected, rtol=1e-4, atol=1e-6)
    assert np.all(np.diag(squared_distances(codes)) == 0)


def all_pairs(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.ones((count, count), np.bool_)


def test_auc_of_distant_equal_and_opposed_labels() -> None:
    labels = np.arange(20) % 2
    position = labels[:, None] * 10.0 + RANDOM.normal(size=(20, 1)) * 0.1
    distances = np.abs(position - position.T)
    assert pair_auc(distances, labels, all_pairs(20), 0)[0] == 1
    assert pair_auc(-distances, labels, all_pairs(20), 0)[0] == 0
    assert pair_auc(np.zeros((20, 20)), labels, all_pairs(20), 0) == (0.5, 0.5, 0.5)


def test_auc_is_the_area_under_the_curve() -> None:
    labels = RANDOM.integers(0, 3, 40)
    codes = RANDOM.normal(size=(40, 4)).astype(np.float32) + labels[:, None] * 0.5
    distances = squared_distances(codes).round(1)  # with ties
    value, low, high = pair_auc(distances, labels, all_pairs(40), 0)
    first, second = np.triu_indices(40, 1)
    expected = roc_auc_score(labels[first] == labels[second], -distances[first, second])
    assert value == pytest.approx(expected)
    assert low < value < high
    assert high - low > 0.02


def test_auc_includes_only_the_counted_pairs() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    distances = np.array([[0, 1, 9, 5, 5]] * 5, np.float64)
    distances = np.minimum(distances, distances.T)
    counted = all_pairs(5)
    counted[0, 2] = counted[2, 0] = counted[1, 2] = counted[2, 1] = False
    with_all, _, _ = pair_auc(distances, labels, all_pairs(5), 0)
    without, _, _ = pair_auc(distances, labels, counted, 0)
    assert with_all != without
    with pytest.raises(ValueError, match="expected pairs of equal and of different labels"):
        pair_auc(distances, np.zeros(5, np.int64), all_pairs(5), 0)


def test_auc_of_noise_is_one_half() -> None:
    random = np.random.default_rng(1)
    distances = squared_distances(random.normal(size=(60, 3)).astype(np.float32))
    _, low, high = pair_auc(distances, random.integers(0, 3, 60), all_pairs(60), 0)
    assert low < 0.5 < high


def test_the_interval_is_as_wide_as_the_spread_of_the_auc() -> None:
    """The spread over sets that share no image. Resampled pairs would give too narrow intervals."""
    random = np.random.default_rng(2)
    labels = np.arange(40) % 2
    values, widths = [], []
    for _ in range(60):
        codes = random.normal(size=(40, 3)) + 0.8 * labels[:, None]
        distances = squared_distances(codes.astype(np.float32))
        value, low, high = pair_auc(distances, labels, all_pairs(40), 0, draws=100)
        values.append(value)
        widths.append((high - low) / 3.92)
    assert 0.75 < np.mean(widths) / np.std(values) < 1.4
