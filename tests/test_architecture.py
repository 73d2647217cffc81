"""The house: imports go down, never up, never sideways; only one module reads params.yaml."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

GROUND = {"models", "drawing"}
MODULES = sorted((ROOT / "stages").rglob("*.py"))


def floor(room: str) -> int:
    return 0 if room in GROUND else 1 if room == "lib" else 2


def imported_rooms(source: str) -> set[str]:
    """The rooms of `stages` that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("stages.")}


def faults(room: str, source: str) -> set[str]:
    """The rooms that a module in `room` imports and must not."""
    return {
        other
        for other in imported_rooms(source)
        if other != room and (floor(other) > floor(room) or floor(other) == floor(room) == 2)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    parts = path.relative_to(ROOT / "stages").parts
    if len(parts) > 1:
        assert faults(parts[0], path.read_text()) == set()


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("train", "from stages.evaluate import figures"),
        ("lib", "import stages.train"),
        ("models", "from stages.lib import params"),
        ("drawing", "def f():\n    from latent_atlas.data.store import Store"),
    ],
)
def test_an_import_upwards_or_sideways_is_found(room: str, line: str) -> None:
    assert faults(room, line)


def test_only_params_reads_params_yaml() -> None:
    readers = [
        path
        for path in MODULES
        if "yaml.safe_load" in path.read_text() and path.name != "params.py"
    ]
    assert all("params.yaml" not in path.read_text() for path in readers)
    mentions = [path for path in MODULES if 'Path("params.yaml")' in path.read_text()]
    assert [path.name for path in mentions] == ["params.py"]
