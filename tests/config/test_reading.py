"""Reading of params.yaml: YAML that DVC reads in the same way, and overlays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config import reading
from latent_atlas.util.console import UserError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "not valid YAML"),
        ("3", "found int"),
        (
            "data:\n  art: {fit: pad, height: 64, fit: crop}",
            "the mapping has the key 'fit' twice",
        ),
        ("licence: 2024-13-45", "not valid YAML .month must be in"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(UserError, match=expected):
        reading.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(("written", "read"), [("010", 8), ("-0_11", -9), ("1:30", 90)])
def test_a_number_that_dvc_reads_differently_is_refused(
    tmp_path: Path, written: str, read: int
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"latent_dim: {written}")
    assert load_yaml(path)["latent_dim"] != read
    expected = (
        f"{written} is {read} here, but not to DVC; write {read}, or put quotes\n +in line 1, "
    )
    with pytest.raises(UserError, match=expected):
        reading.read(path)


@pytest.mark.parametrize("written", ["0", "-0", "00", "+5", "1_000", "0x1f", "0b11"])
def test_a_number_that_dvc_reads_in_the_same_way_is_accepted(tmp_path: Path, written: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"latent_dim: {written}")
    assert reading.read(path) == load_yaml(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params.yaml: cannot be read \(No such file"):
        reading.load(tmp_path / "params.yaml")


def test_dvc_can_interpolate_the_file() -> None:
    assert "${" not in (ROOT / "params.yaml").read_text(), "`-S` would replace it by its value"


nested = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from("abc"), nested), st.dictionaries(st.sampled_from("abc"), nested)
)
def test_laws_of_merging(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    merged = reading.merge(base, overlay)
    assert reading.merge(merged, overlay) == merged
    assert reading.merge(base, {}) == base
    assert set(merged) == set(base) | set(overlay)
    for key, value in overlay.items():
        if not isinstance(value, dict):
            assert merged[key] == value


def test_values_without_runs_are_valid(values: dict[str, Any]) -> None:
    params = reading.validate(reading.without_runs(values), "params.yaml")
    assert params.run_names() == params.interpolation.runs == []


def test_dvc_writes_the_file_back_unchanged_but_for_the_override(tmp_path: Path) -> None:
    before = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(before)
    apply_overrides(str(path), ["data.clothes.source=/somewhere/clothes"])
    lines = list(zip(before.splitlines(), path.read_text().splitlines(), strict=True))
    assert [new for old, new in lines if old != new] == ["    source: /somewhere/clothes"]
