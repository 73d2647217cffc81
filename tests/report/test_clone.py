"""Clones with an overlay, and the outputs that a lock file records."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from latent_atlas.config import reading
from latent_atlas.report import verification
from latent_atlas.report.clone import clone, outputs, reproduce
from latent_atlas.util.console import UserError
from tests.conftest import ROOT, run_in

LOCK = """
schema: '2.0'
stages:
  a: {cmd: x, outs: [{path: data/a, md5: 1.dir}, {path: models/a, md5: '2'}]}
  b: {cmd: y, deps: [{path: data/a, md5: 1.dir}]}
"""


def test_outputs_of_a_lock(tmp_path: Path) -> None:
    assert outputs(tmp_path) == {}
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert outputs(tmp_path) == {"data/a": "1.dir", "models/a": "2"}
    states = tmp_path / "data" / "dvc.lock"
    states.parent.mkdir(parents=True)
    states.write_text("stages: {s: {outs: [{path: data/a.source.json, md5: '3'}]}}")
    assert outputs(tmp_path) == {"data/a": "1.dir", "models/a": "2", "data/a.source.json": "3"}


def test_a_clone_has_the_commit_and_the_overlay(copied_repository: Path, tmp_path: Path) -> None:
    (copied_repository / "left_behind.txt").write_text("not committed")
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("beta: 7\ndata: {paintings: {height: 64}}\n")
    clone(copied_repository, tmp_path / "clone", overlay)
    assert not (tmp_path / "clone" / "left_behind.txt").exists()
    before, after = (
        reading.load(folder / "params.yaml") for folder in (copied_repository, tmp_path / "clone")
    )
    assert (after.beta, after.data["paintings"].height) == (7, 64)
    assert after.data["paintings"].width == before.data["paintings"].width
    assert run_in(tmp_path / "clone", "git", "status", "--short").stdout == " M params.yaml\n"


def test_a_clone_does_not_use_a_shared_cache(
    copied_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc" / "config").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "dvc"))
    clone(copied_repository, tmp_path / "clone", None)
    printed = run_in(tmp_path / "clone", sys.executable, "-m", "dvc", "cache", "dir").stdout.strip()
    assert Path(printed).resolve() == (tmp_path / "clone" / ".dvc" / "cache").resolve()
    assert run_in(tmp_path / "clone", "git", "status", "--short").stdout == ""


def test_a_wrong_overlay_is_named(copied_repository: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("bta: 7\n")
    with pytest.raises(UserError, match=r"overlay.yaml: bta: unknown key; did you mean 'beta'"):
        clone(copied_repository, tmp_path / "clone", overlay)


def test_metrics_that_the_commit_lacks_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = {"a": {"psnr": 20.0}}

    def committed(repository: Path, folder: Path, overlay: Path | None) -> None:
        (folder / "metrics").mkdir(parents=True)
        (folder / "dvc.lock").write_text(LOCK)
        shutil.copy(ROOT / "params.yaml", folder)
        (folder / "metrics" / "a.json").write_text(json.dumps(recorded))

    def rewrite(folder: Path, repository: Path) -> None:
        (folder / "metrics" / "a.json").write_text(json.dumps(recorded))

    monkeypatch.setattr(verification, "clone", committed)
    monkeypatch.setattr(verification, "reproduce", rewrite)
    verification.verify_commit(ROOT, tmp_path / "same")
    assert "1 metrics within their tolerances" in capsys.readouterr().out

    def more(folder: Path, repository: Path) -> None:
        (folder / "metrics" / "b.json").write_text(json.dumps({"b": {"psnr": 21.0}}))

    monkeypatch.setattr(verification, "reproduce", more)
    with pytest.raises(UserError, match=r"1 metrics that the commit did not record: b\.psnr"):
        verification.verify_commit(ROOT, tmp_path / "more")


def test_a_failure_shows_the_end_of_the_log(
    copied_repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied_repository / "dvc.yaml").write_text("stages: {a: {cmd: 'echo reason; exit 3'}}")
    for jobs in (1, 2):
        with pytest.raises(UserError, match="failed in"):
            reproduce(copied_repository, ROOT, jobs, tmp_path / "log")
        assert "reason" in capsys.readouterr().err
