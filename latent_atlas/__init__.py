"""Latent Atlas: a library that maps what image models learn.

``from latent_atlas import open_run`` opens a trained run, see `latent_atlas.training.checkpoint`.

Imports go down only (``tests/test_architecture.py``): studies, report and shop use analysis; that
uses plots, metrics and training; then come models, data, config and util.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latent_atlas.training.checkpoint import open_run

__all__ = ["open_run"]

# OpenMP reads this variable when it is loaded: threads that wait for each other spin for a few
# microseconds and then sleep. With OpenMP's default, a hundred times as long, training beside other
# work was ten to thirty times slower; without spinning it was a fifth slower on a quiet machine.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def __getattr__(name: str) -> Any:
    """Import `open_run` at its first use: commands that need no PyTorch start without it."""
    if name != "open_run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from latent_atlas.training.checkpoint import open_run

    return open_run
