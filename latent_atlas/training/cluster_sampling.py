"""Which images an epoch takes: of each cluster equally many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def uniform_over_clusters(labels: Rows, random: np.random.Generator) -> Rows:
    """N positions in `labels`, shuffled, of each cluster that has members equally many.

    Args:
        labels: N cluster numbers. Where N is no multiple of the number of clusters, a random few
            give one more. A cluster gives its members in turn: none comes twice before all have
            come once.
        random: decides all.
    """
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    quotas = np.full(len(members), len(labels) // len(members))
    quotas[random.permutation(len(members))[: len(labels) % len(members)]] += 1
    picked = [
        np.resize(random.permutation(rows), quota)
        for rows, quota in zip(members, quotas, strict=True)
    ]
    return random.permutation(np.concatenate(picked))
