"""`farola provision audit`: what differs from what is meant, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from farola.errors import FarolaError
from farola.output import json_option, note, print_json, progress
from farola.people import person
from farola.settings import load_settings
from farola.times import iso, show_instant

if TYPE_CHECKING:
    from inventory.db import Inventory
    from provisioning.audit.comparing import Finding
    from provisioning.change.changes import ChangeRecord


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--site", help="All devices at this site.")
@click.option("--all", "everything", is_flag=True, help="All devices with an address.")
@click.option("--prepare", is_flag=True,
              help="Prepare the change that brings those that drifted back to what is "
                   "meant.")  # fmt: skip
@click.option("--reason", default="", help="With --prepare: why, for the record.")
@json_option
def audit(
    *,
    devices: tuple[str, ...],
    site: str | None,
    everything: bool,
    prepare: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Ask DEVICES what they run, and tell where that is not what is meant, and why.

    Causes are by-hand, failed-push, firmware and intent (what is meant changed since the last
    push). The rules in validate.yaml are checked too. Exits 1 unless all run what is meant and keep
    the rules.
    """
    from inventory.db import open_inventory
    from provisioning.audit import comparing as auditing
    from provisioning.intent.context import tell_slips
    from provisioning.platforms.choosing import choose

    inventory = open_inventory(load_settings())
    with inventory.session() as session:
        chosen = choose(session, devices, site, everything)
    tell_slips(inventory)
    with progress("Auditing", len(chosen)) as done:
        found = sorted(
            auditing.audit(inventory, chosen, author=person(), cause="by hand", done=done),
            key=lambda one: one.device_id,
        )
    _into_series(inventory, found)
    change = _remedy(inventory, found, reason) if prepare else None
    inventory.close()
    counts = {state: sum(one.state == state for one in found) for state in auditing.STATES}
    if as_json:
        print_json({
            **counts, "rules_failed": sum(bool(one.rules_failed) for one in found),
            "devices": [_as_json(one) for one in found],
            "change": change.id if change else None,
        })  # fmt: skip
    else:
        _print(found)
        told = auditing.counted(found)
        click.echo(", ".join(f"{len(ids)} {state}" for state, ids in told.items() if ids))
    for one in found:
        if one.message:
            note(f"farola: {one.device_id}: {one.message}")
    if change:
        note(
            f"Look at the remedy with: farola provision show {change.id}, then push it with: "
            f"farola provision push {change.id}"
        )
    if not all(one.well for one in found):
        click.get_current_context().exit(1)


def _into_series(inventory: Inventory, found: Sequence[Finding]) -> None:
    from provisioning.audit import series as audit_series

    try:
        audit_series.write(inventory.settings, found)
    except FarolaError as error:
        note(f"farola: the audit is not in the series: {error}")


def _remedy(inventory: Inventory, found: Sequence[Finding], reason: str) -> ChangeRecord | None:
    """The change for those that drifted; None if none did."""
    from inventory import queries
    from provisioning.change.prepare import prepare_change

    candidates = {one.device_id: (one.candidate, False) for one in found if one.candidate}
    if not candidates:
        note("nothing drifted: no change was prepared")
        return None
    with inventory.session() as session:
        devices = queries.devices(session, list(candidates))
    return prepare_change(
        inventory, devices, author=person(), kind="remediation", candidates=candidates,
        reason=reason or "remedy of what an audit found",
    )  # fmt: skip


def _print(found: Sequence[Finding]) -> None:
    """Equal diffs once, with the devices that share them."""
    from farola.output import named
    from provisioning.audit.comparing import in_words

    zone = load_settings().city.zone
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        if one.state == "drifted":
            groups.setdefault((one.drifted.diff, in_words(one)), []).append(one)
    for (diff, words), some in sorted(groups.items(), key=lambda item: -len(item[1])):
        since = min((one.since for one in some if one.since), default=None)
        seen = f", since {show_instant(since, zone)}" if since else ""
        click.echo(f"{named([one.device_id for one in some], 4)}: {words}{seen}\n{diff}\n")
    for one in found:
        for rule in one.rules_failed:
            click.echo(f"{one.device_id}: rule not kept: {rule}")


def _as_json(one: Finding) -> dict[str, Any]:
    return {
        "device": one.device_id, "state": one.state, "cause": one.cause, "why": one.message,
        "since": iso(one.since) if one.since else None, "causes": one.drifted.counts(),
        "options": dict(one.drifted.keys), "diff": one.drifted.diff, "change": one.change,
        "rules_failed": list(one.rules_failed), "firmware": one.firmware,
    }  # fmt: skip
