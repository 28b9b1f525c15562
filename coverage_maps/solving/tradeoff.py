"""What fairness costs: the whole curve from most people to worst-off first, and its knee.

Each point of the curve is a plan of its own, solved with what a resident of the worst-off fifth
counts more than another. A plan that another beats both in residents and in the share of the
worst-off is left out, so along the curve more for the one is always less for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.cover.projection import Floats
from coverage_maps.siting import maximal_coverage
from coverage_maps.solving.annealing import Choice
from farola.errors import PlanningError

BONUSES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.5, 6.0)
"""What a resident of the worst-off counts on top of 1."""
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TradeOff:
    """One point of the curve."""

    bonus: float
    """What each of the worst-off counted on top of 1."""
    residents: float
    """Newly covered."""
    worst_off: float
    """Of these, the ones of the worst-off."""
    loss: float
    """Share of residents given up against the point with most of them, 0..1."""
    gap: float
    """Of the weighted objective that was solved, proven."""
    chosen: Indices

    @property
    def share(self) -> float:
        """Of the new coverage, what goes to the worst-off, 0..1."""
        return self.worst_off / self.residents if self.residents else 0.0


def trade_off_curve(
    covers: Any,
    residents: Floats,
    worst_off: NDArray[np.bool_],
    *,
    costs: Floats | None = None,
    budget: float,
    bonuses: Sequence[float] = BONUSES,
    time_limit: float = 3.0,
    advance: Callable[[int], None] = lambda _n: None,
) -> tuple[TradeOff, ...]:
    """The points of the curve, from most residents to most for the worst-off.

    `covers`, `costs` and `budget` are those of `maximal_coverage`, `residents` what each demand
    point stands for, `worst_off` which of the points are theirs. `time_limit` is seconds for each
    of the `bonuses`; `advance` is told after each.

    Raises
    ------
    PlanningError
        A bonus below 0, or what `maximal_coverage` refuses.
    """
    if not bonuses or min(bonuses) < 0:
        raise PlanningError("bonuses of a trade-off curve must be 0 or more, and there must be one")
    found = []
    for bonus in sorted(bonuses):
        weights = residents * (1 + bonus * worst_off)
        answer = maximal_coverage(
            covers, weights, costs=costs, budget=budget, time_limit=time_limit
        )
        reached = np.zeros(len(residents), dtype=bool)
        for j in answer.chosen:
            reached[covers.indices[covers.indptr[j] : covers.indptr[j + 1]]] = True
        people = float(residents[reached].sum())
        theirs = float(residents[reached & worst_off].sum())
        found.append((bonus, people, theirs, answer.gap, answer.chosen))
        advance(1)
    most = max(people for _, people, *_ in found)
    points = [
        TradeOff(bonus, people, theirs, 1 - people / most if most else 0.0, gap, chosen)
        for bonus, people, theirs, gap, chosen in found
    ]
    return tuple(point for point in points if not any(_beats(other, point) for other in points))


def between(
    covers: csr_array,
    residents: Floats,
    worst_off: NDArray[np.bool_],
    start: TradeOff,
    end: TradeOff,
) -> tuple[TradeOff, ...]:
    """Points between two neighbours of the curve that no bonus may reach, `start` first.

    Walks from the choice of `start` to that of `end` one exchange at a time, by weights under which
    both are worth the same, and keeps what no other point beats. Their gap is proven: the bound
    is convex in the bonus, so between two bonuses it is no higher than the line from one to the
    other. For choices of a number of sites, all at one cost.
    """
    more = end.worst_off - start.worst_off
    fewer = start.residents - end.residents
    if not (more > 0 and fewer > 0):
        return (start, end)
    bonus = min(max(fewer / more, start.bonus), end.bonus)
    part = (bonus - start.bonus) / (end.bonus - start.bonus) if end.bonus > start.bonus else 0.0
    bound = (1 - part) * _bound(start) + part * _bound(end)
    state = Choice(covers, residents * (1 + bonus * worst_off), start.chosen)
    leaving = set(start.chosen.tolist()) - set(end.chosen.tolist())
    coming = sorted(set(end.chosen.tolist()) - set(start.chosen.tolist()))
    most = start.residents / (1 - start.loss)
    found = [start, end]
    while leaving and coming:
        j = max(coming, key=lambda k: float(state.gains[k]))
        coming.remove(j)
        state.add(j)
        place = min(
            (k for k, site in enumerate(state.sites) if site in leaving), key=state.lost_with
        )
        leaving.remove(state.sites[place])
        state.remove(place)
        met = state.times > 0
        people, theirs = float(residents[met].sum()), float(residents[met & worst_off].sum())
        gap = max(0.0, 1 - (people + bonus * theirs) / bound)
        # Exchanges that change nothing, but for rounding, make no point of their own.
        if any(np.allclose((one.residents, one.worst_off), (people, theirs)) for one in found):
            continue
        chosen = np.array(state.sites, dtype=np.intp)
        found.append(TradeOff(bonus, people, theirs, 1 - people / most, gap, chosen))
    kept = [point for point in found if not any(_beats(other, point) for other in found)]
    return tuple(sorted(kept, key=lambda point: point.loss))


def knee(curve: Sequence[TradeOff]) -> TradeOff:
    """The point farthest above the line from one end of the curve to the other.

    Before it fairness is cheap, beyond it each further person of the worst-off costs more.
    """
    x = np.array([point.loss for point in curve])
    y = np.array([point.share for point in curve])
    if len(curve) < 3 or x.max() == x.min() or y.max() == y.min():
        return curve[0]
    above = (y - y.min()) / (y.max() - y.min()) - (x - x.min()) / (x.max() - x.min())
    return curve[int(np.argmax(above))]


def lasting(choices: Sequence[Indices], candidates: int) -> Floats:
    """In which share of `choices` each of the candidates was chosen, shape (candidates,).

    With one choice for each way of weighing residents this tells which sites survive all of
    them (1.0): what a meeting can agree on before it has agreed on weights.
    """
    counts = np.zeros(candidates)
    for chosen in choices:
        counts[np.unique(chosen)] += 1
    return np.asarray(counts / max(len(choices), 1))


def _bound(point: TradeOff) -> float:
    """No choice is worth more by the point's weights."""
    return (point.residents + point.bonus * point.worst_off) / (1 - point.gap)


def _beats(one: TradeOff, other: TradeOff) -> bool:
    return (
        one.residents >= other.residents
        and one.share >= other.share
        and (one.residents, one.share) != (other.residents, other.share)
    )
