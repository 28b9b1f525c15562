"""The tables of provisioning: changes and what became of them, freezes, audit log, drift, secrets
of kept configs, vouchers and rotations. They belong to the same schema as `inventory.models`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from inventory.models import Base, utcnow


class Change(Base):
    """A frozen set of config diffs to push (a *plan* is a set of sites: another thing)."""

    __tablename__ = "change"
    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    author: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(default="config")
    """`config`, `restore`, `remediation`, `rotation`, `firmware` or `reboot`."""
    status: Mapped[str] = mapped_column(default="prepared")
    """`prepared`, `approved`, `pushing`, `halted` (a wave failed, a person stopped it, or its
    window closed), `held` (its first wave waits to be confirmed), `pushed`, `failed` (every device
    had its turn, some failed), `rolled_back` or `withdrawn`.
    """
    pushed_at: Mapped[datetime | None]
    seal: Mapped[str] = mapped_column(default="")
    """Keyed hash over everything frozen: number, author, reason, kind, and each device's candidate,
    diff, base and goal.
    """
    needs_approval: Mapped[bool] = mapped_column(default=False)
    approved_by: Mapped[str] = mapped_column(default="")
    approved_at: Mapped[datetime | None]
    policy: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How it is rolled out: the fields of `provisioning.rollout.policy.Policy`, as first pushed."""
    wave: Mapped[int] = mapped_column(default=0)
    """The wave that is under way or was the last; 0 before the first, which is the canary."""
    bake_until: Mapped[datetime | None]
    """Until when the wave is watched before it is judged."""
    halted_because: Mapped[str] = mapped_column(default="")
    held: Mapped[bool] = mapped_column(default=False)
    """Whether its unconfirmed devices wait for a person (`push --hold`)."""
    devices: Mapped[list[ChangeDevice]] = relationship(
        cascade="all, delete-orphan", order_by="ChangeDevice.device_id"
    )


class ChangeDevice(Base):
    """One device of a change: encrypted candidate, diff, base, and what became of it."""

    __tablename__ = "change_device"
    change_id: Mapped[int] = mapped_column(ForeignKey("change.id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)
    candidate: Mapped[bytes]
    diff: Mapped[str] = mapped_column(default="")
    """Unified diff with secrets masked."""
    base_hash: Mapped[str] = mapped_column(default="")
    goal_hash: Mapped[str] = mapped_column(default="")
    """As `base_hash`, of the touched packages once the candidate is in place: tells after a crash
    whether a device runs the old config, the new one or another.
    """
    replace: Mapped[bool] = mapped_column(default=False)
    """Whether the candidate replaces the packages that it names (a restore), or is merged."""
    status: Mapped[str] = mapped_column(default="pending")
    """`pending`, `unchanged`, `unreachable` (when prepared, or another commit waited there to be
    confirmed: there is no candidate), `queued` (offline when its turn came: it gets the change when
    it is back), `applying` (some process is at it, or was: the device itself is asked),
    `unconfirmed` (it runs the change and will revert by itself), `pushed`, `failed` (it runs what
    it ran before), `drifted` or `rolled_back`.
    """
    message: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=utcnow)
    wave: Mapped[int] = mapped_column(default=0)
    """The wave it is in, from 1; 0 while no waves were made."""
    commit_id: Mapped[str] = mapped_column(default="")
    """The device's own id of our commit; known before the device is touched."""
    reverts_at: Mapped[datetime | None]
    """When an `unconfirmed` device reverts by itself, by our clock."""
    seal: Mapped[str] = mapped_column(default="")
    """Keyed hash over this device's frozen part; the change's seal is over all of them."""
    settle_s: Mapped[int] = mapped_column(default=0)
    """Seconds for which its radios listen for radar once it has the change."""
    queued_at: Mapped[datetime | None]
    """Since when it waits for the device to be back."""
    actor: Mapped[str] = mapped_column(default="")
    """Who pushed, or rolled back, last."""
    checks: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Post-checks after its push: name → {"ok", "detail"}; ok None is "cannot be told"."""
    secrets: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Keyed fingerprint of each secret of its intent, by variable: tells when one changed."""


class Freeze(Base):
    """A time in which nothing is pushed (elections, a festival)."""

    __tablename__ = "freeze"
    id: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    """None while it is open."""
    reason: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")


class AuditEntry(Base):
    """Who did what to which device; rows are only added, each holds the hash of the one before."""

    __tablename__ = "audit_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utcnow)
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    """A word with a dot: `change.prepared`, `change.approved`, `device.pushed`, …"""
    device_id: Mapped[str | None] = mapped_column(index=True)
    change_id: Mapped[int | None] = mapped_column(index=True)
    result: Mapped[str] = mapped_column(default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Never a secret."""
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    """Hash of the entry before, so that two can never follow the same one."""
    hash: Mapped[str] = mapped_column(String(64))


class Drift(Base):
    """What the newest audit found of a device: intended against running."""

    __tablename__ = "drift"
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utcnow)
    state: Mapped[str] = mapped_column(index=True)
    """`clean`, `drifted`, `broken`, `unreachable` or `refused`."""
    cause: Mapped[str] = mapped_column(default="")
    """`by-hand`, `failed-push`, `firmware`, `intent` (ours changed, not pushed yet) or ""."""
    since: Mapped[datetime | None]
    diff: Mapped[str] = mapped_column(default="")
    """Running against intended; secrets masked."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ConfigSecret(Base):
    """A secret that a kept config holds, encrypted, by its fingerprint; one that a credential names
    too, as that changes and an old config does not.
    """

    __tablename__ = "config_secret"
    fingerprint: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[bytes]
    first_seen: Mapped[datetime] = mapped_column(default=utcnow)


class Voucher(Base):
    """Allows one device to be enrolled once, without a person reading its host key."""

    __tablename__ = "voucher"
    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    code: Mapped[bytes]
    """Encrypted; it is shown once."""
    host_key: Mapped[str] = mapped_column(default="")
    """The key that it proved, once it has."""
    author: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Rotation(Base):
    """A credential on its way from an old secret to a new one."""

    __tablename__ = "rotation"
    id: Mapped[int] = mapped_column(primary_key=True)
    credential_name: Mapped[str] = mapped_column(String(100), index=True)
    started_at: Mapped[datetime] = mapped_column(default=utcnow)
    ended_at: Mapped[datetime | None]
    author: Mapped[str] = mapped_column(default="")
    new_name: Mapped[str] = mapped_column(String(100))
    """The credential that holds the new secret meanwhile; a device is moved to it once it let us in
    with that, and all come back to the first name at the end.
    """
    field: Mapped[str] = mapped_column(default="password")
    """`password` or `private_key`."""
    devices: Mapped[list[RotationDevice]] = relationship(cascade="all, delete-orphan")


class RotationDevice(Base):
    """How far a device is in a rotation."""

    __tablename__ = "rotation_device"
    rotation_id: Mapped[int] = mapped_column(ForeignKey("rotation.id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(default="old")
    """`old`, `adding` (some process is at it, or was: both secrets are tried), `proved` (the new
    one let us in), `done` (the old one is refused too) or `failed` (it has the old one).
    """
    message: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=utcnow)
