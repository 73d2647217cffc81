"""Photo rules, colours and the choice of model photos, on drawn garments with known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torch import Tensor

from latent_atlas.config import reading
from latent_atlas.data.store import Images
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.shop.crawl.drawn import photos as drawn
from latent_atlas.shop.products import model_photos, photos
from latent_atlas.shop.products.colours import EXAMPLES, lab, measured_colour, nearest_colours
from latent_atlas.shop.products.measured_photos import measure_photos
from latent_atlas.shop.products.photos import Measures
from latent_atlas.shop.products.schema import VALUES

ROOT = Path(__file__).resolve().parents[3]
RULES = reading.load(ROOT / "params.yaml").products.rules
GARMENTS = DRAWINGS["garments"]


def _verdict(picture: Image.Image) -> str:
    pixels = photos.working_copy(picture)
    return photos.verdict(photos.measure_photo(pixels, min(picture.size)), RULES)


def _blank(*boxes: tuple[int, int, int, int], ground: int = 250, side: int = 160) -> Image.Image:
    picture = Image.new("RGB", (side, side), (ground,) * 3)
    for box in boxes:
        ImageDraw.Draw(picture).rectangle(box, (40, 90, 170))
    return picture


def test_one_object_on_white_is_a_product_photo() -> None:
    assert _verdict(_blank((50, 30, 110, 130))) == ""


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (_blank((50, 30, 110, 130)).resize((90, 120)), "too small"),
        (_blank((50, 30, 110, 130), ground=90), "background not plain and bright"),
        (_blank((0, 0, 160, 60)), "background not plain and bright"),
        (_blank((70, 70, 74, 74)), "garment too small or too large in the picture"),
        (_blank(), "garment too small or too large in the picture"),
        (_blank((20, 40, 60, 120), (100, 40, 140, 120)), "more than one garment"),
    ],
)
def test_a_verdict_names_the_reason(picture: Image.Image, reason: str) -> None:
    assert _verdict(picture) == reason


def test_garments_are_product_photos_and_people_are_not() -> None:
    factors = GARMENTS.factors(60, seed=11)
    verdicts = [_verdict(Image.fromarray(pixels)) for pixels in drawn.draw_packshots(factors)]
    assert verdicts.count("") >= 56
    for kind in ("front", "back"):
        verdicts = [_verdict(photo) for photo in drawn.draw_worn(kind, factors, seed=1)]
        assert verdicts.count("a person in the picture") >= 57
    busy = [_verdict(photo) for photo in drawn.draw_faulty("busy", factors[:10], seed=1)]
    assert set(busy) == {"background not plain and bright"}
    small = [_verdict(photo) for photo in drawn.draw_faulty("small", factors[:10], seed=1)]
    assert set(small) == {"too small"}


def test_a_white_garment_on_white_is_foreground() -> None:
    factors = GARMENTS.factors(40, seed=2).assign(color="white", pattern="unicolors")
    for pixels in GARMENTS.render(factors, 144, 108):
        mask, _ = photos.foreground(pixels)
        assert 0.03 < mask.mean() < 0.6


def test_colours_of_drawn_garments_are_measured() -> None:
    factors = GARMENTS.factors(180, seed=4)
    colours = [measured_colour(pixels) for pixels in GARMENTS.render(factors, 144, 108)]
    correct = np.array(colours) == factors["color"].to_numpy()
    assert correct.mean() > 0.92
    plain = (factors["pattern"] == "unicolors").to_numpy()
    assert correct[plain].mean() > 0.97


def test_an_empty_picture_has_no_colour() -> None:
    assert measured_colour(np.full((60, 40, 3), 250, np.uint8)) == ""


def test_each_example_colour_has_its_own_name() -> None:
    assert tuple(EXAMPLES) == VALUES["color"]
    for number, colours in enumerate(EXAMPLES.values()):
        assert set(nearest_colours(np.array(colours, np.uint8))) == {number}


def test_lab_of_reference_colours() -> None:
    # Values of Lindbloom's calculator for sRGB and D65.
    pixels = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    expected = np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]])
    assert np.allclose(lab(pixels), expected, atol=0.02)


def _brute(thumbs: Images, near: float) -> list[int]:
    flat = thumbs.reshape(len(thumbs), -1).astype(int)
    return [
        next((j for j in range(i) if np.abs(flat[i] - flat[j]).mean() <= near), -1)
        for i in range(len(flat))
    ]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.sampled_from([0.0, 0.5, 2.0]))
@example(40247, 26, 2.0)  # two photos that differ by exactly the limit in every pixel
@settings(max_examples=30, deadline=None)
def test_duplicates_equal_those_of_a_full_comparison(seed: int, count: int, near: float) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 256, (4, 16, 16, 3))
    noise = rng.integers(0, 3, (count, 16, 16, 3)) + rng.integers(0, 4, (count, 1, 1, 1))
    thumbs = np.clip(kinds[rng.integers(0, 4, count)] + noise, 0, 255).astype(np.uint8)
    assert photos.duplicates(thumbs, near) == _brute(thumbs, near)


def _photo(kind: str) -> Measures:
    factors = GARMENTS.factors(6, seed=9)
    photo = drawn.draw_worn(kind, factors, seed=3)[2]
    return photos.measure_photo(photos.working_copy(photo), min(photo.size))


def test_whole_people_from_the_front_have_the_best_score() -> None:
    scores = {kind: model_photos.front_score(_photo(kind)) for kind in drawn.WORN_KINDS}
    assert scores["front"] > 0.95
    assert scores["front"] > scores["back"] + 0.15
    assert scores["front"] > scores["cropped"] + 0.15


def test_fair_hair_is_not_a_face() -> None:
    factors = GARMENTS.factors(40, seed=12)
    for kind, share in (("front", 0.95), ("back", 0.05)):
        shots = drawn.draw_worn(kind, factors, seed=4)
        measured = [
            photos.measure_photo(photos.working_copy(shot), min(shot.size)) for shot in shots
        ]
        assert abs(np.mean([m.face > 0.3 for m in measured]) - share) <= 0.05


class _Colours:
    """Shards with one picture, and a backbone whose features are mean colours."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture

    def photo(self, path: str) -> Image.Image:
        return self._picture

    def features(self, images: Tensor, size: int) -> Tensor:
        return images.mean((2, 3))


def test_the_head_has_twice_the_weight_of_the_whole_photo() -> None:
    picture = Image.new("RGB", (200, 400), "white")
    ImageDraw.Draw(picture).rectangle((80, 100, 119, 299), "blue")
    ImageDraw.Draw(picture).rectangle((80, 100, 119, 149), "red")
    colours = _Colours(picture)
    measured = measure_photos(["a"] * 9, colours, colours)  # type: ignore[arg-type]
    whole, head = measured.features[:, :3], measured.features[:, 3:]
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(head, axis=1), 2, rtol=1e-5)
    assert (np.ptp(measured.features, axis=0) < 1e-6).all()  # in all batches
    assert whole[0, 2] > whole[0, 0] > whole[0, 1]
    assert head[0, 0] > 1.2 * head[0, 2]


def _choice(examples: tuple[int, ...]) -> model_photos.Choice:
    """Three distant clusters of 6 front, 5 back and 4 cropped views."""
    kinds = ["front"] * 6 + ["back"] * 5 + ["cropped"] * 4
    rng = np.random.default_rng(0)
    centres = {"front": (9, 0), "back": (0, 9), "cropped": (-9, -9)}
    features = np.array([centres[kind] for kind in kinds]) + rng.normal(0, 0.1, (15, 2))
    measures = {kind: _photo(kind) for kind in centres}
    return model_photos.choose_kinds(
        features.astype(np.float32), [measures[kind] for kind in kinds], 3, examples, seed=0
    )


def test_clusters_are_numbered_by_size_and_front_views_are_chosen() -> None:
    choice = _choice(())
    assert list(choice.clusters) == [0] * 6 + [1] * 5 + [2] * 4
    assert choice.chosen == (0,)


def test_examples_override_the_rule() -> None:
    assert _choice((7, 8)).chosen == (1,)


def test_one_photo_per_product_is_chosen() -> None:
    choice = _choice(())
    table = pd.DataFrame(
        {"id": [f"p{row % 4}" for row in range(15)], "path": [f"{row:02}" for row in range(15)]}
    )
    # The best photo of the first product is not the one nearest to the centre.
    first = np.flatnonzero((table["id"] == "p0") & (choice.clusters == 0))
    far = first[choice.distance[first].argmax()]
    choice.single[far] += 0.5
    chosen = model_photos.best_per_product(table, choice)
    assert chosen["path"].iloc[0] == f"{far:02}"
    assert list(chosen["id"]) == ["p0", "p1", "p2", "p3"]
    assert set(chosen["path"]) <= set(table["path"][:6])
