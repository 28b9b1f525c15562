"""Sums coverage up for groups of residents: by grade, by fifth of deprivation, by borough, by
neighbourhood.

Groups are told worst first, because that is the order in which they should be served.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coverage_maps.cover.ground import Ground, LeftOut
from coverage_maps.cover.projection import Floats
from farola.errors import PlanningError

FIFTHS = ("1 (most deprived)", "2", "3", "4", "5 (least deprived)")


@dataclass(frozen=True)
class Group:
    """Residents of a group and how many of them are covered; `share` is 0..1."""

    group: str
    population: float
    covered_population: float
    share: float


@dataclass(frozen=True, eq=False)
class Grouping:
    """Names of the groups and, for each neighbourhood, the index of its group or -1."""

    by: str
    names: tuple[str, ...]
    index: NDArray[np.intp]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()


def grouping(ground: Ground, by: str | None = None) -> Grouping:
    """Group the neighbourhoods `by` grade, fifth, borough or neighbourhood; None takes the first
    of grade, fifth and neighbourhood that it can.

    Raises
    ------
    PlanningError
        `by` asks for grades, deprivation or boroughs that were never imported.
    """
    graded = any(record.grade for record in ground.records)
    rated = bool(np.isfinite(ground.badness).any())
    by = by or ("grade" if graded else "fifth" if rated else "neighbourhood")
    if by == "grade":
        if not graded:
            raise PlanningError(
                "no neighbourhood has a grade: import them with --grade COLUMN, or use --by fifth"
            )
        return _by_grade(ground)
    if by == "fifth":
        if not rated:
            raise PlanningError(
                "no neighbourhood has a deprivation value: import them with --deprivation COLUMN "
                "--deprivation-order high-is-worse|low-is-worse"
            )
        return _by_fifth(ground)
    if by == "borough":
        if not any(record.borough for record in ground.records):
            raise PlanningError("no neighbourhood has a borough: import them with --borough COLUMN")
        return _by_borough(ground)
    known = np.isfinite(ground.population)
    index = np.where(known, np.arange(len(known)), -1)
    names = tuple(record.id for record in ground.records)
    return Grouping("neighbourhood", names, index, _left_out(ground, known, ""))


def parts_by_rank(badness: Floats, population: Floats, parts: int) -> NDArray[np.intp]:
    """Split neighbourhoods into `parts` of equal population by rank; 0 holds the worst.

    A neighbourhood belongs whole to the part in which the last of its residents falls, counted
    from the worst (where there are fewer than two a part, the middle one of its residents);
    equal ranks keep their order. -1 where badness or population is unknown.
    """
    index = np.full(len(badness), -1, dtype=np.intp)
    known = np.flatnonzero(np.isfinite(badness) & np.isfinite(population))
    if len(known):
        order = known[np.argsort(-badness[known], kind="stable")]
        reached = np.cumsum(population[order])
        if len(order) < 2 * parts:
            reached = reached - population[order] / 2
        everybody = float(population[order].sum())
        ends = reached / everybody if everybody > 0 else np.ones(len(order))
        # The subtrahend keeps a part that ends exactly on a border from spilling over it.
        index[order] = np.clip(np.ceil(ends * parts - 1e-9) - 1, 0, parts - 1).astype(np.intp)
    return index


def summarise(ground: Ground, shares: Floats, groups: Grouping) -> tuple[Group, list[Group]]:
    """The total over all groups, and each group that has a neighbourhood.

    A group without a single resident is told with the covered share of its ground.
    """
    told = groups.index >= 0
    total = _group("all", ground, shares, told)
    if groups.by == "neighbourhood":
        return total, _each(ground, shares, told)
    members = [
        _group(name, ground, shares, groups.index == k)
        for k, name in enumerate(groups.names)
        if (groups.index == k).any()
    ]
    if groups.by == "borough":  # they have no order of their own: as neighbourhoods
        members.sort(key=lambda group: group.covered_population - group.population)
    return total, members


def _each(ground: Ground, shares: Floats, told: NDArray[np.bool_]) -> list[Group]:
    """Neighbourhoods, those that leave out most residents first."""
    residents = ground.residents
    order = np.lexsort((np.arange(len(shares)), -residents * (1 - shares)))
    return [
        Group(ground.records[i].id, float(residents[i]), float(residents[i] * shares[i]),
              float(shares[i]))
        for i in order if told[i]
    ]  # fmt: skip


def _group(name: str, ground: Ground, shares: Floats, member: NDArray[np.bool_]) -> Group:
    residents = ground.residents[member]
    population = float(residents.sum())
    weights = residents if population > 0 else ground.areas[member]
    share = float(np.average(shares[member], weights=weights)) if member.any() else 0.0
    return Group(name, population, population * share, share)


def _by_grade(ground: Ground) -> Grouping:
    grades = np.array([record.grade or "" for record in ground.records], dtype=object)
    weight = np.where(ground.residents > 0, ground.residents, 1e-9)
    rank: dict[str, float] = {}
    for grade in {str(g) for g in grades} - {""}:
        rated = (grades == grade) & np.isfinite(ground.badness)
        if rated.any():
            rank[grade] = float(np.average(ground.badness[rated], weights=weight[rated]))
        else:
            rank[grade] = -np.inf
    # Without deprivation there is no order but the alphabet's, and that is said.
    names = tuple(sorted(rank, key=lambda grade: (-rank[grade], grade)))
    unordered = [grade for grade in names if rank[grade] == -np.inf]
    notes: tuple[str, ...] = ()
    if unordered:
        notes = (f"no deprivation value to order these grades by: {', '.join(unordered)}",)
    position = {name: k for k, name in enumerate(names)}
    known = np.isfinite(ground.population)
    index = np.array([position.get(str(g), -1) for g in grades], dtype=np.intp)
    left_out = _left_out(ground, index >= 0, "grade unknown")
    return Grouping("grade", names, np.where(known, index, -1), left_out, notes)


def _by_fifth(ground: Ground) -> Grouping:
    index = parts_by_rank(ground.badness, ground.population, len(FIFTHS))
    left_out = _left_out(ground, np.isfinite(ground.badness), "deprivation unknown")
    members = int((index >= 0).sum())
    notes: tuple[str, ...] = ()
    if members < len(FIFTHS) * 2:
        notes = (f"fifths of {members} neighbourhoods are coarse: none is split between two",)
    return Grouping("fifth", FIFTHS, index, left_out, notes)


def _by_borough(ground: Ground) -> Grouping:
    boroughs = [record.borough or "" for record in ground.records]
    names = tuple(sorted({*boroughs} - {""}))
    position = {name: k for k, name in enumerate(names)}
    index = np.array([position.get(name, -1) for name in boroughs], dtype=np.intp)
    left_out = _left_out(ground, index >= 0, "borough unknown")
    known = np.isfinite(ground.population)
    return Grouping("borough", names, np.where(known, index, -1), left_out)


def _left_out(ground: Ground, grouped: NDArray[np.bool_], why: str) -> tuple[LeftOut, ...]:
    """Account for what a grouping leaves out: first no population, then the `why` of the group."""
    out = list(ground.left_out)
    unknown = ~np.isfinite(ground.population)
    if unknown.any():
        out.append(LeftOut("population unknown", int(unknown.sum()), None))
    lost = ~grouped & ~unknown
    if lost.any() and why:
        out.append(LeftOut(why, int(lost.sum()), float(ground.population[lost].sum())))
    return tuple(out)
