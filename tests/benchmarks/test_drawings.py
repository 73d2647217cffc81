"""The rates of the drawings."""

from __future__ import annotations

from benchmarks import drawings
from latent_atlas.data.synthetic.registry import DRAWINGS
from tests.benchmarks.sizes import TINY


def test_every_drawing_has_a_rate() -> None:
    results = drawings.measure_drawing(TINY)
    assert len(results) == len(DRAWINGS)
    assert all(any(name in result.name for result in results) for name in DRAWINGS)
    for result in results:
        assert len(result.rounds) == TINY.rounds
        assert min(result.rounds) > 0
