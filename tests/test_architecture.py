"""The architecture: imports go down only, and no stage imports a stage (docs/architecture.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = (
    ("util",),
    ("config",),
    ("data",),
    ("models",),
    ("training",),
    ("metrics",),
    ("plots",),
    ("analysis",),
    ("report", "shop", "studies"),
)
LEVELS = {package: level for level, layer in enumerate(LAYERS) for package in layer}
MODULES = sorted(path for top in ("latent_atlas", "stages") for path in (ROOT / top).rglob("*.py"))
TOP_LEVEL = ROOT / "latent_atlas" / "__init__.py"  # re-exports the API, lazily


def layer_of(module: str) -> str:
    """``latent_atlas.config.runs`` → ``config``; ``stages.train`` → ``stages.train``."""
    parts = module.split(".")
    return parts[1] if parts[0] == "latent_atlas" and len(parts) > 1 else module


def imported_modules(source: str) -> set[str]:
    """The modules of this repository that a source imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in ("latent_atlas", "stages")}


def violations(module: str, source: str) -> set[str]:
    """The imports of a module that go up, or from a stage to a stage."""
    here = layer_of(module)
    forbidden = set()
    for name in imported_modules(source):
        there = layer_of(name)
        up = here in LEVELS and there != here and LEVELS.get(there, 99) >= LEVELS[here]
        if up or name.startswith("stages"):
            forbidden.add(name)
    return forbidden


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path: Path) -> None:
    if path != TOP_LEVEL:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert violations(module, path.read_text()) == set()


def test_every_package_has_a_layer() -> None:
    packages = {path.name for path in (ROOT / "latent_atlas").iterdir() if path.is_dir()}
    assert packages - {"__pycache__"} == set(LEVELS)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("stages.train", "from stages.evaluate import main"),
        ("latent_atlas.util.files", "import stages.train"),
        ("latent_atlas.models.vae", "from latent_atlas.training import loop"),
        ("latent_atlas.data.store", "def f():\n    from latent_atlas.models.base import Model"),
        ("latent_atlas.report.page", "from latent_atlas.studies import plan"),
    ],
)
def test_an_import_up_or_sideways_is_reported(module: str, line: str) -> None:
    assert violations(module, line)


def test_only_two_modules_open_params_yaml() -> None:
    """The arithmetic is set up before a library loads that the schema would import."""
    opened = [path for path in MODULES if 'Path("params.yaml")' in path.read_text()]
    assert {path.name for path in opened} == {"reading.py", "arithmetic.py"}


REMOVED = re.compile(
    r"company|crowd|crew|errand|teller|judge[ds]?|strangers?|door|house|room|told|alone|asked",
    re.IGNORECASE,
)
"""Metaphors of earlier versions that are no names any more (CHANGELOG.md has the new ones)."""

PLAIN = {"_house"}
"""Plain uses: one of the object classes of the drawn scenes."""


def identifiers(source: str) -> set[str]:
    """The names that a source defines: functions, classes, arguments, variables, attributes."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def removed_words(source: str) -> set[str]:
    """The identifiers of a source of which a part is a removed word."""
    parts = {
        name: re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_")
        for name in identifiers(source)
    }
    used = {name for name, words in parts.items() if any(map(REMOVED.fullmatch, words))}
    return used - PLAIN


SOURCES = sorted([*MODULES, *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_identifier_is_a_removed_metaphor(path: Path) -> None:
    assert removed_words(path.read_text()) == set()


def test_a_removed_metaphor_is_reported() -> None:
    source = "class _Crew:\n    def f(self, told): self.is_alone = 1"
    assert removed_words(source) == {"_Crew", "told", "is_alone"}


QUESTION = re.compile(r"(What|How|Which|Whether|Where|Why|Who|When|Does|Do|Is|Are)\b")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_title_of_a_module_is_a_noun_phrase(path: Path) -> None:
    title = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert not QUESTION.match(title), title.splitlines()[0]
