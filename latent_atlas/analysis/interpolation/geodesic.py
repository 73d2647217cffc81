"""Geodesics in the decoder's metric: curves of least energy.

A decoder g pulls the distance of images back into the latent space (Arvanitidis et al. 2018,
section 2; Shao et al. 2018): the length of a curve of codes is the length of its decoded curve. Its
geodesics minimise E = ½ ∫ ‖d g(z(t)) / dt‖² dt. For curves of K points,
E = n/2 Σ ‖g(z_{i+1}) − g(z_i)‖² with n = K − 1 (Shao et al., equation 5). A lower bound of E is
length² / 2, which a curve of constant speed reaches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latent_atlas.analysis.interpolation.curves import Codes, Decode, linear

_MEMORY = 8
_ARMIJO = 1e-4


def geodesics(
    decode: Decode,
    starts: Codes,
    ends: Codes,
    steps: int,
    iterations: int = 100,
    points_at_once: int = 100,
    initial: Codes | None = None,
) -> Codes:
    """Curves of least energy in the decoder's metric, for all pairs at once.

    Each pair is minimised by L-BFGS (Nocedal & Wright 2006, algorithm 7.4). The preconditioner is
    the inverse of the energy's Hessian for a flat decoder, so that long curves converge as fast as
    short ones. Where a step does not lower the energy of a pair enough, that pair alone retries it
    at half the size. No curve ends with more energy than its initial curve.

    Args:
        decode: must be differentiable.
        starts, ends: P×D.
        steps: n.
        iterations: decodings of all points, forward and backward.
        points_at_once: number of points that are decoded together; results do not depend on it. A
            hundred 64×64 images fit the cache: with a thousand, a CPU takes more than twice as
            long.
        initial: P×(n+1)×D initial curves; straight lines by default.

    Returns:
        P×(n+1)×D.
    """
    curves = linear(starts, ends, steps) if initial is None else initial.copy()
    if steps < 2:
        return curves
    chunk = max(1, points_at_once // steps)
    for start in range(0, len(curves), chunk):
        block = torch.from_numpy(curves[start : start + chunk])
        curves[start : start + chunk] = GeodesicSolver(decode, block).minimise(iterations).numpy()
    return curves


class GeodesicSolver:
    """L-BFGS on the energy of P curves, with a step size and a memory for each curve.

    Args:
        decode: must be differentiable.
        curves: P×K×D initial curves.
    """

    def __init__(self, decode: Decode, curves: Tensor) -> None:
        self._decode, self._curves = decode, curves
        self._first, self._last = (
            _decode_flat(decode, curves[:, 0]),
            _decode_flat(decode, curves[:, -1]),
        )
        inner = curves.shape[1] - 2
        hessian = 2 * torch.eye(inner) - torch.diag(torch.ones(inner - 1), 1)
        self._inverse = torch.linalg.inv(hessian - torch.diag(torch.ones(inner - 1), -1))
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []
        self._scale = torch.ones(len(curves), 1, 1)

    def minimise(self, iterations: int) -> Tensor:
        """P×K×D curves after `iterations` steps; the end points are fixed."""
        points = self._curves[:, 1:-1]
        energy, gradient = self._energy_and_gradient(points)
        self._scale = self._initial_scale(energy)
        direction = self._direction(gradient)
        size = torch.ones(len(points), 1, 1)
        for _ in range(iterations):
            slope = _dot(gradient, direction)
            trial = points + size * direction
            trial_energy, trial_gradient = self._energy_and_gradient(trial)
            bound = energy + _ARMIJO * size.flatten() * slope
            accepted = (trial_energy <= bound).view(-1, 1, 1)
            self._remember(trial - points, trial_gradient - gradient, accepted)
            points = torch.where(accepted, trial, points)
            gradient = torch.where(accepted, trial_gradient, gradient)
            energy = torch.where(accepted.flatten(), trial_energy, energy)
            # A rejected step is retried at half its size; an accepted one gives a new direction.
            direction = torch.where(accepted, self._direction(gradient), direction)
            size = torch.where(accepted, 1.0, size / 2)
        return torch.cat([self._curves[:, :1], points, self._curves[:, -1:]], 1)

    def _energy_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Energy of each curve (float64), and its gradient at the inner points."""
        count, inner, _ = points.shape
        leaf = points.detach().requires_grad_(True)
        with torch.enable_grad():
            images = self._decode(leaf.flatten(0, 1)).reshape(count, inner, -1)
            whole = torch.cat([self._first[:, None], images, self._last[:, None]], 1)
            energy = _energy(whole)
            (gradient,) = torch.autograd.grad(energy.sum(), leaf)
        return energy.detach(), gradient

    def _initial_scale(self, energy: Tensor) -> Tensor:
        """The inverse of the decoder's metric along the initial curve, averaged over its steps."""
        steps = self._curves.diff(dim=1)
        flat_energy = steps.shape[1] / 2 * steps.square().sum((1, 2))
        scale = flat_energy / energy.clamp_min(1e-30) / steps.shape[1]
        return torch.where(energy > 0, scale, 1.0).to(steps).view(-1, 1, 1)

    def _direction(self, gradient: Tensor) -> Tensor:
        """−H⁻¹ ∇E by the two-loop recursion of L-BFGS; an unused step has ρ = 0."""
        remaining, shares = gradient, []
        for step, change, rho in reversed(self._steps):
            share = rho * _dot(step, remaining).view(-1, 1, 1)
            remaining = remaining - share * change
            shares.append(share)
        product = self._scale * torch.einsum("ij,pjd->pid", self._inverse, remaining)
        for (step, change, rho), share in zip(self._steps, reversed(shares), strict=True):
            product = product + step * (share - rho * _dot(change, product).view(-1, 1, 1))
        return -product

    def _remember(self, step: Tensor, change: Tensor, accepted: Tensor) -> None:
        """Keep an accepted step of positive curvature; ρ is 0 for the pairs without one."""
        along = _dot(step, change).view(-1, 1, 1)
        across = _dot(change, torch.einsum("ij,pjd->pid", self._inverse, change)).view(-1, 1, 1)
        use = accepted & (along > 0) & (across > 0)
        rho = torch.where(use, 1 / along.where(use, torch.ones_like(along)), 0.0)
        scale = along / across.where(use, torch.ones_like(along))
        self._scale = torch.where(use, scale, self._scale)
        self._steps = [*self._steps[1 - _MEMORY :], (step, change, rho)]


def _decode_flat(decode: Decode, codes: Tensor) -> Tensor:
    with torch.no_grad():
        return decode(codes).flatten(1)


def _energy(images: Tensor) -> Tensor:
    """P energies of P×K×… images, summed in float64."""
    steps = images.flatten(2).diff(dim=1).square().sum(2)
    return steps.double().sum(1) * (steps.shape[1] / 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """P inner products of P×K×D."""
    return (a * b).sum((1, 2))
