"""Definitions of metrics, and comparison of two values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config.schema import MetricOverride
from latent_atlas.metrics import tolerance
from latent_atlas.metrics.tolerance import Metric, compare, definitions_of, flatten, metric_of
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

COMMITTED = {
    name.rpartition(".")[2]
    for path in (ROOT / "metrics").glob("*.json")
    for name in flatten(json.loads(path.read_text(encoding="utf-8")))
}

WIDE = {
    "valid_reconstruction": MetricOverride(relative=0.1),
    "psnr": MetricOverride(relative=0.1),
    "products": MetricOverride(relative=0.0),
}


@pytest.mark.parametrize("name", sorted(COMMITTED))
def test_every_committed_metric_has_exactly_one_definition(name: str) -> None:
    assert len(list(definitions_of(name))) == 1


@pytest.mark.parametrize(
    ("name", "better", "relative", "unit"),
    [
        ("valid_reconstruction_last5", "lower", 0.02, "nats per image"),
        ("valid_reconstruction_per_pixel", "lower", 0.02, "per pixel"),
        ("train_kl_without_half_last5", "either", 0.05, "nats per image"),
        ("psnr", "higher", 0.02, "dB"),
        ("near_psnr", "higher", 0.02, "dB"),
        ("active_latents", "either", 0.3, ""),
        ("mig_low", "higher", 0.1, ""),
        ("sap", "higher", 0.2, ""),
        ("dci_lasso_disentanglement_high", "higher", 0.1, ""),
        ("gaussian_total_correlation", "either", 0.5, "nats"),
        ("random_frechet_efficientnet_lite0", "lower", 0.05, ""),
        ("near_kid", "lower", 0.1, ""),
        ("near_recall", "higher", 0.2, ""),
        ("recall", "higher", 0.02, ""),
        ("model_photo_rate", "higher", 0.02, ""),
        ("object_probe_accuracy", "higher", 0.1, ""),
        ("color_accuracy", "higher", 0.02, ""),
        ("agreement_chance", "either", 0.02, ""),
        ("ami_style_k_means", "either", 0.3, ""),
        ("energy_prior_p", "either", 0.3, ""),
        ("energy", "either", 0.1, ""),
        ("distance_to_codes", "lower", 0.1, ""),
        ("distance_to_codes_change_low", "either", 0.5, ""),
        ("style_all_auc_content", "either", 0.05, ""),
        ("separates", "higher", 0.0, ""),
    ],
)
def test_definitions(name: str, better: str, relative: float, unit: str) -> None:
    assert list(definitions_of(name)) == [(better, relative, unit)]


@pytest.mark.parametrize(
    ("metric", "old", "new", "verdict"),
    [
        ("run.valid_reconstruction", 100.0, 109.9, "same"),
        ("run.valid_reconstruction", 100.0, 111.0, "worse"),
        ("run.valid_reconstruction", 100.0, 80.0, "better"),
        ("run.psnr", 20.0, 23.0, "better"),
        ("run.psnr", 20.0, 17.0, "worse"),
        ("run.psnr", -20.0, -17.0, "better"),
        ("run.products", 3.0, 3.0, "same"),
        ("run.products", 3.0, 2.0, "worse"),
        ("run.products", 3.0, 4.0, "worse"),
        ("run.psnr", None, 5.0, "new"),
        ("run.psnr", 5.0, None, "missing"),
        ("run.psnr", 5.0, float("nan"), "worse"),
        ("run.psnr", None, float("inf"), "worse"),
        ("run.psnr", float("nan"), 5.0, "better"),
        ("run.valid_reconstruction", float("nan"), 5.0, "better"),
        ("run.products", float("inf"), 5.0, "better"),
    ],
)
def test_verdicts(metric: str, old: float | None, new: float | None, verdict: str) -> None:
    assert compare(metric, old, new, WIDE).verdict == verdict


def test_a_metric_without_a_definition_is_refused() -> None:
    with pytest.raises(UserError, match=r"metric 'speed': found no definition; add its direction"):
        compare("run.speed", 1.0, 2.0, {})


def test_an_override_replaces_what_it_sets() -> None:
    assert metric_of("psnr", {}) == Metric("higher", 0.02, "dB")
    wide = {"p*": MetricOverride(relative=0.3), "psnr": MetricOverride(better="lower")}
    assert metric_of("psnr", wide) == Metric("higher", 0.3, "dB"), "the first pattern that fits"
    assert metric_of("psnr", {"psnr": MetricOverride(better="either")}) == ("either", 0.02, "dB")
    assert metric_of("ssim", wide) == Metric("higher", 0.02)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_an_improvement_backwards_is_a_loss_without_tolerance(a: float, b: float) -> None:
    exact = {"psnr": MetricOverride(relative=0.0)}
    verdicts = {compare("psnr", a, b, exact).verdict, compare("psnr", b, a, exact).verdict}
    assert verdicts == ({"same"} if a == b else {"better", "worse"})


def test_nested_metrics_are_flattened() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_every_module_that_declares_metrics_is_listed() -> None:
    declared = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "latent_atlas").rglob("*.py")
        if "\nMETRICS = {" in path.read_text(encoding="utf-8")
    }
    # The definitions of these two are part of the evaluator's, by kind of mix.
    included = {
        "latent_atlas.metrics.generative",
        "latent_atlas.analysis.scene_mixing.ground_truth",
    }
    assert declared == {*tolerance.MODULES, *included}
