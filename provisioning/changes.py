"""Frozen changes: per device the encrypted candidate, its diff, the base, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import ProvisioningError
from farola.keys import Keyring
from inventory import events
from inventory.change_models import Change, ChangeDevice
from inventory.models import utcnow

OPEN = frozenset({"pending", "failed", "drifted"})
"""Statuses of a device that a push still tries."""
GOOD = frozenset({"pushed", "unchanged"})


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

    def of(self, *statuses: str) -> list[DeviceChange]:
        """Devices in one of `statuses`."""
        return [device for device in self.devices if device.status in statuses]


def base_hash(running: str) -> str:
    """Hash of the packages a candidate was computed against, in the form of `uci export`."""
    return hashlib.sha256(running.encode("utf-8", "surrogateescape")).hexdigest()


def freeze(
    session: Session, prepared: Iterable[Prepared], keyring: Keyring, *, author: str, reason: str
) -> int:
    """Store a change; nothing edits its candidates afterwards. Returns its number."""
    change = Change(author=author, reason=reason)
    change.devices = [
        ChangeDevice(
            device_id=one.device_id, status=one.status, message=one.message,
            candidate=keyring.encrypt(one.candidate) if one.candidate else b"",
            diff=one.diff, base_hash=one.base_hash,
        )
        for one in prepared
    ]  # fmt: skip
    session.add(change)
    session.flush()
    counts = ", ".join(
        f"{sum(d.status == s for d in change.devices)} {words}"
        for s, words in (("pending", "to push"), ("unchanged", "unchanged"),
                         ("unreachable", "unreachable"))
    )  # fmt: skip
    events.record(
        session, "change.prepared", f"change {change.id} prepared: {counts}", actor=author,
        detail={"change": change.id, "reason": reason},
    )  # fmt: skip
    return change.id


def load(session: Session, change_id: int | None = None) -> ChangeRecord:
    """The change of that number, or the newest; ProvisioningError if there is none."""
    if change_id is None:
        row = session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).first()
    else:
        row = session.get(Change, change_id)
    if row is None:
        which = "there is no change yet" if change_id is None else f"there is no change {change_id}"
        raise ProvisioningError(f"{which}: make one with `farola provision prepare --all`")
    return ChangeRecord(
        row.id, row.created_at, row.author, row.reason, row.status, row.pushed_at,
        tuple(_device_change(device) for device in row.devices),
    )  # fmt: skip


def _device_change(row: ChangeDevice) -> DeviceChange:
    return DeviceChange(row.device_id, row.status, row.message, row.diff, row.base_hash, row.at)


def load_device(
    session: Session, change_id: int, device_id: str, keyring: Keyring
) -> tuple[DeviceChange, str]:
    """One device of a change, and its frozen candidate in the clear ("" where it has none)."""
    row = session.get(ChangeDevice, (change_id, device_id))
    if row is None:
        raise ProvisioningError(f"change {change_id} has no device {device_id}")
    text = keyring.decrypt(row.candidate) if row.candidate else ""
    return _device_change(row), text


def begin_push(session: Session, change_id: int) -> None:
    """Mark a change as being pushed; one that was pushed whole is refused.

    A push that was killed left it `pushing`: it may go on, as each device is checked again.
    """
    row = session.get(Change, change_id)
    assert row is not None  # noqa: S101 - the caller has loaded it
    if row.status == "pushed":
        raise ProvisioningError(
            f"change {change_id} was pushed already, on {row.pushed_at:%Y-%m-%d %H:%M} UTC: "
            "prepare a new one"
        )
    row.status = "pushing"
    for device in row.devices:
        if device.status in OPEN:
            device.status, device.message = "pending", ""


def record_result(
    session: Session, change_id: int, device_id: str, status: str, message: str = ""
) -> None:
    """Store what became of one device, and an event."""
    row = session.get(ChangeDevice, (change_id, device_id))
    if row is None:
        raise ProvisioningError(f"change {change_id} has no device {device_id}")
    row.status, row.message, row.at = status, message, utcnow()
    text = f"change {change_id}: {device_id} {status}" + (f": {message}" if message else "")
    events.record(
        session, f"config.{status}", text, device_id=device_id, detail={"change": change_id}
    )


def end_push(
    session: Session, change_id: int, reasons: Mapping[str, str] | None = None
) -> ChangeRecord:
    """Account for every device and close the change: `pushed`, or `failed` if one is not.

    `reasons` are those of devices whose turn came, but whose result was not stored.
    """
    row = session.get(Change, change_id)
    assert row is not None  # noqa: S101 - the caller has loaded it
    for device in row.devices:
        if device.status == "pending":
            record_result(
                session, change_id, device.device_id, "failed",
                (reasons or {}).get(device.device_id)
                or "the run ended before it was its turn; push the change again",
            )  # fmt: skip
    whole = all(device.status in GOOD for device in row.devices)
    row.status = "pushed" if whole else "failed"
    row.pushed_at = utcnow()
    good = sum(device.status in GOOD for device in row.devices)
    events.record(
        session, f"change.{row.status}",
        f"change {change_id}: {good} of {len(row.devices)} devices as meant",
        detail={"change": change_id},
    )  # fmt: skip
    session.flush()
    return load(session, change_id)


def group_diffs(devices: Sequence[DeviceChange]) -> list[tuple[str, list[str]]]:
    """Equal diffs together, the most frequent first: (diff, ids)."""
    groups: dict[str, list[str]] = {}
    for device in devices:
        groups.setdefault(device.diff, []).append(device.device_id)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[1]))
