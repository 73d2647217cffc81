"""Values of params.yaml, and changes to them."""

from __future__ import annotations

from typing import Any

import pytest

from latent_atlas.config import reading
from tests.conftest import ROOT


@pytest.fixture
def values() -> dict[str, Any]:
    return reading.read(ROOT / "params.yaml")
