"""Photo rules, colours and the choice of model photos, on drawn garments whose truth is known."""

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
from latent_atlas.shop.products.colours import EXAMPLES, lab, measured_colour, nearest
from latent_atlas.shop.products.photos import Measures
from latent_atlas.shop.products.schema import VALUES
from latent_atlas.shop.products.survey import survey

ROOT = Path(__file__).resolve().parents[3]
RULES = reading.load(ROOT / "params.yaml").products.rules
GARMENTS = DRAWINGS["garments"]


def _verdict(picture: Image.Image) -> str:
    pixels = photos.working_copy(picture)
    return photos.verdict(photos.measure(pixels, min(picture.size)), RULES)


def _blank(*boxes: tuple[int, int, int, int], ground: int = 250, side: int = 160) -> Image.Image:
    picture = Image.new("RGB", (side, side), (ground,) * 3)
    for box in boxes:
        ImageDraw.Draw(picture).rectangle(box, (40, 90, 170))
    return picture


def test_one_thing_on_white_is_a_product_photo() -> None:
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
def test_what_is_wrong_is_said(picture: Image.Image, reason: str) -> None:
    assert _verdict(picture) == reason


def test_drawn_garments_are_product_photos_and_models_are_not() -> None:
    factors = GARMENTS.factors(60, seed=11)
    good = [_verdict(Image.fromarray(pixels)) for pixels in drawn.packshots(factors)]
    assert good.count("") >= 56
    for kind in ("front", "back"):
        found = [_verdict(photo) for photo in drawn.worn(kind, factors, seed=1)]
        assert found.count("a person in the picture") >= 57
    busy = [_verdict(photo) for photo in drawn.faulty("busy", factors[:10], seed=1)]
    assert set(busy) == {"background not plain and bright"}
    small = [_verdict(photo) for photo in drawn.faulty("small", factors[:10], seed=1)]
    assert set(small) == {"too small"}


def test_a_white_garment_is_found_on_white() -> None:
    factors = GARMENTS.factors(40, seed=2).assign(color="white", pattern="unicolors")
    for pixels in GARMENTS.render(factors, 144, 108):
        figure, _ = photos.foreground(pixels)
        assert 0.03 < figure.mean() < 0.6


def test_colours_of_drawn_garments() -> None:
    factors = GARMENTS.factors(180, seed=4)
    found = [measured_colour(pixels) for pixels in GARMENTS.render(factors, 144, 108)]
    right = np.array(found) == factors["color"].to_numpy()
    assert right.mean() > 0.92
    plain = (factors["pattern"] == "unicolors").to_numpy()
    assert right[plain].mean() > 0.97


def test_nothing_has_no_colour() -> None:
    assert measured_colour(np.full((60, 40, 3), 250, np.uint8)) == ""


def test_the_examples_are_of_the_schema_and_name_themselves() -> None:
    assert tuple(EXAMPLES) == VALUES["color"]
    for number, colours in enumerate(EXAMPLES.values()):
        assert set(nearest(np.array(colours, np.uint8))) == {number}


def test_lab_of_known_colours() -> None:
    # Lindbloom's calculator, sRGB, D65.
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
@example(40247, 26, 2.0)  # two photos of which one is brighter by the limit everywhere
@settings(max_examples=30, deadline=None)
def test_duplicates_are_those_of_a_full_comparison(seed: int, count: int, near: float) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 256, (4, 16, 16, 3))
    noise = rng.integers(0, 3, (count, 16, 16, 3)) + rng.integers(0, 4, (count, 1, 1, 1))
    thumbs = np.clip(kinds[rng.integers(0, 4, count)] + noise, 0, 255).astype(np.uint8)
    assert photos.duplicates(thumbs, near) == _brute(thumbs, near)


def _photo(kind: str) -> Measures:
    factors = GARMENTS.factors(6, seed=9)
    photo = drawn.worn(kind, factors, seed=3)[2]
    return photos.measure(photos.working_copy(photo), min(photo.size))


def test_the_rule_prefers_whole_people_from_the_front() -> None:
    scores = {kind: model_photos.front_score(_photo(kind)) for kind in drawn.WORN_KINDS}
    assert scores["front"] > 0.95
    assert scores["front"] > scores["back"] + 0.15
    assert scores["front"] > scores["cropped"] + 0.15


def test_fair_hair_is_no_face() -> None:
    factors = GARMENTS.factors(40, seed=12)
    for kind, share in (("front", 0.95), ("back", 0.05)):
        shots = drawn.worn(kind, factors, seed=4)
        measured = [photos.measure(photos.working_copy(shot), min(shot.size)) for shot in shots]
        assert abs(np.mean([m.face > 0.3 for m in measured]) - share) <= 0.05


class _Colours:
    """Shards of one picture, and a backbone whose features are mean colours."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture

    def photo(self, path: str) -> Image.Image:
        return self._picture

    def features(self, images: Tensor, size: int) -> Tensor:
        return images.mean((2, 3))


def test_the_head_counts_twice_what_the_whole_photo_does() -> None:
    picture = Image.new("RGB", (200, 400), "white")
    ImageDraw.Draw(picture).rectangle((80, 100, 119, 299), "blue")
    ImageDraw.Draw(picture).rectangle((80, 100, 119, 149), "red")
    colours = _Colours(picture)
    seen = survey(["a"] * 9, colours, colours)  # type: ignore[arg-type]
    whole, head = seen.features[:, :3], seen.features[:, 3:]
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(head, axis=1), 2, rtol=1e-5)
    assert (np.ptp(seen.features, axis=0) < 1e-6).all()  # in whichever batch
    assert whole[0, 2] > whole[0, 0] > whole[0, 1]
    assert head[0, 0] > 1.2 * head[0, 2]


def _choice(examples: tuple[int, ...]) -> model_photos.Choice:
    """Three far clusters of 6, 5 and 4 photos: fronts, backs, cropped."""
    kinds = ["front"] * 6 + ["back"] * 5 + ["cropped"] * 4
    rng = np.random.default_rng(0)
    centres = {"front": (9, 0), "back": (0, 9), "cropped": (-9, -9)}
    features = np.array([centres[kind] for kind in kinds]) + rng.normal(0, 0.1, (15, 2))
    measures = {kind: _photo(kind) for kind in centres}
    return model_photos.choose(
        features.astype(np.float32), [measures[kind] for kind in kinds], 3, examples, seed=0
    )


def test_clusters_are_numbered_by_size_and_the_front_is_chosen() -> None:
    choice = _choice(())
    assert list(choice.clusters) == [0] * 6 + [1] * 5 + [2] * 4
    assert choice.chosen == (0,)


def test_examples_overrule_the_rule() -> None:
    assert _choice((7, 8)).chosen == (1,)


def test_one_photo_a_product() -> None:
    choice = _choice(())
    table = pd.DataFrame(
        {"id": [f"p{row % 4}" for row in range(15)], "path": [f"{row:02}" for row in range(15)]}
    )
    # The first product's best photo is not the one nearest to the centre.
    first = np.flatnonzero((table["id"] == "p0") & (choice.clusters == 0))
    far = first[choice.distance[first].argmax()]
    choice.single[far] += 0.5
    chosen = model_photos.one_each(table, choice)
    assert chosen["path"].iloc[0] == f"{far:02}"
    assert list(chosen["id"]) == ["p0", "p1", "p2", "p3"]
    assert set(chosen["path"]) <= set(table["path"][:6])
