"""Runs an import from file to inventory: open, judge, store in one transaction, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InputError
from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory
from inventory.importers.boroughs import Boroughs
from inventory.importers.builds import read_build
from inventory.importers.contents import Options, Source
from inventory.importers.devices import check_devices, device_rows, read_device, sites_of
from inventory.importers.outcome import finish, record_import, refused
from inventory.importers.points import City, read_points
from inventory.importers.polygons import in_place, read_areas, tell_overlaps
from inventory.importers.report import Report
from inventory.importers.source import open_source
from inventory.importers.write import store_areas, store_devices, store_sites
from inventory.models import Credential
from inventory.places import Places
from inventory.records import NeighbourhoodRecord


@dataclass(frozen=True)
class Request:
    """An import as asked for: `chosen` maps fields to columns."""

    file: Path
    chosen: Mapping[str, str]
    options: Options
    crs: str = ""
    strict: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Join:
    """A table to join to polygons, and its key."""

    table: Path | None = None
    key: str = ""


def import_neighbourhoods(
    request: Request, joined: Join, deprivation_order: str | None, *, replace: bool,
    no_internet_unit: str | None = None,
) -> None:  # fmt: skip
    """Import polygons, joined with a table if one is given."""
    chosen = request.chosen
    if deprivation_order and not chosen.get("deprivation"):
        raise InputError("--deprivation-order needs --deprivation")
    if no_internet_unit and not chosen.get("no_internet"):
        raise InputError("--no-internet-unit needs --no-internet")
    if joined.key and joined.table is None:
        raise InputError("--join-key needs --join TABLE")
    settings = load_settings()
    own = changed(request.options, encoding="") if joined.table else request.options
    source = open_source(request.file, own)
    table = open_source(joined.table, request.options) if joined.table else None
    report = source.begin("neighbourhoods")
    areas = read_areas(
        source, chosen, report, crs=request.crs, table=table, join_key=joined.key,
        no_internet_unit=no_internet_unit,
    )  # fmt: skip
    with closing(open_inventory(settings)) as inventory, inventory.session() as session:
        known = queries.neighbourhoods(session)
        order = deprivation_order or _order(chosen.get("deprivation", ""), known, report)
        areas = in_place(areas, known, settings.city.timezone, report)
        if not refused(report, request.strict):
            stored = store_areas(
                session, areas, chosen, report,
                high_is_worse=order != "low-is-worse", replace=replace,
            )  # fmt: skip
            here, kept = {area.id for area in areas}, set(report.extra.get("kept", ()))
            others = [n.geometry for n in known if n.id in kept and n.id not in here]
            tell_overlaps([area.geometry for area in areas] + others, report)
            report.extra["population"] = sum(area.population or 0 for area in areas)
            record_import(session, report, stored, len(areas))
    _finish(report, source, settings.home, request, table)


def _order(column: str, known: Sequence[NeighbourhoodRecord], report: Report) -> str:
    """The order of `column` where none is asked for: that of the neighbourhoods `known` already,
    so that importing again does not turn the city upside down. It is told.

    Raises
    ------
    InputError
        The known ones have both orders.
    """
    if not column:
        return ""
    orders = {n.high_is_worse for n in known if n.deprivation is not None}
    if len(orders) > 1:
        raise InputError(
            "--deprivation: neighbourhoods of both orders are in the inventory: give "
            "--deprivation-order high-is-worse or low-is-worse"
        )
    word, other = ("low", "high") if orders == {False} else ("high", "low")
    why = ", as in the import before" if orders else ""
    report.notes.append(
        f"a {word} {column!r} is taken as worse{why}: --deprivation-order {other}-is-worse "
        "says otherwise"
    )
    return f"{word}-is-worse"


def import_access_points(request: Request) -> None:
    """Import access points and the sites they stand at."""
    settings = load_settings()
    chosen = request.chosen
    source = open_source(request.file, request.options)
    report = source.begin("access points")
    with closing(open_inventory(settings)) as inventory, inventory.session() as session:
        points = read_points(
            source, chosen, known_city(session), report, crs=request.crs, read_more=read_device
        )
        credentials = set(session.scalars(select(Credential.name)))
        devices = check_devices(device_rows(points), chosen, credentials, report)
        places = sites_of(points, chosen.get("programme", ""), report)
        report.extra["sites"] = len(places)
        if not refused(report, request.strict):
            # what devices are called says nothing of a site that is known already
            store_sites(session, places, {**chosen, "name": ""}, report, status="live")
            stored = store_devices(session, devices, chosen, report)
            record_import(session, report, stored, len(points))
    _finish(report, source, settings.home, request)


def import_sites(request: Request, status: str) -> None:
    """Import sites without devices, of `status` live or candidate."""
    settings = load_settings()
    source = open_source(request.file, request.options)
    report = source.begin("candidates" if status == "candidate" else "sites")
    with closing(open_inventory(settings)) as inventory, inventory.session() as session:
        points = read_points(
            source, request.chosen, known_city(session), report, crs=request.crs,
            read_more=read_build,
        )  # fmt: skip
        if not refused(report, request.strict):
            builds = {point.id: point.more for point in points}
            stored = store_sites(
                session, points, request.chosen, report, status=status, builds=builds
            )
            record_import(session, report, stored, len(points))
    _finish(report, source, settings.home, request)


def known_city(session: Session) -> City:
    """What the inventory knows that positions and boroughs are checked against."""
    areas = queries.neighbourhoods(session)
    return City(Places(areas) if areas else None, Boroughs(area.borough for area in areas))


def _finish(
    report: Report, source: Source, home: Path, request: Request, table: Source | None = None
) -> None:
    finish(report, source, home, strict=request.strict, as_json=request.as_json, table=table)
