"""What `make` hands on of what it is given."""

from __future__ import annotations

import shlex
import shutil

import pytest

from tests.conftest import ROOT, run_in

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.mark.parametrize("path", ["/tmp/clothes", "/tmp/it's here/x", "/a $HOME/b", "a&b?c#d"])  # noqa: S108
def test_paths_reach_the_command_as_they_were_given(path: str) -> None:
    asked = f"SOURCE={path}"
    words = _words("study", asked, "ONLY=beta=1,4 seed=0", "STUDY=digits")
    assert words[words.index("--source") + 1] == path
    assert words[words.index("--only") + 1] == "beta=1,4 seed=0"
    assert f"scrape.shop={path}" in _words("crawl", asked.replace("SOURCE", "SHOP"))


def _words(*asked: str) -> list[str]:
    told = run_in(ROOT, "make", "--no-print-directory", "-n", "-o", "setup", *asked).stdout
    return shlex.split(told.splitlines()[-1] if "crawl" in asked else told)
