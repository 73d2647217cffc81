"""Geodesics on a graph of the data: shortest ways from code to neighbouring code.

The length of an edge is the length of its decoded line, as in `geodesic`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from sklearn.neighbors import NearestNeighbors

from latent_atlas.analysis.interpolation.curves import Codes, Decode, Numbers, linear
from latent_atlas.analysis.interpolation.measures import measure_curves

Edges = npt.NDArray[np.int64]
"""E×2 node numbers."""


def graph_geodesics(
    decode: Decode,
    data: Codes,
    starts: Codes,
    ends: Codes,
    steps: int,
    neighbours: int = 10,
    pieces: int = 2,
    codes_at_once: int = 200,
) -> Codes:
    """Shortest curves through codes of the data.

    The graph joins each code of `data` to its nearest ones, and the end points to theirs. The
    length of an edge is the length of its decoded line. Where the graph is not connected, its
    components are joined at their nearest codes. A curve is then resampled to steps of equal
    decoded length. No curve leads through the end points of another one.

    Args:
        decode: see `Decode`.
        data: N×D codes of images.
        starts, ends: P×D.
        steps: number of steps of a curve.
        neighbours: number of edges of a code.
        pieces: number of straight pieces that an edge is cut into to measure its length.
        codes_at_once: number of codes that are decoded together.

    Returns:
        P×(steps+1)×D.
    """
    nodes = np.concatenate([data, starts, ends])
    first = np.arange(len(data), len(data) + len(starts))
    last = first + len(starts)
    within = _neighbour_edges(data, neighbours)
    edges = np.concatenate(
        [within, within[:, ::-1], _end_point_edges(data, starts, ends, neighbours)]
    )
    graph = _weighted_graph(decode, nodes, edges, pieces, codes_at_once)
    _, before = dijkstra(graph, indices=first, return_predecessors=True)
    curves = np.empty((len(starts), steps + 1, nodes.shape[1]), np.float32)
    for number, (begin, end) in enumerate(zip(first, last, strict=True)):
        route = [int(end)]
        while route[-1] != begin:
            route.append(int(before[number, route[-1]]))
        route.reverse()
        lengths = np.asarray([graph[a, b] for a, b in pairwise(route)])
        curves[number] = _resample(nodes[route], lengths, steps)
    return curves


def _neighbour_edges(data: Codes, neighbours: int) -> Edges:
    """Pairs of neighbouring codes, each once, that form one connected graph."""
    most = min(neighbours + 1, len(data))
    near = NearestNeighbors(n_neighbors=most).fit(data).kneighbors(return_distance=False, X=data)
    pairs = np.stack([np.repeat(np.arange(len(data)), most), near.ravel()], 1)
    pairs = np.concatenate([pairs, _component_edges(data, pairs)])
    return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)


def _end_point_edges(data: Codes, starts: Codes, ends: Codes, neighbours: int) -> Edges:
    """Directed edges from starts to their neighbours, from neighbours to ends, and from near
    starts to their ends.

    Nodes are the data, the starts and the ends, in this order.
    """
    near = NearestNeighbors(n_neighbors=min(neighbours, len(data))).fit(data)
    parts = []
    reach = np.zeros(len(starts))
    for number, codes in enumerate((starts, ends)):
        distances, rows = near.kneighbors(codes)
        own = len(data) + number * len(starts) + np.arange(len(starts))
        edges = np.stack([np.repeat(own, rows.shape[1]), rows.ravel()], 1)
        parts.append(edges if number == 0 else edges[:, ::-1])
        reach = np.maximum(reach, distances[:, -1])
    close = np.flatnonzero(np.linalg.norm(starts - ends, axis=1) <= reach)
    parts.append(np.stack([len(data) + close, len(data) + len(starts) + close], 1))
    return np.concatenate(parts)


def _weighted_graph(
    decode: Decode, nodes: Codes, edges: Edges, pieces: int, codes_at_once: int
) -> csr_matrix:
    """The directed graph, weighted with the decoded lengths of its edges."""
    lengths = np.empty(len(edges))
    block = max(1, codes_at_once // (pieces + 1))
    for start in range(0, len(edges), block):
        ends = edges[start : start + block]
        lines = linear(nodes[ends[:, 0]], nodes[ends[:, 1]], pieces)
        lengths[start : start + block] = measure_curves(decode, lines, codes_at_once).length
    # SciPy treats an edge of length zero as no edge.
    lengths = lengths.clip(np.finfo(np.float32).tiny)
    return coo_matrix((lengths, edges.T), shape=(len(nodes), len(nodes))).tocsr()


def _component_edges(nodes: Codes, pairs: Edges) -> Edges:
    """Edges that join each component to its nearest outside node, until the graph is connected."""
    added = np.empty((0, 2), np.int64)
    while True:
        edges = np.concatenate([pairs, added])
        ones = np.ones(len(edges))
        joined = coo_matrix((ones, edges.T), shape=(len(nodes), len(nodes)))
        components, component = connected_components(joined, directed=False)
        if components == 1:
            return added
        for number in range(components):
            inside, outside = (
                np.flatnonzero(component == number),
                np.flatnonzero(component != number),
            )
            tree = NearestNeighbors(n_neighbors=1).fit(nodes[outside])
            distances, nearest = tree.kneighbors(nodes[inside])
            best = distances[:, 0].argmin()
            edge = [[inside[best], outside[nearest[best, 0]]]]
            added = np.concatenate([added, edge])


def _resample(nodes: Codes, lengths: Numbers, steps: int) -> Codes:
    """steps+1 points on a polyline, at equal shares of its length."""
    reached = np.concatenate([[0], lengths.cumsum()])
    wanted = np.linspace(0, reached[-1], steps + 1)
    columns = [np.interp(wanted, reached, column) for column in nodes.T]
    return np.stack(columns, 1).astype(np.float32)
