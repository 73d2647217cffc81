"""Which change of a metric is noise, an improvement, or a loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config import reading
from latent_atlas.config.schema import Tolerance
from latent_atlas.metrics.tolerance import flatten, judge
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

GATE = {
    "*_loss": Tolerance(better="lower", relative=0.1),
    "psnr": Tolerance(better="higher", relative=0.1),
    "count": Tolerance(better="either", relative=0.0),
}


@pytest.mark.parametrize(
    ("metric", "old", "new", "verdict"),
    [
        ("run.valid_loss", 100.0, 109.9, "same"),
        ("run.valid_loss", 100.0, 111.0, "worse"),
        ("run.valid_loss", 100.0, 80.0, "better"),
        ("run.psnr", 20.0, 23.0, "better"),
        ("run.psnr", 20.0, 17.0, "worse"),
        ("run.psnr", -20.0, -17.0, "better"),
        ("run.count", 3.0, 3.0, "same"),
        ("run.count", 3.0, 2.0, "worse"),
        ("run.count", 3.0, 4.0, "worse"),
        ("run.psnr", None, 5.0, "new"),
        ("run.psnr", 5.0, None, "missing"),
        ("run.psnr", 5.0, float("nan"), "worse"),
        ("run.psnr", None, float("inf"), "worse"),
        ("run.psnr", float("nan"), 5.0, "better"),
        ("run.valid_loss", float("nan"), 5.0, "better"),
        ("run.count", float("inf"), 5.0, "better"),
    ],
)
def test_verdicts(metric: str, old: float | None, new: float | None, verdict: str) -> None:
    assert judge(metric, old, new, GATE).verdict == verdict


def test_a_metric_without_a_tolerance_is_refused() -> None:
    with pytest.raises(UserError, match=r"no pattern in params\.yaml fits the metric 'fid'"):
        judge("run.fid", 1.0, 2.0, GATE)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_what_is_better_forwards_is_worse_backwards_without_tolerance(a: float, b: float) -> None:
    gate = {"m": Tolerance(better="lower", relative=0.0)}
    verdicts = {judge("m", a, b, gate).verdict, judge("m", b, a, gate).verdict}
    assert verdicts == ({"same"} if a == b else {"better", "worse"})


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_every_metric_of_a_run_has_a_tolerance() -> None:
    gate = reading.load(ROOT / "params.yaml").gate
    names = [
        f"{split}_{term}{last}"
        for split in ("train", "valid")
        for term in ("reconstruction", "kl")
        for last in ("", "_last5")
    ]
    names += ["valid_kl_without_half_last5", "psnr", "ssim", "active_latents", "unused_latents"]
    for name in names:
        assert judge(f"run.{name}", 1.0, 1.0, gate).verdict == "same"
    assert judge("run.valid_reconstruction", 1.0, 2.0, gate).verdict == "worse"
    assert judge("run.psnr", 1.0, 2.0, gate).verdict == "better"
