"""Errors that are alike where places are near: how far that reaches, and what it does to a fit.

Three steps after an ordinary fit. The reach and size of the correlation are estimated by restricted
likelihood; the coefficients are fitted again with that correlation within blocks of the city
(generalised estimating equations); their covariance takes in the correlation of all places, also
across the borders of blocks, without which clustered errors come out too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats

PIECE = 400
"""Places whose correlation is looked at together, at the most: it costs their third power."""
PIECES = 4
"""So many pieces, spread over the city, are looked at, at the most."""
TRIES = 150
TURNS = 50
SETTLED = 1e-6


@dataclass(frozen=True)
class Correlation:
    """Of the relative errors: Var = `shared` + `own` + counting noise, and between places a
    distance d apart `shared` · exp(-d / `reach`); `reach` in metres.
    """

    shared: float
    own: float
    reach: float

    def within(self, xy: Floats, noise: Floats) -> Floats:
        """Covariance of places at `xy` with the variance `noise` of counting."""
        return self.between(xy, xy) + np.diag(noise + self.own)

    def between(self, one: Floats, other: Floats) -> Floats:
        """Covariance of places at `one` with others at `other`."""
        away = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1))
        return np.asarray(self.shared * np.exp(-away / self.reach))


def estimate_correlation(
    residual: Floats, design: Floats, noise: Floats, xy: Floats
) -> Correlation:
    """The correlation of greatest restricted likelihood.

    `residual` are relative errors, shape (n,), `noise` their variance from counting, `xy` metres.
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import minimize

    from coverage_maps.demand.blocks import halved

    pieces = halved(xy, max(0, int(np.ceil(np.log2(len(xy) / PIECE)))))
    pieces = pieces[:: -(-len(pieces) // PIECES)]
    # A piece cannot show what reaches beyond it.
    width = max(float(np.hypot(*np.ptp(xy[piece], axis=0))) for piece in pieces)
    aways = [np.hypot(*(xy[p][:, None] - xy[p][None]).transpose(2, 0, 1)) for p in pieces]
    limits = np.log([(1e-6, 10.0), (1e-6, 50.0), (width / 500, width / 3)])

    def loss(logs: Floats) -> float:
        if ((logs < limits[:, 0]) | (logs > limits[:, 1])).any():
            return np.inf
        shared, own, reach = np.exp(logs)
        total = 0.0
        for piece, away in zip(pieces, aways, strict=True):
            spread = shared * np.exp(-away / reach) + np.diag(noise[piece] + own)
            root = np.linalg.cholesky(spread)
            stacked = np.column_stack((design[piece], residual[piece]))
            both = solve_triangular(root, stacked, lower=True, check_finite=False)
            basis, upper = np.linalg.qr(both[:, :-1])
            rest = both[:, -1] - basis @ (basis.T @ both[:, -1])
            scale = np.abs(np.diag(upper)).clip(1e-12)
            total += 2 * (np.log(np.diag(root)).sum() + np.log(scale).sum()) + float(rest @ rest)
        return total

    start = np.log([0.1, 0.15, width / 25])
    found = minimize(
        loss, start, method="Nelder-Mead", options={"maxfev": TRIES, "xatol": 0.02, "fatol": 0.02}
    )
    shared, own, reach = np.exp(found.x)
    return Correlation(float(shared), float(own), float(reach))


@dataclass(frozen=True, eq=False)
class Problem:
    """What is fitted: `use` of n places, the model's matrix, the log of what use is in proportion
    to, and where the places are.
    """

    use: Floats
    design: Floats
    offset: Floats
    xy: Floats


def refit(
    problem: Problem, start: Floats, blocks: NDArray[np.intp], correlation: Correlation
) -> tuple[Floats, Floats]:
    """Coefficients with `correlation` at work within `blocks`, and their covariance with it at work
    between all places.

    Raises
    ------
    ArithmeticError
        The iterations do not come to an end.
    """
    members = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    coefficients = start
    for _ in range(TURNS):
        whitened = _whiten(problem, coefficients, members, correlation)
        bread = np.linalg.inv(sum(x.T @ x for x, _ in whitened))
        step = bread @ sum(x.T @ r for x, r in whitened)
        # A long step would leave the ground on which the errors are about linear.
        coefficients = coefficients + step * min(1.0, 1.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < SETTLED:
            break
    else:
        raise ArithmeticError("the coefficients do not settle")
    pulls = _pulls(problem, coefficients, members, correlation)
    mean = _mean(problem, coefficients)
    meat = np.zeros_like(bread)
    for one, own in zip(members, pulls, strict=True):
        for other, theirs in zip(members, pulls, strict=True):
            between = correlation.between(problem.xy[one], problem.xy[other])
            if one is other:
                between = correlation.within(problem.xy[one], 1 / mean[one])
            meat += own.T @ between @ theirs
    covariance = bread @ meat @ bread
    if not np.isfinite(covariance).all():
        raise ArithmeticError("the errors of the coefficients are beyond bounds")
    return coefficients, covariance


def _mean(problem: Problem, coefficients: Floats) -> Floats:
    """Expected use of each place."""
    return np.asarray(np.exp(np.clip(problem.design @ coefficients + problem.offset, -30.0, 30.0)))


def _pulls(
    problem: Problem,
    coefficients: Floats,
    members: list[NDArray[np.intp]],
    correlation: Correlation,
) -> list[Floats]:
    """Of each block what the relative error of each of its places does to the coefficients."""
    mean = _mean(problem, coefficients)
    return [
        np.asarray(
            np.linalg.solve(correlation.within(problem.xy[own], 1 / mean[own]), problem.design[own])
        )
        for own in members
    ]


def _whiten(
    problem: Problem,
    coefficients: Floats,
    members: list[NDArray[np.intp]],
    correlation: Correlation,
) -> list[tuple[Floats, Floats]]:
    """Of each block its design and its relative errors, freed of their correlation."""
    mean = _mean(problem, coefficients)
    residual = (problem.use - mean) / mean
    freed = []
    for own in members:
        root = np.linalg.cholesky(correlation.within(problem.xy[own], 1 / mean[own]))
        both = np.linalg.solve(root, np.column_stack((problem.design[own], residual[own])))
        freed.append((both[:, :-1], both[:, -1]))
    return freed
