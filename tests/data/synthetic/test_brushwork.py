from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.brushwork import _STYLES, RANGES, VALUES, _look, brushwork

SIDE = 64
STROKES = [name for name in RANGES if name.startswith("stroke_")]


def _points(count: int, side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    x, y = raster.axes(side, side)
    shape = (count, side, side)
    return np.broadcast_to(x / side, shape), np.broadcast_to(y / side, shape)


def _coarse(pictures: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """B×H×W×3 as means over 8×8 tiles."""
    b, h, w, _ = pictures.shape
    tiles = pictures.reshape(b, 8, h // 8, 8, w // 8, 3).mean(axis=(2, 4))
    return np.asarray(tiles, np.float64)


def test_scene_depends_on_content_factors_only() -> None:
    factors, other = brushwork.factors(20, 1), brushwork.factors(20, 2)
    edited = factors.assign(style=other["style"], **{name: other[name] for name in STROKES})
    x, y = _points(20, 32)
    for a, b in zip(_look(factors, x, y, 1.0), _look(edited, x, y, 1.0), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("style", VALUES["style"])
def test_every_style_shows_the_scene(style: str) -> None:
    factors = brushwork.factors(60, 3).assign(style=style)
    scene = _coarse(_look(factors, *_points(60, SIDE), 1.0)[0].transpose(0, 2, 3, 1))
    painted = _coarse(brushwork.render(factors, SIDE, SIDE))
    own = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(scene, painted, strict=True)]
    assert np.median(own) > 0.85
    assert min(own) > 0.6


def test_content_is_distinguishable_in_every_style() -> None:
    # The scene nearest to a painting, among scenes of all contents, is its own content's.
    factors = brushwork.factors(200, 4)
    scenes = _coarse(_look(factors, *_points(200, SIDE), 1.0)[0].transpose(0, 2, 3, 1))
    painted = _coarse(brushwork.render(factors, SIDE, SIDE))
    flat = scenes.reshape(200, -1)
    right = 0
    for k, picture in enumerate(painted.reshape(200, -1)):
        away = ((flat - picture) ** 2).sum(axis=1)
        away[k] = np.inf
        right += factors["content"].iloc[int(away.argmin())] == factors["content"].iloc[k]
    assert right >= 0.8 * 200


def _texture(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Statistics of differences between neighbouring pixels: little information about content."""
    grey = pictures.mean(axis=-1)
    across, down = np.diff(grey, axis=2)[:, :-1], np.diff(grey, axis=1)[:, :, :-1]
    colour = np.abs(np.diff(pictures.astype(float) - grey[..., None], axis=2)).mean(axis=(1, 2, 3))
    slant = (across * down).mean(axis=(1, 2)) / (across**2 + down**2).mean(axis=(1, 2))
    size = np.sqrt((across**2 + down**2).mean(axis=(1, 2)))
    flat = (np.abs(across) + np.abs(down) < 3).mean(axis=(1, 2))
    return np.stack([colour / size, slant, flat, np.log(size)], axis=1)


def test_style_is_distinguishable_in_unseen_contents() -> None:
    factors = brushwork.factors(400, 5)
    texture = _texture(brushwork.render(factors, SIDE, SIDE))
    texture = (texture - texture.mean(axis=0)) / texture.std(axis=0)
    style, content = factors["style"].to_numpy(), factors["content"].to_numpy()
    right = 0
    for held_out in VALUES["content"]:
        seen, unseen = content != held_out, content == held_out
        centres = np.stack([texture[seen & (style == s)].mean(axis=0) for s in VALUES["style"]])
        nearest = ((texture[unseen, None] - centres) ** 2).sum(axis=-1).argmin(axis=1)
        right += int((np.asarray(VALUES["style"])[nearest] == style[unseen]).sum())
    assert right >= 0.7 * len(factors)  # chance: 0.25


@pytest.mark.parametrize("style", VALUES["style"])
def test_other_strokes_leave_the_scene(style: str) -> None:
    factors = brushwork.factors(8, 6).assign(style=style)
    again = factors.assign(stroke_seed=(factors["stroke_seed"] + 0.5) % 1.0)
    a, b = (brushwork.render(f, SIDE, SIDE) for f in (factors, again))
    assert (a != b).any(axis=-1).mean() > 0.5
    assert np.corrcoef(_coarse(a).ravel(), _coarse(b).ravel())[0, 1] > 0.9


@pytest.mark.parametrize("style", VALUES["style"])
def test_no_stroke_outgrows_its_window(style: str) -> None:
    # A stroke may reach one and a half cells from its cell's middle: see _lay_strokes.
    largest = RANGES["stroke_size"][1]
    for layer in _STYLES[style].layers:
        tilt = layer.sway + 0.03
        turns = (
            np.linspace(0, 1, 400)
            if layer.turns is None
            else layer.turns + tilt * np.array([-1, 1])
        )
        cos, sin = np.abs(np.cos(2 * np.pi * turns)), np.abs(np.sin(2 * np.pi * turns))
        if layer.round:
            reach = np.sqrt((layer.length * cos) ** 2 + (layer.width * sin) ** 2)
            tall = np.sqrt((layer.length * sin) ** 2 + (layer.width * cos) ** 2)
        else:
            reach = layer.length * cos + layer.width * sin
            tall = layer.length * sin + layer.width * cos
        assert largest * max(reach.max(), tall.max()) + layer.shift <= 1.6


@pytest.mark.parametrize("style", ["dabs", "dots", "flats"])
def test_paint_covers_the_ground(style: str) -> None:
    factors = brushwork.factors(20, 7).assign(style=style)
    ground = np.asarray(_STYLES[style].ground)
    away = np.abs(brushwork.render(factors, SIDE, SIDE) - ground).max(axis=-1)
    assert (away < 2).mean() < 0.02
