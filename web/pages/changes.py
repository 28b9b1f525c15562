"""The last pushes, as the database tells them: who failed and why first, equal diffs as one."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, render_template
from sqlalchemy import func, select

from inventory.change_models import Change, ChangeDevice
from inventory.models import Device
from web.context import console

pages = Blueprint("changes", __name__)
SIZE = 50
TROUBLED = (
    "failed", "applying", "unconfirmed", "drifted", "rolled_back", "unreachable", "queued",
)  # fmt: skip
"""Statuses of devices that somebody has to look at, worst first."""
OWN_NAME = "‹device›"


@dataclass(frozen=True)
class Target:
    """One device of a change."""

    id: str
    name: str
    address: str | None
    status: str
    message: str
    diff: str


@dataclass(frozen=True)
class DiffGroup:
    """Devices that get the same diff, their own names aside."""

    diff: str
    devices: tuple[Target, ...]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The diff as (kind, text): `add`, `del`, `head` or `same`."""
        return [(_kind(line), line) for line in self.diff.splitlines()]


@pages.get("/changes")
def index() -> str:
    """The newest changes with their counts by status."""
    with console().inventory.session() as session:
        rows = session.execute(
            select(
                Change.id, Change.created_at, Change.author, Change.reason, Change.status,
                Change.pushed_at,
            ).order_by(Change.id.desc()).limit(SIZE)
        ).all()  # fmt: skip
        ids = [row.id for row in rows]
        counts: dict[int, dict[str, int]] = {change_id: {} for change_id in ids}
        counted = session.execute(
            select(ChangeDevice.change_id, ChangeDevice.status, func.count())
            .where(ChangeDevice.change_id.in_(ids))
            .group_by(ChangeDevice.change_id, ChangeDevice.status)
        )
        for change_id, status, count in counted:
            counts[change_id][status] = count
    return render_template("changes.html", rows=rows, counts=counts, troubled=TROUBLED)


@pages.get("/changes/<int:change_id>")
def show(change_id: int) -> str:
    """One change: devices in trouble first, then the diffs, each once."""
    with console().inventory.session() as session:
        change = session.execute(
            select(
                Change.id, Change.created_at, Change.author, Change.reason, Change.status,
                Change.pushed_at,
            ).where(Change.id == change_id)
        ).first()  # fmt: skip
        if change is None:
            abort(404)
        # The encrypted candidates are not read: the page has no use for them.
        found = session.execute(
            select(
                ChangeDevice.device_id, Device.name, Device.management_address,
                ChangeDevice.status, ChangeDevice.message, ChangeDevice.diff,
            )
            .join(Device, Device.id == ChangeDevice.device_id)
            .where(ChangeDevice.change_id == change_id)
            .order_by(Device.name)
        ).all()  # fmt: skip
    targets = [Target(*row) for row in found]
    counts: dict[str, int] = {}
    for target in targets:
        counts[target.status] = counts.get(target.status, 0) + 1
    troubled = sorted(
        (t for t in targets if t.status in TROUBLED), key=lambda t: TROUBLED.index(t.status)
    )
    return render_template(
        "change.html", change=change, counts=counts, troubled=troubled, troubles=TROUBLED,
        groups=group_diffs(targets), total=len(targets), unchanged=counts.get("unchanged", 0),
    )  # fmt: skip


def group_diffs(targets: list[Target]) -> list[DiffGroup]:
    """Devices with equal diffs together, the largest group first; empty diffs are left out.

    A device's own id, name and address are not a difference: they show as `‹device›`.
    """
    groups: dict[str, list[Target]] = {}
    for target in targets:
        if target.diff.strip():
            groups.setdefault(_impersonal(target), []).append(target)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [
        DiffGroup(diff if len(members) > 1 else members[0].diff, tuple(members))
        for diff, members in ordered
    ]


def _impersonal(target: Target) -> str:
    diff = target.diff
    own = {target.id, target.name, target.address or ""}
    for word in sorted((w for w in own if len(w) > 3), key=len, reverse=True):
        diff = diff.replace(word, OWN_NAME)
    return diff


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@", "diff ", "# ")):
        return "head"
    return {"+": "add", "-": "del"}.get(line[:1], "same")
