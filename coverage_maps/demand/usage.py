"""Reads imported portal usage for the demand index: the latest complete periods, by place.

A period is complete when it has ended and at least half as many places reported it as reported
the best one: the last month of an import is often a part of one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np

from inventory.records import UsageRecord

PERIODS = 3
Period = tuple[date, date]


@dataclass(frozen=True)
class RecentUse:
    """Latest use by site and by neighbourhood (ids): counts of `metric` in a usual period."""

    metric: str = ""
    sites: dict[str, float] = field(default_factory=dict)
    neighbourhoods: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    days: dict[str, float] = field(default_factory=dict)
    """Length of a usual period by scope (`site`, `neighbourhood`)."""
    span: dict[str, Period] = field(default_factory=dict)
    """First day of the periods taken, and the day after their last, by scope."""


def recent_use(usage: Sequence[UsageRecord], today: date | None = None) -> RecentUse:
    """The use of each place in the latest complete periods (up to three).

    Users are taken where at least half of the figures have them, else sessions. Places report
    over different numbers of days: counts are compared by the day and told for the usual length
    of a period. Figures of the whole city say nothing about where, and are only noted.
    """
    today = today or datetime.now(UTC).date()
    located = [row for row in usage if row.scope in {"site", "neighbourhood"} and row.place]
    notes: list[str] = []
    if len(located) < len(usage):
        notes.append(
            "usage of the whole city cannot change the ranking: import it by --site or "
            "--neighbourhood to have it count"
        )
    if not located:
        return RecentUse(notes=tuple(notes))
    users = sum(row.users is not None for row in located)
    metric = "users" if 2 * users >= len(located) else "sessions"
    days: dict[str, float] = {}
    span: dict[str, Period] = {}
    found: dict[str, dict[str, float]] = {}
    for scope in ("site", "neighbourhood"):
        found[scope], taken = _latest(located, scope, metric, today)
        if taken:
            days[scope] = _usual_days(taken)
            span[scope] = min(start for start, _ in taken), max(end for _, end in taken)
    return RecentUse(metric, found["site"], found["neighbourhood"], tuple(notes), days, span)


def _usual_days(periods: set[Period]) -> float:
    return float(np.median([(end - start).days for start, end in periods]))


def _latest(
    usage: Sequence[UsageRecord], scope: str, metric: str, today: date
) -> tuple[dict[str, float], set[Period]]:
    """Counts in a usual period by place, and the periods that were taken."""
    split: dict[tuple[str, Period], float] = defaultdict(float)
    whole: dict[tuple[str, Period], float] = {}
    for row in usage:
        value = row.users if metric == "users" else row.sessions
        if row.scope != scope or value is None or not row.start < row.end <= today:
            continue
        key = (row.place, (row.start, row.end))
        if row.kind:
            split[key] += value
        else:
            whole[key] = value
    figures = {**split, **whole}  # figures for all kinds together are not added to those by kind
    places: dict[Period, int] = defaultdict(int)
    for _, period in figures:
        places[period] += 1
    if not places:
        return {}, set()
    enough = max(places.values()) / 2
    complete = sorted((p for p in places if places[p] >= enough), key=lambda p: (p[1], p[0]))
    taken = set(complete[-PERIODS:])
    usual = _usual_days(taken)
    counts: dict[str, float] = defaultdict(float)
    days: dict[str, int] = defaultdict(int)
    for (place, (start, end)), value in figures.items():
        if (start, end) in taken:
            counts[place] += value
            days[place] += (end - start).days
    return {place: counts[place] / days[place] * usual for place in counts}, taken
