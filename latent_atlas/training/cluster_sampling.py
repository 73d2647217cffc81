"""Uniform sampling over clusters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def uniform_over_clusters(labels: Rows, random: np.random.Generator) -> Rows:
    """Draw N positions in `labels`, shuffled, equally many of each cluster that has members.

    Args:
        labels: N cluster numbers. Where N is no multiple of the number of clusters, some random
            clusters give one position more. No member of a cluster is drawn twice before all of its
            members have been drawn once.
        random: the source of all random choices.
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
