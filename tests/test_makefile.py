"""Variables of `make` reach the commands unchanged."""

from __future__ import annotations

import shlex
import shutil

import pytest

from tests.conftest import ROOT, run_in

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.mark.parametrize("path", ["/tmp/clothes", "/tmp/it's here/x", "/a $HOME/b", "a&b?c#d"])  # noqa: S108
def test_paths_reach_the_command_unchanged(path: str) -> None:
    source = f"SOURCE={path}"
    words = _words("study", source, "ONLY=beta=1,4 seed=0", "STUDY=digits")
    assert words[words.index("--source") + 1] == path
    assert words[words.index("--only") + 1] == "beta=1,4 seed=0"
    assert f"scrape.shop={path}" in _words("crawl", f"SHOP={path}")


def _words(*arguments: str) -> list[str]:
    printed = run_in(ROOT, "make", "--no-print-directory", "-n", "-o", "setup", *arguments).stdout
    return shlex.split(printed.splitlines()[-1] if "crawl" in arguments else printed)
