"""The code that the kept files of a study follow from."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

from latent_atlas.analysis import interpolation, scene_mixing
from latent_atlas.analysis.interpolation import curves
from latent_atlas.analysis.neighbours import build, knn
from latent_atlas.analysis.scene_mixing import mixes
from latent_atlas.data import clustering, features, neighbour_table, tiles
from latent_atlas.data.synthetic import base, raster
from latent_atlas.data.synthetic import scenes as drawn_scenes
from latent_atlas.metrics import disentanglement, factors, generative, reconstruction, style
from latent_atlas.models import backbones
from latent_atlas.training import checkpoint, loop


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

MEASURES = _files_of(reconstruction, factors, disentanglement, checkpoint)
"""What decides the numbers of every cell, given its weights."""

WALKS = [*_files_of(interpolation, curves, style), *_BACKBONES]
"""What decides the paths between codes besides."""

MIXES = [
    *_files_of(scene_mixing, generative, mixes, neighbour_table, tiles, base, raster, drawn_scenes),
    *_BACKBONES,
]
"""What decides the measures of mixed scenes besides."""

NEIGHBOURS = [*_files_of(clustering, features, loop, build, tiles, knn), *_BACKBONES]
"""What decides the neighbours of quadrants; the loop makes their seeds."""
