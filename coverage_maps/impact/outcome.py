"""What deployments that went live brought: coverage and use against their forecast, and use against
neighbourhoods like theirs in which nothing was built. docs/deployments.md explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely

from coverage_maps.cover.coverage import cover
from coverage_maps.cover.ground import Ground, positions
from coverage_maps.cover.groups import grouping
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.suppression import SHOWN_FROM
from coverage_maps.impact.matching import Case, Effect, Matched, effect_of
from coverage_maps.impact.panel import Panel, Window, panel_of
from coverage_maps.plan.effect import measure
from inventory.records import SiteRecord, UsageRecord

CAVEATS = (
    "A few sites show little: the interval says how far chance alone may carry the answer, had "
    "other neighbourhoods like these been taken.",
    "The comparison is with neighbourhoods alike in deprivation, density, use and coverage before; "
    "what else is different, and changed meanwhile, is in the answer.",
    "Sites are built where people are expected: growth that would have come anyway counts as "
    "theirs unless the comparison shares it.",
    "Visitors are counted as if they were residents, and devices that change their addresses more "
    "than once.",
)


@dataclass(frozen=True)
class Deployed:
    """A deployment that went live on a day."""

    id: int
    site_id: str
    live_on: date
    forecast: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one deployment."""

    deployed: Deployed
    neighbourhood: str
    covered: float
    """Residents newly covered, measured with the sites that are live now."""
    observed: float | None
    """Uses in a period as long as the forecast's (else 30 days); None where unknown or hidden."""
    observed_days: float
    hidden: bool
    """Fewer than ten were counted."""
    days_seen: int
    """Days with figures since it went live."""


@dataclass(frozen=True)
class Compared:
    """A neighbourhood with deployments against those like it."""

    neighbourhood: str
    before: float
    after: float
    """Uses in 30 days."""
    matched: Matched | None
    matches: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class Impact:
    """The outcomes, and the effect on use over the neighbourhoods that could be compared."""

    metric: str
    outcomes: tuple[Outcome, ...]
    compared: tuple[Compared, ...]
    effect: Effect
    notes: tuple[str, ...] = ()

    @property
    def further(self) -> tuple[float, float | None, float | None] | None:
        """Uses in 30 days that would not be without the deployments, and their interval."""
        if self.effect.effect is None:
            return None
        after = sum(one.after for one in self.compared if one.matched is not None)
        ends = (self.effect.effect, self.effect.low, self.effect.high)
        told = [None if end is None else after * (1 - float(np.exp(-end))) for end in ends]
        return told[0] or 0.0, told[1], told[2]


def impact_of(
    ground: Ground,
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    deployed: Sequence[Deployed],
    *,
    radius: float,
    days: int,
    today: date,
) -> Impact:
    """The impact of `deployed`, from figures of at most `days` days before and after each.

    Coverage is measured with a reach of `radius` metres, one deployment after another by the day
    that it went live.
    """
    order = sorted(deployed, key=lambda one: (one.live_on, one.id))
    where = {site.id: site for site in sites}
    order = [one for one in order if one.site_id in where]
    built = {one.site_id for one in order}
    live = [site for site in sites if site.stands and site.id not in built]
    before = cover(ground, positions(ground, live), radius)
    xy = positions(ground, [where[one.site_id] for one in order])
    effects = measure(ground, before, xy, grouping(ground)) if order else []
    homes = homes_of(ground, xy)
    panel = panel_of(ground, sites, usage, radius, today)
    outcomes = tuple(
        _outcome(ground, panel, one, home=home, covered=effect.residents, days=days)
        for one, home, effect in zip(order, homes, effects, strict=True)
    )
    treated: dict[int, list[Deployed]] = {}
    for one, home in zip(order, homes, strict=True):
        treated.setdefault(home, []).append(one)
    cases, compared = _cases(ground, panel, before.shares, treated, days)
    effect = effect_of([case for case, _ in cases])
    told = [
        Compared(
            one.neighbourhood, one.before, one.after, match,
            tuple(ground.records[case.donors[k]].id for k in match.matches) if match else (),
            "" if match else "no neighbourhood with figures is like it",
        )
        for (case, one), match in zip(cases, effect.cases, strict=True)
    ]  # fmt: skip
    return Impact(panel.metric, outcomes, (*told, *compared), effect, panel.notes)


def _outcome(
    ground: Ground, panel: Panel, one: Deployed, *, home: int, covered: float, days: int
) -> Outcome:
    use = one.forecast.get("use") or {}
    length = float(use.get("days") or 30.0)
    counted, seen = panel.of_site(one.site_id, _after(one.live_on, days))
    hidden = seen > 0 and counted < SHOWN_FROM
    observed = None if not seen or hidden else counted / seen * length
    return Outcome(
        one, ground.records[home].id, covered, observed, length, hidden, seen
    )  # fmt: skip


def _cases(
    ground: Ground,
    panel: Panel,
    shares: Floats,
    treated: Mapping[int, Sequence[Deployed]],
    days: int,
) -> tuple[list[tuple[Case, Compared]], list[Compared]]:
    """A case for each neighbourhood with deployments, and those that can be none, with the reason.

    Neighbourhoods that touch one with deployments are compared with none: they share its sites.
    """
    if not treated:
        return [], []
    own = np.array(sorted(treated))
    near = np.unique(ground.tree.query(ground.polygons[own], predicate="intersects")[1])
    away = np.ones(len(ground.records), dtype=bool)
    away[near] = False
    away[own] = False
    cases, others = [], []
    new = {one.site_id for built in treated.values() for one in built}
    for home, built in treated.items():
        first, last = min(b.live_on for b in built), max(b.live_on for b in built)
        was, now = panel.change(_before(first, days), _after(last, days), new)
        name = ground.records[home].id
        told = Compared(name, float(was[home]), float(now[home]), None, ())
        traits = _traits(ground, shares, was)
        usable = (traits.keep) & (was >= SHOWN_FROM) & (now > 0)
        if not usable[home]:
            others.append(_silent(told, bool(traits.keep[home])))
            continue
        donors = np.flatnonzero(usable & away)
        change = np.log(np.where(usable, now, 1.0)) - np.log(np.where(usable, was, 1.0))
        case = Case(
            float(change[home]), traits.values[home], change[donors], traits.values[donors], donors
        )
        cases.append((case, told))
    return cases, others


def _silent(told: Compared, known: bool) -> Compared:
    if not known:
        why = "its residents, area or deprivation are unknown"
    elif np.isnan(told.before) or np.isnan(told.after):
        why = "no figures of its sites both before and after"
    else:
        why = f"fewer than {SHOWN_FROM:.0f} were counted before: growth is no share of so few"
    return Compared(told.neighbourhood, told.before, told.after, None, (), why)


@dataclass(frozen=True, eq=False)
class _Traits:
    values: Floats
    keep: np.ndarray[tuple[int], np.dtype[np.bool]]


def _traits(ground: Ground, shares: Floats, was: Floats) -> _Traits:
    """Deprivation (where it was imported), log density, log use per resident and coverage."""
    residents = np.where(ground.residents > 0, ground.residents, np.nan)
    columns = [
        np.log(residents / ground.areas),
        np.log(np.where(was > 0, was, np.nan) / residents),
        shares,
    ]
    if np.isfinite(ground.badness).any():
        columns.append(ground.badness)
    values = np.column_stack(columns)
    known = np.isfinite(values[:, [0, *range(2, values.shape[1])]]).all(axis=1)
    return _Traits(np.nan_to_num(values), np.asarray(known))


def homes_of(ground: Ground, xy: Floats) -> list[int]:
    """The neighbourhood that each position is in (the smallest of several), else the nearest."""
    if not len(xy):
        return []
    points = shapely.points(xy)
    homes = [int(i) for i in ground.tree.nearest(points)]
    point, which = ground.tree.query(points, predicate="intersects")
    for k, i in sorted(zip(point, which, strict=True), key=lambda pair: -ground.areas[pair[1]]):
        homes[k] = int(i)
    return homes


def _before(day: date, days: int) -> Window:
    return Window(day - timedelta(days=days), day)


def _after(day: date, days: int) -> Window:
    # The day that it went live on is neither before nor after.
    return Window(day + timedelta(days=1), day + timedelta(days=days + 1))
