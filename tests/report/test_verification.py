"""Verification: two reproductions, and one reproduction against the commit."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.report import verification
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

SAME = {"data/a": "1", "models/a": "2"}
PSNR = {"run.psnr": 20.0}


def fake_reproductions(
    monkeypatch: pytest.MonkeyPatch,
    hashes: list[dict[str, str]],
    metrics: tuple[dict[str, float], dict[str, float]] = ({}, {}),
) -> None:
    """Replace the clones by outputs with these `hashes`, in turn, and metrics before and after."""
    outputs, numbers = iter(hashes), iter(metrics)
    monkeypatch.setattr(verification, "clone", lambda *_: None)
    monkeypatch.setattr(verification, "reproduce", lambda *_: None)
    monkeypatch.setattr(verification, "outputs", lambda _: next(outputs))
    monkeypatch.setattr(verification, "_metrics", lambda _: next(numbers))


def test_two_equal_reproductions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_reproductions(monkeypatch, [SAME, dict(SAME)])
    verification.verify_twice(Path(), Path(), None)
    assert capsys.readouterr().out == "verify: two reproductions, all 2 outputs bit-equal\n"


@pytest.mark.parametrize("second", [{**SAME, "models/a": "3"}, {"data/a": "1"}])
@pytest.mark.parametrize("swapped", [False, True])
def test_two_reproductions_that_differ(
    monkeypatch: pytest.MonkeyPatch, second: dict[str, str], swapped: bool
) -> None:
    fake_reproductions(monkeypatch, [second, SAME] if swapped else [SAME, second])
    with pytest.raises(UserError, match=r"differ in 1 of \d outputs: models/a"):
        verification.verify_twice(Path(), Path(), None)


def test_models_may_differ_from_the_commit_within_the_tolerances(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_reproductions(monkeypatch, [SAME, {**SAME, "models/a": "3"}], (PSNR, {"run.psnr": 20.1}))
    verification.verify_commit(Path(), ROOT)
    assert capsys.readouterr().out.splitlines() == [
        "verify: data/: 1 of 1 bit-equal",
        "verify: models/: 0 of 1 bit-equal",
        "same     run.psnr: 20 → 20.1",
        "verify: data bit-equal, 1 metrics within their tolerances",
    ]


@pytest.mark.parametrize("after", [{"run.psnr": 10.0}, {"run.psnr": 30.0}, {}])
def test_a_metric_beyond_its_tolerance_or_missing(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, float]
) -> None:
    fake_reproductions(monkeypatch, [SAME, SAME], (PSNR, after))
    with pytest.raises(UserError, match=r"1 metrics beyond their tolerance: run\.psnr"):
        verification.verify_commit(Path(), ROOT)


@pytest.mark.parametrize("reproduced", [{**SAME, "data/a": "9"}, {"models/a": "2"}])
def test_data_that_differ_from_the_commit(
    monkeypatch: pytest.MonkeyPatch, reproduced: dict[str, str]
) -> None:
    fake_reproductions(monkeypatch, [SAME, reproduced])
    with pytest.raises(UserError, match="data differ from those of the commit: data/a"):
        verification.verify_commit(Path(), ROOT)


def test_a_commit_without_a_lock_file(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_reproductions(monkeypatch, [{}])
    with pytest.raises(UserError, match=r"HEAD has no dvc\.lock"):
        verification.verify_commit(Path(), ROOT)


def test_overrides_of_the_commit_apply(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = reading.read(ROOT / "params.yaml")
    values["gate"] = {"*": {"better": "higher", "relative": 0.3}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    fake_reproductions(monkeypatch, [SAME, SAME], (PSNR, {"run.psnr": 24.0}))
    verification.verify_commit(ROOT, tmp_path)
    assert "same     run.psnr: 20 → 24" in capsys.readouterr().out
