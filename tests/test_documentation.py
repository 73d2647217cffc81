"""The documentation: titles, links, length of the README, and removed words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_architecture import QUESTION

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "studies/*/README.md")
    for path in ROOT.glob(pattern)
)
PROSE = [path for path in PAGES if path.name != "CHANGELOG.md"]  # it lists the old names

REMOVED = re.compile(r"\b(crowd|crew|errand|teller|judged?|strangers?|doors?)\b", re.IGNORECASE)


def prose_of(path: Path) -> str:
    """The text of a page without its code blocks."""
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def titles_of(text: str) -> list[str]:
    return [line.lstrip("# ") for line in text.splitlines() if re.match(r"#+ ", line)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_titles_are_noun_phrases(path: Path) -> None:
    assert not [title for title in titles_of(prose_of(path)) if QUESTION.match(title)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose_of(path))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_removed_words_are_gone(path: Path) -> None:
    assert REMOVED.findall(prose_of(path)) == []


def test_every_guide_starts_with_a_command() -> None:
    for path in (ROOT / "docs" / "guide").glob("*.md"):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert lines[0].startswith("# "), path
        assert lines[1].startswith("```"), path


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
