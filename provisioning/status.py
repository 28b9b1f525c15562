"""Accounts for every device of a change: what it runs, what will happen next, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from provisioning import changes
from provisioning.changes import ChangeRecord, DeviceChange


def next_of(
    change: ChangeRecord, device: DeviceChange, queue_days: int, local: Callable[[datetime], str],
    *, under_way: bool,
) -> str:  # fmt: skip
    """What will happen to a device next, in words; empty where nothing will.

    `local` writes an instant of the inventory for people; `under_way` tells whether some process
    pushes the change now.
    """
    again = f"`farola provision push {change.id}`"
    ask = f"`farola provision status {change.id} --resolve` asks it"
    match device.status:
        case "applying":
            if under_way:
                return "it is being pushed to"
            until = f"; not confirmed, it reverts by {local(device.reverts_at)}" \
                if device.reverts_at else ""  # fmt: skip
            return ask + until
        case "unconfirmed":
            until = f" by {local(device.reverts_at)}" if device.reverts_at else ""
            return f"reverts{until} unless `farola provision confirm {change.id}`"
        case "queued":
            if change.status in {"withdrawn", "rolled_back"}:
                return ""
            since = device.queued_at or device.at
            return f"gets it when it is back, until {local(since + timedelta(days=queue_days))}"
        case "pending":
            if change.status in {"withdrawn", "rolled_back"}:
                return "nothing: it is left as it is"
            return "has its turn in a later wave" if under_way else f"{again} goes on"
        case "failed":
            return "" if change.status in {"withdrawn", "rolled_back"} else f"{again} tries again"
        case "drifted" | "unreachable":
            return "prepare a new change for it"
        case "pushed" if changes.faulty(device):
            return f"`farola provision rollback {change.id} --device {device.device_id}` or mend it"
    return ""


def change_next(change: ChangeRecord, *, under_way: bool) -> str:
    """What will happen to the whole change next, in words."""
    if under_way:
        return "it is being pushed"
    match change.status:
        case "prepared" if change.needs_approval and not change.approved_by:
            return f"another person approves it: `farola provision approve {change.id}`"
        case "prepared" | "approved":
            return f"`farola provision push {change.id}`"
        case "pushing" if change.of("pending", "applying"):
            return f"its push was cut off: `farola provision push {change.id}` goes on"
        case "pushing":
            return "it goes on when the devices that are offline are back (`farola up`)"
        case "halted" if change.held:
            return f"`farola provision confirm {change.id}`, then push it again to go on"
        case "halted":
            return f"look at it, then `farola provision push {change.id}` goes on, or " \
                   f"`farola provision rollback {change.id}` takes it back"  # fmt: skip
        case "failed":
            return f"`farola provision push {change.id}` tries again those that failed"
    return ""
