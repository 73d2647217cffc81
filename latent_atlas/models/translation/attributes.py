"""Attributes as inputs and as classes: one-hot vectors, cross-entropy and accuracy.

An attribute has a number of values; B×A tensors hold their positions. The one-hot vectors of all
attributes, one after the other, have K = the sum of these numbers of entries. A classifier has K
logits, with a softmax over those of each attribute. For an attribute of two values that is the
sigmoid of the difference of its two logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def one_hot(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """B×A positions to B×K ones and zeros, float32."""
    parts = [F.one_hot(values[:, place], size) for place, size in enumerate(sizes)]
    return torch.cat(parts, 1).float()


def attribute_entropy(logits: Tensor, values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cross-entropy of B×K logits with B×A positions, summed over attributes: B nats, float32."""
    parts = torch.split(logits.float(), list(sizes), 1)
    losses = [
        F.cross_entropy(part, values[:, place], reduction="none")
        for place, part in enumerate(parts)
    ]
    return torch.stack(losses).sum(0)


def attribute_accuracy(logits: Tensor, values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Share of the attributes whose largest logit is that of the value: B numbers, float32."""
    parts = torch.split(logits.detach(), list(sizes), 1)
    found = torch.stack([part.argmax(1) for part in parts], 1)
    return (found == values).float().mean(1)


def other_values(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """B×A positions, each uniform among those that differ from `values`.

    They are drawn from PyTorch's global generator.
    """
    shifts = [
        torch.randint(1, size, (len(values),), device=values.device, dtype=values.dtype)
        for size in sizes
    ]
    limits = torch.tensor(sizes, device=values.device, dtype=values.dtype)
    return (values + torch.stack(shifts, 1)) % limits
