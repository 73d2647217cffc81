"""One function of many things, by all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from joblib import Parallel, delayed

Given = TypeVar("Given")
Made = TypeVar("Made")


def by_all_cores(function: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
    """``function(x)`` of each x of `given`, in its order whatever the number of cores.

    In threads of this process, so only for work that is spent in compiled loops.
    """
    made: list[Made] = Parallel(n_jobs=-1, require="sharedmem")(
        delayed(function)(one) for one in given
    )
    return made
