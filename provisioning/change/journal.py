"""What becomes of a change and of its devices, written as it happens: a process that is killed
leaves here what has to be asked of the devices.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from farola.errors import InventoryError, ProvisioningError
from farola.keys import Keyring
from inventory import audit_log, events
from inventory.change_models import Change, ChangeDevice
from inventory.db import Inventory
from inventory.models import utcnow
from provisioning.change import seal
from provisioning.change.changes import GOOD, IN_DOUBT, OPEN, device_row, row_of
from provisioning.rollout.policy import Policy

T = TypeVar("T")
TRIES = 6
"""How often something is written to an inventory that others hold locked, 10 s each."""
TAKING_BACK = "it is being taken back"
"""What is noted of a device before it is: one that is cut off there is in doubt, and asked."""
DONE = frozenset({"pushed", "withdrawn", "rolled_back"})
"""Statuses of a change that no push goes on with."""


def patiently(inventory: Inventory, job: Callable[[Session], T]) -> T:
    """Run `job` in a transaction, again where others hold the inventory locked: what it writes has
    happened already, and many write at a time.
    """
    for left in reversed(range(TRIES)):
        try:
            with inventory.session() as session:
                return job(session)
        except (InventoryError, SQLAlchemyError) as error:
            # SQLite has waited for its lock before it says so.
            if not left or "locked" not in str(error):
                raise
    raise AssertionError("unreachable")


def approve(session: Session, keyring: Keyring, change_id: int, person: str) -> None:
    """Let `person` approve a change, who must be another than its author.

    Raises
    ------
    ProvisioningError
        The author may not, it is approved or over already, or it is not as it was frozen.
    """
    row = row_of(session, change_id)
    seal.check(keyring, row)
    if row.status in DONE:
        raise ProvisioningError(f"change {change_id} is {row.status}: nothing is left to approve")
    if row.approved_by:
        raise ProvisioningError(f"change {change_id} was approved by {row.approved_by} already")
    if person == row.author:
        raise ProvisioningError(
            f"change {change_id} was prepared by {person}: another person must approve it"
        )
    row.approved_by, row.approved_at = person, utcnow()
    if row.status == "prepared":
        row.status = "approved"
    events.record(
        session, "change.approved", f"change {change_id} approved by {person}", actor=person,
        detail={"change": change_id},
    )  # fmt: skip
    audit_log.record(
        session, person, "change.approved", change_id=change_id, detail={"seal": row.seal}
    )


def withdraw(session: Session, change_id: int, person: str, why: str) -> None:
    """Give a change up: no push goes on with it. What it did already stays.

    Raises
    ------
    ProvisioningError
        It is over already, or a device of it is in doubt.
    """
    row = row_of(session, change_id)
    if row.status in DONE:
        raise ProvisioningError(f"change {change_id} is {row.status} already")
    doubt = [device.device_id for device in row.devices if device.status in IN_DOUBT]
    if doubt:
        raise ProvisioningError(
            f"change {change_id} cannot be withdrawn while {doubt[0]} is in doubt: ask it first "
            f"with `farola provision status {change_id} --resolve`"
        )
    row.status, row.halted_because = "withdrawn", why
    for device in row.devices:
        if device.status == "queued":
            device.status, device.message = "failed", "offline until the change was withdrawn"
    _told(session, row, person, "withdrawn", why)


def begin(
    session: Session, change_id: int, policy: Policy, actor: str,
    only: Collection[str] = frozenset(),
) -> None:  # fmt: skip
    """Mark a change as being pushed, to all or `only` to some of its devices; one that is over, or
    not approved yet, is refused.

    A push that was killed left it `pushing`: it may go on, as each device is checked again.
    """
    row = row_of(session, change_id)
    may_be_pushed(row)
    row.status, row.policy, row.halted_because = "pushing", policy.stored(), ""
    row.held = policy.hold
    for device in row.devices:
        chosen = not only or device.device_id in only
        if chosen and device.status in OPEN and device.status != "queued":
            device.status, device.message = "pending", ""
    audit_log.record(
        session, actor, "change.pushing", change_id=change_id,
        detail={"policy": policy.stored()},
    )  # fmt: skip


def may_be_pushed(row: Change) -> None:
    """Raise ProvisioningError unless a push of this change may begin or go on."""
    if row.status == "pushed":
        raise ProvisioningError(
            f"change {row.id} was pushed already, on {row.pushed_at:%Y-%m-%d %H:%M} UTC: "
            "prepare a new one"
        )
    if row.status in DONE:
        raise ProvisioningError(f"change {row.id} is {row.status}: prepare a new one")
    if row.needs_approval and not row.approved_by:
        raise ProvisioningError(
            f"change {row.id} waits for another person: have somebody else than {row.author} run "
            f"`farola provision approve {row.id}`"
        )
    if row.needs_approval and row.approved_by == row.author:
        raise ProvisioningError(f"change {row.id} was approved by its own author: prepare it anew")


def put_in_wave(session: Session, change_id: int, devices: Iterable[str], wave: int) -> None:
    """Note that `devices` are the next wave, and that it is not judged yet."""
    row = row_of(session, change_id)
    row.wave, row.bake_until = wave, utcnow()
    session.execute(
        update(ChangeDevice)
        .where(ChangeDevice.change_id == change_id, ChangeDevice.device_id.in_(list(devices)))
        .values(wave=wave)
    )


def applying(
    session: Session, change_id: int, device_id: str, *, commit_id: str,
    reverts_at: datetime | None, actor: str,
) -> None:  # fmt: skip
    """Note, before the device is touched, that it is about to be, and under which commit.

    Raises
    ------
    ProvisioningError
        Another process noted that first, or has been at it since it was looked at.
    """
    mine = (
        update(ChangeDevice)
        .where(
            ChangeDevice.change_id == change_id, ChangeDevice.device_id == device_id,
            ChangeDevice.status.in_(OPEN),
        )
        .values(
            status="applying", message="", at=utcnow(), commit_id=commit_id, reverts_at=reverts_at,
            actor=actor, checks={},
        )
        .returning(ChangeDevice.device_id)
    )  # fmt: skip
    if session.execute(mine).first() is None:
        status = device_row(session, change_id, device_id).status
        raise ProvisioningError(
            f"{device_id} is {status} in change {change_id}: another process is, or was, at it; "
            "nothing was changed"
        )


def taking_back(session: Session, change_id: int, device_id: str, actor: str) -> None:
    """Note, before a change is taken back from a device, that it is about to be."""
    row = device_row(session, change_id, device_id)
    row.status, row.message, row.at, row.actor = "applying", TAKING_BACK, utcnow(), actor


def record_result(
    session: Session, change_id: int, device_id: str, status: str, message: str = "",
    *, actor: str = "farola", checks: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Store what became of one device, an event, and a line of the audit log."""
    row = device_row(session, change_id, device_id)
    if status == "queued":
        row.queued_at = row.queued_at or utcnow()
    elif status != "pending":
        row.queued_at = None
    if status not in IN_DOUBT:
        row.reverts_at = None
    row.status, row.message, row.at, row.actor = status, message, utcnow(), actor
    if checks is not None:
        row.checks = dict(checks)
    text = f"change {change_id}: {device_id} {status}" + (f": {message}" if message else "")
    events.record(
        session, f"config.{status}", text, device_id=device_id, actor=actor,
        detail={"change": change_id},
    )  # fmt: skip
    audit_log.record(
        session, actor, f"device.{status}", device_id=device_id, change_id=change_id,
        result=message, detail={"commit": row.commit_id} if row.commit_id else None,
    )  # fmt: skip


def baking(session: Session, change_id: int, seconds: float) -> datetime:
    """Note until when the newest wave is watched; UTC without a zone."""
    row = row_of(session, change_id)
    row.bake_until = utcnow() + timedelta(seconds=seconds)
    return row.bake_until


def judged(session: Session, change_id: int) -> None:
    """Note that the newest wave was watched and judged."""
    row_of(session, change_id).bake_until = None


def checked(
    session: Session, change_id: int, device_id: str, answers: Mapping[str, Any], fault: str
) -> None:
    """Store the post-checks of a device; `fault` says what was wrong, if something was."""
    row = device_row(session, change_id, device_id)
    row.checks = dict(answers)
    if fault:
        row.message = f"after the push: {fault}"
        events.record(
            session, "config.check-failed", f"change {change_id}: {device_id} {row.message}",
            device_id=device_id, detail={"change": change_id},
        )  # fmt: skip


def seconds_to(instant: datetime | None) -> float:
    """Seconds until an instant of the inventory; 0 where it is past or none."""
    return max(0.0, (instant - utcnow()).total_seconds()) if instant else 0.0


def halt(session: Session, change_id: int, why: str, actor: str, *, held: bool = False) -> None:
    """Stop a push: what Ansible has queued is left alone, and no wave begins. `held` says that
    nothing went wrong: a wave waits for a person to confirm it, as was asked for.
    """
    row = row_of(session, change_id)
    row.status, row.halted_because = "held" if held else "halted", why
    row.held = any(device.status == "unconfirmed" for device in row.devices) and row.held
    _told(session, row, actor, row.status, why)


def end(session: Session, change_id: int, actor: str) -> str:
    """Account for every device and close the change, unless it was halted; return its status:
    `pushed`, `failed` where one is not as meant, `halted` where one was not tried or is in doubt,
    and still `pushing` where the only ones left are offline and get it when they are back. One that
    is `held` or `halted` already stays so.
    """
    row = row_of(session, change_id)
    if row.status in {"halted", "held"}:
        return row.status
    statuses = {device.status for device in row.devices}
    if statuses & (IN_DOUBT | {"pending"}):
        halt(session, change_id, "not all devices had their turn, or one is in doubt", actor)
        return row.status
    if "queued" in statuses:
        return row.status
    row.status = "pushed" if statuses <= GOOD else "failed"
    row.pushed_at = utcnow()
    good = sum(device.status in GOOD for device in row.devices)
    _told(session, row, actor, row.status, f"{good} of {len(row.devices)} devices as meant")
    return row.status


def go_on_later(session: Session, change_id: int) -> None:
    """Undo the halt of a push that was told to wait while it looked after queued devices."""
    row = row_of(session, change_id)
    if row.status == "halted":
        row.status, row.halted_because = "pushing", ""


def confirmed(session: Session, change_id: int) -> None:
    """Note it where nothing waits for a person any more, and close a change that is whole."""
    row = row_of(session, change_id)
    row.held = any(device.status == "unconfirmed" for device in row.devices)
    if not row.held and all(device.status in GOOD for device in row.devices):
        row.status, row.pushed_at, row.halted_because = "pushed", utcnow(), ""
    elif not row.held and row.status == "held":
        row.status, row.halted_because = "halted", "nothing of it waits to be confirmed any more"


def rolled_back(session: Session, change_id: int, actor: str) -> None:
    """Close a change of which no device runs anything that it pushed."""
    row = row_of(session, change_id)
    if row.status == "held":
        confirmed(session, change_id)
    if any(d.status in IN_DOUBT or (d.status == "pushed" and d.commit_id) for d in row.devices):
        return
    row.status, row.held, row.bake_until = "rolled_back", False, None
    for device in row.devices:
        if device.status == "queued":
            device.status, device.message = "failed", "offline until the change was rolled back"
    _told(session, row, actor, "rolled_back", "")


def _told(session: Session, row: Change, actor: str, word: str, why: str) -> None:
    events.record(
        session, f"change.{word}", f"change {row.id} {word}" + (f": {why}" if why else ""),
        actor=actor, detail={"change": row.id},
    )  # fmt: skip
    audit_log.record(session, actor, f"change.{word}", change_id=row.id, result=why)
