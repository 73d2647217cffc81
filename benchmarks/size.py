"""How much work a benchmark does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        rounds: how often each competitor is timed; a median needs at least three.
        steps: training steps in a turn; few of many begin on cold caches.
        turns: turns that a training has in a round.
        images: images that are trained on; the more, the less of a turn is validation.
        ingests: rounds of the ingestion.
        files: JPEG files of a short ingestion.
        many: JPEG files of a long one.
        drawn: images of each drawing.
        reads: groups of five images that are read at random.
        quadrants: how many of them have their neighbours found, in turn.
        searches: rounds of that.
        walks: paths whose style is measured.
        geodesics: pairs of codes.
        experiments: runs of `dvc exp run` with another β, some minutes each.
    """

    rounds: int
    steps: int
    turns: int
    images: int
    ingests: int
    files: int
    many: int
    drawn: int
    reads: int
    quadrants: tuple[int, ...]
    searches: int
    walks: int
    geodesics: int
    experiments: int


FULL = Size(
    rounds=25,
    steps=20,
    turns=1,
    images=10_000,
    ingests=3,
    files=500,
    many=5000,
    drawn=128,
    reads=200,
    quadrants=(10_000, 30_000, 100_000),
    searches=5,
    walks=40,
    geodesics=100,
    experiments=1,
)
QUICK = Size(
    rounds=3,
    steps=5,
    turns=1,
    images=2000,
    ingests=1,
    files=100,
    many=500,
    drawn=64,
    reads=40,
    quadrants=(10_000,),
    searches=3,
    walks=12,
    geodesics=10,
    experiments=0,
)
