"""`farola maintenance`: announce, list and end times in which devices may be down."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError
from farola.output import json_option, print_json, print_table
from farola.settings import Settings, load_settings
from farola.times import iso, parse_instant, show_instant

if TYPE_CHECKING:
    from inventory.maintenance import Window

MOST_REASON = 500


@click.command()
@click.option("--device", "device", metavar="ID", help="Of this device.")
@click.option("--site", "site", metavar="ID", help="Of all devices at this site.")
@click.option("--city", "city", is_flag=True, help="Of the whole city.")
@click.option(
    "--from", "start", metavar="TIME", help="When it begins, in the city's time.  [default: now]"
)
@click.option("--to", "end", metavar="TIME", help="When it ends; without it, until it is ended.")
@click.option("--reason", required=True, help="Why: shown wherever the devices are.")
@json_option
def add(
    *, device: str | None, site: str | None, city: bool, start: str | None, end: str | None,
    reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Announce maintenance: until it ends the devices are not called down, and the time counts
    for no availability.

    TIME is 2026-11-01T08:30 in the city's time zone, or has its own: 2026-11-01T08:30Z.
    """
    from inventory import maintenance
    from inventory.db import open_inventory

    settings = load_settings()
    scopes = {maintenance.DEVICE: device, maintenance.SITE: site, maintenance.CITY: city or None}
    chosen = [scope for scope, value in scopes.items() if value is not None]
    if len(chosen) != 1:
        raise InputError("say what it is of: one of --device ID, --site ID and --city")
    reason = reason.strip()
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise InputError(f"--reason is 1 to {MOST_REASON} printable characters on one line")
    zone = settings.city.zone
    begins = parse_instant(start, zone, "--from") if start is not None else datetime.now(UTC)
    ends = parse_instant(end, zone, "--to") if end is not None else None
    if ends is not None and ends <= begins:
        raise InputError(
            f"--to {show_instant(ends, zone)} is not after --from {show_instant(begins, zone)}"
        )
    place = device or site or ""
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            window = maintenance.add(
                session, chosen[0], place, start=begins, end=ends, reason=reason,
                actor=getpass.getuser(),
            )  # fmt: skip
    finally:
        inventory.close()
    _tell(window, settings, as_json)


@click.command(name="list")
@click.option("--all", "every", is_flag=True, help="Those that have ended too.")
@json_option
def list_windows(every: bool, as_json: bool) -> None:
    """List maintenance that goes on or is to come."""
    from inventory.db import open_inventory
    from inventory.maintenance import named, windows

    settings = load_settings()
    inventory = open_inventory(settings)
    now = datetime.now(UTC)
    try:
        with inventory.session() as session:
            found = windows(session, start=None if every else now)
    finally:
        inventory.close()
    if as_json:
        print_json([_plain(window) for window in found])
        return
    if not found:
        click.echo("no maintenance goes on or is to come")
        return
    zone = settings.city.zone
    print_table(
        "maintenance", ("id", "of", "from", "to", "now", "reason", "by"),
        [
            (
                one.id, named(one), show_instant(one.start, zone),
                show_instant(one.end, zone) if one.end else "until ended",
                "goes on" if one.covers(now) else "ended" if one.start <= now else "to come",
                one.reason, one.author,
            )
            for one in found
        ],
        right=(0,),
    )  # fmt: skip


@click.command()
@click.argument("window_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
@json_option
def end(window_id: int, as_json: bool) -> None:
    """End maintenance ID now; one that has not begun does not take place."""
    from inventory.db import open_inventory
    from inventory.maintenance import end_window

    settings = load_settings()
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            window = end_window(session, window_id, getpass.getuser())
    finally:
        inventory.close()
    _tell(window, settings, as_json)


def _tell(window: Window, settings: Settings, as_json: bool) -> None:
    from inventory.maintenance import named

    if as_json:
        print_json(_plain(window))
        return
    zone = settings.city.zone
    until = f"to {show_instant(window.end, zone)}" if window.end else "until it is ended"
    click.echo(
        f"maintenance {window.id} of {named(window)}: {show_instant(window.start, zone)} {until}"
    )


def _plain(window: Window) -> dict[str, Any]:
    return {
        **vars(window), "start": iso(window.start), "end": iso(window.end) if window.end else None
    }  # fmt: skip
