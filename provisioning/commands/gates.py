"""`farola provision pause, resume, freeze`: what holds every push, whoever started it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from farola.output import json_option, print_json, print_table
from farola.people import person
from farola.settings import load_settings

WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"])


@click.command()
@click.option("--reason", required=True, help="Why, for those who wonder.")
@json_option
def pause(reason: str, as_json: bool) -> None:
    """Pause every push, at once: devices under way end, nothing else begins."""
    from inventory.db import open_inventory
    from provisioning.change import gates

    with open_inventory(load_settings()).session() as session:
        gates.pause(session, person(), reason)
    _tell({"paused": True, "by": person(), "reason": reason}, "Every push is paused", as_json)


@click.command()
@json_option
def resume(as_json: bool) -> None:
    """Allow pushes again. One that was halted goes on with `farola provision push`."""
    from inventory.db import open_inventory
    from provisioning.change import gates

    with open_inventory(load_settings()).session() as session:
        gates.resume(session, person())
    _tell({"paused": False}, "Pushes are allowed again", as_json)


@click.group()
def freeze() -> None:
    """Times in which nothing is pushed: elections, a festival."""


@freeze.command("add")
@click.option("--from", "start", type=WHEN, help="From when, on the city's clock; default: now.")
@click.option("--to", "end", type=WHEN, help="Until when; by default until it is ended.")
@click.option("--reason", required=True, help="Why, for those who wonder.")
@json_option
def freeze_add(start: datetime | None, end: datetime | None, reason: str, as_json: bool) -> None:
    """Announce a freeze."""
    from inventory.db import open_inventory
    from provisioning.change import gates

    settings = load_settings()
    zone = settings.city.zone
    begin = start.replace(tzinfo=zone) if start else datetime.now(UTC)
    finish = end.replace(tzinfo=zone) if end else None
    with open_inventory(settings).session() as session:
        number = gates.add_freeze(session, begin, finish, reason, person())
    _tell({"freeze": number}, f"Freeze {number} is announced", as_json)


@freeze.command("list")
@json_option
def freeze_list(as_json: bool) -> None:
    """List freezes that go on or are to come."""
    from inventory.db import open_inventory
    from provisioning.change import gates

    settings = load_settings()
    zone = settings.city.zone
    with open_inventory(settings).session() as session:
        found = gates.freezes(session, datetime.now(UTC))
    if as_json:
        print_json([
            {"freeze": one.id, "start": one.start.isoformat(), "reason": one.reason,
             "end": one.end.isoformat() if one.end else None, "author": one.author}
            for one in found
        ])  # fmt: skip
        return

    def local(at: datetime | None) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}" if at else "open"

    rows = [(str(f.id), local(f.start), local(f.end), f.reason, f.author) for f in found]
    print_table("Freezes", ("freeze", "from", "until", "why", "by"), rows)


@freeze.command("end")
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
@json_option
def freeze_end(number: int, as_json: bool) -> None:
    """End freeze NUMBER now; one that has not begun never takes place."""
    from inventory.db import open_inventory
    from provisioning.change import gates

    with open_inventory(load_settings()).session() as session:
        gates.end_freeze(session, number, person())
    _tell({"freeze": number, "ended": True}, f"Freeze {number} has ended", as_json)


def _tell(data: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        click.echo(words)
