"""Difference in differences with matched comparisons: what changed where something was built, less
what changed meanwhile in places like it. Pure arrays.

The interval comes from randomization: the same is reckoned for places where nothing was built, in
as many draws; how much those differ from 0 is how far chance alone may carry the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.projection import Floats

LEVEL = 0.80
MATCHES = 3
FEWEST_DONORS = 10
"""Comparison places beside those that stand in for others: an interval from fewer would be made of
its extremes.
"""
CALIPER = 1.5
"""Standard units, by the root mean square over what is matched on, beyond which none is alike."""
DRAWS = 1_000
SEED = 19_480_601


@dataclass(frozen=True, eq=False)
class Case:
    """One treated place and the places that it may be compared with (its donors)."""

    change: float
    """Of log use, from before to after."""
    traits: Floats
    """Shape (k,): what is matched on, as it was before."""
    donor_changes: Floats
    """Shape (d,)."""
    donor_traits: Floats
    """Shape (d, k)."""
    donors: NDArray[np.intp]
    """Shape (d,): which places they are, over all cases: one may be a donor of several."""


@dataclass(frozen=True)
class Matched:
    """A case's own answer; `change` and `expected` are of log use."""

    change: float
    expected: float
    """Mean change of the matches."""
    matches: tuple[int, ...]
    """Numbers of the donors that it was matched with."""
    distance: float
    """To the farthest of them, standard units."""


@dataclass(frozen=True)
class Effect:
    """Mean effect over the cases that could be matched, of log use."""

    cases: tuple[Matched | None, ...]
    """None where no donor is alike."""
    effect: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    """Why there is no effect, or no interval."""


def matched(case: Case) -> Matched | None:
    """The case against the mean of the `MATCHES` donors nearest to it; None where none is alike."""
    if len(case.donor_changes) < MATCHES:
        return None
    order, away = _nearest(case.traits, case.donor_traits, _scales(case.donor_traits))
    if away[MATCHES - 1] > CALIPER:
        return None
    near = order[:MATCHES]
    return Matched(
        case.change, float(case.donor_changes[near].mean()), tuple(near.tolist()),
        float(away[MATCHES - 1]),
    )  # fmt: skip


def effect_of(cases: Sequence[Case]) -> Effect:
    """The mean effect of the cases, and its interval at 80 % where there are donors enough."""
    each = tuple(matched(case) for case in cases)
    used = [(case, one) for case, one in zip(cases, each, strict=True) if one is not None]
    if not used:
        return Effect(each, None, why="no neighbourhood with figures before and after is like them")
    effect = float(np.mean([one.change - one.expected for _, one in used]))
    spare = min(len(case.donors) for case, _ in used) - len(used)
    if spare < FEWEST_DONORS - 1:
        needed = len(used) + FEWEST_DONORS - 1
        return Effect(
            each, effect,
            why=f"too few neighbourhoods to compare with for an interval: {needed} are needed",
        )  # fmt: skip
    placebo = _placebos([case for case, _ in used])
    tail = (1 - LEVEL) / 2
    below, above = np.quantile(placebo, (tail, 1 - tail))
    return Effect(each, effect, effect - float(above), effect - float(below))


def _placebos(cases: Sequence[Case]) -> Floats:
    """Mean effects that chance makes, shape (DRAWS,): in each draw a donor stands in for every
    case, and is compared with its own like among those that do not.
    """
    rng = np.random.default_rng(SEED)
    nearest = []
    for case in cases:
        scaled = case.donor_traits / _scales(case.donor_traits)
        away = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
        nearest.append(np.argsort(away, axis=1, kind="stable"))
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        taken: set[int] = set()
        stand_ins = []
        for case in cases:
            free = [i for i, place in enumerate(case.donors.tolist()) if place not in taken]
            chosen = free[int(rng.integers(len(free)))]
            taken.add(int(case.donors[chosen]))
            stand_ins.append(chosen)
        total = 0.0
        for case, order, i in zip(cases, nearest, stand_ins, strict=True):
            near = [j for j in order[i].tolist() if int(case.donors[j]) not in taken][:MATCHES]
            total += float(case.donor_changes[i] - case.donor_changes[near].mean())
        means[draw] = total / len(cases)
    return means


def _scales(traits: Floats) -> Floats:
    spread = traits.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _nearest(at: Floats, traits: Floats, scales: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Donors from the nearest, and their distances in that order."""
    away = np.sqrt((((traits - at) / scales) ** 2).mean(axis=1))
    order = np.argsort(away, kind="stable")
    return order, away[order]
