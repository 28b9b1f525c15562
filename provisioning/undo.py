"""Take a change back from devices that run it: exactly its own commit, and only while that is the
newest on the device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from napalm.base.exceptions import NapalmException
from sqlalchemy.orm import Session

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from inventory import queries
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning import changes, journal
from provisioning.changes import DeviceChange
from provisioning.devices import credentials, for_each, why
from provisioning.fleet import read_fleet
from provisioning.history import History, Kept
from provisioning.platforms import open_driver, platform_of
from provisioning.waves import leaves


@dataclass(frozen=True)
class Undone:
    """What became of one device; `message` says why where it still runs the change."""

    device_id: str
    ok: bool
    message: str = ""
    running: str = field(default="", repr=False)
    """What it runs now, in the clear, where it was asked; for the history."""


def undo_device(device: DeviceRecord, secrets: Secrets | None, mine: DeviceChange) -> Undone:
    """Roll one device back; never raises for a device."""
    if not mine.commit_id:
        return Undone(device.id, False, "this change committed nothing on it: it was as meant")
    try:
        driver = open_driver(device, secrets)
        driver.open()
        try:
            if not hasattr(driver, "rollback_to"):
                return Undone(
                    device.id, False, "its platform does not tell whose commit is the newest"
                )
            driver.rollback_to(mine.commit_id)
            running = str(driver.get_config(retrieve="running")["running"])
        finally:
            driver.close()
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError) as error:
        return Undone(device.id, False, why(error))
    return Undone(device.id, True, running=running)


def undo_devices(
    inventory: Inventory, change_id: int, names: Sequence[str], *, because: str, actor: str,
    done: Callable[[int], None] = lambda _n: None,
) -> list[Undone]:  # fmt: skip
    """Take a change back from `names`, several at a time, and store what became of each. A device
    that could not be rolled back stays as it is, with the reason.
    """
    from provisioning.actions import action_of

    keyring = Keyring(inventory.settings.home)
    with inventory.session() as session:
        record = changes.load(session, change_id)
        devices = {d.id: d for d in queries.devices(session, names)} if names else {}
        secrets = credentials(session, list(devices.values()), keyring)
    undo = action_of(record.kind).undo
    mine = {device.device_id: device for device in record.devices}

    def one(name: str) -> Undone:
        if undo is None:
            return Undone(name, False, f"a {record.kind} cannot be taken back")
        if name not in devices:
            return Undone(name, False, "it is retired or gone from the inventory")
        device = devices[name]
        return undo(device, secrets.get(device.credential_name or ""), mine[name])

    results: list[Undone] = []
    for undone in for_each(list(names), one, done):
        results.append(undone)
        _keep(inventory, change_id, mine[undone.device_id], undone, because=because, actor=actor)
    kept = [
        Kept(one.device_id, one.running, platform_of(devices[one.device_id]))
        for one in results if one.running
    ]  # fmt: skip
    # The nightly fetch keeps them if this fails.
    with contextlib.suppress(FarolaError):
        History(inventory.settings.home, keyring).add_many(
            kept, author=actor, cause=f"change {change_id} taken back"
        )
    return sorted(results, key=lambda undone: undone.device_id)


def _keep(
    inventory: Inventory, change_id: int, mine: DeviceChange, undone: Undone, *, because: str,
    actor: str,
) -> None:  # fmt: skip
    status = "rolled_back" if undone.ok else mine.status
    message = because if undone.ok else f"{because}; it could not be rolled back: {undone.message}"

    def job(session: Session) -> None:
        journal.record_result(session, change_id, undone.device_id, status, message, actor=actor)

    journal.patiently(inventory, job)


def rollback_change(
    inventory: Inventory, change_id: int, names: Sequence[str], actor: str,
    done: Callable[[int], None] = lambda _n: None,
) -> list[Undone]:  # fmt: skip
    """Take a change back from `names`, or from all that run it, newest wave first, but a mesh
    parent after whatever hangs on it. Pauses, freezes and windows do not hold it.

    Raises
    ------
    ProvisioningError
        There is no such change, or nothing of it to take back.
    """
    with inventory.session() as session:
        record = changes.load(session, change_id)
    unknown = sorted(set(names) - {device.device_id for device in record.devices})
    if unknown:
        raise ProvisioningError(f"change {change_id} has no device {', '.join(unknown[:5])}")
    running = [
        device for device in record.of("pushed", "unconfirmed")
        if device.commit_id and (not names or device.device_id in names)
    ]  # fmt: skip
    if not running:
        raise ProvisioningError(f"change {change_id}: no device runs what it pushed")
    with inventory.session() as session:
        fleet = read_fleet(session, [device.device_id for device in running])
    mesh = {name: up for name, up in fleet.parents.items() if up in fleet.mesh_parents}
    waves = {device.device_id: device.wave for device in running}
    results: list[Undone] = []
    while waves:
        # A mesh parent that went back before its children would cut them off.
        free = leaves(waves, mesh)
        newest = max(waves[name] for name in free)
        chosen = [name for name in free if waves[name] == newest]
        for name in chosen:
            del waves[name]
        results += undo_devices(
            inventory, change_id, chosen, because=f"rolled back by {actor}", actor=actor, done=done
        )
        results += _left_with(results, waves, mesh)
    with inventory.session() as session:
        journal.rolled_back(session, change_id, actor)
    return results


def _left_with(
    results: Sequence[Undone], waves: dict[str, int], mesh: Mapping[str, str]
) -> list[Undone]:
    """Take parents of devices that still run the change out of `waves`, and say why."""
    left = []
    stuck = [one.device_id for one in results if not one.ok]
    while stuck:
        child = stuck.pop()
        parent = mesh.get(child)
        if parent in waves:
            del waves[parent]
            why = f"{child}, which hangs on it, still runs the change: roll that one back first"
            left.append(Undone(parent, False, why))
            stuck.append(parent)
    return left
