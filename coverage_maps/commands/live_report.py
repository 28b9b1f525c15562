"""`farola coverage --live`: the share of the time that residents were covered, and by whom most of
the rest was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from coverage_maps.cover.emitters import Emitter
from coverage_maps.cover.ground import Ground
from coverage_maps.cover.groups import Group, Grouping, summarise
from coverage_maps.cover.live import LiveCoverage, cover_live
from coverage_maps.cover.uptime import Uptime, period, read_uptime
from coverage_maps.telling.exports import coverage_json
from coverage_maps.telling.words import several
from farola.errors import PlanningError
from farola.output import note, print_json, print_table, progress
from farola.settings import Settings
from inventory.db import open_inventory
from inventory.maintenance import placements
from inventory.records import SiteRecord

WORST = 10
"""So many sites are named whose being down costs most."""


@dataclass(frozen=True, eq=False)
class LiveReport:
    """Live coverage with what it was made of."""

    coverage: LiveCoverage
    uptime: Uptime
    sites: Mapping[str, SiteRecord]

    @property
    def unmeasured(self) -> int:
        """Live sites of which nothing is known: they count as up."""
        return len(self.sites) - len(self.uptime.always) - len(self.uptime.sometimes)

    @property
    def worst(self) -> list[tuple[SiteRecord, float, float]]:
        """Sites whose being down leaves most residents out, with uptime and residents."""
        lost = sorted(self.coverage.lost.items(), key=lambda item: (-item[1], item[0]))
        return [
            (self.sites[site], self.uptime.mean(site) or 0.0, people)
            for site, people in lost[:WORST]
            if people >= 0.5
        ]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`, under `live`."""
        return {
            "from": self.uptime.start.isoformat(timespec="seconds"),
            "to": self.uptime.end.isoformat(timespec="seconds"),
            "every": self.uptime.every,
            "windows": self.uptime.windows,
            "hours_left_out": self.uptime.left_out,
            "sites_measured": len(self.sites) - self.unmeasured,
            "sites_taken_as_up": self.unmeasured,
            "sites_ever_down": len(self.uptime.sometimes),
            "neighbourhoods_sampled": self.coverage.sampled,
            "worst_sites": [
                {"site": site.id, "name": site.name, "uptime": uptime, "residents_lost": people}
                for site, uptime, people in self.worst
            ],
        }


def live_report(
    settings: Settings, ground: Ground, sites: Sequence[SiteRecord], emitters: Sequence[Emitter],
    days: int,
) -> LiveReport:  # fmt: skip
    """Live coverage of the last `days` days and today.

    Raises
    ------
    PlanningError
        The store knows of none of the sites.
    StoreError
        The store cannot be read.
    """
    from timeseries import open_store

    zone = settings.city.zone
    span = period(days, zone)
    with open_inventory(settings).session() as session:
        stays = placements(session, span[0] - timedelta(days=36_500), span[1])
    store = open_store(settings)
    try:
        with progress("Reading uptime", None) as advance:
            uptime = read_uptime(store, stays, {s.id for s in sites}, span, zone, advance=advance)
    finally:
        store.close()
    if not uptime.windows or not (uptime.always or uptime.sometimes):
        raise PlanningError(
            f"no poll of a device at a live site in the last {several(days, 'day')}: run `farola "
            "collect run`, give more --days, or leave --live out"
        )
    with progress("Clipping neighbourhoods", len(ground.records)) as advance:
        covered = cover_live(ground, emitters, uptime.sometimes, advance)
    return LiveReport(covered, uptime, {site.id: site for site in sites})


def live_groups(
    ground: Ground, report: LiveReport, groups: Grouping
) -> tuple[Group, list[Group], dict[str, float]]:
    """Total, groups, and by group's name the share that would be covered if all were up."""
    total, each = summarise(ground, report.coverage.shares, groups)
    whole, parts = summarise(ground, report.coverage.if_up, groups)
    return total, each, {group.group: group.share for group in [whole, *parts]}


def show_live(
    settings: Settings, ground: Ground, sites: Sequence[SiteRecord], emitters: Sequence[Emitter],
    *, days: int, groups: Grouping, title: str, extra: Mapping[str, Any], as_json: bool,
) -> None:  # fmt: skip
    """Make the report and print it; `extra` stands beside it with `as_json`. Raises as
    `live_report`.
    """
    report = live_report(settings, ground, sites, emitters, days)
    total, each, if_up = live_groups(ground, report, groups)
    if not as_json:
        times = f"on average over {several(days, 'day')} and today"
        print_live(f"{title}, {times}", groups, total, each, if_up=if_up, report=report)
        return
    positions = len({(round(e.x, 2), round(e.y, 2)) for e in emitters})
    base = coverage_json(groups, total, each, radius=0.0, sites=len(sites), positions=positions)
    told = [asdict(group) | {"share_if_up": if_up[group.group]} for group in (total, *each)]
    print_json(
        base | {"total": told[0], "groups": told[1:], "live": report.as_dict()} | dict(extra)
    )


def print_live(
    title: str, groups: Grouping, total: Group, each: Sequence[Group],
    *, if_up: Mapping[str, float], report: LiveReport,
) -> None:  # fmt: skip
    """Print live coverage by group, what it rests on, and the sites that cost most."""
    print_table(
        title,
        [groups.by, "residents", "covered", "share", "if all were up", "lost"],
        [
            (
                g.group, f"{g.population:,.0f}", f"{g.covered_population:,.0f}", f"{g.share:.1%}",
                f"{if_up[g.group]:.1%}", f"{g.population * (if_up[g.group] - g.share):,.0f}",
            )
            for g in [*each, total]
        ],
        right=(1, 2, 3, 4, 5),
    )  # fmt: skip
    if report.worst:
        print_table(
            "Sites that would cover most more if they were always up",
            ["site", "borough", "uptime", "residents"],
            [
                (site.name, site.borough or "", f"{uptime:.1%}", f"{people:,.0f}")
                for site, uptime, people in report.worst
            ],
            right=(2, 3),
        )
    up = report.uptime
    note(
        f"uptime of {up.windows:,} {up.every}s; {several(len(up.sometimes), 'site')} ever down, "
        f"{several(len(up.always), 'site')} never"
    )
    if report.unmeasured:
        note(f"nothing is known of {several(report.unmeasured, 'site')}: taken as up")
    if up.left_out:
        note(
            f"{several(up.left_out, 'hour')} left out, in which most of the city fell silent at "
            "once: the collector's own network"
        )
    if report.coverage.sampled:
        note(
            f"{several(report.coverage.sampled, 'neighbourhood')} measured on a grid of points: "
            "too many sites overlap there"
        )
