"""Runs an import from file to inventory: open, judge, store in one transaction, report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InputError
from farola.output import note, print_json
from farola.settings import load_settings
from inventory import events, queries
from inventory.db import open_inventory
from inventory.importers.boroughs import Boroughs
from inventory.importers.devices import check_devices, read_device, sites_of
from inventory.importers.points import City, read_points
from inventory.importers.polygons import read_areas
from inventory.importers.report import Report, summary, write_reject_file
from inventory.importers.source import Options, Source, open_source
from inventory.importers.write import Stored, store_areas, store_devices, store_sites
from inventory.models import Credential
from inventory.places import Places


def import_neighbourhoods(
    file: Path, chosen: Mapping[str, str], options: Options, crs: str, table: Path | None,
    join_key: str, deprivation_order: str | None, replace: bool, strict: bool, as_json: bool,
) -> None:  # fmt: skip
    """Import polygons, joined with a table if one is given."""
    if deprivation_order and not chosen.get("deprivation"):
        raise InputError("--deprivation-order needs --deprivation")
    if join_key and table is None:
        raise InputError("--join-key needs --join TABLE")
    settings = load_settings()
    source = open_source(file, Options(layer=options.layer, encoding=options.encoding))
    joined = open_source(table, options) if table else None
    report = source.begin("neighbourhoods")
    if chosen.get("deprivation") and not deprivation_order:
        report.notes.append(
            f"a high {chosen['deprivation']!r} is taken as worse: --deprivation-order low-is-worse "
            "says otherwise"
        )
    areas = read_areas(source, chosen, report, crs, joined, join_key)
    inventory = open_inventory(settings)
    with inventory.session() as session:
        if not _refused(report, strict):
            stored = store_areas(
                session, areas, chosen, deprivation_order != "low-is-worse", replace, report
            )
            report.extra["population"] = sum(area.population or 0 for area in areas)
            _close(session, report, stored, len(areas))
    _finish(report, source, settings.home, strict, as_json)


def import_access_points(
    file: Path, chosen: Mapping[str, str], options: Options, crs: str, strict: bool, as_json: bool
) -> None:
    """Import access points and the sites they stand at."""
    settings = load_settings()
    source = open_source(file, options)
    report = source.begin("access points")
    inventory = open_inventory(settings)
    with inventory.session() as session:
        points = read_points(source, chosen, _city(session), report, crs, read_device)
        credentials = set(session.scalars(select(Credential.name)))
        points = check_devices(points, dict(chosen), credentials, report)
        places = sites_of(points, chosen.get("programme", ""), report)
        report.extra["sites"] = len(places)
        if not _refused(report, strict):
            # what devices are called says nothing of a site that is known already
            store_sites(session, places, {**chosen, "name": "", "cost": ""}, "live", report)
            stored = store_devices(session, points, chosen, report)
            _close(session, report, stored, len(points))
    _finish(report, source, settings.home, strict, as_json)


def import_sites(
    file: Path, chosen: Mapping[str, str], options: Options, crs: str, status: str, strict: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Import sites without devices, of `status` live or candidate."""
    settings = load_settings()
    source = open_source(file, options)
    report = source.begin("candidates" if status == "candidate" else "sites")
    inventory = open_inventory(settings)
    with inventory.session() as session:
        points = read_points(source, chosen, _city(session), report, crs)
        if not _refused(report, strict):
            stored = store_sites(session, points, chosen, status, report)
            _close(session, report, stored, len(points))
    _finish(report, source, settings.home, strict, as_json)


def _city(session: Session) -> City:
    areas = queries.neighbourhoods(session)
    return City(Places(areas) if areas else None, Boroughs(area.borough for area in areas))


def _refused(report: Report, strict: bool) -> bool:
    return strict and bool(report.rejected)


def _close(session: Session, report: Report, stored: Stored, accepted: int) -> None:
    """Count what was stored and record the import's event, in the import's own transaction."""
    report.imported = accepted
    report.extra |= vars(stored)
    events.record(
        session,
        f"import.{report.kind.replace(' ', '-')}",
        f"{report.file.name}: {report.read:,} rows read, {report.imported:,} imported, "
        f"{len(report.rejected):,} rejected",
        detail=report.event_detail(),
    )


def _finish(report: Report, source: Source, home: Path, strict: bool, as_json: bool) -> None:
    report.sort()
    rows = {row.number: row.cells for row in source.rows}
    write_reject_file(report, home / "rejects", source.columns, rows)
    for text in report.notes:
        note(text)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in summary(report):
            print(line)
    if _refused(report, strict):
        first = report.rejected[0]
        raise InputError(
            f"{report.file}: {len(report.rejected)} rows rejected and --strict given: nothing was "
            f"imported; the first is row {first.row}, {first.field} {first.value!r}: {first.why}"
        )
    if not report.imported:
        note(f"nothing was imported from {report.file}: every row was rejected")
