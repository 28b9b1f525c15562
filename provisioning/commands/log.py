"""`farola provision log`: who did what to which device, and whether the log is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from farola.errors import InputError
from farola.output import json_option, note, print_json, print_table
from farola.people import person
from farola.settings import load_settings
from farola.times import iso, parse_instant, show_instant

if TYPE_CHECKING:
    from inventory.audit_log import Verified
    from inventory.change_models import AuditEntry
    from inventory.db import Inventory

MOST = 1000


@click.command()
@click.option("--device", help="Only what was done to this device.")
@click.option("--change", type=click.IntRange(1, 2**63 - 1), help="Only what belongs to it.")
@click.option("--action", help="Only this action, such as device.pushed.")
@click.option("--since", metavar="TIME", help="Only from then on: 2026-11-01 or 2026-11-01T08:30.")
@click.option("--limit", default=MOST, show_default=True, type=click.IntRange(1, 1_000_000),
              help="The newest so many.")  # fmt: skip
@click.option("--verify", is_flag=True,
              help="Reckon the whole chain again and check its seal; exits 1 if it was tampered "
                   "with.")  # fmt: skip
@click.option("--holds", metavar="HASH", default="",
              help="With --verify: a newest hash noted earlier must still be in it.")  # fmt: skip
@click.option("--seal", is_flag=True,
              help="Vouch for the log as it is, after an older inventory was restored; is logged "
                   "itself.")  # fmt: skip
@json_option
def log(
    *,
    device: str | None,
    change: int | None,
    action: str | None,
    since: str | None,
    limit: int,
    verify: bool,
    holds: str,
    seal: bool,
    as_json: bool,
) -> None:
    """Show who did what to which device, when, from which change and with which result."""
    from inventory import audit_log
    from inventory.db import open_inventory

    settings = load_settings()
    inventory = open_inventory(settings)
    if holds and not verify:
        raise InputError("--holds goes with --verify")
    if seal:
        _seal(inventory)
    if verify or seal:
        with inventory.session() as session:
            found = audit_log.verify(session, holds=holds.strip().lower())
        _print_verified(found, as_json)
        return
    after = parse_instant(since, settings.city.zone, "--since") if since else None
    with inventory.session() as session:
        rows = audit_log.entries(
            session, device_id=device, change_id=change, action=action, limit=limit,
            since=after.replace(tzinfo=None) if after else None,
        )  # fmt: skip
    inventory.close()
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    print_table(
        "Audit log", ("at", "who", "did", "device", "change", "result"),
        [
            (show_instant(row.at, settings.city.zone), row.actor, row.action, row.device_id or "",
             row.change_id or "", row.result)
            for row in rows
        ],
    )  # fmt: skip
    if len(rows) == limit:
        note(f"the newest {limit:,}; see more with --limit")


def _seal(inventory: Inventory) -> None:
    from inventory import audit_log

    with inventory.session() as session:
        was = audit_log.verify(session)
        audit_log.reseal(session)
        audit_log.record(
            session,
            person(),
            "log.sealed",
            result=was.why or "whole",
            detail={"newest": was.newest},
        )


def _print_verified(found: Verified, as_json: bool) -> None:
    if as_json:
        print_json({
            "whole": found.whole, "entries": found.entries, "broken_at": found.broken_at,
            "why": found.why, "newest": found.newest, "sealed": found.sealed,
        })  # fmt: skip
    elif found.whole:
        click.echo(
            f"the audit log is whole: {found.entries:,} entries, sealed up to {found.sealed}\n"
            f"newest hash {found.newest}: keep it elsewhere, and ask for it with --holds"
        )
    if not found.whole:
        note(f"farola: the audit log is NOT whole: {found.why}")
        click.get_current_context().exit(1)


def _as_json(row: AuditEntry) -> dict[str, Any]:
    return {
        "id": row.id, "at": iso(row.at), "actor": row.actor, "action": row.action,
        "device": row.device_id, "change": row.change_id, "result": row.result,
        "detail": row.detail, "hash": row.hash,
    }  # fmt: skip
