"""Goes on with what pushes left: devices that were offline and are back, and devices in doubt."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import FarolaError
from inventory import queries
from inventory.change_models import Change, ChangeDevice
from inventory.db import Inventory
from inventory.records import DeviceRecord
from provisioning.change import changes, journal
from provisioning.change.changes import IN_DOUBT, ChangeRecord
from provisioning.change.gates import may_push
from provisioning.change.locks import free
from provisioning.platforms.choosing import for_each
from provisioning.rollout.policy import Policy
from provisioning.rollout.rollout import PushResult, push_change
from provisioning.turn.resolve import resolve_change

ACTOR = "farola"
KNOCK_S = 3.0


@dataclass(frozen=True)
class Went:
    """What was done about one change."""

    change: int
    resolved: dict[str, str]
    """Status of each device that was in doubt."""
    given_up: tuple[str, ...]
    """Devices that were offline for too long."""
    back: tuple[str, ...]
    """Devices that are back, and were pushed to."""
    result: PushResult | None = None
    trouble: str = ""

    def in_words(self) -> str:
        """In one line."""
        parts = [f"{name} is {status}" for name, status in sorted(self.resolved.items())]
        if self.given_up:
            parts.append(f"{len(self.given_up)} were offline for too long")
        if self.result is not None:
            parts.append(f"{len(self.back)} are back: {self.result.pushed} pushed")
        return f"change {self.change}: " + ("; ".join([*parts, self.trouble]).strip("; "))


def go_on(
    inventory: Inventory, *, tell: Callable[[str], None] = lambda _words: None,
    knock: Callable[[DeviceRecord], bool] | None = None, stop: threading.Event | None = None,
) -> list[Went]:  # fmt: skip
    """Look once after every change that is not over; returns what was done. A change that some
    process is pushing is left to it, and nothing is pushed while a gate is closed.
    """
    with inventory.session() as session:
        numbers = session.scalars(
            select(Change.id)
            .join(ChangeDevice)
            .where(
                Change.status.in_(("pushing", "halted", "held", "failed")),
                ChangeDevice.status.in_(("queued", *IN_DOUBT))
                | ((Change.status == "pushing") & (ChangeDevice.status == "pending")),
            )
            .distinct()
            .order_by(Change.id)
        ).all()
    found = []
    for number in numbers:
        try:
            went = _one(inventory, number, tell, knock or answers, stop)
        except FarolaError as error:
            went = Went(number, {}, (), (), trouble=str(error))
        if went and (went.resolved or went.given_up or went.back or went.trouble):
            found.append(went)
    return found


def _one(
    inventory: Inventory, number: int, tell: Callable[[str], None],
    knock: Callable[[DeviceRecord], bool], stop: threading.Event | None,
) -> Went | None:  # fmt: skip
    settings = inventory.settings
    with free(settings, number) as ours:
        if not ours:
            return None
        resolved = resolve_change(inventory, number, actor=ACTOR)
        with inventory.session() as session:
            record = changes.load(session, number)
            given_up = _give_up(session, record, settings.provisioning.queue_days)
            if record.status == "pushing" and record.of("pending"):
                journal.halt(session, number, "its push was cut off", ACTOR)
                return Went(number, resolved, given_up, ())
            if record.status != "pushing":
                return Went(number, resolved, given_up, ())
            if not record.of("queued", *IN_DOUBT) or given_up:
                journal.end(session, number, ACTOR)
            gate = may_push(session, settings, datetime.now(UTC))
            waiting = [d.device_id for d in record.of("queued") if d.device_id not in given_up]
            devices = queries.devices(session, waiting) if waiting and gate.open else []
    back = sorted(name for name, there in for_each(
        devices, lambda device: (device.id, knock(device)), lambda _n: None
    ) if there)  # fmt: skip
    if not back:
        return Went(number, resolved, given_up, ())
    policy = replace(Policy.read(record.policy), now=False, hold=False)
    result = push_change(
        inventory, number, policy, only=frozenset(back), actor=ACTOR, tell=tell, stop=stop
    )
    if result.told_to_wait:  # nothing is wrong: the rest gets it the next time
        with inventory.session() as session:
            journal.go_on_later(session, number)
    return Went(number, resolved, given_up, tuple(back), result)


def _give_up(session: Session, record: ChangeRecord, days: int) -> tuple[str, ...]:
    """Devices that were waited for long enough, now `failed`."""
    limit = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    late = [d.device_id for d in record.of("queued") if (d.queued_at or d.at) < limit]
    for name in late:
        journal.record_result(
            session, record.id, name, "failed", f"it was offline for {days} days", actor=ACTOR
        )
    return tuple(late)


def answers(device: DeviceRecord) -> bool:
    """Whether somebody listens on a device's SSH port; nothing is sent."""
    if not device.management_address:
        return False
    try:
        with socket.create_connection((device.management_address, device.ssh_port), KNOCK_S):
            return True
    except OSError:
        return False
