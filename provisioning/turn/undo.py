"""Take a change back from devices that run it: exactly its own commit, and only while that is the
newest on the device.

The order is the rollout's own, backwards: whoever got the change last goes back first. So a mesh
parent goes back before what hangs on it, as it got the change after that. Between the two ends of
a radio link only such pairs of configs then meet as met in the rollout: each child was confirmed,
over a connection of its own, while its parent ran the old config, and so it is reached under an
old parent again. An old child under a new parent is what nobody ever saw; with the child first, one
that finds no such parent would be cut off in the middle, and a parent that then could not be taken
back either would leave it so. For the same reason one end of a link stays while the other, which
got the change after it, still runs it. Where a parent had the change first (`--parents-anyway`),
the same rule has the child go back first.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from napalm.base.exceptions import NapalmException
from sqlalchemy.orm import Session

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from inventory import queries
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning.change import changes, journal
from provisioning.change.changes import DeviceChange
from provisioning.history.configs import History, Kept
from provisioning.platforms.choosing import credentials, for_each, why
from provisioning.platforms.drivers import open_driver, platform_of
from provisioning.rollout.fleet import Fleet, read_fleet
from provisioning.turn.apply import is_offline
from provisioning.turn.resolve import resolve_change

LINK_S = 60.0
"""How long a device is waited for that hangs on one that has just gone back: their link has to come
up anew; what a radio listens for radar comes on top.
"""
ASK_AGAIN_S = 2.0


@dataclass(frozen=True)
class Undone:
    """What became of one device; `message` says why where it still runs the change."""

    device_id: str
    ok: bool
    message: str = ""
    running: str = field(default="", repr=False)
    """What it runs now, in the clear, where it was asked; for the history."""
    away: bool = False
    """Whether it was not reached."""


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
        return Undone(device.id, False, why(error), away=is_offline(error))
    return Undone(device.id, True, running=running)


def undo_devices(
    inventory: Inventory, change_id: int, names: Sequence[str], *, because: str, actor: str,
    done: Callable[[int], None] = lambda _n: None, patience: Mapping[str, float] | None = None,
) -> list[Undone]:  # fmt: skip
    """Take a change back from `names`, several at a time, and store what became of each. A device
    that could not be rolled back stays as it is, with the reason. They may go at one time: in one
    wave nobody hangs on another, and of the newest wave, which is the one that a push takes back
    by itself, nobody else got the change later. `patience` is how long a device is waited for, in
    seconds, where it is not reached at once.
    """
    from provisioning.rollout.actions import action_of

    keyring = Keyring(inventory.settings.home)
    with inventory.session() as session:
        record = changes.load(session, change_id)
        devices = {d.id: d for d in queries.devices(session, names)} if names else {}
        secrets = credentials(session, list(devices.values()), keyring)
    undo = action_of(record.kind).undo
    mine = {device.device_id: device for device in record.devices}

    def one(name: str) -> Undone:
        if undo is not None and name in devices and mine[name].commit_id:
            journal.patiently(
                inventory, lambda session: journal.taking_back(session, change_id, name, actor)
            )
        undone = tried(name)
        # Here, and not where they are gathered: Ctrl-C ends that, and not what is under way.
        _keep(inventory, change_id, mine[name], undone, because=because, actor=actor)
        return undone

    def tried(name: str) -> Undone:
        if undo is None:
            return Undone(name, False, f"a {record.kind} cannot be taken back")
        if name not in devices:
            return Undone(name, False, "it is retired or gone from the inventory")
        device, deadline = devices[name], time.monotonic() + (patience or {}).get(name, 0.0)
        while True:
            undone = undo(device, secrets.get(device.credential_name or ""), mine[name])
            if not undone.away or time.monotonic() >= deadline:
                return undone
            time.sleep(ASK_AGAIN_S)

    results: list[Undone] = list(for_each(list(names), one, done))
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
    """Take a change back from `names`, or from all that run it, newest wave first, so that a mesh
    parent goes back before what hangs on it (why: see above). Who is in doubt is asked before.
    Pauses, freezes and windows do not hold it.

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
    if record.of("applying"):  # a push was cut off at them: they may run it
        resolve_change(inventory, change_id, actor=actor)
        with inventory.session() as session:
            record = changes.load(session, change_id)
    waves = {
        device.device_id: device.wave
        for device in record.of("pushed", "unconfirmed", "applying") if device.commit_id
    }  # fmt: skip
    doubt = {device.device_id for device in record.of("applying")} & set(waves)
    listens = max((device.settle_s for device in record.devices), default=0)
    chosen = {name: wave for name, wave in waves.items() if not names or name in names}
    if not chosen:
        raise ProvisioningError(f"change {change_id}: no device runs what it pushed")
    with inventory.session() as session:
        fleet = read_fleet(session, waves)
    first = go_first(waves, fleet)
    keep = set(waves) - set(chosen)
    results: list[Undone] = []
    try:
        for wave in sorted(set(chosen.values()), reverse=True):
            turn = []
            for name in sorted(name for name, number in chosen.items() if number == wave):
                if name in doubt:
                    keep.add(name)
                    results.append(Undone(name, False, "it may run it, and cannot be asked now"))
                elif held := sorted(first[name] & keep):
                    keep.add(name)
                    results.append(Undone(name, False, _why_held(name, held[0], fleet)))
                else:
                    turn.append(name)
            back = {one.device_id for one in results if one.ok}
            undone = undo_devices(
                inventory, change_id, turn, because=f"rolled back by {actor}", actor=actor,
                done=done,
                patience={name: LINK_S + listens for name in turn if _hangs(name, back, fleet)},
            )  # fmt: skip
            keep |= {one.device_id for one in undone if not one.ok}
            results += undone
    finally:  # after Ctrl-C too
        with inventory.session() as session:
            journal.rolled_back(session, change_id, actor)
    return results


def go_first(waves: Mapping[str, int], fleet: Fleet) -> dict[str, set[str]]:
    """Of each device that runs a change, got in the wave given, those that must go back before it:
    at the other end of a radio link, with the change since a later wave. Whoever is retired holds
    nobody up.
    """
    first: dict[str, set[str]] = {name: set() for name in waves}
    for child, parent in fleet.parents.items():
        if parent not in fleet.mesh_parents or not {child, parent} <= waves.keys():
            continue
        early, late = sorted((child, parent), key=waves.__getitem__)
        if waves[early] < waves[late] and late in fleet.devices:
            first[early].add(late)
    return first


def _hangs(name: str, back: Collection[str], fleet: Fleet) -> bool:
    """Whether `name` hangs on one of `back`, however far up."""
    seen: set[str] = set()
    at = fleet.parents.get(name)
    while at is not None and at not in seen:
        if at in back:
            return True
        seen.add(at)
        at = fleet.parents.get(at)
    return False


def _why_held(name: str, other: str, fleet: Fleet) -> str:
    tie = "on which it hangs" if fleet.parents.get(name) == other else "which hangs on it"
    return (
        f"{other}, {tie}, got the change after it and still runs it: roll that one back first, or "
        "both together"
    )
