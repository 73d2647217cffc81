"""Import closures of this repository's modules, read from the source without running it.

A stage of the pipeline, and a cell of a study, depends on the code that it can reach by imports.
Both take that code from here, so that no list is kept by hand.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages."""

PACKAGES = ("latent_atlas", "stages")

EXEMPT = {
    "latent_atlas": "sets environment variables and imports lazily; it computes nothing",
    "stages": "sets up the arithmetic, whose parameters are among a stage's params",
    "latent_atlas.config": "re-exports nothing; it computes nothing",
    "latent_atlas.config.charts": "names of charts; the modules of a study's charts are added",
    "latent_atlas.config.messages": "words of errors; the values are among a stage's params",
    "latent_atlas.config.reading": "reading of params.yaml; the values are among a stage's params",
    "latent_atlas.config.registry": "names of models; a run's own modules are added to its deps",
    "latent_atlas.config.runs": "schema of the runs; the values are among a stage's params",
    "latent_atlas.config.schema": "schema of params.yaml; the values are among a stage's params",
    "latent_atlas.config.section": "base class of the schema; it computes nothing",
    "latent_atlas.config.translation": "schema of the runs; the values are among a stage's params",
    "latent_atlas.metrics.tolerance": "definitions for comparing metrics; no output uses them",
    "latent_atlas.util.arithmetic": "the values are among a stage's params",
    "latent_atlas.util.console": "output to the terminal; it writes no file",
    "latent_atlas.util.imports": "fingerprints of unfinished work; they reach no output",
}
"""Module → why nothing depends on it. Neither it nor what it imports is part of a closure."""


def path_of(module: str) -> Path | None:
    """The file of a dotted module name below `ROOT`; None if it is not one of `PACKAGES`."""
    if module.split(".")[0] not in PACKAGES:
        return None
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def closure(modules: Iterable[str]) -> list[Path]:
    """The files that these modules can reach by imports, themselves included.

    Imports within functions count, those under ``if TYPE_CHECKING:`` do not. Empty files and
    `EXEMPT` modules are left out.

    Args:
        modules: dotted names, e.g. ``"stages.train"``.

    Returns:
        Sorted absolute paths.

    Raises:
        ModuleNotFoundError: if there is no such module below `ROOT`.
    """
    waiting, seen, files = list(modules), set[str](), set[Path]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = path_of(module)
        if path is None:
            raise ModuleNotFoundError(f"no module {module} in {ROOT}")
        if module in EXEMPT:
            continue
        if path.stat().st_size:
            files.add(path)
        waiting += imports_of(path, path.stat().st_mtime_ns)
    return sorted(files)


@cache
def imports_of(path: Path, changed: int) -> tuple[str, ...]:
    """The modules of `PACKAGES` that a file imports, with the packages that hold them.

    Args:
        path: a Python file.
        changed: its time of change, so that an edited file is read again.
    """
    names = set[str]()
    for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parents = {".".join(name.split(".")[:size]) for name in names for size in range(1, 9)}
    return tuple(sorted(name for name in names | parents if path_of(name) is not None))


def code_digest(modules: Iterable[str]) -> str:
    """SHA-256 of the code in the closure of `modules`, as hexadecimal digits.

    The syntax trees are hashed without docstrings, so that a changed comment, docstring or line
    break leaves the digest as it is.
    """
    digest = hashlib.sha256()
    for path in closure(modules):
        name = path.relative_to(ROOT).as_posix()
        digest.update(f"{name}\0{_bare_code(path, path.stat().st_mtime_ns)}\0".encode())
    return digest.hexdigest()


@cache
def _bare_code(path: Path, changed: int) -> str:
    """The code of a file without comments and docstrings, in one normal form."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_text(line: ast.AST) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (node for other in child.orelse for node in ast.walk(other))
        else:
            yield child
            yield from _executed(child)
