"""UDR: permuted, mixed, unrelated and partly informative codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement.sample import Floats
from latent_atlas.metrics.disentanglement.udr import UDR, Similarity, agreement, udr

SIMILARITIES: list[Similarity] = ["lasso", "spearman"]


def compare(codes: Sequence[Floats], similarity: Similarity) -> UDR:
    """UDR with all latents informative."""
    masks = [np.ones(code.shape[1], dtype=bool) for code in codes]
    return udr(codes, masks, similarity=similarity, alpha=0.1)


@pytest.mark.parametrize(("similarity", "best"), [("lasso", 0.9), ("spearman", 0.95)])
def test_udr_of_permuted_codes_is_high_and_of_mixed_ones_low(
    similarity: Similarity, best: float
) -> None:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((4000, 4))
    rotated = np.stack(
        [code[:, 0] + code[:, 1], code[:, 0] - code[:, 1],
         code[:, 2] + code[:, 3], code[:, 2] - code[:, 3]], axis=1
    )  # fmt: skip
    result = compare([code, -5 * code[:, [2, 0, 3, 1]], rotated], similarity)
    pairs = result.pairs
    assert np.isnan(np.diag(pairs)).all()
    # Equal up to order, sign and scale: one latent each, less the lasso's penalty.
    assert pairs[0, 1] == pytest.approx(best, abs=0.03)
    # Half in each of two: r² / Σr = r / 2 with r = 1/√2, less the lasso's penalty.
    half = (1 / np.sqrt(2) - 0.1) / 2 if similarity == "lasso" else 1 / np.sqrt(2) / 2
    assert pairs[0, 2] == pytest.approx(half, abs=0.04)
    medians = [
        np.median([pairs[1, 0], pairs[2, 0]]),
        np.median([pairs[0, 1], pairs[2, 1]]),
        np.median([pairs[0, 2], pairs[1, 2]]),
    ]
    np.testing.assert_allclose(result.scores, medians)


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_udr_compares_informative_latents_only(similarity: Similarity) -> None:
    rng = np.random.default_rng(0)
    code = rng.standard_normal((3000, 3))
    noise = rng.standard_normal((3000, 2))
    wide = np.column_stack([code, noise])
    masks = [np.array([True] * 3), np.array([True] * 3 + [False] * 2)]
    result = udr([code, wide], masks, similarity=similarity, alpha=0.1)
    diluted = udr(
        [code, wide], [masks[0], np.ones(5, dtype=bool)], similarity=similarity, alpha=0.1
    )
    assert result.pairs[0, 1] == pytest.approx(0.9, abs=0.1)
    # Five latents against three: the two noise latents match none, and count.
    assert diluted.pairs[0, 1] < result.pairs[0, 1] - 0.15
    empty = udr([code, wide], [masks[0], np.zeros(5, dtype=bool)], similarity="lasso", alpha=0.1)
    assert empty.pairs[0, 1] == 0
    assert empty.scores.tolist() == [0, 0]


def test_udr_of_unrelated_codes_is_low_and_of_constant_ones_zero() -> None:
    rng = np.random.default_rng(0)
    codes = [rng.standard_normal((4000, 4)) for _ in range(3)]
    assert compare(codes, "lasso").scores.max() == 0
    assert compare(codes, "spearman").scores.max() < 0.03
    assert compare([codes[0], np.ones((4000, 4))], "spearman").scores.tolist() == [0, 0]


def test_udr_by_spearman_accepts_any_monotone_relation() -> None:
    code = np.random.default_rng(0).standard_normal((1000, 3))
    equal = compare([code, code], "spearman")
    monotone = compare([code, np.exp(3 * code)], "spearman")
    np.testing.assert_allclose(monotone.scores, equal.scores)


def test_agreement_by_hand() -> None:
    # Columns: .8² / .8 and .5² / .7; rows: .8² / 1.0, .5² / .5 and 0; five latents.
    similarities = np.array([[0.8, 0.2], [0.0, 0.5], [0.0, 0.0]])
    expected = (0.8 + 0.25 / 0.7 + 0.64 + 0.5 + 0) / 5
    assert agreement(similarities) == pytest.approx(expected)


CODE, MASK = np.random.default_rng(0).random((200, 2)), np.ones(2, dtype=bool)


@pytest.mark.parametrize(
    ("codes", "masks", "similarity", "message"),
    [
        ([CODE], [MASK], "lasso", "found 1 codes and 1 masks"),
        ([CODE, CODE], [MASK], "lasso", "found 2 codes and 1 masks"),
        ([CODE, CODE[:150]], [MASK, MASK], "lasso", "expected the same images"),
        ([CODE, CODE], [MASK, np.ones(2)], "lasso", r"informative\[1\]: expected 2 booleans"),
        ([CODE, CODE * np.nan], [MASK, MASK], "lasso", r"codes\[1\]: found nan in row 0"),
        ([CODE, CODE[:50]], [MASK, MASK], "lasso", r"codes\[1\]: found 50 images"),
        ([CODE, CODE], [MASK, MASK], "pearson", "similarity: found 'pearson'"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(
    codes: list[Floats], masks: list[Floats], similarity: Similarity, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        udr(codes, masks, similarity=similarity, alpha=0.1)
