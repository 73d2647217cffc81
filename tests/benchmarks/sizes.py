"""A benchmark of seconds."""

from __future__ import annotations

from benchmarks.size import Size

TINY = Size(
    rounds=2,
    steps=1,
    warm_up=2,
    images=500,
    ingests=1,
    files=12,
    many=24,
    drawn=4,
    reads=3,
    quadrants=(700,),
    searches=2,
    interpolations=4,
    geodesics=2,
    experiments=0,
)
