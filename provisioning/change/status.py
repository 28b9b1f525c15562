"""Accounts for every device of a change: what it runs, what will happen next, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from provisioning.change import changes
from provisioning.change.changes import ChangeRecord, DeviceChange
from provisioning.platforms.drivers import NOT_ADOPTED


def next_of(
    change: ChangeRecord, device: DeviceChange, queue_days: int, local: Callable[[datetime], str],
    *, under_way: bool,
) -> str:  # fmt: skip
    """What will happen to a device next, in words; empty where nothing will.

    `local` writes an instant of the inventory for people; `under_way` tells whether some process
    pushes the change now.
    """
    over = change.status in {"withdrawn", "rolled_back"}
    again = f"`farola provision push {change.id}`"
    by = f" by {local(device.reverts_at)}" if device.reverts_at else ""
    says = ""
    match device.status:
        case "applying" if under_way:
            says = "it is being pushed to"
        case "applying":
            says = f"`farola provision status {change.id} --resolve` asks it"
            says += f"; not confirmed, it reverts{by}" if by else ""
        case "unconfirmed":
            says = f"reverts{by} unless `farola provision confirm {change.id}`"
        case "queued" if change.status == "pushing":
            until = (device.queued_at or device.at) + timedelta(days=queue_days)
            says = f"gets it when it is back, until {local(until)}"
        case "pending" if under_way:
            says = "has its turn in a later wave"
        case "failed" | "rolled_back" | "queued" if not over:
            says = f"{again} tries again"
        case "pending" if not over:
            says = f"{again} goes on"
        case "unreachable" if changes.in_words(device) == NOT_ADOPTED:
            says = "adopt it, then prepare a new change for it"
        case "drifted" | "unreachable":
            says = "prepare a new change for it"
        case "pushed" if changes.faulty(device):
            says = (
                f"`farola provision rollback {change.id} --device {device.device_id}`, or mend it"
            )
    return says


def change_next(change: ChangeRecord, *, under_way: bool) -> str:
    """What will happen to the whole change next, in words."""
    push = f"`farola provision push {change.id}`"
    says = ""
    match change.status:
        case _ if under_way:
            says = "it is being pushed"
        case "prepared" if change.needs_approval and not change.approved_by:
            says = f"another person approves it: `farola provision approve {change.id}`"
        case "prepared" | "approved":
            says = push
        case "pushing" if change.of("pending", "applying"):
            says = f"its push was cut off: {push} goes on"
        case "pushing":
            says = "it goes on when the devices that are offline are back (`farola up`)"
        case "held" | "halted" if change.held:
            says = f"`farola provision confirm {change.id}`, then push it again to go on"
            says += f"; or `farola provision rollback {change.id}` takes it back now"
        case "halted":
            back = f"`farola provision rollback {change.id}` takes it back"
            says = f"look at it, then {push} goes on, or {back}"
        case "failed":
            says = f"{push} tries again those that failed"
    return says
