"""Image grids with labels and whole enlarged pixels, saved with deterministic bytes."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.text import Text

from latent_atlas.data.store import Images
from latent_atlas.util.files import write_bytes

matplotlib.use("Agg")
# Paths and class names may contain $; matplotlib must not read them as formulas.
matplotlib.rcParams["text.parse_math"] = False

Rows = npt.NDArray[np.int64]

DPI = 100

MAX_ROWS = 40
"""Rows of one picture. Of more latents the most active are shown, of more classes the largest."""

_GAP = 2
_LINE_PIXELS = 17
_CHARACTER_PIXELS = 6.6
_SMALL_LINE_PIXELS = 13
_SMALL_CHARACTER_PIXELS = 5.6


def save_grid(
    path: Path,
    images: Images,
    columns: int,
    title: str,
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    enlarge: int = 1,
    gap: int = _GAP,
) -> None:
    """Save images as a grid with a title, filled row by row.

    Args:
        path: the PNG to write.
        images: uint8 N×H×W×C with C 1 or 3.
        columns: images in a row.
        title: names run, data source and parameters; wrapped to the width.
        column_labels, row_labels: one per column or row; none by default. Column labels are
            wrapped at spaces to the width of an image.
        enlarge: each pixel becomes a square of this side.
        gap: white pixels between two images, before enlarging.
    """
    canvas = np.kron(tile(images, columns, gap), np.ones((enlarge, enlarge, 1), dtype=np.uint8))
    height, width, _ = canvas.shape
    left = max((len(label) for label in row_labels), default=0) * _CHARACTER_PIXELS + 8
    full_width = max(width + left + 8, 420)
    lines = textwrap.wrap(title, int(full_width / _CHARACTER_PIXELS) - 2)
    cell_height = (images.shape[1] + gap) * enlarge
    cell_width = (images.shape[2] + gap) * enlarge
    characters = max(1, int(cell_width / _SMALL_CHARACTER_PIXELS))
    headings = [textwrap.wrap(label, characters, break_long_words=False) for label in column_labels]
    deepest = max(map(len, headings), default=0)
    top = len(lines) * _LINE_PIXELS + 8 + (deepest * _SMALL_LINE_PIXELS + 4 if deepest else 0)
    full_height = height + top + 8
    figure = Figure(figsize=(full_width / DPI, full_height / DPI), dpi=DPI)
    figure.figimage(canvas, xo=round(left), yo=8, origin="upper")
    figure.text(
        8 / full_width,
        1 - 6 / full_height,
        "\n".join(lines),
        va="top",
        fontsize=8,
        linespacing=1.35,
    )
    for number, heading in enumerate(headings):
        x = (left + (number + 0.5) * cell_width - gap * enlarge / 2) / full_width
        label = "\n".join(heading)
        figure.text(x, (height + 12) / full_height, label, ha="center", fontsize=7, linespacing=1.2)
    for number, label in enumerate(row_labels):
        y = (8 + height - (number + 0.5) * cell_height + gap * enlarge / 2) / full_height
        figure.text((left - 5) / full_width, y, label, ha="right", va="center", fontsize=7)
    save_figure(path, figure)


def set_wrapped(text: Text, words: str) -> None:
    r"""Set the words of `text`, wrapped to the figure; matplotlib wraps a $ only as \$."""
    text.set(text=words.replace("$", r"\$"), wrap=True, parse_math=True)


def math_text() -> AbstractContextManager[None]:
    """Allow formulas in this block; matplotlib needs them for ticks of a logarithmic axis."""
    return matplotlib.rc_context({"text.parse_math": True})


def save_figure(path: Path, figure: Figure) -> None:
    """Save a figure as PNG, atomically and without metadata that differs between runs."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())


def tile(images: Images, columns: int, gap: int = _GAP) -> Images:
    """Arrange N×H×W×C images on a white H'×W'×3 canvas, row by row, `gap` pixels apart."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    cells = np.full((rows * columns, height + gap, width + gap, 3), 255, dtype=np.uint8)
    cells[:count, :height, :width] = images if channels == 3 else np.repeat(images, 3, axis=3)
    canvas = cells.reshape(rows, columns, height + gap, width + gap, 3).swapaxes(1, 2)
    grid = canvas.reshape(rows * (height + gap), columns * (width + gap), 3)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap] if gap else grid


def enlargement(height: int, width: int, target: int = 96) -> int:
    """The whole factor that brings the longer side closest to `target` pixels."""
    return max(1, round(target / max(height, width)))


def sample_rows(rows: Rows, count: int, seed: int) -> Rows:
    """`count` of `rows` at random, fixed by `seed`; with fewer rows they repeat in order."""
    return np.resize(np.random.default_rng([seed, 0]).permutation(rows), count)
