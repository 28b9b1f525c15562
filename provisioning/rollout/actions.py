"""What a rollout does to each device, by the change's kind: the same waves, gates and checks carry
a config, a firmware or a reboot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inventory.records import DeviceRecord, Secrets
from provisioning.change.changes import DeviceChange
from provisioning.turn.resolve import Found, ask
from provisioning.turn.restarts import ask_restart
from provisioning.turn.undo import Undone, undo_device

Ask = Callable[..., "Found | None"]
Undo = Callable[[DeviceRecord, "Secrets | None", DeviceChange], Undone]


@dataclass(frozen=True)
class Action:
    """How a change of some kind is carried out."""

    playbook: str
    """In `playbooks/`; its action plugin calls `provisioning.turn.apply.take_turn`."""
    ask: Ask = ask
    """Asks a device in doubt what became of it; the signature of `turn.resolve.ask`."""
    undo: Undo | None = undo_device
    """Takes it back from one device; None where that cannot be."""


PUSH = Action("push.yml")
ACTIONS: dict[str, Action] = {
    "config": PUSH, "restore": PUSH, "remediation": PUSH, "rotation": PUSH,
    "firmware": Action("firmware.yml", ask_restart, None),
    "reboot": Action("reboot.yml", ask_restart, None),
}  # fmt: skip


def action_of(kind: str) -> Action:
    """The action of a kind of change."""
    return ACTIONS.get(kind, PUSH)
