"""The pool of generated images."""

from __future__ import annotations

import io

import torch

from latent_atlas.models.translation.image_pool import ImagePool


def numbered(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def values(images: torch.Tensor | None) -> list[float]:
    assert images is not None
    return images[:, 0, 0, 0].tolist()


def test_a_pool_fills_up_then_exchanges() -> None:
    pool = ImagePool(2)
    # Φ(−1) = 0.16 chooses the first of two, Φ(1) = 0.84 the second.
    keep, first, second = [-1.0, 0.0], [1.0, -1.0], [1.0, 1.0]
    assert values(pool.exchange(numbered(0, 1, 2), torch.tensor([keep, first, keep]))) == [0, 1, 2]
    assert values(pool.images) == [0, 1]
    noise = torch.tensor([second, first, second])
    assert values(pool.exchange(numbered(3, 4, 5), noise)) == [1, 0, 3]
    assert values(pool.images) == [4, 5]


def test_half_of_the_images_are_exchanged_and_all_places_are_used() -> None:
    pool = ImagePool(50)
    torch.manual_seed(0)
    pool.exchange(numbered(*range(50)), torch.randn(50, 2))
    fresh = numbered(*range(50, 2050))
    returned = pool.exchange(fresh, torch.randn(2000, 2))
    share = (returned != fresh).flatten(1).any(1).float().mean()
    assert abs(float(share) - 0.5) < 0.04
    assert min(values(pool.images)) >= 50, "every place was exchanged"
    assert len(values(pool.images)) == 50


def test_a_pool_of_no_images_returns_all() -> None:
    pool = ImagePool(0)
    images = numbered(1, 2)
    assert torch.equal(pool.exchange(images, torch.ones(2, 2)), images)
    assert pool.images is None


def test_a_restored_pool_continues_to_the_bit() -> None:
    torch.manual_seed(0)
    pool, again = ImagePool(3), ImagePool(3)
    pool.exchange(torch.rand(5, 3, 4, 4), torch.randn(5, 2))
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    images, noise = torch.rand(6, 3, 4, 4), torch.randn(6, 2)
    assert torch.equal(pool.exchange(images, noise), again.exchange(images, noise))
    assert pool.images is not None
    assert again.images is not None
    assert torch.equal(pool.images, again.images)


def test_returned_images_have_no_gradient() -> None:
    images = torch.rand(2, 1, 2, 2, requires_grad=True)
    assert not ImagePool(3).exchange(images * 2, torch.ones(2, 2)).requires_grad
