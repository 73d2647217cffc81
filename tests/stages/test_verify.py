"""What `make verify` makes of two reproductions, and of one beside what the commit recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.util.console import UserError
from stages import verify
from tests.conftest import ROOT

SAME = {"data/a": "1", "models/a": "2"}
PSNR = {"run.psnr": 20.0}


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    found: list[dict[str, str]],
    metrics: tuple[dict[str, float], dict[str, float]] = ({}, {}),
) -> None:
    """Let clones have the outputs `found`, in turn, and the metrics before and after."""
    outputs, numbers = iter(found), iter(metrics)
    monkeypatch.setattr(verify, "clone", lambda *_: None)
    monkeypatch.setattr(verify, "reproduce", lambda *_: None)
    monkeypatch.setattr(verify, "outputs", lambda _: next(outputs))
    monkeypatch.setattr(verify, "_metrics", lambda _: next(numbers))


def test_two_equal_reproductions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, [SAME, dict(SAME)])
    verify._twice(Path(), Path(), None)
    assert capsys.readouterr().out == "verify: two reproductions, all 2 outputs bit-equal\n"


@pytest.mark.parametrize("second", [{**SAME, "models/a": "3"}, {"data/a": "1"}])
@pytest.mark.parametrize("turned", [False, True])
def test_two_reproductions_that_differ(
    monkeypatch: pytest.MonkeyPatch, second: dict[str, str], turned: bool
) -> None:
    pretend(monkeypatch, [second, SAME] if turned else [SAME, second])
    with pytest.raises(UserError, match=r"differ in 1 of \d outputs: models/a"):
        verify._twice(Path(), Path(), None)


def test_models_may_differ_from_the_commit_within_the_tolerances(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, [SAME, {**SAME, "models/a": "3"}], (PSNR, {"run.psnr": 20.1}))
    verify._against_commit(Path(), ROOT)
    assert capsys.readouterr().out.splitlines() == [
        "verify: data/: 1 of 1 bit-equal",
        "verify: models/: 0 of 1 bit-equal",
        "same     run.psnr: 20 → 20.1",
        "verify: data bit-equal, 1 metrics within their tolerances",
    ]


@pytest.mark.parametrize("after", [{"run.psnr": 10.0}, {"run.psnr": 30.0}, {}])
def test_a_metric_that_is_another_one_or_gone(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, float]
) -> None:
    pretend(monkeypatch, [SAME, SAME], (PSNR, after))
    with pytest.raises(UserError, match=r"1 metrics beyond their tolerance: run\.psnr"):
        verify._against_commit(Path(), ROOT)


@pytest.mark.parametrize("made", [{**SAME, "data/a": "9"}, {"models/a": "2"}])
def test_data_that_are_not_the_commits(
    monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
) -> None:
    pretend(monkeypatch, [SAME, made])
    with pytest.raises(UserError, match="data differ from the commit's: data/a"):
        verify._against_commit(Path(), ROOT)


def test_a_commit_that_recorded_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, [{}])
    with pytest.raises(UserError, match=r"HEAD has no dvc\.lock"):
        verify._against_commit(Path(), ROOT)


def test_the_tolerances_are_the_commits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = reading.read(ROOT / "params.yaml")
    values["gate"] = {"*": {"better": "higher", "relative": 0.3}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    pretend(monkeypatch, [SAME, SAME], (PSNR, {"run.psnr": 24.0}))
    verify._against_commit(ROOT, tmp_path)
    assert "same     run.psnr: 20 → 24" in capsys.readouterr().out
