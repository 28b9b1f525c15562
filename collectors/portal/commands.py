"""`farola import usage`: figures of portal use that another system exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from farola.output import json_option

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from collectors.portal.places import Gazetteer, Place
    from collectors.portal.reading import Unit
    from collectors.portal.shape import Shape
    from farola.settings import Settings
    from inventory.importers.contents import Source
    from inventory.importers.report import Report

F = TypeVar("F", bound=Callable[..., Any])
Figures = tuple[str, ...]


def _columns(name: str, what: str) -> Callable[[F], F]:
    return click.option(
        name, multiple=True, metavar="[KIND=]COL", help=f"{what}; again for each kind of site."
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--site", default="", metavar="COL", help="Names or ids of sites.")
@click.option("--neighbourhood", default="", metavar="COL", help="Names or ids of neighbourhoods.")
@click.option("--city", is_flag=True, help="The figures are of the whole city.")
@click.option(
    "--period", "periods", multiple=True, metavar="COL",
    help="Column that holds the period; several are joined (month and year). Or each column whose "
    "name is a period (2019-04) and whose cells are figures.",
)  # fmt: skip
@_columns("--users", "People who used the portal")
@_columns("--sessions", "Sessions")
@_columns("--minutes", "Minutes online")
@click.option("--kind", default="", metavar="COL", help="Kind of site that a row is for.")
@click.option(
    "--measure", type=click.Choice(("users", "sessions", "minutes")),
    help="What the cells are when each --period column is a period (users by default).",
)  # fmt: skip
@click.option(
    "--day-first/--month-first", default=None, help="What 04/05/2019 means, if nothing tells."
)
@click.option(
    "--keep-outliers", is_flag=True, help="Warn of figures 100 times off their series only."
)
@click.option("--encoding", default="", help="Text encoding; UTF-8 by default.")
@click.option("--sheet", default="", help="Sheet of a workbook; the first by default.")
@click.option("--strict", is_flag=True, help="Import nothing if any row is rejected.")
@json_option
def usage(
    *,
    file: Path,
    site: str,
    neighbourhood: str,
    city: bool,
    periods: Figures,
    users: Figures,
    sessions: Figures,
    minutes: Figures,
    kind: str,
    measure: str | None,
    day_first: bool | None,
    keep_outliers: bool,
    encoding: str,
    sheet: str,
    strict: bool,
    as_json: bool,
) -> None:
    """Read use of the portal by place and period, from long or wide tables.

    Figures are sums over a place and period; a table about single people is refused.
    """
    from collectors.portal.people import refuse_people
    from collectors.portal.shape import find_shape
    from farola.settings import load_settings
    from inventory.importers.contents import Options
    from inventory.importers.outcome import finish
    from inventory.importers.source import open_source

    settings = load_settings()
    source = open_source(file, Options(encoding=encoding, sheet=sheet))
    refuse_people(source, [name for name in (site, neighbourhood) if name])
    shape = find_shape(
        source,
        places={"site": site, "neighbourhood": neighbourhood},
        city=city,
        periods=periods,
        figures={"users": users, "sessions": sessions, "minutes": minutes},
        kind=kind,
        measure=measure or "",
    )
    report = source.begin("usage")
    _import(
        settings, source, shape, report,
        day_first=day_first, keep_outliers=keep_outliers, strict=strict,
    )  # fmt: skip
    finish(report, source, settings.home, strict=strict, as_json=as_json)
    if not as_json:
        click.echo(
            f"{report.extra['figures']:,} figures kept by {report.extra['scope']}; "
            f"{report.extra['series_rows']:,} days written to the time series"
        )


def _import(
    settings: Settings,
    source: Source,
    shape: Shape,
    report: Report,
    *,
    day_first: bool | None,
    keep_outliers: bool,
    strict: bool,
) -> None:
    """Read, judge and store in one transaction; then the days into the series."""
    from datetime import datetime

    from collectors.portal.judging import judge
    from collectors.portal.reading import read_units
    from collectors.portal.store import store_usage
    from inventory import events, queries
    from inventory.db import open_inventory

    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            units = read_units(source, shape, _gazetteer(session, shape.scope), report, day_first)
            today = datetime.now(settings.city.zone).date()
            units = judge(units, report, today, keep_outliers)
            report.extra |= {"scope": shape.scope, "figures": 0, "series_rows": 0}
            if strict and report.rejected:
                return
            simulated = queries.fact(session, "simulated") is not None
            stored = store_usage(
                session, shape.scope, units, "simulated" if simulated else "imported", report
            )
            report.imported = len({unit.row for unit in units})
            report.extra |= vars(stored)
            report.extra["figures"] = sum(
                len(values) for unit in units for values in unit.values.values()
            )
            report.extra["periods"] = sorted({str(unit.period) for unit in units})
            if stored.created or stored.updated:
                text = f"{report.file.name}: {report.extra['figures']:,} figures of portal use"
                events.record(session, "import.usage", text, detail=report.event_detail())
    finally:
        inventory.close()
    if shape.scope == "site":
        report.extra["series_rows"] = _write_days(settings, units)


def _gazetteer(session: Session, scope: str) -> Gazetteer | None:
    """Places to look names up in: sites that were built, or neighbourhoods."""
    from collectors.portal.places import Gazetteer, Place
    from farola.errors import InputError
    from inventory import queries

    aliases: dict[str, Place] = {}
    if scope == "city":
        return None
    if scope == "site":
        places = [Place(s.id, s.name) for s in queries.sites(session) if s.status != "candidate"]
        aliases = _lone_devices(session, {place.id: place for place in places})
        remedy = "import them first: `farola import sites` or `farola import access-points`"
    else:
        places = [Place(n.id, n.name) for n in queries.neighbourhoods(session)]
        remedy = "import them first: `farola import neighbourhoods`"
    if not places:
        raise InputError(f"the inventory has no {scope}s to match the table with; {remedy}")
    return Gazetteer(scope, places, aliases)


def _lone_devices(session: Session, sites: dict[str, Place]) -> dict[str, Place]:
    """Sites by their device's id, where there is but one: several would have to be added up."""
    from inventory import queries

    at = [(device.id, device.site_id) for device in queries.devices(session)]
    counts = Counter(site for _, site in at)
    return {
        device: sites[site]
        for device, site in at
        if site is not None and site in sites and counts[site] == 1
    }


def _write_days(settings: Settings, units: list[Unit]) -> int:
    from collectors.portal.store import daily_batch
    from timeseries import open_store

    batch = daily_batch(units, settings.city.zone)
    if batch is None:
        return 0
    store = open_store(settings)
    try:
        return store.write([batch])
    finally:
        store.close()
