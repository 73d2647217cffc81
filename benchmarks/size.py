"""Amount of work of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Numbers of rounds, images and files.

    Attributes:
        rounds: timed rounds of each competitor; a median needs at least three.
        steps: timed training steps in a round.
        warm_up: training steps before them.
        images: training images; more of them make validation rarer.
        ingests: rounds of the ingestion.
        files: JPEG files of a short ingestion.
        many: JPEG files of a long one.
        drawn: images of each drawing.
        reads: groups of five images read in random order.
        quadrants: numbers of quadrants whose neighbours are searched.
        searches: rounds of the neighbour search.
        interpolations: those whose style loss is measured.
        geodesics: pairs of codes.
        experiments: runs of `dvc exp run` with another β; each takes some minutes.
    """

    rounds: int
    steps: int
    warm_up: int
    images: int
    ingests: int
    files: int
    many: int
    drawn: int
    reads: int
    quadrants: tuple[int, ...]
    searches: int
    interpolations: int
    geodesics: int
    experiments: int


FULL = Size(
    rounds=15,
    steps=40,
    warm_up=10,
    images=10_000,
    ingests=3,
    files=500,
    many=5000,
    drawn=128,
    reads=200,
    quadrants=(10_000, 30_000, 100_000),
    searches=5,
    interpolations=40,
    geodesics=100,
    experiments=1,
)
QUICK = Size(
    rounds=3,
    steps=5,
    warm_up=3,
    images=2000,
    ingests=1,
    files=100,
    many=500,
    drawn=64,
    reads=40,
    quadrants=(10_000,),
    searches=3,
    interpolations=12,
    geodesics=10,
    experiments=0,
)
