"""Runs an import from NetBox: fetch, judge, store in one transaction, report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InputError
from farola.keys import Keyring
from farola.output import note
from farola.settings import load_settings
from inventory import queries
from inventory.db import open_inventory
from inventory.importers import netbox
from inventory.importers.devices import DeviceRow, check_devices
from inventory.importers.outcome import finish, record_import, refused
from inventory.importers.points import Point, read_points
from inventory.importers.report import Report
from inventory.importers.run import known_city
from inventory.importers.write import Stored, store_devices, upsert
from inventory.models import Device, Site

STEPS = ("candidate", "planned", "building", "live", "retired")
"""A site's life; an import may move it on, never back."""


def import_netbox(url: str, credential: str, *, strict: bool, as_json: bool) -> None:
    """Import the sites and devices of the NetBox at `url`."""
    url = _checked(url)
    settings = load_settings()
    with closing(open_inventory(settings)) as inventory:
        with inventory.session() as session:
            secrets = queries.secrets(session, credential, Keyring(settings.home))
        token = secrets.values.get("token")
        if not token:
            raise InputError(
                f"credential {credential!r} holds no token: store it with "
                f"`farola device credential {credential} --field token`"
            )
        if url.startswith("http://"):
            note("the token travels unencrypted over http: use https where NetBox offers it")
        sites, devices = netbox.fetch(url, token)
        site_source = netbox.source_of(
            url, netbox.SITE_COLUMNS, [netbox.site_row(site) for site in sites]
        )
        device_source = netbox.source_of(
            url, netbox.DEVICE_COLUMNS, [netbox.device_row(device) for device in devices]
        )
        report = Report("netbox", site_source.path, read=len(sites) + len(devices))
        with inventory.session() as session:
            points = read_points(
                site_source, netbox.SITE_COLUMNS, known_city(session), report,
                read_more=netbox.read_status,
            )  # fmt: skip
            rows = netbox.read_devices(device_source, frozenset(p.id for p in points), report)
            rows = check_devices(rows, netbox.DEVICE_COLUMNS, (), report)
            report.extra |= {"sites": len(points), "devices": len(rows)}
            if not refused(report, strict):
                stored = _store_sites(session, points)
                _tell_status(session, rows, report)
                more = store_devices(session, rows, netbox.DEVICE_COLUMNS, report, source="netbox")
                both = (a + b for a, b in zip(vars(stored).values(), vars(more).values()))  # noqa: B905 - one class
                record_import(session, report, Stored(*both), len(points) + len(rows))
    # a row's number is NetBox's, of a site or of a device: no cells stand beside it
    finish(report, replace(site_source, rows=()), settings.home, strict=strict, as_json=as_json)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"--url {url}: use an address such as https://netbox.example.org")
    if "@" in parts.netloc or parts.query:
        raise InputError("--url: give the address alone; the token goes into a credential")
    return url.rstrip("/").removesuffix("/api")


def _store_sites(session: Session, points: Sequence[Point]) -> Stored:
    known = dict(session.execute(select(Site.id, Site.status)).all())
    rows = [
        {
            "id": point.id, "name": point.name or point.id, "lat": point.lat, "lon": point.lon,
            "borough": point.borough, "kind": "fixed", "source": "netbox",
            "status": max(point.more, known.get(point.id, point.more), key=STEPS.index),
        }
        for point in points
    ]  # fmt: skip
    return upsert(session, Site, rows, ("name", "lat", "lon", "borough", "status"))


def _tell_status(session: Session, rows: Sequence[DeviceRow], report: Report) -> None:
    """A known device keeps its status here; where NetBox says otherwise that is told."""
    known = dict(session.execute(select(Device.id, Device.status)).all())
    for row in rows:
        ours = known.get(row.id, row.status)
        if ours != row.status:
            report.warn(
                row.row, "device.status", row.status,
                f"{row.name} is {ours} here and {row.status} in NetBox: left as it is here",
                "differs from the status here, which is kept",
            )  # fmt: skip
