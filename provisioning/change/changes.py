"""Frozen changes: per device the encrypted candidate, its diff, the base, and what became of it.

What happens to a change once it is pushed is written by `provisioning.change.journal`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory import audit_log, events
from inventory.change_models import Change, ChangeDevice
from provisioning.change import seal
from provisioning.platforms.drivers import NOT_ADOPTED

OPEN = frozenset({"pending", "failed", "drifted", "queued", "rolled_back"})
"""Statuses of a device that a push still tries."""
GOOD = frozenset({"pushed", "unchanged"})
IN_DOUBT = frozenset({"applying", "unconfirmed"})
"""Statuses of a device that must be asked itself."""
KINDS = frozenset({"config", "restore", "remediation", "rotation", "firmware", "reboot"})


@dataclass(frozen=True)
class Prepared:
    """What preparing found for one device; `candidate` is in the clear, so no repr of it."""

    device_id: str
    status: str
    """`pending`, `unchanged` or `unreachable`."""
    candidate: str = ""
    diff: str = ""
    base_hash: str = ""
    message: str = ""
    goal_hash: str = ""
    replace: bool = False
    settle_s: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Keyed fingerprints of the secrets of its intent, by variable."""

    def __repr__(self) -> str:
        """Without the candidate."""
        return f"Prepared({self.device_id!r}, {self.status!r})"


@dataclass(frozen=True)
class DeviceChange:
    """One device of a change, as stored; secrets in `diff` are masked."""

    device_id: str
    status: str
    message: str
    diff: str
    base_hash: str
    at: datetime
    goal_hash: str = ""
    replace: bool = False
    wave: int = 0
    commit_id: str = ""
    reverts_at: datetime | None = None
    settle_s: int = 0
    queued_at: datetime | None = None
    actor: str = ""
    checks: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChangeRecord:
    """A change and all its devices."""

    id: int
    created_at: datetime
    author: str
    reason: str
    status: str
    pushed_at: datetime | None
    devices: tuple[DeviceChange, ...]
    kind: str = "config"
    needs_approval: bool = False
    approved_by: str = ""
    approved_at: datetime | None = None
    policy: Mapping[str, Any] = field(default_factory=dict)
    wave: int = 0
    bake_until: datetime | None = None
    halted_because: str = ""
    held: bool = False

    def of(self, *statuses: str) -> list[DeviceChange]:
        """Devices in one of `statuses`."""
        return [device for device in self.devices if device.status in statuses]


def in_words(device: DeviceChange) -> str:
    """A device's status for people: one that was never adopted was not even asked, which is another
    thing than one that did not answer.
    """
    never = device.status == "unreachable" and f"is {NOT_ADOPTED}:" in device.message
    return NOT_ADOPTED if never else device.status


def base_hash(running: str) -> str:
    """Hash of the packages a candidate was computed against, in the form of `uci export`."""
    return hashlib.sha256(running.encode("utf-8", "surrogateescape")).hexdigest()


def freeze(
    session: Session, prepared: Iterable[Prepared], keyring: Keyring, *, author: str, reason: str,
    kind: str = "config", needs_approval: bool = False,
) -> int:  # fmt: skip
    """Store a change and seal it; nothing edits it afterwards. Returns its number."""
    if kind not in KINDS:
        raise ProvisioningError(f"a change cannot be of kind {kind!r}")
    change = Change(author=author, reason=reason, kind=kind, needs_approval=needs_approval)
    change.devices = [
        ChangeDevice(
            device_id=one.device_id, status=one.status, message=one.message,
            candidate=keyring.encrypt(one.candidate) if one.candidate else b"",
            diff=one.diff, base_hash=one.base_hash, goal_hash=one.goal_hash,
            replace=one.replace, settle_s=one.settle_s, secrets=dict(one.secrets),
        )
        for one in prepared
    ]  # fmt: skip
    session.add(change)
    session.flush()
    seal.put_on(keyring, change)
    session.flush()
    counted = ", ".join(
        f"{sum(d.status == s for d in change.devices)} {words}"
        for s, words in (("pending", "to push"), ("unchanged", "unchanged"),
                         ("unreachable", "unreachable"))
    )  # fmt: skip
    events.record(
        session, "change.prepared", f"change {change.id} prepared: {counted}", actor=author,
        detail={"change": change.id, "reason": reason},
    )  # fmt: skip
    audit_log.record(
        session, author or "farola", "change.prepared", change_id=change.id, result=counted,
        detail={"reason": reason, "kind": kind, "seal": change.seal,
                "needs_approval": needs_approval},
    )  # fmt: skip
    return change.id


def row_of(session: Session, change_id: int | None = None) -> Change:
    """The change of that number, or the newest; ProvisioningError if there is none."""
    if change_id is None:
        row = session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).first()
    else:
        row = session.get(Change, change_id)
    if row is None:
        which = "there is no change yet" if change_id is None else f"there is no change {change_id}"
        raise ProvisioningError(f"{which}: make one with `farola provision prepare --all`")
    return row


def load(session: Session, change_id: int | None = None) -> ChangeRecord:
    """The change of that number, or the newest; ProvisioningError if there is none."""
    row = row_of(session, change_id)
    return ChangeRecord(
        row.id, row.created_at, row.author, row.reason, row.status, row.pushed_at,
        tuple(load_devices(session, row.id)), row.kind, row.needs_approval,
        row.approved_by, row.approved_at, row.policy, row.wave, row.bake_until,
        row.halted_because, row.held,
    )  # fmt: skip


def load_devices(
    session: Session, change_id: int, *, wave: int | None = None
) -> list[DeviceChange]:
    """A change's devices by id, without their candidates; all, or those of one wave."""
    query = (
        select(*(getattr(ChangeDevice, f.name) for f in fields(DeviceChange)))
        .where(ChangeDevice.change_id == change_id)
        .order_by(ChangeDevice.device_id)
    )
    if wave is not None:
        query = query.where(ChangeDevice.wave == wave)
    return [DeviceChange(*tuple(row)) for row in session.execute(query)]


def seals(session: Session, change_id: int) -> dict[str, str]:
    """The seal that each device of a change carries."""
    query = select(ChangeDevice.device_id, ChangeDevice.seal)
    rows = session.execute(query.where(ChangeDevice.change_id == change_id))
    return {device_id: seal for device_id, seal in rows}  # noqa: C416 - rows are no pairs to mypy


def device_row(session: Session, change_id: int, device_id: str) -> ChangeDevice:
    """One device's row of a change; ProvisioningError if it is not in it."""
    row = session.get(ChangeDevice, (change_id, device_id))
    if row is None:
        raise ProvisioningError(f"change {change_id} has no device {device_id}")
    return row


def load_device(
    session: Session, change_id: int, device_id: str, keyring: Keyring
) -> tuple[DeviceChange, str]:
    """One device of a change, and its frozen candidate in the clear ("" where it has none).

    Raises
    ------
    ProvisioningError
        It is not in the change, or its part is not as it was frozen.
    """
    row = device_row(session, change_id, device_id)
    seal.check_device(keyring, change_id, row)
    text = keyring.decrypt(row.candidate) if row.candidate else ""
    mine = DeviceChange(*(getattr(row, f.name) for f in fields(DeviceChange)))
    return mine, text


def faulty(device: DeviceChange) -> bool:
    """Whether a post-check of the device failed."""
    return any(answer.get("ok") is False for answer in device.checks.values())


def group_diffs(devices: Sequence[DeviceChange]) -> list[tuple[str, list[str]]]:
    """Equal diffs together, the most frequent first: (diff, ids)."""
    groups: dict[str, list[str]] = {}
    for device in devices:
        groups.setdefault(device.diff, []).append(device.device_id)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
