"""Definitions of metrics, and comparison of two values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config.schema import MetricOverride
from latent_atlas.metrics import tolerance
from latent_atlas.metrics.tolerance import compare, definitions_of, flatten, metric_of
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
    assert [metric[:3] for metric in definitions_of(name)] == [(better, relative, unit)]


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("valid_reconstruction", True),
        ("valid_reconstruction_last5", False),
        ("explained", True),
        ("mig", True),
        ("mig_low", False),
        ("knn_style", True),
        ("knn_style_high", False),
        ("near_transferred", True),
        ("random_transferred", False),
        ("color_accuracy", True),
        ("fit_accuracy", False),
    ],
)
def test_the_first_pattern_decides_what_is_headline(name: str, headline: bool) -> None:
    assert [metric.headline for metric in definitions_of(name)] == [headline]


def test_few_numbers_are_recorded() -> None:
    paths = (ROOT / "metrics").glob("*.json")
    assert sum(len(flatten(json.loads(path.read_text()))) for path in paths) <= 120


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
        ("run.products", 3.0, 2.0, "changed"),
        ("run.products", 3.0, 4.0, "changed"),
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
    wide = {"p*": MetricOverride(relative=0.3), "psnr": MetricOverride(better="lower")}
    either = {"psnr": MetricOverride(better="either")}
    declared = metric_of("psnr", {})
    assert declared[:3] == ("higher", 0.02, "dB")
    first = declared._replace(relative=0.3)
    assert metric_of("psnr", wide) == first, "the first pattern that fits"
    assert metric_of("psnr", either) == declared._replace(better="either")
    assert metric_of("ssim", wide) == metric_of("ssim", {})


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_an_improvement_backwards_is_a_loss_without_tolerance(a: float, b: float) -> None:
    exact = {"psnr": MetricOverride(relative=0.0)}
    verdicts = {compare("psnr", a, b, exact).verdict, compare("psnr", b, a, exact).verdict}
    assert verdicts == ({"same"} if a == b else {"better", "worse"})


# Differences of 3 standard deviations of a difference, 3 √2 · sd: 4.24 at sd 1.
@pytest.mark.parametrize(
    ("metric", "old", "new", "sd", "verdict", "reason"),
    [
        ("run.psnr", 20.0, 15.8, 1.0, "same", "within the noise"),
        ("run.psnr", 20.0, 15.7, 1.0, "worse", "beyond the tolerance and 3 standard deviations"),
        ("run.psnr", 20.0, 24.3, 1.0, "better", "beyond the tolerance and 3 standard deviations"),
        ("run.psnr", 20.0, 18.5, 0.01, "same", "within the tolerance"),
        ("run.psnr", 20.0, 17.0, 0.0, "worse", "beyond the tolerance; the noise is 0"),
        ("run.psnr", 20.0, 17.0, None, "worse", "beyond the tolerance; no noise known"),
        ("run.products", 20.0, 24.2, 1.0, "same", "within the noise"),
        ("run.products", 20.0, 24.3, 1.0, "changed", "beyond the tolerance and 3 standard dev"),
        ("run.psnr", 20.0, float("nan"), 1.0, "worse", "not finite"),
        ("run.psnr", float("nan"), 20.0, 1.0, "better", "not finite before"),
        ("run.psnr", 20.0, None, 1.0, "missing", "no value any more"),
        ("run.psnr", None, 20.0, 1.0, "new", "no value before"),
    ],
)
def test_verdicts_with_noise(
    metric: str, old: float | None, new: float | None, sd: float | None, verdict: str, reason: str
) -> None:
    change = compare(metric, old, new, WIDE, sd)
    assert change.verdict == verdict
    assert change.reason.startswith(reason)


def test_the_difference_of_two_trainings_has_a_larger_deviation_than_one() -> None:
    change = compare("run.psnr", 20.0, 17.0, {}, 0.5)
    assert change.difference == -3.0
    assert change.deviations == pytest.approx(3 / (0.5 * 2**0.5))
    assert change.cells() == [
        "worse",
        "run.psnr",
        "20",
        "17",
        "-3",
        "0.5",
        "4.2",
        "beyond the tolerance and 3 standard deviations",
    ]
    assert compare("run.psnr", 20.0, 17.0, {}, 0.0).deviations is None
    assert compare("run.psnr", None, 17.0, {}, 0.5).cells()[2:7] == ["–", "17", "–", "0.5", "–"]


FINITE = st.floats(-1e6, 1e6)
NOISES = st.floats(0.0, 1e3)


@given(FINITE, FINITE, NOISES, NOISES)
def test_more_noise_never_adds_a_verdict(old: float, new: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    for metric in ("run.psnr", "run.valid_reconstruction", "run.active_latents"):
        before, after = (compare(metric, old, new, {}, sd).verdict for sd in (low, high))
        assert after in (before, "same")


@given(FINITE, FINITE)
def test_no_noise_decides_as_unknown_noise(old: float, new: float) -> None:
    assert compare("r.psnr", old, new, {}, 0.0).verdict == compare("r.psnr", old, new, {}).verdict


@given(FINITE, FINITE, NOISES)
def test_a_metric_without_a_direction_is_the_same_or_changed(
    old: float, new: float, sd: float
) -> None:
    assert compare("run.active_latents", old, new, {}, sd).verdict in ("same", "changed")


@given(FINITE, FINITE, st.floats(1e-3, 1e3))
def test_a_verdict_is_beyond_three_deviations(old: float, new: float, sd: float) -> None:
    change = compare("run.psnr", old, new, {}, sd)
    if change.verdict != "same":
        assert change.deviations is not None
        assert change.deviations > 3 - 1e-9


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
