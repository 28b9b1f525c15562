"""Uptime of the sites in the very periods that figures of use are of, read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from coverage_maps.demand.usage import RecentUse
from farola.settings import Settings
from inventory.records import SiteRecord


def uptime_of_usage(
    settings: Settings, sites: Sequence[SiteRecord], recent: RecentUse
) -> tuple[dict[str, float], list[str]]:
    """Share of the time that each live site was up, by id, and what there is to say of it.

    Uptime of other times would explain nothing: where the store has none of those periods the
    answer is empty. A store that cannot be read is told, and costs the covariate alone.
    """
    from coverage_maps.cover.uptime import read_uptime
    from farola.errors import StoreError
    from inventory.db import open_inventory
    from inventory.maintenance import placements
    from timeseries import open_store

    span = recent.span.get("neighbourhood") or recent.span.get("site")
    live = [site.id for site in sites if site.status == "live"]
    if span is None or not live:
        return {}, []
    zone = settings.city.zone
    start, end = (datetime.combine(day, time(), zone) for day in span)
    with open_inventory(settings).session() as session:
        stays = placements(session, start - timedelta(days=36_500), end)
    try:
        found = read_uptime(open_store(settings, hasty=True), stays, live, (start, end), zone)
    except StoreError as error:
        return {}, [f"uptime is not known: {error}"]
    known = {site: share for site in live if (share := found.mean(site)) is not None}
    if not known:
        return {}, [f"the store holds no polls of {_days(*span)}, when these figures were counted"]
    return known, []


def _days(start: date, end: date) -> str:
    return f"{start.isoformat()} to {(end - timedelta(days=1)).isoformat()}"
