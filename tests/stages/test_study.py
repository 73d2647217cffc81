"""The command of studies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from stages.study import main
from tests.studies.conftest import Writer, tiny  # noqa: F401 - a fixture


def test_a_wrong_selection_writes_nothing(
    tiny: Writer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny()
    monkeypatch.setattr(sys, "argv", ["study", "tiny", "--only", "beta=7"])
    with pytest.raises(UserError, match=r"^--only: no cell has beta '7'"):
        main()
    assert not Path(".cache").exists()
