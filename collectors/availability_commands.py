"""`farola collect availability`: which share of the expected polls were answered, and who is to
blame for the others.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError, InventoryError
from farola.output import json_option, note, print_json, print_table, progress
from farola.settings import Settings, load_settings
from farola.times import iso, parse_instant, show_instant

if TYPE_CHECKING:
    from collectors.availability import Tally
    from collectors.availability_reading import City, Measured

LINES = 30
"""The worst so many groups are printed; `--json` has all."""
MANY_ROWS = 20_000_000
"""Rows of devices; to read more takes minutes."""


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 366), default=None,
    help="The last so many times 24 hours.  [default: 1]",
)  # fmt: skip
@click.option("--from", "start", metavar="TIME", help="From then on, in the city's time.")
@click.option("--to", "end", metavar="TIME", help="Until then.  [default: now]")
@click.option(
    "--by", type=click.Choice(["device", "site", "borough", "city"]), default="device",
    show_default=True, help="What is told together.",
)  # fmt: skip
@click.option("--device", default="", metavar="ID", help="Of this device alone.")
@click.option("--site", default="", metavar="ID", help="Of the devices at this site alone.")
@json_option
def availability(
    *, days: int | None, start: str | None, end: str | None, by: str, device: str, site: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Tell which share of the polls that could be answered were, and why the others were not.

    A device down is told apart from the collector being down, from its network, from what the
    device hangs on, and from maintenance: docs/availability.md has the definition.
    """
    from collectors.availability_reading import measure, read_city
    from inventory.db import open_inventory
    from timeseries.opening import open_store

    settings = load_settings()
    begins, ends = _period(settings, days, start, end)
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            city = read_city(session, begins, ends, device, site)
    finally:
        inventory.close()
    if not city.chosen:
        what = f"device {device!r}" if device else f"device at site {site!r}" if site else "device"
        raise InventoryError(f"no live {what} in the inventory in that time")
    _warn_of_many(city, begins, ends)
    store = open_store(settings)
    try:
        with progress("Reading polls", 100) as bar:
            shown = 0

            def advance(share: float) -> None:
                nonlocal shown
                if (now := int(share * 100)) > shown:
                    bar(now - shown)
                    shown = now

            measured = measure(store, city, begins, ends, advance, zone=settings.city.zone)
    finally:
        store.close()
    groups = grouped(city, measured, by, settings.city.name)
    if as_json:
        print_json(_plain(measured, groups, by, begins, ends))
    else:
        _print(measured, groups, by, settings, (begins, ends))


def grouped(city: City, measured: Measured, by: str, city_name: str) -> list[dict[str, Any]]:
    """The tallies by device, site, borough or for the city, the worst first; those about which
    nothing is known come last.
    """
    from collectors.availability import Tally

    sums: dict[str, Tally] = {}
    members: dict[str, set[str]] = {}
    for (device, site), tally in measured.tallies.items():
        group = {
            "device": device, "site": site, "borough": city.boroughs.get(site, ""), "city": "",
        }[by]  # fmt: skip
        sums[group] = sums.get(group, Tally()) + tally
        members.setdefault(group, set()).add(device)
    if by == "device":
        for one in city.chosen:
            sums.setdefault(one.id, Tally())
            members.setdefault(one.id, {one.id})
    interval_s = measured.collector.interval_s
    rows = [
        {
            "group": group,
            "name": city_name if by == "city" else city.names.get(group, group),
            "devices": len(members[group]),
            "availability": tally.availability,
            "reachable": tally.reachable,
            **asdict(tally),
            "down_s": None if interval_s is None else round(tally.down * interval_s, 3),
        }
        for group, tally in sums.items()
    ]
    return sorted(rows, key=_worst_first)


def _worst_first(row: dict[str, Any]) -> tuple[bool, float, float, str]:
    share = row["availability"]
    return share is None, share or 0.0, row["reachable"] or 0.0, row["group"]


def _period(
    settings: Settings, days: int | None, start: str | None, end: str | None
) -> tuple[datetime, datetime]:
    zone = settings.city.zone
    if days is not None and start is not None:
        raise InputError("--days and --from say the same thing: give one of them")
    now = datetime.now(UTC)
    ends = min(now, parse_instant(end, zone, "--to")) if end else now
    begins = parse_instant(start, zone, "--from") if start else ends - timedelta(days=days or 1)
    if begins >= ends:
        raise InputError(
            f"the period from {show_instant(begins, zone)} to {show_instant(ends, zone)} is empty"
        )
    if ends - begins > timedelta(days=366):
        raise InputError("the period is longer than 366 days: ask for less at once")
    return begins, ends


def _warn_of_many(city: City, start: datetime, end: datetime) -> None:
    rows = len(city.chosen) * (end - start).total_seconds() / 60
    if rows > MANY_ROWS:
        note(
            f"some {rows / 1e6:,.0f} million rows are read, which takes minutes: "
            "--site ID, --device ID or fewer days are quicker"
        )


def _plain(
    measured: Measured, groups: list[dict[str, Any]], by: str, start: datetime, end: datetime
) -> dict[str, Any]:
    return {
        "from": iso(start),
        "to": iso(end),
        "by": by,
        "collector": {**asdict(measured.collector), "network_polls": measured.network_polls},
        "groups": groups,
    }


def _print(
    measured: Measured, groups: list[dict[str, Any]], by: str, settings: Settings,
    period: tuple[datetime, datetime],
) -> None:  # fmt: skip
    start, end = (show_instant(at, settings.city.zone) for at in period)
    columns = ("down", "upstream", "network", "maintenance", "unknown", "lost", "not_asked")
    print_table(
        f"availability, {start} to {end}, in polls",
        (by, "name", "available", "reachable", "up", *(c.replace("_", " ") for c in columns)),
        [
            (
                row["group"] or "—", row["name"] or "—", _percent(row["availability"]),
                _percent(row["reachable"]), row["up"], *(row[c] or "" for c in columns),
            )
            for row in groups[:LINES]
        ],
        right=tuple(range(2, 5 + len(columns))),
    )  # fmt: skip
    if len(groups) > LINES:
        click.echo(f"and {len(groups) - LINES:,} more, none of them worse; --json has all")
    told = measured.collector
    line = f"collector: {told.polls:,} poll{'' if told.polls == 1 else 's'} made"
    if told.missed:
        line += f", some {told.missed:,} not made in {_length(told.down_s)}"
    if measured.network_polls:
        line += f", {measured.network_polls:,} with its own network at fault"
    click.echo(line)


def _length(seconds: float) -> str:
    return f"{seconds:,.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def _percent(share: float | None) -> str:
    """Never rounded up to 100 %: a device that was down once was."""
    if share is None:
        return "no data"
    return f"{int(share * 100_000) / 1000:.3f} %"
