"""The code that the kept files of a study follow from."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from stages.drawing import base, raster
from stages.drawing import scenes as drawn_scenes
from stages.lib import (
    clusters,
    disentanglement,
    factors,
    features,
    generation,
    loop,
    measure,
    mixes,
    nearest,
    neighbours,
    paths,
    quadrants,
    run,
    scenes,
    search,
    style,
    walks,
)
from stages.models import backbones


def _files_of(*modules: ModuleType) -> list[Path]:
    """The files of `modules`; of a package those of all modules right in it."""
    files: list[Path] = []
    for module in modules:
        file = Path(inspect.getfile(module))
        files += sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]
    return files


# By name, since inception imports torchvision, which is slow.
_BACKBONES = [
    Path(backbones.__file__).with_name(f"{name}.py")
    for name in ("backbones", "deepcluster", "efficientnet", "inception")
]

MEASURES = _files_of(measure, factors, disentanglement, run)
"""What decides the numbers of every cell, given its weights."""

WALKS = [*_files_of(walks, paths, style), *_BACKBONES]
"""What decides the paths between codes besides."""

MIXES = [
    *_files_of(scenes, generation, mixes, neighbours, quadrants, base, raster, drawn_scenes),
    *_BACKBONES,
]
"""What decides the measures of mixed scenes besides."""

NEIGHBOURS = [*_files_of(clusters, features, loop, nearest, quadrants, search), *_BACKBONES]
"""What decides the neighbours of quadrants; the loop makes their seeds."""
