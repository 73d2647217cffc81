"""Drawn garments, made once."""

from __future__ import annotations

import pytest

from latent_atlas.data.store import Store
from tests.translations import draw_garments


@pytest.fixture(scope="session")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return draw_garments(tmp_path_factory.mktemp("data"))
