"""`farola device list` and `farola device show`: what the inventory holds of devices, no secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, plain, print_json, print_table
from farola.settings import Settings, load_settings
from farola.times import show_instant

if TYPE_CHECKING:
    from inventory.records import DeviceRecord
    from inventory.uplinks import UplinkRecord

_COLUMNS = ("id", "name", "role", "platform", "address", "site", "controller", "uplink",
            "credential", "status")  # fmt: skip


@click.command(name="list")
@click.option("--role", metavar="ROLE", help="Only these, for instance access-point or switch.")
@click.option("--site", metavar="ID", help="Only those at this site.")
@click.option("--unplaced", is_flag=True, help="Only those that are at no site.")
@json_option
def list_devices(role: str | None, site: str | None, unplaced: bool, as_json: bool) -> None:
    """List the devices of the inventory that are not retired."""
    from farola.errors import InputError
    from inventory.db import open_inventory
    from inventory.importers.names import counted
    from inventory.queries import devices
    from inventory.uplinks import upstream_of

    if site is not None and unplaced:
        raise InputError("give --site or --unplaced, not both")
    inventory = open_inventory(load_settings())
    try:
        with inventory.session() as session:
            known, uplinks = devices(session), upstream_of(session)
            if site is not None:
                _check_site(session, site)
    finally:
        inventory.close()
    roles = sorted({one.role for one in known})
    if role is not None and role not in roles:
        note(f"no device has the role {role!r}; there are {', '.join(roles) or 'none'}")
    rows = [
        _plain(one, uplinks.get(one.id))
        for one in known
        if role in (None, one.role)
        and site in (None, one.site_id)
        and not (unplaced and one.site_id is not None)
    ]
    if as_json:
        print_json({"devices": rows, "count": len(rows)})
        return
    if rows:
        _print_rows(rows)
    click.echo(counted(len(rows), "device"))


@click.command()
@click.argument("device")
@json_option
def show(device: str, as_json: bool) -> None:
    """Show what the inventory holds of DEVICE; of its credential only the name.

    What can be done to its platform is shown too: a diff, a commit that reverts by itself, ….
    """
    from farola.errors import InventoryError
    from inventory.db import open_inventory
    from inventory.importers.names import did_you_mean
    from inventory.platforms import able
    from inventory.queries import devices
    from inventory.uplinks import upstream_of

    settings = load_settings()
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            found = devices(session, (device,))
            if not found:
                near = did_you_mean(device, [one.id for one in devices(session)])
                raise InventoryError(
                    f"no device {device!r} in the inventory{near}: `farola device list` names them"
                )
            row = _plain(found[0], upstream_of(session).get(device))
    finally:
        inventory.close()
    can = able(row["platform"]) if row["platform"] else None
    row["can"] = can.names() if can else []
    if as_json:
        print_json(row)
        return
    if can:
        row["can"] = can.words()
    for key, value in row.items():
        if value not in (None, "", []):
            click.echo(plain(f"{key}: {_said(key, value, settings)}"))


def _plain(one: DeviceRecord, uplink: UplinkRecord | None) -> dict[str, Any]:
    """The keys that docs/discovery.md names."""
    return {
        "id": one.id,
        "name": one.name,
        "role": one.role,
        "platform": one.platform,
        "address": one.management_address,
        "snmp_port": one.snmp_port,
        "ssh_port": one.ssh_port,
        "answers_from": one.snmp_answers_from.split(),
        "mac": one.mac,
        "serial": one.serial,
        "site": one.site_id,
        "controller": one.controller_id,
        "uplink": {
            "upstream": uplink.upstream_id, "port": uplink.upstream_port,
            "source": uplink.source, "seen_at": uplink.seen_at.replace(tzinfo=UTC).isoformat(),
        } if uplink else None,
        "credential": one.credential_name,
        "status": one.status,
        "source": one.source,
    }  # fmt: skip


def _print_rows(rows: list[dict[str, Any]]) -> None:
    """A table, without the columns that nobody says anything in."""
    cells = [{**row, "uplink": _hangs_on(row["uplink"]) if row["uplink"] else ""} for row in rows]
    told = [name for name in _COLUMNS if any(row[name] for row in cells)]
    print_table("Devices", told, [[row[name] or "" for name in told] for row in cells])


def _said(key: str, value: Any, settings: Settings) -> str:
    if key == "answers_from":
        return " ".join(value)
    if key != "uplink":
        return str(value)
    seen = show_instant(datetime.fromisoformat(value["seen_at"]), settings.city.zone)
    return f"{_hangs_on(value)} ({value['source']}, {seen})"


def _hangs_on(uplink: Mapping[str, str]) -> str:
    port = f" port {uplink['port']}" if uplink["port"] else ""
    return f"{uplink['upstream']}{port}"


def _check_site(session: Any, site_id: str) -> None:
    from farola.errors import InventoryError
    from inventory.models import Site

    if session.get(Site, site_id) is None:
        raise InventoryError(f"no site {site_id!r} in the inventory: correct the id, or import it")
