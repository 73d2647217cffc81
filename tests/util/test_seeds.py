"""Seeds: fixed values, on which all recorded results depend."""

from __future__ import annotations

from latent_atlas.util.seeds import seed_for


def test_seeds_have_their_recorded_values() -> None:
    assert seed_for("company", 3) == 1362366318763261616
    assert seed_for(0, "train", 1, 2) == 4359563225916841325
