"""`farola provision …`: prepare, show, push, status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings

if TYPE_CHECKING:
    from provisioning.changes import ChangeRecord

IDS_SHOWN = 4
NUMBER = click.IntRange(1, 2**63 - 1)
"""What a change's number can be: the inventory holds 64 bits."""


@click.command()
@click.option("--device", "devices", multiple=True, help="Id of a device; may be repeated.")
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--reason", default="", help="Why, for the record.")
@json_option
def prepare(
    devices: tuple[str, ...], site: str | None, everything: bool, reason: str, as_json: bool
) -> None:
    """Freeze a change: ask each device what runs and show what would change there.

    Exits 1 if a device could not be asked; the change is frozen for the others all the same.
    """
    from inventory.db import open_inventory
    from provisioning.context import tell_slips
    from provisioning.devices import choose
    from provisioning.prepare import prepare_change

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
    tell_slips(inventory)
    with progress("Asking devices", len(chosen)) as done:
        change = prepare_change(inventory, chosen, author=person(), reason=reason, done=done)
    if as_json:
        print_json(_change_json(change))
    else:
        _print_change(change)
        if change.of("pending"):
            note(f"Push it with: farola provision push {change.id}")
    if change.of("unreachable"):
        click.get_current_context().exit(1)


@click.command()
@click.argument("change", type=NUMBER)
@json_option
def show(change: int, as_json: bool) -> None:
    """Show the frozen CHANGE: each device's diff, equal ones together."""
    found = _load(change)
    if as_json:
        print_json(_change_json(found))
    else:
        _print_change(found)


@click.command()
@click.argument("change", type=NUMBER)
@click.option("--forks", default=20, show_default=True, type=click.IntRange(1, 200),
              help="Devices at a time.")  # fmt: skip
@json_option
def push(change: int, forks: int, as_json: bool) -> None:
    """Apply CHANGE to its devices. Exits 0 only if every device now runs it."""
    from inventory.db import open_inventory
    from provisioning.changes import OPEN
    from provisioning.push import push_change

    inventory = open_inventory(load_settings())
    total = len(_load(change).of(*OPEN))
    with progress("Pushing", total) as done:
        result = push_change(inventory, change, forks=forks, done=done)
    if as_json:
        print_json({
            "change": result.change, "pushed": result.pushed,
            "pushed_before": result.pushed_before, "unchanged": result.unchanged,
            "failed": [{"device": device, "why": why} for device, why in result.failed],
            "took_s": result.took_s,
        })  # fmt: skip
    else:
        before = f" ({result.pushed_before} were pushed before)" if result.pushed_before else ""
        click.echo(
            f"Change {change}: {result.pushed} pushed{before}, {result.unchanged} unchanged, "
            f"{len(result.failed)} failed, in {result.took_s:.1f} s"
        )
    for device, why in result.failed:
        note(f"farola: {device}: {why}")
    if result.failed:
        click.get_current_context().exit(1)


@click.command()
@click.argument("change", type=NUMBER, required=False)
@json_option
def status(change: int | None, as_json: bool) -> None:
    """Account for every device of CHANGE (default: the newest)."""
    found = _load(change)
    if as_json:
        print_json(_change_json(found, diffs=False))
        return
    zone = load_settings().city.zone

    def local(at: datetime) -> str:
        return at.replace(tzinfo=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")

    rows = [(d.device_id, d.status, d.message, local(d.at)) for d in found.devices]
    print_table(f"Change {found.id}: {found.status}", ("device", "status", "why", "at"), rows)
    click.echo(_counts(found))


def _load(change: int | None) -> ChangeRecord:
    from inventory.db import open_inventory
    from provisioning import changes

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        return changes.load(session, change)


def _counts(change: ChangeRecord) -> str:
    counts: dict[str, int] = {}
    for device in change.devices:
        counts[device.status] = counts.get(device.status, 0) + 1
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _print_change(change: ChangeRecord) -> None:
    from provisioning.changes import group_diffs

    click.echo(f"Change {change.id} ({change.status}): {_counts(change)}")
    for diff, ids in group_diffs([device for device in change.devices if device.diff]):
        click.echo("")
        if len(ids) == 1:
            click.echo(f"{ids[0]}:")
        else:
            click.echo(f"The same on {len(ids)} devices ({_some(ids)}):")
        click.echo(diff)
    for device in change.of("unreachable"):
        note(f"farola: {device.device_id}: left out: {device.message}")


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    return ", ".join(ids[:IDS_SHOWN]) + more


def _utc(at: datetime) -> str:
    """An instant of the inventory, which keeps them in UTC without saying so, as ISO 8601."""
    return at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _change_json(change: ChangeRecord, *, diffs: bool = True) -> dict[str, Any]:
    return {
        "change": change.id,
        "status": change.status,
        "author": change.author,
        "reason": change.reason,
        "created_at": _utc(change.created_at),
        "pushed_at": _utc(change.pushed_at) if change.pushed_at else None,
        "devices": [
            {
                "device": device.device_id,
                "status": device.status,
                "why": device.message,
                "at": _utc(device.at),
                **({"diff": device.diff} if diffs else {}),
            }
            for device in change.devices
        ],
    }
