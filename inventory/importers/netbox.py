"""Turns NetBox's sites and devices into rows, so that they are judged as a file's rows are.

A row's number is the object's number in NetBox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from farola.errors import InputError
from inventory.importers.contents import Row, Source
from inventory.importers.devices import DeviceCells, DeviceRow
from inventory.importers.report import BadCellError, Report
from inventory.importers.rows import Reader
from inventory.importers.values import read_host

SITE_STATUS = {
    "candidate": "candidate", "planned": "planned", "staging": "building", "active": "live",
    "decommissioning": "live", "retired": "retired",
}  # fmt: skip
"""NetBox's status of a site → ours. One that is being taken down still serves."""
DEVICE_STATUS = {
    "planned": "planned", "staged": "planned", "inventory": "planned", "active": "live",
    "offline": "live", "failed": "live", "decommissioning": "live",
}  # fmt: skip
"""NetBox's status of a device → ours. One that is offline should be up, so it is watched."""
SITE_COLUMNS = {
    "id": "site.id", "name": "site.name", "lat": "site.latitude", "lon": "site.longitude",
    "borough": "site.region", "status": "site.status",
}  # fmt: skip
DEVICE_COLUMNS = {
    "name": "device.name", "site": "device.site", "role": "device.role",
    "platform": "device.platform", "serial": "device.serial",
    "management_address": "device.primary_ip", "status": "device.status",
}  # fmt: skip


def fetch(url: str, token: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All sites and devices of the NetBox at `url`, as its API gives them.

    Raises
    ------
    InputError
        It cannot be reached, refuses the token, or does not answer as NetBox does.
    """
    import pynetbox
    import requests

    class Patient(requests.adapters.HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            return super().send(*args, **{**kwargs, "timeout": (10, 60)})

    session = requests.Session()
    session.trust_env = False  # a .netrc or proxy must not carry our token elsewhere
    for scheme in ("http://", "https://"):
        session.mount(scheme, Patient())
    api = pynetbox.api(url, token=token)
    api.http_session = session
    try:
        sites = [dict(record) for record in api.dcim.sites.all()]
        devices = [dict(record) for record in api.dcim.devices.all()]
    except pynetbox.RequestError as error:
        code = error.req.status_code
        advice = (
            "is the token valid and allowed to read sites and devices?"
            if code in {401, 403}
            else "is this NetBox's address?"
        )
        raise InputError(f"{url} answered {code}: {advice}") from None
    except pynetbox.ContentError:
        raise InputError(f"{url} does not answer as NetBox does: is the address right?") from None
    except (requests.RequestException, OSError) as error:
        reason = type(error).__name__
        raise InputError(f"{url} cannot be reached ({reason}): is the address right?") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{url} does not answer as NetBox does: is the address right?") from None
    finally:
        session.close()
    return sites, devices


def source_of(url: str, columns: Mapping[str, str], rows: Sequence[Row]) -> Source:
    """`rows` as a source that is named after NetBox's host."""
    return Source(Path(urlsplit(url).netloc), tuple(columns.values()), tuple(rows), "")


def site_key(number: object) -> str:
    """Our id of NetBox's site `number`: its slug may change, its number does not."""
    return f"netbox-site-{number}"


def site_row(site: Mapping[str, Any]) -> Row:
    """A site's cells, in the order of SITE_COLUMNS."""
    cells = (
        site_key(site["id"]), site.get("name"), site.get("latitude"), site.get("longitude"),
        _part(site.get("region"), "name"), _part(site.get("status"), "value"),
    )  # fmt: skip
    return Row(int(site["id"]), cells)


def device_row(device: Mapping[str, Any]) -> Row:
    """A device's cells, in the order of DEVICE_COLUMNS."""
    cells = (
        device.get("name"), _part(device.get("site"), "id"),
        _part(device.get("role") or device.get("device_role"), "slug"),
        _part(device.get("platform"), "slug"), device.get("serial") or None,
        _part(device.get("primary_ip"), "address"), _part(device.get("status"), "value"),
    )  # fmt: skip
    return Row(int(device["id"]), cells)


def read_status(reader: Reader, row: Row) -> str:
    """Our status of a site; BadCellError if NetBox uses one that we do not know."""
    return _status(reader, row, SITE_STATUS)


def read_devices(source: Source, site_ids: frozenset[str], report: Report) -> list[DeviceRow]:
    """Judge every device; one whose site was rejected is accepted without a site, and told."""
    reader = Reader(source, DEVICE_COLUMNS, report)
    devices = []
    for row in source.rows:
        try:
            status = _status(reader, row, DEVICE_STATUS)
            address = reader.parsed(
                row, "management_address", lambda text: (read_host(text.split("/")[0]), "")
            )
            cells = DeviceCells(
                address, serial=reader.text(row, "serial"), platform=reader.text(row, "platform")
            )
            site = reader.text(row, "site")
            name = reader.text(row, "name") or f"device {row.number}"
            role = reader.text(row, "role") or "access-point"
        except BadCellError as error:
            report.reject(row.number, error)
            continue
        key = site_key(site) if site else None
        if key not in site_ids:
            report.warn(row.number, "device.site", site, "stands at no imported site")
            key = None
        devices.append(
            DeviceRow(row.number, f"netbox-{row.number}", name, key, cells, role, status)
        )
    return devices


def _status(reader: Reader, row: Row, known: Mapping[str, str]) -> str:
    text = reader.text(row, "status")
    if text is None or text not in known:
        raise BadCellError(
            reader.column("status"), text, f"is no status we know: {', '.join(known)}"
        )
    return known[text]


def _part(value: object, key: str) -> object:
    """`value[key]` of a nested object, or `value` itself where it is plain."""
    return value.get(key) if isinstance(value, Mapping) else value
