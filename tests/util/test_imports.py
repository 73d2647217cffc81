"""Import closures: complete, without exempt modules, and blind to comments and docstrings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latent_atlas.util import imports

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """``write("latent_atlas/a.py", text)`` writes a file of a repository of its own."""
    monkeypatch.setattr(imports, "ROOT", tmp_path)

    def write_file(name: str, text: str = "") -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write_file("latent_atlas/__init__.py")
    write_file("stages/__init__.py")
    return write_file


def names(modules: list[str]) -> list[str]:
    return [path.relative_to(imports.ROOT).as_posix() for path in imports.closure(modules)]


def test_imports_are_followed_in_every_form(write: Write) -> None:
    write("latent_atlas/p/__init__.py", "from latent_atlas.p.q import f")
    write("latent_atlas/p/q.py", "f = 1")
    write("latent_atlas/a.py", "import latent_atlas.b")
    write("latent_atlas/b.py", "def g():\n    from latent_atlas import c")
    write(
        "latent_atlas/c.py",
        "try:\n    from latent_atlas.p import f\nexcept ImportError:\n    f = 0",
    )
    write("latent_atlas/unused.py", "x = 1")
    write("stages/s.py", "from latent_atlas.a import x\nimport os")
    expected = ["a", "b", "c", "p/__init__", "p/q"]
    assert names(["stages.s"]) == [*(f"latent_atlas/{name}.py" for name in expected), "stages/s.py"]


def test_imports_for_type_checkers_do_not_count(write: Write) -> None:
    write("latent_atlas/a.py", "x = 1")
    write("latent_atlas/b.py", "x = 1")
    text = "if TYPE_CHECKING:\n    import latent_atlas.a\nelse:\n    import latent_atlas.b"
    write("stages/s.py", text)
    assert names(["stages.s"]) == ["latent_atlas/b.py", "stages/s.py"]


def test_exempt_modules_end_the_search(write: Write) -> None:
    write("latent_atlas/util/console.py", "import latent_atlas.a")
    write("latent_atlas/a.py", "x = 1")
    write("stages/s.py", "from latent_atlas.util.console import say")
    assert names(["stages.s"]) == ["stages/s.py"]


def test_an_unknown_module_is_refused(write: Write) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module stages\.nothing"):
        imports.closure(["stages.nothing"])


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ('"""Other title."""\n# Other comment.\ndef f(x):\n    return x + 1  # why\n', True),
        ('"""Title."""\n\n\ndef f(x):\n    """Details."""\n\n    return (x\n        + 1)\n', True),
        ('"""Title."""\ndef f(x):\n    return x + 2\n', False),
        ('"""Title."""\ndef f(x):\n    return x + 1\nSTEPS = 3\n', False),
    ],
    ids=["comments", "docstrings and line breaks", "constant", "new name"],
)
def test_the_digest_depends_on_nothing_but_code(write: Write, changed: str, same: bool) -> None:
    write("latent_atlas/a.py", '"""Title."""\ndef f(x):\n    return x + 1\n')
    write("stages/s.py", "from latent_atlas.a import f")
    before = imports.code_digest(["stages.s"])
    write("latent_atlas/a.py", changed)
    assert (imports.code_digest(["stages.s"]) == before) is same


def test_the_digest_depends_on_the_names_of_the_files(write: Write) -> None:
    write("latent_atlas/a.py", "x = 1")
    write("latent_atlas/b.py", "x = 1")
    assert imports.code_digest(["latent_atlas.a"]) != imports.code_digest(["latent_atlas.b"])


def test_every_exempt_module_exists_and_has_a_reason() -> None:
    for module, reason in imports.EXEMPT.items():
        assert imports.path_of(module) is not None, module
        assert len(reason.split()) >= 4


STAGES = ("sources", "train", "evaluate", "mixing", "report")
LOADED = (
    "import sys, stages.{stage}; "
    "print(*(name for name in sys.modules if name.split('.')[0] in ('latent_atlas', 'stages')))"
)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_an_interpreter_loads_nothing_beyond_the_closure(stage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(stage=stage)],
        cwd=imports.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    closure = set(imports.closure([f"stages.{stage}"]))
    for module in done.stdout.split():
        path = imports.path_of(module)
        assert path is not None
        beyond = path not in closure and path.stat().st_size > 0
        assert not beyond or module in imports.EXEMPT or _through_exempt(module), module


def _through_exempt(module: str) -> bool:
    """Whether an exempt module imports it, e.g. the arithmetic of code grids for the schema."""
    return any(
        module in imports.imports_of(path, 0)
        for path in map(imports.path_of, imports.EXEMPT)
        if path is not None
    )
