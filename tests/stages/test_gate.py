"""The gate over the output of `dvc metrics diff --json`, the noise of metrics, and its age."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.metrics.noise import NOISE, Noise, digest_of, write_noise
from latent_atlas.metrics.tolerance import COLUMNS
from latent_atlas.util.console import UserError
from stages.gate import compare_all, main, markdown_table, text_table
from tests.conftest import ROOT, run_in

Gate = Callable[..., list[str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a committed params.yaml alone."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    run_in(tmp_path, "git", "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    run_in(folder, "git", "add", "params.yaml")
    run_in(
        folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "parameters"
    )


@pytest.fixture
def run_gate(project: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """``run_gate(diff, …)`` runs the gate on this output of DVC and returns DVC's arguments."""
    original = subprocess.run

    def gate(diff: Any, *arguments: str, code: int = 0, warning: str = "") -> list[str]:
        commands: list[list[str]] = []

        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            if command[0] == "git":
                return original(command, **options)
            commands.append(command)
            out, err = (json.dumps(diff), warning) if code == 0 else ("", diff)
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["gate", *arguments])
        main()
        return commands[0][commands[0].index("diff") :]

    return gate


def write_table(sd: float, digest: str) -> None:
    write_noise(NOISE, [Noise("circles_vae", "psnr", 5, 20.0, sd, digest)])


def current_digest() -> str:
    return digest_of(reading.load(ROOT / "params.yaml"), ["circles_vae"])


def psnr(**values: float) -> dict[str, dict[str, dict[str, float]]]:
    """DVC's difference of one metric, ``run.psnr``, of which more is better."""
    return {"metrics/run.json": {"run.psnr": values}}


def circles(**values: float) -> dict[str, dict[str, dict[str, float]]]:
    """DVC's difference of one metric, ``circles_vae.psnr``."""
    return {"metrics/circles_vae.json": {"circles_vae.psnr": values}}


def test_an_improvement_passes(run_gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_gate(psnr(old=20.0, new=30.0)) == ["diff", "--json", "HEAD"]
    header, row, _, missing, last = capsys.readouterr().out.splitlines()
    assert header.split() == list(COLUMNS)
    assert row.split()[:7] == ["better", "run.psnr", "20", "30", "+10", "–", "–"]
    assert row.endswith("beyond the tolerance; no noise known")
    assert missing == "noise.csv: missing, so tolerances alone decide; run `make noise`"
    assert last.startswith("1 changed metrics: 1 better. noise: standard deviation")
    assert run_gate({}, "main", "trial") == ["diff", "--json", "main", "trial"]
    assert capsys.readouterr().out == "no metric changed\n"


@pytest.mark.parametrize(("sd", "worse"), [(0.0, True), (0.5, True), (2.0, False)])
def test_a_loss_within_the_noise_passes(
    sd: float, worse: bool, run_gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(sd, current_digest())
    if worse:
        with pytest.raises(UserError, match="1 of 1 changed metrics worse or missing"):
            run_gate(circles(old=20.0, new=17.0))
    else:
        run_gate(circles(old=20.0, new=17.0))
    output = capsys.readouterr().out
    assert ("within the noise" in output) == (not worse)
    assert "noise.csv" not in output, "it is up to date"


def test_a_change_without_a_direction_passes(
    run_gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    run_gate({"m": {"run.active_latents": {"old": 10.0, "new": 4.0}}})
    assert capsys.readouterr().out.splitlines()[1].startswith("changed  run.active_latents")


def test_metrics_without_noise_are_counted(
    run_gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(2.0, current_digest())
    run_gate(circles(old=20.0, new=20.1) | psnr(old=20.0, new=20.1))
    expected = "noise.csv: no noise known for 1 metrics; their tolerance decides"
    assert capsys.readouterr().out.splitlines()[-2] == expected


def test_noise_of_other_code_or_parameters_is_used_with_a_warning(
    run_gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(2.0, "0123456789ab")
    run_gate(circles(old=20.0, new=17.0))
    *_, stale, last = capsys.readouterr().out.splitlines()
    expected = "noise.csv: made for other code or parameters than HEAD (1 of 1 metrics); "
    assert stale == f"{expected}run `make noise`"
    assert last.startswith("1 changed metrics: 1 same.")


def test_the_parameters_of_the_old_revision_decide_the_age(
    run_gate: Gate, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(2.0, current_digest())
    values = reading.read(ROOT / "params.yaml") | {"latent_dim": 7}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    run_gate(circles(old=20.0, new=17.0))
    assert "noise.csv" not in capsys.readouterr().out, "an experiment in the workspace"
    commit(project)
    head = run_in(project, "git", "rev-parse", "HEAD").stdout.strip()
    run_in(project, "git", "update-ref", "refs/exps/ab/cdef/soft-hare", head)
    run_in(project, "git", "tag", "before", "HEAD~1")
    for revision, stale in (("HEAD", True), ("before", False), ("soft-hare", True)):
        run_gate(circles(old=20.0, new=17.0), revision)
        assert (f"than {revision} (1 of 1" in capsys.readouterr().out) == stale


def test_parameters_that_cannot_be_read_are_other_ones(
    run_gate: Gate, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(2.0, current_digest())
    run_gate(circles(old=20.0, new=17.0), "nowhere")
    line = "noise.csv: made for other code or parameters (params.yaml of nowhere: not found in git)"
    assert f"{line}; run `make noise`" in capsys.readouterr().out
    valid = Path("params.yaml").read_text()
    Path("params.yaml").write_text(f"speed: 1\n{valid}")
    commit(project)
    Path("params.yaml").write_text(valid)
    run_gate(circles(old=20.0, new=17.0))
    assert "parameters (params.yaml of HEAD: speed: " in capsys.readouterr().out


def test_markdown_for_a_review(run_gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(0.5, current_digest())
    run_gate(circles(old=20.0, new=25.0), "--md")
    header, line, row, *_ = capsys.readouterr().out.splitlines()
    assert header == f"| {' | '.join(COLUMNS)} |"
    assert line == "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    assert row.startswith("| better | circles_vae.psnr | 20 | 25 | +5 | 0.5 | 7.1 | beyond the ")


@pytest.mark.parametrize("values", [{"old": 30.0, "new": 20.0}, {"old": 30.0}])
def test_a_worse_or_missing_metric_fails(run_gate: Gate, values: dict[str, float]) -> None:
    with pytest.raises(UserError, match="1 of 1 changed metrics worse or missing"):
        run_gate(psnr(**values))


def test_an_error_of_dvc_is_reported(run_gate: Gate) -> None:
    with pytest.raises(UserError, match="dvc metrics diff failed: ERROR: unknown Git revision 'x'"):
        run_gate("a warning\nERROR: unknown Git revision 'x'\n", "x", code=255)


def test_metrics_that_dvc_could_not_read_are_not_new_ones(run_gate: Gate) -> None:
    warning = "DVC failed to load some metrics for following revisions:\n'HEAD'.\n"
    with pytest.raises(UserError, match=r"failed to load some metrics .* 'HEAD'\."):
        run_gate(psnr(new=1.0), warning=warning)


def test_every_file_and_metric_is_compared() -> None:
    difference = {
        "metrics/a.json": {"a.psnr": {"old": 2.0, "new": 1.0, "diff": -1.0}},
        "metrics/b.json": {
            "b.psnr": {"old": 1.0, "new": 2.0, "diff": 1.0},
            "c.psnr": {"old": 1.0},
        },
        "metrics/new.json": {"d.psnr": {"new": 1.0}},
    }
    verdicts = {change.metric: change.verdict for change in compare_all(difference, {}, {})}
    assert verdicts == {
        "a.psnr": "worse",
        "b.psnr": "better",
        "c.psnr": "missing",
        "d.psnr": "new",
    }


def test_no_difference_is_no_change() -> None:
    assert compare_all({}, {}, {}) == []


def test_columns_are_aligned() -> None:
    metrics = {"a.psnr": {"old": 2.0, "new": 1.0}, "long_run.ssim": {"old": 0.5}}
    lines = text_table(compare_all({"m": metrics}, {}, {})).splitlines()
    assert lines == [
        "verdict  metric         old  new  difference  noise  deviations  reason",
        "missing  long_run.ssim  0.5    –           –      –           –  no value any more",
        "worse    a.psnr           2    1          -1      –           –  beyond the tolerance; "
        "no noise known",
    ]
    rows = markdown_table(compare_all({"m": metrics}, {}, {})).splitlines()
    assert {row.count("|") for row in rows} == {len(COLUMNS) + 1}


def test_changes_are_sorted_by_verdict_file_and_metric() -> None:
    difference = {
        "metrics/b.json": {"c.psnr": change(2.0), "b.psnr": change(2.0), "e.psnr": change(1.0)},
        "metrics/a.json": {"a.psnr": change(2.0), "d.psnr": change(0.5)},
    }
    names = [one.metric for one in compare_all(difference, {}, {})]
    assert names == ["d.psnr", "a.psnr", "b.psnr", "c.psnr", "e.psnr"]


def change(new: float) -> dict[str, float]:
    return {"old": 1.0, "new": new}
