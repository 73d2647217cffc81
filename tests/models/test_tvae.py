"""The triplet VAE: hinge and mining against brute force, and the effect on codes."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from latent_atlas.models.tvae import (
    DISTANCES,
    TVAE,
    cosine,
    euclidean,
    hardest,
    semi_hard,
    squared_euclidean,
    triplet_loss,
)
from tests.models.adversaries import sample, small_model


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_keep_their_digits_in_mixed_precision(name: str) -> None:
    codes = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = DISTANCES[name](codes)
    assert torch.equal(mixed, DISTANCES[name](codes))


def on_a_line(*places: float) -> Tensor:
    return euclidean(torch.tensor(places)[:, None])


def test_the_hinge_of_one_triplet() -> None:
    # Anchor at 0, positive at 1, negative at 1.5: max(1 − 1.5 + 1, 0) = ½ for the anchor; the
    # positive, 0.5 from the negative, has no negative farther than 1: 1 − 0.5 + 1.
    losses = triplet_loss(on_a_line(0, 1, 1.5), torch.tensor([0, 0, 1]), 1.0, semi_hard)
    torch.testing.assert_close(losses, torch.tensor([0.5, 1.5, 0.0]))


def test_a_negative_beyond_the_margin_has_no_loss() -> None:
    losses = triplet_loss(on_a_line(0, 1, 2.5), torch.tensor([0, 0, 1]), 1.0, semi_hard)
    torch.testing.assert_close(losses, torch.tensor([0.0, 0.5, 0.0]))


@pytest.mark.parametrize(
    ("negatives", "expected"),
    [
        ((0.5, 1.2, 1.7), 1.2),  # the nearest that is farther than the positive at 1
        ((0.5, 0.9), 0.9),  # all nearer: the farthest of them
        ((1.0, 1.4), 1.4),  # a negative at the distance of the positive is not farther
        ((3.0,), 3.0),
    ],
)
def test_semi_hard_negatives(negatives: tuple[float, ...], expected: float) -> None:
    distances = on_a_line(0, 1, *negatives)
    negative = torch.zeros_like(distances, dtype=torch.bool)
    negative[0, 2:] = True
    chosen, exists = semi_hard(distances, negative)
    assert exists[0, 1]
    assert chosen[0, 1].item() == pytest.approx(expected)
    nearest, _ = hardest(distances, negative)
    assert nearest[0, 1].item() == pytest.approx(min(negatives))


def brute_force(distances: Tensor, labels: Tensor, margin: float, hard: bool) -> list[float]:
    count, losses = len(labels), []
    for a in range(count):
        hinges = []
        for p in range(count):
            if p == a or labels[a] < 0 or labels[p] != labels[a]:
                continue
            away = [
                distances[a, n].item() for n in range(count) if labels[n] not in (labels[a], -1)
            ]
            if not away:
                continue
            farther = [d for d in away if d > distances[a, p].item()]
            chosen = min(away) if hard else (min(farther) if farther else max(away))
            hinges.append(max(distances[a, p].item() - chosen + margin, 0.0))
        losses.append(sum(hinges) / len(hinges) if hinges else 0.0)
    return losses


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=9), st.integers(0, 999), st.booleans())
def test_the_loss_agrees_with_a_loop_over_triplets(
    labels: list[int], seed: int, hard: bool
) -> None:
    codes = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(seed))
    distances, numbers = euclidean(codes), torch.tensor(labels)
    losses = triplet_loss(distances, numbers, 1.0, hardest if hard else semi_hard)
    expected = brute_force(distances, numbers, 1.0, hard)
    torch.testing.assert_close(losses, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_distances() -> None:
    codes = torch.tensor([[3.0, 0.0], [0.0, 4.0], [6.0, 0.0]])
    assert euclidean(codes)[0].tolist() == [0, 5, 3]
    assert squared_euclidean(codes)[0].tolist() == [0, 25, 9]
    torch.testing.assert_close(cosine(codes)[0], torch.tensor([0.0, 1.0, 0.0]))


@pytest.mark.parametrize("distance", list(DISTANCES))
def test_equal_codes_have_a_finite_gradient(distance: str) -> None:
    codes = torch.ones(4, 3, requires_grad=True)
    losses = triplet_loss(DISTANCES[distance](codes), torch.tensor([0, 0, 1, -1]), 1.0, semi_hard)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert losses[:2].tolist() == [1.0, 1.0]
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


def test_the_loss_is_that_of_the_beta_vae_and_the_weighted_triplets() -> None:
    model = small_model("tvae", triplet=3.0, margin=2.0)
    batch = sample(model)
    losses = model(batch)
    distances = euclidean(model.encode(batch.images))
    triplet = triplet_loss(distances, batch.labels, 2.0, semi_hard)
    torch.testing.assert_close(losses["triplet"], triplet)
    assert triplet.sum() > 0
    torch.testing.assert_close(
        losses["loss"], losses["reconstruction"] + 0.4 * losses["kl"] + 3.0 * triplet
    )


def test_triplets_are_of_means_not_of_samples() -> None:
    model = small_model("tvae")
    batch = sample(model)
    other = batch._replace(noise=batch.noise + 5)
    first, second = model(batch), model(other)
    assert not torch.equal(first["reconstruction"], second["reconstruction"])
    torch.testing.assert_close(first["triplet"], second["triplet"], rtol=0, atol=0)


def test_the_triplet_loss_separates_labels() -> None:
    model = small_model("tvae", triplet=100.0)
    batch = sample(model, images=8)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = model(batch)["loss"].sum()
        loss.backward()
        optimizer.step()
    distances = euclidean(model.encode(batch.images)).detach()
    same = batch.labels[:, None] == batch.labels[None, :]
    pairs = [
        (distances[a, p], distances[a, n])
        for a, p, n in itertools.product(range(8), repeat=3)
        if same[a, p] and a != p and not same[a, n]
    ]
    assert sum(bool(near < far) for near, far in pairs) / len(pairs) > 0.95


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([-1, -1, -1], "learns from labels, and these images have none"),
        ([2, 2, -1], "all of these have the same"),
        ([0, 1, 2, -1], "no two of these share one"),
        ([-1], "have none"),
    ],
)
def test_labels_without_a_triplet_are_refused(labels: list[int], expected: str) -> None:
    model = small_model("tvae")
    assert isinstance(model, TVAE)
    with pytest.raises(ValueError, match=expected):
        model.check_labels(torch.tensor(labels))


def test_a_label_with_one_image_is_a_negative_and_no_anchor() -> None:
    model = small_model("tvae")
    labels = torch.tensor([0, 0, 1])
    model.check_labels(labels)
    losses = triplet_loss(on_a_line(0, 1, 1.1), labels, 1.0, semi_hard)
    assert losses[2] == 0
    assert losses[0] > 0
