"""The rates of the drawings."""

from __future__ import annotations

from benchmarks import drawings
from latent_atlas.data.synthetic.registry import DRAWINGS
from tests.benchmarks.sizes import TINY


def test_every_drawing_has_a_rate() -> None:
    figures = drawings.measure(TINY)
    assert len(figures) == len(DRAWINGS)
    assert all(any(name in figure.name for figure in figures) for name in DRAWINGS)
    for figure in figures:
        assert len(figure.rounds) == TINY.rounds
        assert min(figure.rounds) > 0
