"""Paths between two codes: straight, along an arc, and the shortest ones for a decoder.

A decoder g pulls the distance of images back into the latent space (Arvanitidis et al. 2018,
section 2; Shao et al. 2018): a curve of codes is as long as the curve of its pictures. Its
geodesics minimise E = ½ ∫ ‖d g(z(t)) / dt‖² dt, here over curves of K points with
E = n/2 Σ ‖g(z_{i+1}) − g(z_i)‖², n = K − 1 (Shao et al., equation 5), of which length² / 2 is a
lower bound that is met at constant speed.

Codes are float32, P×K×D: P paths of K points, whose first and last are the end points.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

Codes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]
Edges = npt.NDArray[np.int64]
"""E×2 numbers of nodes."""
Decode = Callable[[Tensor], Tensor]
"""B×D codes to B×… outputs, differentiable where geodesics are asked."""

_MEMORY = 8
_ARMIJO = 1e-4


def linear(starts: Codes, ends: Codes, steps: int) -> Codes:
    """P×(steps+1)×D: straight lines from P×D to P×D, in equal steps."""
    share = np.linspace(0, 1, steps + 1, dtype=np.float32)[:, None]
    return (1 - share) * starts[:, None] + share * ends[:, None]


def spherical(starts: Codes, ends: Codes, steps: int) -> Codes:
    """Along the arc from one direction to the other (Shoemake 1985; White 2016, section 2.1).

    Samples of N(0, I) in many dimensions lie close to a sphere, which a straight line leaves. Where
    the end points have the same direction, opposite ones or none, there is no one arc, and the path
    is straight.
    """
    share = np.linspace(0, 1, steps + 1)[:, None]
    first, last = starts.astype(np.float64), ends.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1)
    cosine = np.divide((first * last).sum(1), norms, out=np.ones(len(first)), where=norms > 0)
    angle = np.arccos(cosine.clip(-1, 1))[:, None, None]
    straight = np.sin(angle) < 1e-6
    sine = np.where(straight, 1.0, np.sin(angle))
    from_first = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    from_last = np.where(straight, share, np.sin(share * angle) / sine)
    arcs: Codes = (from_first * first[:, None] + from_last * last[:, None]).astype(np.float32)
    return arcs


def geodesics(
    decode: Decode,
    starts: Codes,
    ends: Codes,
    steps: int,
    iterations: int = 100,
    points_at_once: int = 100,
    initial: Codes | None = None,
) -> Codes:
    """Curves of least energy in the decoder's metric, all pairs at once.

    L-BFGS for each pair (Nocedal & Wright 2006, algorithm 7.4), preconditioned with the inverse of
    the energy's Hessian for a flat decoder, so that a long curve bends as readily as a short one.
    A step that does not lower a pair's energy enough is halved for that pair alone: no curve has
    more energy than the one that it starts from.

    Args:
        decode: differentiable.
        starts, ends: P×D.
        steps: n.
        iterations: decodings of all points, forwards and back.
        points_at_once: decoded at a time; pairs do not depend on each other. A hundred 64×64 images
            keep to the cache: with a thousand a CPU takes more than twice as long.
        initial: P×(n+1)×D to start from; straight lines by default.

    Returns:
        P×(n+1)×D.
    """
    curves = linear(starts, ends, steps) if initial is None else initial.copy()
    if steps < 2:
        return curves
    chunk = max(1, points_at_once // steps)
    for start in range(0, len(curves), chunk):
        block = torch.from_numpy(curves[start : start + chunk])
        curves[start : start + chunk] = _Bender(decode, block).run(iterations).numpy()
    return curves


class _Bender:
    """Some curves on their way down, and what their last steps told of the energy's shape."""

    def __init__(self, decode: Decode, curves: Tensor) -> None:
        self._decode, self._curves = decode, curves
        self._first, self._last = _flat(decode, curves[:, 0]), _flat(decode, curves[:, -1])
        inner = curves.shape[1] - 2
        flat = 2 * torch.eye(inner) - torch.diag(torch.ones(inner - 1), 1)
        self._inverse = torch.linalg.inv(flat - torch.diag(torch.ones(inner - 1), -1))
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []
        self._scale = torch.ones(len(curves), 1, 1)

    def run(self, iterations: int) -> Tensor:
        """P×K×D after so many steps; the end points stay."""
        points = self._curves[:, 1:-1]
        energy, gradient = self._look(points)
        self._scale = self._first_scale(energy)
        direction = self._direction(gradient)
        size = torch.ones(len(points), 1, 1)
        for _ in range(iterations):
            slope = _dot(gradient, direction)
            trial = points + size * direction
            lower, steeper = self._look(trial)
            good = (lower <= energy + _ARMIJO * size.flatten() * slope).view(-1, 1, 1)
            self._remember(trial - points, steeper - gradient, good)
            points = torch.where(good, trial, points)
            gradient = torch.where(good, steeper, gradient)
            energy = torch.where(good.flatten(), lower, energy)
            # A refused step is tried again at half its size, an accepted one gives a new direction.
            direction = torch.where(good, self._direction(gradient), direction)
            size = torch.where(good, 1.0, size / 2)
        return torch.cat([self._curves[:, :1], points, self._curves[:, -1:]], 1)

    def _look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Energy of each curve (float64), and its gradient at the inner points."""
        count, inner, _ = points.shape
        asked = points.detach().requires_grad_(True)
        with torch.enable_grad():
            pictures = self._decode(asked.flatten(0, 1)).reshape(count, inner, -1)
            whole = torch.cat([self._first[:, None], pictures, self._last[:, None]], 1)
            energy = _energy(whole)
            (gradient,) = torch.autograd.grad(energy.sum(), asked)
        return energy.detach(), gradient

    def _first_scale(self, energy: Tensor) -> Tensor:
        """The inverse of the metric along the first curve, in the mean over its steps."""
        steps = self._curves.diff(dim=1)
        flat = steps.shape[1] / 2 * steps.square().sum((1, 2))
        scale = flat / energy.clamp_min(1e-30) / steps.shape[1]
        return torch.where(energy > 0, scale, 1.0).to(steps).view(-1, 1, 1)

    def _direction(self, gradient: Tensor) -> Tensor:
        """−H⁻¹ ∇E by the two loops of L-BFGS; a step that is not to be used has ρ = 0."""
        asked, shares = gradient, []
        for step, change, rho in reversed(self._steps):
            share = rho * _dot(step, asked).view(-1, 1, 1)
            asked = asked - share * change
            shares.append(share)
        found = self._scale * torch.einsum("ij,pjd->pid", self._inverse, asked)
        for (step, change, rho), share in zip(self._steps, reversed(shares), strict=True):
            found = found + step * (share - rho * _dot(change, found).view(-1, 1, 1))
        return -found

    def _remember(self, step: Tensor, change: Tensor, good: Tensor) -> None:
        """Keep a step; of pairs that refused it, or bent the wrong way along it, nothing."""
        bent = _dot(step, change).view(-1, 1, 1)
        curved = _dot(change, torch.einsum("ij,pjd->pid", self._inverse, change)).view(-1, 1, 1)
        use = good & (bent > 0) & (curved > 0)
        rho = torch.where(use, 1 / bent.where(use, torch.ones_like(bent)), 0.0)
        self._scale = torch.where(use, bent / curved.where(use, torch.ones_like(bent)), self._scale)
        self._steps = [*self._steps[1 - _MEMORY :], (step, change, rho)]


def _flat(decode: Decode, codes: Tensor) -> Tensor:
    with torch.no_grad():
        return decode(codes).flatten(1)


def _energy(pictures: Tensor) -> Tensor:
    """P energies of P×K×… pictures, summed in float64."""
    steps = pictures.flatten(2).diff(dim=1).square().sum(2)
    return steps.double().sum(1) * (steps.shape[1] / 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """P inner products of P×K×D."""
    return (a * b).sum((1, 2))


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
    """Shortest paths from datum to datum, each as near as possible to the next.

    The graph joins each code of `data` to its nearest ones, and the end points to theirs; an edge
    is as long as its decoding. Where the graph falls apart, its parts are joined where they are
    nearest. A path is then cut into pieces of equal decoded length. No path leads through the end
    points of another.

    Args:
        decode: see `Decode`.
        data: N×D codes of images.
        starts, ends: P×D.
        steps: pieces of a path.
        neighbours: edges of a code.
        pieces: into which an edge is cut to be measured.
        codes_at_once: codes to be decoded at a time.

    Returns:
        P×(steps+1)×D.
    """
    nodes = np.concatenate([data, starts, ends])
    first = np.arange(len(data), len(data) + len(starts))
    last = first + len(starts)
    among = _neighbours(data, neighbours)
    edges = np.concatenate([among, among[:, ::-1], _links(data, starts, ends, neighbours)])
    graph = _graph(decode, nodes, edges, pieces, codes_at_once)
    _, before = dijkstra(graph, indices=first, return_predecessors=True)
    paths = np.empty((len(starts), steps + 1, nodes.shape[1]), np.float32)
    for number, (begin, end) in enumerate(zip(first, last, strict=True)):
        way = [int(end)]
        while way[-1] != begin:
            way.append(int(before[number, way[-1]]))
        way.reverse()
        lengths = np.asarray([graph[a, b] for a, b in pairwise(way)])
        paths[number] = _resample(nodes[way], lengths, steps)
    return paths


def _neighbours(data: Codes, neighbours: int) -> Edges:
    """Pairs of near data, each once, that make one connected graph."""
    most = min(neighbours + 1, len(data))
    near = NearestNeighbors(n_neighbors=most).fit(data).kneighbors(return_distance=False, X=data)
    pairs = np.stack([np.repeat(np.arange(len(data)), most), near.ravel()], 1)
    pairs = np.concatenate([pairs, _bridges(data, pairs)])
    return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)


def _links(data: Codes, starts: Codes, ends: Codes, neighbours: int) -> Edges:
    """One-way edges from starts to near data, from near data to ends, and between near end points.

    Nodes are the data, the starts and the ends, in this order.
    """
    near = NearestNeighbors(n_neighbors=min(neighbours, len(data))).fit(data)
    found = []
    reach = np.zeros(len(starts))
    for number, codes in enumerate((starts, ends)):
        away, rows = near.kneighbors(codes)
        own = len(data) + number * len(starts) + np.arange(len(starts))
        edges = np.stack([np.repeat(own, rows.shape[1]), rows.ravel()], 1)
        found.append(edges if number == 0 else edges[:, ::-1])
        reach = np.maximum(reach, away[:, -1])
    close = np.flatnonzero(np.linalg.norm(starts - ends, axis=1) <= reach)
    found.append(np.stack([len(data) + close, len(data) + len(starts) + close], 1))
    return np.concatenate(found)


def _graph(
    decode: Decode, nodes: Codes, edges: Edges, pieces: int, codes_at_once: int
) -> csr_matrix:
    """One-way edges as long as their decoding."""
    lengths = np.empty(len(edges))
    block = max(1, codes_at_once // (pieces + 1))
    for start in range(0, len(edges), block):
        ends = edges[start : start + block]
        lines = linear(nodes[ends[:, 0]], nodes[ends[:, 1]], pieces)
        lengths[start : start + block] = measure(decode, lines, codes_at_once).length
    # An edge of length zero would be no edge to scipy.
    lengths = lengths.clip(np.finfo(np.float32).tiny)
    return coo_matrix((lengths, edges.T), shape=(len(nodes), len(nodes))).tocsr()


def _bridges(nodes: Codes, pairs: Edges) -> Edges:
    """Edges that join the parts of a graph: each to the nearest node outside, until it is one."""
    found = np.empty((0, 2), np.int64)
    while True:
        edges = np.concatenate([pairs, found])
        ones = np.ones(len(edges))
        joined = coo_matrix((ones, edges.T), shape=(len(nodes), len(nodes)))
        parts, part = connected_components(joined, directed=False)
        if parts == 1:
            return found
        for number in range(parts):
            inside, outside = np.flatnonzero(part == number), np.flatnonzero(part != number)
            tree = NearestNeighbors(n_neighbors=1).fit(nodes[outside])
            distances, nearest = tree.kneighbors(nodes[inside])
            best = distances[:, 0].argmin()
            bridge = [[inside[best], outside[nearest[best, 0]]]]
            found = np.concatenate([found, bridge])


def _resample(nodes: Codes, lengths: Numbers, steps: int) -> Codes:
    """steps+1 points on a polyline, at equal shares of its length."""
    reached = np.concatenate([[0], lengths.cumsum()])
    wanted = np.linspace(0, reached[-1], steps + 1)
    columns = [np.interp(wanted, reached, column) for column in nodes.T]
    return np.stack(columns, 1).astype(np.float32)


class Measures(NamedTuple):
    """P lengths and energies, in the units of the decoder's output."""

    length: Numbers
    energy: Numbers


@torch.no_grad()
def measure(decode: Decode, paths: Codes, codes_at_once: int = 200) -> Measures:
    """Length Σ ‖g(z_{i+1}) − g(z_i)‖ and energy n/2 Σ ‖g(z_{i+1}) − g(z_i)‖² of each path."""
    count, points, dim = paths.shape
    chunk = max(1, codes_at_once // points)
    steps = []
    for start in range(0, count, chunk):
        codes = torch.from_numpy(paths[start : start + chunk])
        pictures = decode(codes.reshape(-1, dim)).reshape(len(codes), points, -1)
        steps.append(pictures.diff(dim=1).norm(dim=2).double().numpy())
    apart = np.concatenate(steps) if steps else np.empty((0, points - 1))
    return Measures(apart.sum(1), np.square(apart).sum(1) * (points - 1) / 2)


def subdivide(paths: Codes, pieces: int) -> Codes:
    """P×K×D to P×((K−1)·pieces+1)×D: each step cut into so many straight ones."""
    share = np.arange(pieces, dtype=np.float32)[:, None] / pieces
    inner = paths[:, :-1, None] + share * np.diff(paths, axis=1)[:, :, None]
    flat = inner.reshape(len(paths), -1, paths.shape[2])
    return np.concatenate([flat, paths[:, -1:]], axis=1)


def off_manifold(paths: Codes, data: Codes, neighbours: int = 5) -> Numbers:
    """How far the inner points of each path are from data, in units of how far data are.

    Args:
        paths: P×K×D with K ≥ 3.
        data: N×D codes of images, N > neighbours; the end points are not among them.
        neighbours: distances are means over so many nearest data.

    Returns:
        P means over inner points of the mean distance to the nearest data, by the median of the
        same for data among themselves: 1 is as near as data are to each other.
    """
    near = NearestNeighbors(n_neighbors=neighbours).fit(data)
    usual = np.median(near.kneighbors()[0].mean(1))
    inner = paths[:, 1:-1].reshape(-1, paths.shape[2])
    found: Numbers = near.kneighbors(inner)[0].mean(1).reshape(len(paths), -1).mean(1) / usual
    return found


def off_pictures(pictures: Floats, data: Floats) -> Numbers:
    """How far the inner pictures of each path are from those of the data.

    Args:
        pictures: P×K×… with K ≥ 3, decoded paths.
        data: N×…, decoded codes of images, so that both are as blurred as the model makes them.

    Returns:
        P means over inner points of the distance to the nearest picture, in the units of the
        decoder's output.
    """
    found: Numbers = _away(_inner(pictures), data).mean(1)
    return found


def cross_dissolve(pictures: Floats, data: Floats) -> Numbers:
    """Whether a path shows blends of its end pictures rather than pictures of its own.

    Each inner picture is d from the nearest blend (1 − s) · first + s · last, s in [0, 1], and e
    from the nearest picture of the data. The index of a path is the mean of d / (d + e): 0 for a
    pure cross-dissolve, 1 for pictures of the data, ½ for what is as far from the one as from the
    other.

    Args:
        pictures, data: as for `off_pictures`.

    Returns:
        P numbers in [0, 1]; NaN where a path's pictures are both.
    """
    first, inner = pictures[:, :1].reshape(len(pictures), 1, -1), _inner(pictures)
    whole = pictures[:, -1:].reshape(first.shape) - first
    squared = np.square(whole).sum(2, keepdims=True)
    along = ((inner - first) * whole).sum(2, keepdims=True)
    share = np.divide(along, squared, out=np.zeros_like(along), where=squared > 0).clip(0, 1)
    blend = np.linalg.norm(inner - first - share * whole, axis=2).astype(np.float64)
    total = blend + _away(inner, data)
    shares = np.divide(blend, total, out=np.full_like(total, np.nan), where=total > 0)
    index: Numbers = shares.mean(1)
    return index


def _inner(pictures: Floats) -> Floats:
    """P×K×… to P×(K−2)×M."""
    return pictures[:, 1:-1].reshape(*pictures[:, 1:-1].shape[:2], -1)


def _away(inner: Floats, data: Floats) -> Numbers:
    """P×(K−2) distances of pictures, flat, to the nearest of the data."""
    known = data.reshape(len(data), -1)
    near = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known)
    found: Numbers = near.kneighbors(inner.reshape(-1, inner.shape[2]))[0]
    return found.reshape(inner.shape[:2])


class Curvature(NamedTuple):
    """The curvature of a mean curve in its middle, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def shape(self) -> str:
        """``horseshoe`` (highest in the middle), ``wave`` (lowest between two maxima or two ends),
        or ``undecided``, by the interval.
        """
        if self.high < 0:
            return "horseshoe"
        return "wave" if self.low > 0 else "undecided"


def curvatures(curves: Numbers) -> Numbers:
    """The second derivative in the middle of each curve, by its own mean.

    A curve is N equally spaced values over u in [−1, 1], and a polynomial of degree four (or of
    degree two, for less than five values) is fitted to it by least squares: a parabola knows one
    hill, and a wave has two. The horseshoe 1 − a·u² has −2 a / (1 − a/3) as N grows.

    Args:
        curves: P×N, N ≥ 3.

    Returns:
        P numbers; NaN for a curve whose mean is 0.
    """
    u = np.linspace(-1, 1, curves.shape[1])
    degree = 4 if len(u) >= 5 else 2
    solve = np.linalg.pinv(np.vander(u, degree + 1, increasing=True))
    means = curves.mean(1)
    second = 2 * curves @ solve[2]
    found: Numbers = np.divide(second, means, out=np.full(len(curves), np.nan), where=means != 0)
    return found


def curvature(curves: Numbers, seed: int, draws: int = 1000) -> Curvature:
    """`curvatures` of the mean over P×N curves, and its interval by drawing curves again.

    NaN, and so undecided, where nothing changes on any curve: the codes have collapsed.
    """
    if not curves.any():
        return Curvature(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(curves), np.full(len(curves), 1 / len(curves)), draws)
    found = curvatures(drawn @ curves)
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return Curvature(float(curvatures(curves.mean(0)[None])[0]), float(low), float(high))
