"""Improves a choice of sites where exchanges one by one are stuck: heat-bath annealing.

Where discs are large and overlap, greedy choice and single exchanges stay one to four percent
below what is possible. Here one chosen site at a time is taken out, and any candidate may take
its place, the likelier the more it would gain at the present temperature (Geman and Geman's heat
bath). While it is hot the choice wanders; as it cools only the best places are left. Every step
looks at all candidates at once, so numpy is enough and nothing has to be compiled.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coverage_maps.cover.projection import Floats

Indices = NDArray[np.intp]
HOT, COLD = 0.05, 0.004
"""First and last temperature, as shares of what a chosen site covers on average."""
FAR = 8.0
"""Candidates more than so many temperatures below the best are not drawn."""
STEPS_PER_SITE = 500
"""Of one round from hot to cold, where time allows."""
MANY = 1_000
"""Candidates from which each fruitless round makes the next one cool half as fast."""
FRUITLESS = 4
"""Rounds without gain after which the search ends before its deadline."""
SEED = 20_240_501


@dataclass(frozen=True, eq=False)
class _Purse:
    """What sites cost, what may be spent and what a unit of it is worth in weight."""

    costs: Floats
    budget: float
    price: float
    alike: bool
    """All cost the same: a choice is a number of sites."""


class Choice:
    """The chosen sites and what every candidate would add to them, kept up to date."""

    def __init__(self, covers: csr_array, weights: Floats, chosen: Indices) -> None:
        points = csr_array(covers.T)
        self.starts, self.ends = covers.indptr[:-1], covers.indptr[1:]
        self.reached = covers.indices
        self.first, self.degree = points.indptr[:-1], np.diff(points.indptr)
        self.by_point = points.indices
        self.weights = weights
        self.candidates = covers.shape[0]
        self.times = np.zeros(len(weights), dtype=np.intp)
        for j in chosen:
            self.times[self.row(int(j))] += 1
        self.gains: Floats = covers @ np.where(self.times > 0, 0.0, weights)
        self.value = float(weights[self.times > 0].sum())
        self.sites = [int(j) for j in chosen]

    def row(self, j: int) -> Indices:
        """The points that candidate `j` covers."""
        return np.asarray(self.reached[self.starts[j] : self.ends[j]])

    def shift(self, points: Indices) -> Floats:
        """What all candidates gain when `points` become open."""
        lengths = self.degree[points]
        ends = lengths.cumsum()
        at = np.repeat(self.first[points] - ends + lengths, lengths)
        at += np.arange(len(at))
        worth = np.repeat(self.weights[points], lengths)
        summed = np.bincount(self.by_point[at], worth, minlength=self.candidates)
        return np.asarray(summed, dtype=np.float64)

    def lost_with(self, place: int) -> float:
        """What only the site at `place` of `sites` covers."""
        row = self.row(self.sites[place])
        return float(self.weights[row[self.times[row] == 1]].sum())

    def remove(self, place: int) -> None:
        """Take the site at `place` of `sites` out."""
        row = self.row(self.sites.pop(place))
        self.times[row] -= 1
        opened = row[self.times[row] == 0]
        if len(opened):
            self.gains += self.shift(opened)
            self.value -= float(self.weights[opened].sum())

    def add(self, j: int) -> None:
        """Put candidate `j` in."""
        row = self.row(j)
        taken = row[self.times[row] == 0]
        if len(taken):
            self.gains -= self.shift(taken)
            self.value += float(self.weights[taken].sum())
        self.times[row] += 1
        self.sites.append(j)


def anneal(
    covers: csr_array,
    weights: Floats,
    costs: Floats,
    budget: float,
    *,
    chosen: Indices,
    deadline: float,
    enough: float = np.inf,
) -> Indices:
    """The best choice that rounds of heating and cooling come across, `chosen` at the least.

    `covers` is boolean of shape (candidates, demand points). Ends at `deadline`
    (time.monotonic), when rounds bring nothing more, or when the covered weight reaches `enough`.
    The random numbers are seeded: where time does not cut it short, the same input gives the
    same answer.
    """
    if not len(chosen) or time.monotonic() >= deadline:
        return chosen
    rng = np.random.default_rng(SEED)
    state = Choice(covers, weights, chosen)
    alike = bool(np.all(costs == costs[0]))
    purse = _Purse(costs, budget * (1 + 1e-12), _price(state, costs), alike)
    best, best_value = chosen.copy(), state.value
    least = 1e-9 * best_value
    steps = min(STEPS_PER_SITE * len(chosen), 20 * len(chosen) * len(costs))
    idle = 0
    hot = HOT
    while idle < FRUITLESS and best_value < enough:
        began = time.monotonic()
        # A round is cooled to its end: the last one fits into the time that is left.
        seconds = min(max((deadline - began) / 3, 0.5), deadline - began)
        if seconds <= 0:
            break
        found, value = _round(
            state, purse, rng=rng, hot=hot, steps=steps, began=began, seconds=seconds
        )
        if value > best_value + least:
            best, best_value, idle = found, value, 0
        else:
            idle += 1
            state = Choice(covers, weights, best)
            if len(costs) >= MANY:
                steps *= 2
        hot = HOT * (0.6 if idle % 2 else 1.0)
    return best


def _price(state: Choice, costs: Floats) -> float:
    """What a unit of cost is worth: the least that a chosen site brings for its own."""
    worth = []
    for j in state.sites:
        row = state.row(j)
        if costs[j] > 0:
            worth.append(float(state.weights[row[state.times[row] == 1]].sum()) / costs[j])
    return min(worth, default=0.0)


def _round(
    state: Choice,
    purse: _Purse,
    *,
    rng: np.random.Generator,
    hot: float,
    steps: int,
    began: float,
    seconds: float,
) -> tuple[Indices, float]:
    """One cooling from `hot` to cold; the best choice met and its value."""
    unit = state.value / max(len(state.sites), 1)
    best, best_value = np.array(state.sites, dtype=np.intp), state.value
    done, step = 0.0, 0
    while done < 1.0 and state.sites:
        if step % 16 == 0:
            done = max(step / steps, (time.monotonic() - began) / seconds)
            heat = unit * hot * (COLD / hot) ** min(done, 1.0)
        step += 1
        place = int(rng.integers(len(state.sites)))
        if purse.alike:
            _exchange(state, place, heat, rng)
        else:
            _refill(state, place, purse, heat, rng)
        if state.value > best_value:
            best, best_value = np.array(state.sites, dtype=np.intp), state.value
    return best, best_value


def _exchange(state: Choice, place: int, heat: float, rng: np.random.Generator) -> None:
    """One site out, one in; where it is the same one, nothing has to be kept up to date."""
    old = state.sites[place]
    row = state.row(old)
    opened = row[state.times[row] == 1]
    gains = state.gains + state.shift(opened) if len(opened) else state.gains
    new = drawn(gains, heat, rng)
    if new == old or gains[new] <= 0:
        return
    state.gains = gains
    state.times[row] -= 1
    state.value -= float(state.weights[opened].sum())
    state.sites.pop(place)
    state.add(new)


def _refill(
    state: Choice, place: int, purse: _Purse, heat: float, rng: np.random.Generator
) -> None:
    """One or two sites out, then as many in as can be paid and add more than their price."""
    state.remove(place)
    if state.sites and rng.random() < 0.5:
        state.remove(int(rng.integers(len(state.sites))))
    room = purse.budget - float(purse.costs[state.sites].sum())
    while True:
        # What is left of a gain by rounding is none: a free site would be added for ever.
        payable = (purse.costs <= room) & (state.gains > 1e-9 * heat)
        worth = np.where(payable, state.gains - purse.price * purse.costs, -np.inf)
        new = drawn(worth, heat, rng)
        if worth[new] == -np.inf:
            return
        state.add(new)
        room -= float(purse.costs[new])


def drawn(gains: Floats, heat: float, rng: np.random.Generator) -> int:
    """An index, drawn with probability in proportion to exp(gain / heat)."""
    top = int(np.argmax(gains))
    near = np.flatnonzero(gains > gains[top] - FAR * heat)
    if len(near) < 2:
        return top
    return int(near[np.argmax(gains[near] + heat * rng.gumbel(size=len(near)))])
