from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.data.synthetic.circles import CHANNELS, circles_mono, circles_rgb


def _naive(x: float, y: float, r: float, height: int, width: int) -> list[list[int]]:
    x, y, r = x * width / 64, y * height / 96, r * min(width / 64, height / 96)
    return [
        [255 if (j + 0.5 - x) ** 2 + (i + 0.5 - y) ** 2 <= r**2 else 0 for j in range(width)]
        for i in range(height)
    ]


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(20, 44),
    y=st.floats(20, 44),
    r=st.floats(1, 20),
    size=st.sampled_from([(96, 64), (64, 64), (30, 41)]),
)
def test_pixels_of_a_circle(x: float, y: float, r: float, size: tuple[int, int]) -> None:
    picture = circles_mono.render(pd.DataFrame({"x": [x], "y": [y], "r": [r]}), *size)[0]
    for channel in range(3):
        np.testing.assert_array_equal(picture[..., channel], _naive(x, y, r, *size))


def test_ranges_are_those_of_the_thesis() -> None:
    assert circles_mono.ranges == {"x": (20, 44), "y": (20, 44), "r": (1, 20)}
    assert len(circles_rgb.ranges) == 9
    for channel in CHANNELS:
        for name, span in circles_mono.ranges.items():
            assert circles_rgb.ranges[f"{channel}_{name}"] == span


def test_every_circle_is_visible_and_stays_in_the_upper_two_thirds() -> None:
    factors = circles_mono.factors(2000, 1)
    pictures = circles_mono.render(factors, 96, 64)
    area = (pictures[..., 0] > 0).sum(axis=(1, 2))
    assert area.min() >= 1
    np.testing.assert_allclose(area, np.pi * factors["r"] ** 2, atol=14)
    assert not pictures[:, 64:].any()
    assert set(np.unique(pictures)) == {0, 255}


@pytest.mark.parametrize("k", range(3))
def test_rgb_channel_is_a_mono_circle_and_ignores_the_others(k: int) -> None:
    factors = circles_rgb.factors(50, 9)
    own = [f"{CHANNELS[k]}_{name}" for name in ("x", "y", "r")]
    channel = factors[own].set_axis(["x", "y", "r"], axis=1)
    pictures = circles_rgb.render(factors, 96, 64)
    np.testing.assert_array_equal(pictures[..., k], circles_mono.render(channel, 96, 64)[..., 0])


def test_scaling_keeps_a_circle_round() -> None:
    factors = pd.DataFrame({"x": [32.0], "y": [32.0], "r": [18.0]})
    for height, width in ((128, 128), (256, 64), (192, 128)):
        inside = circles_mono.render(factors, height, width)[0, ..., 0] > 0
        across, down = inside.any(axis=0).sum(), inside.any(axis=1).sum()
        assert abs(int(across) - int(down)) <= 1
