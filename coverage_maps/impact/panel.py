"""Figures of use in windows of time, by site and by neighbourhood: what impact is told from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from coverage_maps.cover.ground import Ground, positions
from coverage_maps.cover.projection import Floats
from coverage_maps.demand.use_of_places import reach_of
from inventory.records import SiteRecord, UsageRecord

MONTH = 30.0


class Window(NamedTuple):
    """From `start` to the day before `end`."""

    start: date
    end: date


class Rate(NamedTuple):
    """Counted in so many days."""

    counted: float
    days: int


@dataclass(frozen=True, eq=False)
class Panel:
    """All figures of one metric, of periods that are over."""

    metric: str
    figures: dict[tuple[str, str], list[tuple[Window, float]]]
    """By scope and place: disjoint periods and counts."""
    sites: tuple[str, ...]
    split: csr_array
    """Share of each of `sites`' use that is of each neighbourhood, shape (sites, n)."""
    neighbourhoods: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def of_site(self, site: str, window: Window) -> Rate:
        """What was counted at a site in the periods that lie in `window`."""
        return self._rate("site", site, window)

    def change(self, before: Window, after: Window, new: Collection[str]) -> tuple[Floats, Floats]:
        """Uses in 30 days of each neighbourhood before and after, shape (n,) each; nan unknown.

        Figures of a neighbourhood itself go first; else those of its sites that have figures in
        both windows, and afterwards of the `new` ones too.
        """
        was, now = np.zeros(len(self.sites)), np.zeros(len(self.sites))
        known = np.zeros(len(self.sites), dtype=bool)
        for k, site in enumerate(self.sites):
            first, then = self._rate("site", site, before), self._rate("site", site, after)
            if first.days and then.days:
                was[k] = first.counted / first.days * MONTH
                known[k] = True
            if then.days and (first.days or site in new):
                now[k] = then.counted / then.days * MONTH
        told = self.split.T @ known.astype(float) > 0
        old = np.where(told, self.split.T @ was, np.nan)
        late = np.where(told, self.split.T @ now, np.nan)
        for i, name in enumerate(self.neighbourhoods):
            first = self._rate("neighbourhood", name, before)
            then = self._rate("neighbourhood", name, after)
            if first.days and then.days:
                old[i] = first.counted / first.days * MONTH
                late[i] = then.counted / then.days * MONTH
        return old, late

    def _rate(self, scope: str, place: str, window: Window) -> Rate:
        counted, days = 0.0, 0
        for period, value in self.figures.get((scope, place), ()):
            if window.start <= period.start and period.end <= window.end:
                counted += value
                days += (period.end - period.start).days
        return Rate(counted, days)


def panel_of(
    ground: Ground,
    sites: Sequence[SiteRecord],
    usage: Sequence[UsageRecord],
    radius: float,
    today: date,
) -> Panel:
    """The figures of sites and neighbourhoods; users where at least half have them, else sessions.

    Kinds are added up unless the whole is told. Of periods that overlap the shorter ones count.
    """
    located = [row for row in usage if row.scope in {"site", "neighbourhood"} and row.place]
    users = sum(row.users is not None for row in located)
    metric = "users" if 2 * users >= len(located) else "sessions"
    split: dict[tuple[str, str, Window], float] = defaultdict(float)
    whole: dict[tuple[str, str, Window], float] = {}
    for row in located:
        value = row.users if metric == "users" else row.sessions
        if value is None or not row.start < row.end <= today:
            continue
        key = row.scope, row.place, Window(row.start, row.end)
        if row.kind:
            split[key] += value
        else:
            whole[key] = value
    figures: dict[tuple[str, str], list[tuple[Window, float]]] = defaultdict(list)
    ordered = sorted({**split, **whole}.items(), key=lambda one: _length(one[0][2]))
    for (scope, place, period), value in ordered:
        taken = figures[scope, place]
        if all(period.end <= other.start or other.end <= period.start for other, _ in taken):
            taken.append((period, value))
    known = {place for scope, place in figures if scope == "site"}
    counted = [site for site in sites if site.id in known]
    reach = reach_of(ground, positions(ground, counted), radius)
    lived = np.asarray(reach.sum(axis=1))
    scale = np.divide(1.0, lived, out=np.zeros(len(lived)), where=lived > 0)
    notes = [] if located else ["no portal use by site or neighbourhood is known"]
    strange = sorted(known - {site.id for site in sites})
    if strange:
        notes.append(
            f"usage of {len(strange)} sites is not used: no site {strange[0]!r} in the inventory"
        )
    return Panel(
        metric, dict(figures), tuple(site.id for site in counted),
        csr_array(reach.multiply(scale[:, None])),
        tuple(record.id for record in ground.records), tuple(notes),
    )  # fmt: skip


def _length(period: Window) -> tuple[int, date]:
    return (period.end - period.start).days, period.start
