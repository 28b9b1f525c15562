"""`farola provision push, confirm, rollback, approve, withdraw, status`."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from farola.errors import ProvisioningError
from farola.output import json_option, note, print_json, print_table, progress
from farola.people import person
from farola.settings import load_settings
from provisioning.commands.changes import (
    NUMBER,
    change_json,
    counted,
    load_record,
    platforms_of,
    tell_platforms,
    utc,
)

if TYPE_CHECKING:
    from provisioning.rollout.rollout import PushResult

SECONDS = click.IntRange(0, 7 * 86_400)


@click.command()
@click.argument("change", type=NUMBER)
@click.option(
    "--forks", default=20, show_default=True, type=click.IntRange(1, 200), help="Devices at a time."
)
@click.option(
    "--waves",
    help="Devices of each wave, the canary first, such as 1,5,25,125; the "
    "last holds for all that follow.",
)
@click.option("--bake", "bake_s", type=SECONDS, help="Seconds that a wave is watched.")
@click.option(
    "--confirm-within",
    "confirm_s",
    type=click.IntRange(5, 86_400),
    help="Seconds in which a device that was not confirmed goes back by itself.",
)
@click.option(
    "--now",
    is_flag=True,
    help="Ignore maintenance windows; it is recorded. A pause or a freeze holds all the same.",
)
@click.option(
    "--hold",
    is_flag=True,
    help="Leave the first wave unconfirmed until `farola provision confirm`.",
)
@click.option("--no-checks", is_flag=True, help="Do not examine a wave after it was watched.")
@click.option("--no-rollback", is_flag=True, help="Leave a wave that fails as it is.")
@click.option(
    "--allow-unconfirmed",
    is_flag=True,
    help="Also push to devices that cannot go back by themselves when they are cut off.",
)
@click.option(
    "--parents-anyway",
    is_flag=True,
    help="Change a mesh parent although a device that hangs on it did not get the change.",
)
@click.option(
    "--without", multiple=True, metavar="DEVICE", help="Leave this device out; may be repeated."
)
@json_option
def push(
    *, change: int, without: tuple[str, ...], forks: int, now: bool, hold: bool, no_checks: bool,
    no_rollback: bool, allow_unconfirmed: bool, parents_anyway: bool, as_json: bool, **sizes: Any,
) -> None:  # fmt: skip
    """Roll CHANGE out in waves, or go on with it. Exits 0 only if every device now runs it, or is
    held as was asked for.

    Each wave is watched and judged before the next. Ctrl-C ends it after the devices under way.
    """
    from inventory.db import open_inventory
    from provisioning.change.changes import IN_DOUBT, OPEN
    from provisioning.rollout.policy import policy_of
    from provisioning.rollout.rollout import push_change

    settings = load_settings()
    policy = policy_of(
        settings.provisioning, now=now, hold=hold, checks=not no_checks, rollback=not no_rollback,
        allow_unconfirmed=allow_unconfirmed, parents_anyway=parents_anyway, **sizes,
    )  # fmt: skip
    inventory = open_inventory(settings)
    record = load_record(change)
    if unknown := sorted(set(without) - {d.device_id for d in record.devices}):
        raise ProvisioningError(f"change {change} has no device {', '.join(unknown[:5])}")
    wanted = frozenset(d.device_id for d in record.of(*OPEN, *IN_DOUBT)) - set(without)
    if without and not wanted:
        raise ProvisioningError(f"change {change}: no device is left to push to")
    with progress("Pushing", len(wanted)) as done, stopping() as stop:
        result = push_change(
            inventory, change, policy, forks=forks, done=done, stop=stop, tell=note,
            only=wanted if without else frozenset(),
        )  # fmt: skip
    _print_result(result, as_json=as_json)
    if result.failed:
        click.get_current_context().exit(1)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, in place of what they do else."""
    stop = threading.Event()

    def asked(_number: int, _frame: object) -> None:
        if not stop.is_set():
            note("farola: stopping after the devices under way")
        stop.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_result(result: PushResult, *, as_json: bool) -> None:
    if as_json:
        print_json({
            "change": result.change, "status": result.status, "pushed": result.pushed,
            "pushed_before": result.pushed_before, "unchanged": result.unchanged,
            "failed": [
                {"device": device, "status": result.became[device], "why": why}
                for device, why in result.failed
            ],
            "queued": list(result.queued), "held": list(result.held),
            "waiting": list(result.waiting), "halted_because": result.halted_because or None,
            "waves": result.waves, "took_s": result.took_s,
        })  # fmt: skip
    else:
        before = f" ({result.pushed_before} were pushed before)" if result.pushed_before else ""
        held = f"{len(result.held)} held, " if result.held else ""
        rest = Counter(_word(result.became[device]) for device, _why in result.failed)
        failed = rest.pop("failed", 0)
        words = "".join(f", {number} {word}" for word, number in sorted(rest.items()))
        click.echo(
            f"Change {result.change}: {result.pushed} pushed{before}, {held}{result.unchanged} "
            f"unchanged, {failed} failed{words}, in {result.took_s:.1f} s"
        )
    for device, why in result.failed:
        note(f"farola: {device}: {why}")
    if result.status == "held":
        note(f"farola: change {result.change} is held: {result.halted_because}")
    elif result.halted_because:
        note(f"farola: change {result.change} was halted: {result.halted_because}; look with "
             f"`farola provision status {result.change}`")  # fmt: skip


def _word(status: str) -> str:
    """How a push counts a device that does not run the change as it should."""
    return {
        "pending": "not tried", "queued": "offline", "unreachable": "not prepared",
        "applying": "in doubt", "unconfirmed": "unconfirmed", "drifted": "drifted",
        "rolled_back": "rolled back",
    }.get(status, "failed")  # fmt: skip


@click.command()
@click.argument("change", type=NUMBER)
@json_option
def confirm(change: int, as_json: bool) -> None:
    """Confirm the devices of CHANGE that `push --hold` left unconfirmed.

    Exits 1 if one has gone back already, or cannot be asked.
    """
    from inventory.db import open_inventory
    from provisioning.turn.confirm import confirm_change

    inventory = open_inventory(load_settings())
    total = len(load_record(change).of("unconfirmed"))
    with progress("Confirming", total) as done:
        statuses = confirm_change(inventory, change, person(), done)
    _tell_statuses(change, statuses, as_json=as_json)
    if set(statuses) != {"pushed"} and any(s != "pushed" for s, _w in statuses.values()):
        click.get_current_context().exit(1)


@click.command()
@click.argument("change", type=NUMBER)
@click.option("--device", "devices", multiple=True, help="Only this device; may be repeated.")
@json_option
def rollback(change: int, devices: tuple[str, ...], as_json: bool) -> None:
    """Take back what CHANGE pushed, newest wave first, where its commit is still the newest.

    Exits 1 if a device could not be rolled back; it is named.
    """
    from inventory.db import open_inventory
    from provisioning.change.locks import alone
    from provisioning.turn.undo import rollback_change

    settings = load_settings()
    inventory = open_inventory(settings)
    record = load_record(change)
    with (
        alone(settings, change),
        progress("Rolling back", len(record.of("pushed", "unconfirmed", "applying"))) as done,
    ):
        results = rollback_change(inventory, change, devices, person(), done)
    statuses = {
        one.device_id: ("rolled_back" if one.ok else "failed", one.message) for one in results
    }
    _tell_statuses(change, statuses, as_json=as_json)
    if not all(one.ok for one in results):
        click.get_current_context().exit(1)


def _tell_statuses(change: int, statuses: dict[str, tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json({
            "change": change,
            "devices": [
                {"device": name, "status": status, "why": why}
                for name, (status, why) in sorted(statuses.items())
            ],
        })  # fmt: skip
        return
    for name, (status, why) in sorted(statuses.items()):
        click.echo(f"{name}: {status}" + (f": {why}" if why else ""))


@click.command()
@click.argument("change", type=NUMBER)
@json_option
def approve(change: int, as_json: bool) -> None:
    """Approve CHANGE as it is frozen, as another person than its author."""
    from farola.keys import Keyring
    from inventory.db import open_inventory
    from provisioning.change import journal

    settings = load_settings()
    inventory = open_inventory(settings)
    with inventory.session() as session:
        journal.approve(session, Keyring(settings.home), change, person())
    _tell_change(change, f"Change {change} is approved by {person()}", as_json=as_json)


@click.command()
@click.argument("change", type=NUMBER)
@click.option("--reason", default="", help="Why, for the record.")
@json_option
def withdraw(change: int, reason: str, as_json: bool) -> None:
    """Give CHANGE up: no push goes on with it. What it did already stays."""
    from inventory.db import open_inventory
    from provisioning.change import journal
    from provisioning.change.locks import alone

    settings = load_settings()
    inventory = open_inventory(settings)
    with alone(settings, change), inventory.session() as session:
        journal.withdraw(session, change, person(), reason)
    _tell_change(change, f"Change {change} is withdrawn", as_json=as_json)


def _tell_change(change: int, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(change_json(load_record(change), diffs=False))
    else:
        click.echo(words)


@click.command()
@click.argument("change", type=NUMBER, required=False)
@click.option("--resolve", is_flag=True, help="Ask devices whose state is in doubt.")
@json_option
def status(change: int | None, resolve: bool, as_json: bool) -> None:
    """Account for every device of CHANGE (default: the newest), and say what comes next."""
    from inventory.db import open_inventory
    from provisioning.change.changes import IN_DOUBT, in_words
    from provisioning.change.locks import free
    from provisioning.change.status import change_next, next_of
    from provisioning.turn.resolve import resolve_change

    settings = load_settings()
    found, inventory = load_record(change), open_inventory(settings)
    with free(settings, found.id) as ours:
        if resolve and ours and found.of(*IN_DOUBT):
            resolve_change(inventory, found.id, actor=person())
            found = load_record(found.id)
    zone = settings.city.zone

    def local(at: datetime) -> str:
        return at.replace(tzinfo=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")

    days = settings.provisioning.queue_days
    coming = {
        d.device_id: next_of(found, d, days, local, under_way=not ours) for d in found.devices
    }
    if as_json:
        told = change_json(found, diffs=False)
        told["platforms"] = platforms_of(found)
        told["next"] = change_next(found, under_way=not ours)
        told["under_way"] = not ours
        told["bake_until"] = utc(found.bake_until) if found.bake_until else None
        for one in told["devices"]:
            one["next"] = coming[one["device"]]
        print_json(told)
        return
    rows = [
        (d.device_id, in_words(d), str(d.wave or ""), d.message, coming[d.device_id], local(d.at))
        for d in found.devices
    ]
    title = f"Change {found.id}: {found.status}"
    print_table(title, ("device", "status", "wave", "why", "next", "at"), rows)
    click.echo(counted(found))
    tell_platforms(found)
    if found.halted_because:
        click.echo(f"{found.status.capitalize()}: {found.halted_because}")
    if words := change_next(found, under_way=not ours):
        click.echo(f"Next: {words}")
