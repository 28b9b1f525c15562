"""`farola provision …`: prepare and show; what other commands about changes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.output import json_option, note, print_json, progress
from farola.people import person
from farola.settings import load_settings

if TYPE_CHECKING:
    from provisioning.change.changes import ChangeRecord

IDS_SHOWN = 4
NUMBER = click.IntRange(1, 2**63 - 1)
"""What a change's number can be: the inventory holds 64 bits."""


@click.command()
@click.option("--device", "devices", multiple=True, help="Id of a device; may be repeated.")
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--reason", default="", help="Why, for the record.")
@click.option(
    "--require-approval",
    is_flag=True,
    help="Another person must approve it before it can be pushed.",
)
@json_option
def prepare(
    *, devices: tuple[str, ...], site: str | None, everything: bool, reason: str,
    require_approval: bool, as_json: bool,
) -> None:  # fmt: skip
    """Freeze a change: ask each device what runs and show what would change there.

    Exits 1 if a device could not be asked; the change is frozen for the others all the same.
    """
    from inventory.db import open_inventory
    from provisioning.change.prepare import prepare_change, pushable
    from provisioning.intent.context import tell_slips
    from provisioning.platforms.choosing import choose

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
    if not devices:
        chosen = pushable(chosen)
    tell_slips(inventory)
    with progress("Asking devices", len(chosen)) as done:
        change = prepare_change(
            inventory, chosen, author=person(), reason=reason,
            needs_approval=require_approval or None, done=done,
        )  # fmt: skip
    tell_prepared(change, as_json)


@click.command()
@click.argument("change", type=NUMBER)
@json_option
def show(change: int, as_json: bool) -> None:
    """Show the frozen CHANGE: each device's diff, equal ones together."""
    found = load_record(change)
    if as_json:
        print_json({**change_json(found), "platforms": platforms_of(found)})
    else:
        _print_change(found)
        tell_platforms(found)


def tell_prepared(change: ChangeRecord, as_json: bool) -> None:
    """Show a change that was just prepared; the command exits 1 if a device could not be asked."""
    if as_json:
        print_json(change_json(change))
    else:
        _print_change(change)
        if change.of("pending"):
            if change.needs_approval:
                note(f"Another person approves it with: farola provision approve {change.id}")
            note(f"Push it with: farola provision push {change.id}")
    if change.of("unreachable"):
        click.get_current_context().exit(1)


def load_record(change: int | None) -> ChangeRecord:
    """The change of that number, or the newest."""
    from inventory.db import open_inventory
    from provisioning.change import changes

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        return changes.load(session, change)


def counted(change: ChangeRecord) -> str:
    """How many devices are in each status, in words."""
    from provisioning.change.changes import in_words

    counts = Counter(in_words(device) for device in change.devices)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _print_change(change: ChangeRecord) -> None:
    from provisioning.change.changes import group_diffs

    click.echo(f"Change {change.id} ({change.status}): {counted(change)}")
    for diff, ids in group_diffs([device for device in change.devices if device.diff]):
        click.echo("")
        if len(ids) == 1:
            click.echo(f"{ids[0]}:")
        else:
            click.echo(f"The same on {len(ids)} devices ({some(ids)}):")
        click.echo(diff)
    marks = sorted({mark for device in change.devices for mark in device.secrets.items()})
    if marks:
        shown = ", ".join(f"{name} {mark}" for name, mark in marks)
        click.echo(f"\nFingerprints of its secrets: {shown}")
    for device in change.of("unreachable"):
        note(f"farola: {device.device_id}: left out: {device.message}")


def platforms_of(change: ChangeRecord) -> dict[str, dict[str, Any]]:
    """What can be done to the platforms of a change's devices, by platform."""
    from inventory.db import open_inventory
    from provisioning.platforms.drivers import told_of

    inventory = open_inventory(load_settings())
    try:
        with inventory.session() as session:
            return told_of(session, [device.device_id for device in change.devices])
    finally:
        inventory.close()


def tell_platforms(change: ChangeRecord) -> None:
    """Say what the change's platforms can; nothing where it is all that there is."""
    for name, one in sorted(platforms_of(change).items()):
        if "(no " in one["words"] or name != "openwrt":
            click.echo(f"{name}, {one['devices']} devices: {one['words']}")


def some(ids: Sequence[str]) -> str:
    """The first of many ids, in words."""
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    return ", ".join(ids[:IDS_SHOWN]) + more


def utc(at: datetime) -> str:
    """An instant of the inventory, which keeps them in UTC without saying so, as ISO 8601."""
    return at.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def change_json(change: ChangeRecord, *, diffs: bool = True) -> dict[str, Any]:
    """A change as `--json` prints it."""
    return {
        "change": change.id,
        "status": change.status,
        "kind": change.kind,
        "author": change.author,
        "reason": change.reason,
        "created_at": utc(change.created_at),
        "pushed_at": utc(change.pushed_at) if change.pushed_at else None,
        "needs_approval": change.needs_approval,
        "approved_by": change.approved_by or None,
        "approved_at": utc(change.approved_at) if change.approved_at else None,
        "wave": change.wave,
        "halted_because": change.halted_because or None,
        "devices": [
            {
                "device": device.device_id,
                "status": device.status,
                "why": device.message,
                "at": utc(device.at),
                "wave": device.wave,
                "checks": dict(device.checks),
                **({"diff": device.diff, "secrets": dict(device.secrets)} if diffs else {}),
            }
            for device in change.devices
        ],
    }
