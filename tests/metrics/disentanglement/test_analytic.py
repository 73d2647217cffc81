"""Metrics of small codes beside what one works out by hand."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.metrics.disentanglement import (
    Kind,
    attribute_scores,
    beta_vae_score,
    dci_lasso,
    dci_trees,
    explicitness,
    factor_vae_score,
    gaussian_total_correlation,
    held_share,
    intervals,
    mig,
    modularity,
    mutual_information,
    sap,
    udr,
)
from latent_atlas.metrics.disentanglement.dci import concentration
from latent_atlas.metrics.disentanglement.sample import Floats, Ints, check, standardise
from latent_atlas.metrics.disentanglement.udr import agreement

intervention = importlib.import_module("latent_atlas.metrics.disentanglement.factor_vae_score")

DISCRETE: list[Kind] = ["discrete", "discrete"]


def _joint(counts: list[list[int]]) -> tuple[Floats, Floats]:
    """A latent and a factor with these counts of their joint values."""
    table = np.array(counts)
    latent, factor = np.indices(table.shape)
    return np.repeat(latent.ravel(), table.ravel()), np.repeat(factor.ravel(), table.ravel())


def test_mutual_information_of_a_known_joint() -> None:
    latent, factor = _joint([[300, 100], [100, 300]])
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    found = mutual_information(latent[:, None], factor[:, None], ["discrete"], bins=20)
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected, abs=1e-12)


def test_mutual_information_of_independent_values_is_exactly_nothing() -> None:
    latent, factor = _joint([[40, 80], [60, 120], [20, 40]])
    assert mutual_information(latent[:, None], factor[:, None], ["discrete"], bins=20) == 0


def test_bins_are_equal_intervals_between_the_extremes() -> None:
    # Two bins of [0, 10]: 4.9 and 5 part; the factor is then known exactly.
    latent = np.array([0.0, 4.9] * 50 + [5.0, 10.0] * 50)
    factor = (latent >= 5).astype(float)
    found = mutual_information(latent[:, None], factor[:, None], ["discrete"], bins=2)
    assert found[0, 0] == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="bins: found 1, expected at least 2"):
        mutual_information(latent[:, None], factor[:, None], ["discrete"], bins=1)
    # A continuous factor is cut alike: its four values fall into two classes.
    found = mutual_information(latent[:, None], latent[:, None], ["continuous"], bins=2)
    assert found[0, 0] == pytest.approx(np.log(2))


def test_mig_by_hand() -> None:
    # The first latent is the first factor; the second knows 3 of 4 of it, and of the second none.
    latent, factor = _joint([[300, 100], [100, 300]])
    codes = np.stack([factor, latent], axis=1)
    known = (0.75 * np.log(1.5) + 0.25 * np.log(0.5)) / np.log(2)
    assert mig(codes, factor[:, None], ["discrete"], bins=20) == pytest.approx(1 - known)


def test_modularity_by_hand() -> None:
    # Factors agree in 3 of 4 images; each latent is one of them.
    first, second = _joint([[300, 100], [100, 300]])
    both = np.stack([first, second], axis=1)
    other = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    expected = 1 - other**2 / np.log(2) ** 2
    assert modularity(both, both, DISCRETE, bins=20) == pytest.approx(expected)


def test_held_share_is_the_share_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    factor = rng.random(200)
    codes = np.stack([factor, rng.random(200), np.zeros(200)], axis=1)
    share = held_share(codes, factor[:, None], ["continuous"], bins=20)[:, 0]
    raw = mutual_information(codes, factor[:, None], ["continuous"], bins=20)[:, 0]
    assert share[0] == pytest.approx(1)
    assert raw[1] / raw[0] > 0.2  # at 200 images chance alone looks like knowledge
    assert abs(share[1]) < 0.1
    assert share[2] == 0


def test_held_share_of_random_latents_averages_nothing() -> None:
    rng = np.random.default_rng(1)
    share = held_share(rng.random((300, 40)), rng.random((300, 3)), ["continuous"] * 3, bins=10)
    assert abs(share.mean()) < 3 * share.std() / np.sqrt(share.size)


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        ([[1, 0], [0, 1]], 1.0),
        ([[1, 1], [1, 1]], 0.0),
        ([[0, 0], [0, 0]], 0.0),
        ([[0, 0], [0, 2]], 1.0),
        ([[3, 1], [0, 4]], 0.5 * (1 + (0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))) + 0.5),
    ],
)
def test_concentration_by_hand(importance: list[list[float]], expected: float) -> None:
    assert concentration(np.array(importance, dtype=float)) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_concentration_ignores_scale_and_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    importance = rng.random((5, 3)) ** 4
    value = concentration(importance)
    assert 0 <= value <= 1
    assert concentration(7 * importance) == pytest.approx(value)
    assert concentration(importance[rng.permutation(5)][:, rng.permutation(3)]) == pytest.approx(
        value
    )


def test_lasso_weights_are_shrunk_correlations() -> None:
    rng = np.random.default_rng(0)
    codes = np.linalg.qr(standardise(rng.random((4000, 3)), rng.random((4000, 3))))[0]
    codes = standardise(codes, codes)
    factors = np.stack([codes[:, 0], codes[:, 0] + codes[:, 1]], axis=1)
    dci = dci_lasso(codes, factors, ["continuous"] * 2, 0, train=3000, test=1000, alpha=0.1)
    shrunk = 1 / np.sqrt(2) - 0.1
    expected = [[0.9, shrunk], [0, shrunk], [0, 0]]
    np.testing.assert_allclose(dci.importance, expected, atol=0.03)
    assert dci.informativeness[0] == pytest.approx(1 - 0.1**2, abs=0.01)


@pytest.mark.parametrize("method", ["trees", "lasso"])
def test_informativeness_of_ordered_classes_read_from_one_latent(method: str) -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(5, size=(1500, 2)).astype(float)
    if method == "trees":
        dci = dci_trees(
            factors, factors, DISCRETE, 0,
            train=1000, test=500, trees=10, depth=3, learning_rate=0.3,
        )  # fmt: skip
    else:
        dci = dci_lasso(factors, factors, DISCRETE, 0, train=1000, test=500, alpha=0.1)
    np.testing.assert_array_equal(dci.informativeness, 1)
    assert dci.disentanglement == pytest.approx(1)


def test_without_a_clue_every_image_gets_the_largest_class() -> None:
    factors = np.random.default_rng(0).permutation(np.repeat([0.0, 1, 2], [150, 900, 450]))
    both, codes = np.stack([factors, factors], axis=1), np.ones((1500, 2))
    dci = dci_lasso(codes, both, DISCRETE, 0, train=1000, test=500, alpha=0.1)
    np.testing.assert_allclose(dci.informativeness, 0.6, atol=0.05)


def test_standardise_silences_what_is_constant_where_it_was_fitted() -> None:
    like = np.array([[0.0, 5.0], [2.0, 5.0]])
    np.testing.assert_array_equal(
        standardise(np.array([[3.0, 5.0], [1.0, 7.0]]), like), [[2.0, 0.0], [0.0, 0.0]]
    )


def test_sap_by_hand() -> None:
    # Squared correlations 1 and 1/2 with a continuous factor, and 0 for a constant latent.
    rng = np.random.default_rng(0)
    factor, other = np.linalg.qr(standardise(rng.random((999, 2)), rng.random((999, 2))))[0].T
    codes = np.stack([factor, factor + other, np.ones(999)], axis=1)
    values = factor[:, None]
    scores = attribute_scores(codes, values, ["continuous"], 0, train=989, test=10, penalty=0.01)[
        :, 0
    ]
    np.testing.assert_allclose(scores, [1, 0.5, 0], atol=0.03)
    score = sap(codes, values, ["continuous"], 0, train=989, test=10, penalty=0.01)
    assert score == pytest.approx(scores[0] - scores[1])


def test_sap_of_two_classes_is_accuracy_above_chance() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(2, size=3000).astype(float)
    codes = np.stack([2 * factor - 1, rng.standard_normal(3000)], axis=1)
    score = sap(codes, factor[:, None], ["discrete"], 0, train=2000, test=1000, penalty=0.01)
    assert score == pytest.approx(0.5, abs=0.06)


def test_explicitness_of_two_gaussians_is_the_area_between_them() -> None:
    # Means 2 deviations apart: area = Φ(2 / √2) = 0.921.
    rng = np.random.default_rng(0)
    factor = rng.integers(2, size=12000).astype(float)
    codes = (2 * factor + rng.standard_normal(12000))[:, None]
    area = explicitness(codes, factor[:, None], ["discrete"], 0, bins=20, train=2000, test=10000)
    assert area == pytest.approx(0.921, abs=0.01)


def test_explicitness_of_a_factor_that_is_another_in_every_image_is_refused() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(4, size=400), np.arange(400)], axis=1)
    factors[5, 1] = 6  # two images alike, so that every metric with a fixed factor has its pairs
    with pytest.raises(ValueError, match="factors column 1: no value of a training image is that"):
        explicitness(rng.random((400, 2)), factors, DISCRETE, 0, bins=20, train=200, test=100)


def _draws(name: str, codes: Floats, factors: Floats, kinds: list[Kind], seed: int = 0) -> float:
    shared = {"bins": 20, "train": 1000, "test": 1000, "batch": 64}
    if name == "beta":
        return beta_vae_score(codes, factors, kinds, seed, **shared)
    return factor_vae_score(codes, factors, kinds, seed, least_deviation=0.05, **shared)


def test_collapsed_latents_do_not_vote() -> None:
    # The third latent varies least in every batch; were it to vote, the score would be chance.
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(2000, 2)).astype(float)
    codes = np.column_stack([factors, 0.049 * np.sign(rng.standard_normal(2000))])
    codes[:5, 2] *= 0
    kinds: list[Kind] = ["discrete", "discrete"]
    assert _draws("factor", codes, factors, kinds) == 1.0
    assert _draws("factor", 0.01 * codes, factors, kinds) == 0.0
    assert _draws("factor", 0.051 * standardise(factors, factors), factors, kinds) == 1.0


def test_latents_vote_relative_to_their_own_scale() -> None:
    rng = np.random.default_rng(0)
    factors = rng.random((2000, 2))
    codes = factors * [100.0, 1.0]
    assert _draws("factor", codes, factors, ["continuous"] * 2) == 1.0


def test_the_majority_of_training_votes_is_scored_on_other_votes() -> None:
    # One vote teaches one latent its factor, and all others are taken for the first of twelve.
    factors = np.random.default_rng(0).random((2000, 12))

    def score(votes: int) -> float:
        return factor_vae_score(
            factors, factors, ["continuous"] * 12, 0,
            bins=20, train=votes, test=3000, batch=64, least_deviation=0.05,
        )  # fmt: skip

    assert score(1) < 3 / 12
    assert score(1000) == 1.0


@pytest.mark.parametrize("name", ["factor", "beta"])
def test_draws_do_not_depend_on_the_size_of_blocks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    factors = rng.random((500, 3))
    codes = factors @ rng.standard_normal((3, 4)) + rng.standard_normal((500, 4))
    whole = _draws(name, codes, factors, ["continuous"] * 3)
    monkeypatch.setattr(intervention, "_BLOCK", 37)
    assert _draws(name, codes, factors, ["continuous"] * 3) == whole
    assert 0.3 < whole < 1


def test_mates_share_the_fixed_factor_and_vary_in_the_others() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(5, size=600), rng.random(600)], axis=1)
    sample = check(factors, factors, ["discrete", "continuous"])
    draws = np.random.default_rng(1)
    factor, rows = intervention._anchors(sample, 20, 400, 3, draws)
    mates = intervention._mates(sample, 20, factor, rows, draws)
    one, other = factors[rows], factors[mates]
    assert rows.shape == mates.shape == (400, 3)
    assert (one[factor == 0, :, 0] == other[factor == 0, :, 0]).all()
    width = np.ptp(factors[:, 1]) / 20
    assert np.abs(one - other)[factor == 1, :, 1].max() <= width
    assert np.abs(one - other)[factor == 0, :, 1].mean() == pytest.approx(1 / 3, abs=0.05)
    assert 150 < (factor == 0).sum() < 250


def test_an_image_alone_with_its_value_is_never_fixed() -> None:
    classes = np.repeat(np.arange(3.0), [1, 300, 300])
    sample = check(classes[:, None], classes[:, None], ["discrete"])
    _, rows = intervention._anchors(sample, 20, 5000, 1, np.random.default_rng(0))
    assert rows.min() == 1
    alone = np.arange(200.0)[:, None]
    with pytest.raises(ValueError, match="column 0: no two images have the same value"):
        factor_vae_score(
            np.hstack([alone, alone]), np.hstack([alone, alone]), DISCRETE, 0,
            bins=20, train=10, test=10, batch=4, least_deviation=0.05,
        )  # fmt: skip


def test_total_correlation_of_a_known_covariance() -> None:
    # Columns with exactly these correlations: −½ log det of [[1, .6, 0], [.6, 1, .3], [0, .3, 1]].
    rng = np.random.default_rng(0)
    white = standardise(rng.standard_normal((500, 3)), rng.standard_normal((500, 3)))
    white = np.linalg.qr(white - white.mean(axis=0))[0]
    correlations = np.array([[1, 0.6, 0], [0.6, 1, 0.3], [0, 0.3, 1]])
    codes = white @ np.linalg.cholesky(correlations).T * [1, 50, 1e-3] + [0, 3, -7]
    expected = -0.5 * np.log(1 - 0.6**2 - 0.3**2)
    assert gaussian_total_correlation(codes) == pytest.approx(expected, abs=1e-9)
    dead = np.column_stack([codes, np.full(500, 4.0)])
    assert gaussian_total_correlation(dead) == pytest.approx(expected, abs=1e-9)
    assert gaussian_total_correlation(codes[:, :1]) == 0
    doubled = np.column_stack([codes, codes[:, 0] - 2 * codes[:, 1]])
    assert gaussian_total_correlation(doubled) == np.inf


def _models(codes: list[Floats], similarity: str) -> tuple[Floats, Floats]:
    masks = [np.ones(code.shape[1], dtype=bool) for code in codes]
    found = udr(codes, masks, similarity=similarity, alpha=0.1)  # type: ignore[arg-type]
    return found.pairs, found.scores


@pytest.mark.parametrize(("similarity", "best"), [("lasso", 0.9), ("spearman", 0.95)])
def test_udr_of_permuted_codes_is_high_and_of_mixed_ones_low(similarity: str, best: float) -> None:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((4000, 4))
    turned = np.stack(
        [code[:, 0] + code[:, 1], code[:, 0] - code[:, 1],
         code[:, 2] + code[:, 3], code[:, 2] - code[:, 3]], axis=1
    )  # fmt: skip
    pairs, scores = _models([code, -5 * code[:, [2, 0, 3, 1]], turned], similarity)
    assert np.isnan(np.diag(pairs)).all()
    # Equal up to order, sign and scale: one latent each, less the lasso's penalty.
    assert pairs[0, 1] == pytest.approx(best, abs=0.03)
    # Half in each of two: r² / Σr = r / 2 with r = 1/√2, less the lasso's penalty.
    half = (1 / np.sqrt(2) - 0.1) / 2 if similarity == "lasso" else 1 / np.sqrt(2) / 2
    assert pairs[0, 2] == pytest.approx(half, abs=0.04)
    np.testing.assert_allclose(scores, [np.median([pairs[1, 0], pairs[2, 0]]),
                                        np.median([pairs[0, 1], pairs[2, 1]]),
                                        np.median([pairs[0, 2], pairs[1, 2]])])  # fmt: skip


@pytest.mark.parametrize("similarity", ["lasso", "spearman"])
def test_udr_compares_informative_latents_only(similarity: str) -> None:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((3000, 3))
    noise = rng.standard_normal((3000, 2))
    wide = np.column_stack([code, noise])
    kept = [np.array([True] * 3), np.array([True] * 3 + [False] * 2)]
    found = udr([code, wide], kept, similarity=similarity, alpha=0.1)  # type: ignore[arg-type]
    all_kept = [kept[0], np.ones(5, dtype=bool)]
    diluted = udr([code, wide], all_kept, similarity=similarity, alpha=0.1)  # type: ignore[arg-type]
    assert found.pairs[0, 1] == pytest.approx(0.9, abs=0.1)
    # Five latents against three: the two idle ones find no partner, and count.
    assert diluted.pairs[0, 1] < found.pairs[0, 1] - 0.15
    dead = udr([code, wide], [kept[0], np.zeros(5, dtype=bool)], similarity="lasso", alpha=0.1)
    assert dead.pairs[0, 1] == 0
    assert dead.scores.tolist() == [0, 0]


def test_udr_of_unrelated_codes_is_low_and_of_constant_ones_nothing() -> None:
    rng = np.random.default_rng(0)
    codes = [rng.standard_normal((4000, 4)) for _ in range(3)]
    assert _models(codes, "lasso")[1].max() == 0
    assert _models(codes, "spearman")[1].max() < 0.03
    assert _models([codes[0], np.ones((4000, 4))], "spearman")[1].tolist() == [0, 0]


def test_udr_by_spearman_sees_any_monotone_relation() -> None:
    code = np.random.default_rng(0).standard_normal((1000, 3))
    straight, bent = (
        _models([code, code], "spearman"),
        _models([code, np.exp(3 * code)], "spearman"),
    )
    np.testing.assert_allclose(bent[1], straight[1])


def test_agreement_by_hand() -> None:
    # Columns: .8² / .8 and .5² / .7; rows: .8² / 1.0, .5² / .5 and nothing; five latents.
    similarities = np.array([[0.8, 0.2], [0.0, 0.5], [0.0, 0.0]])
    expected = (0.8 + 0.25 / 0.7 + 0.64 + 0.5 + 0) / 5
    assert agreement(similarities) == pytest.approx(expected)


def test_udr_refuses_what_does_not_fit() -> None:
    code, mask = np.random.default_rng(0).random((200, 2)), np.ones(2, dtype=bool)
    for codes, masks, similarity, message in (
        ([code], [mask], "lasso", "found 1 codes and 1 masks"),
        ([code, code], [mask], "lasso", "found 2 codes and 1 masks"),
        ([code, code[:150]], [mask, mask], "lasso", "expected the same images"),
        ([code, code], [mask, np.ones(2)], "lasso", r"informative\[1\]: expected 2 booleans"),
        ([code, code * np.nan], [mask, mask], "lasso", r"codes\[1\]: found nan in row 0"),
        ([code, code[:50]], [mask, mask], "lasso", r"codes\[1\]: found 50 images"),
        ([code, code], [mask, mask], "pearson", "similarity: found 'pearson'"),
    ):
        with pytest.raises(ValueError, match=message):
            udr(codes, masks, similarity=similarity, alpha=0.1)  # type: ignore[arg-type]


def test_interval_of_a_mean_is_about_two_standard_errors_each_way() -> None:
    values = np.random.default_rng(0).standard_normal(2500)

    def mean(rows: Ints) -> dict[str, float]:
        return {"mean": float(values[rows].mean()), "endless": float("inf")}

    bounds = intervals(mean, 2500, 0, resamples=2000, level=0.95)
    low, high = bounds["mean"]
    error = values.std() / np.sqrt(2500)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bounds["endless"] == (np.inf, np.inf)
    assert bounds == intervals(mean, 2500, 0, resamples=2000, level=0.95)
    with pytest.raises(ValueError, match=r"found 1 resamples at level 0\.95"):
        intervals(mean, 2500, 0, resamples=1, level=0.95)


def test_a_total_correlation_of_many_latents_has_no_known_spread() -> None:
    # A resample of 300 images has some 190 different ones, too few for 250 latents.
    codes = np.random.default_rng(0).standard_normal((300, 250))

    def total(rows: Ints) -> dict[str, float]:
        return {"total": gaussian_total_correlation(codes[rows])}

    assert np.isfinite(gaussian_total_correlation(codes))
    bounds = intervals(total, 300, 0, resamples=5, level=0.95)
    assert bounds["total"] == (-np.inf, np.inf)


def test_interval_of_information_holds_its_estimate() -> None:
    # Plain percentiles do not: images that occur twice make every latent look informed.
    rng = np.random.default_rng(0)
    factors = rng.random((500, 2))
    codes = factors + 0.1 * rng.standard_normal((500, 2))
    kinds: list[Kind] = ["continuous"] * 2

    def gap(rows: Ints) -> dict[str, float]:
        return {"mig": mig(codes[rows], factors[rows], kinds, bins=20)}

    estimate = mig(codes, factors, kinds, bins=20)
    low, high = intervals(gap, 500, 0, resamples=100, level=0.95)["mig"]
    assert low < estimate < high
    assert high - low < 0.1


def test_the_seed_decides_the_split_and_its_parts_are_disjoint() -> None:
    rows = np.arange(300.0)[:, None]
    sample = check(rows, rows, ["continuous"])
    train, test = sample.split(10_000, 5_000, 0)
    assert (len(train), len(test)) == (200, 100)
    assert sorted([*train.codes[:, 0], *test.codes[:, 0]]) == list(range(300))
    small, few = sample.split(20, 10, 0)
    assert (len(small), len(few)) == (20, 10)
    with pytest.raises(ValueError, match="cannot part 300 images in the proportion"):
        sample.split(300, 0, 0)
    again, other = sample.split(10_000, 5_000, 0)[0], sample.split(10_000, 5_000, 1)[0]
    assert (again.codes == train.codes).all()
    assert (other.codes != train.codes).any()
