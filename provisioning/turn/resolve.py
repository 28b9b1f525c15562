"""After a crash, or a connection that broke: the devices themselves are asked what became of a
commit, so that none stays in an unknown state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from napalm.base.exceptions import NapalmException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from farola.errors import FarolaError
from farola.keys import Keyring
from inventory import queries
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning.change import changes, journal
from provisioning.change.changes import DeviceChange
from provisioning.change.prepare import base_of, unfinished
from provisioning.platforms.choosing import credentials, for_each
from provisioning.platforms.drivers import open_driver, platform_of

Found = tuple[str, str]
"""A status, and why."""


def ask(
    device: DeviceRecord, secrets: Secrets | None, mine: DeviceChange, candidate: str,
    commit_id: str, *, take_back: bool,
) -> Found | None:  # fmt: skip
    """What a device says of our commit; None where it cannot be asked. Never raises for a device.

    `take_back` says whether a commit that still waits to be confirmed is reverted now (it was cut
    off: nobody saw that all of it took effect), or left waiting.
    """
    try:
        driver = open_driver(device, secrets)
        driver.open()
        try:
            return _asked(driver, device, mine, candidate, commit_id, take_back=take_back)
        finally:
            driver.close()
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError):
        return None


def _asked(
    driver: Any, device: DeviceRecord, mine: DeviceChange, candidate: str, commit_id: str,
    *, take_back: bool,
) -> Found | None:  # fmt: skip
    state = driver.commit_state(commit_id) if hasattr(driver, "commit_state") else "unknown"
    found: dict[str, Found] = {
        "confirmed": ("pushed", "confirmed"),
        "reverted": (
            ("rolled_back", "it was taken back")
            if mine.message == journal.TAKING_BACK
            else ("failed", "it went back by itself to what it ran before")
        ),
        "pending": ("unconfirmed", mine.message),
    }
    if state == "pending" and take_back:
        driver.rollback_to(commit_id)
        return "pending", "it was cut off, and was taken back: it runs what it ran before"
    if state in found:
        return found[state]
    running = driver.get_config(retrieve="running")["running"]
    if other := unfinished(driver):
        return mine.status, f"nothing can be said yet: {other}"
    base = base_of(running, candidate, platform_of(device))
    if base == mine.base_hash:
        return "pending", "it runs what it ran before"
    if mine.goal_hash and base == mine.goal_hash:
        return "pushed", "it runs the change"
    return "drifted", "it runs neither what it ran before nor the change: look at it"


def resolve_change(
    inventory: Inventory, change_id: int, *, actor: str = "farola",
    done: Callable[[int], None] = lambda _n: None,
) -> dict[str, str]:  # fmt: skip
    """Ask every device of a change that is in doubt, and store what it says; returns the statuses
    of those that were. One that cannot be reached stays in doubt, and says so.
    """
    from provisioning.rollout.actions import action_of

    keyring = Keyring(inventory.settings.home)
    with inventory.session() as session:
        record = changes.load(session, change_id)
        doubtful = [d.device_id for d in record.of(*changes.IN_DOUBT)]
        if not doubtful:
            return {}
        held, asks = record.held, action_of(record.kind).ask
        devices = {d.id: d for d in queries.devices(session, doubtful)}
        secrets = credentials(session, list(devices.values()), keyring)
        parts = {name: changes.load_device(session, change_id, name, keyring) for name in doubtful}

    def one(name: str) -> tuple[str, Found | None]:
        mine, candidate = parts[name]
        if name not in devices:
            return name, ("failed", "it is retired or gone from the inventory")
        device = devices[name]
        secret = secrets.get(device.credential_name or "")
        keep = held and mine.status == "unconfirmed"
        return name, asks(device, secret, mine, candidate, mine.commit_id, take_back=not keep)

    statuses = {}
    for name, found in for_each(doubtful, one, done):
        mine = parts[name][0]
        status, message = found or (mine.status, _unasked(mine))
        statuses[name] = status
        if (status, message) != (mine.status, mine.message):
            _keep(inventory, change_id, name, (status, message), actor=actor)
    if record.status == "held":
        with inventory.session() as session:
            journal.confirmed(session, change_id)
    return statuses


def _unasked(mine: DeviceChange) -> str:
    if mine.message == journal.TAKING_BACK:
        return mine.message
    return "it cannot be asked now; unless it was confirmed, it goes back by itself"


def _keep(inventory: Inventory, change_id: int, name: str, found: Found, *, actor: str) -> None:
    def job(session: Session) -> None:
        journal.record_result(session, change_id, name, *found, actor=actor)

    # What cannot be stored now stays in doubt, and is asked again.
    with contextlib.suppress(FarolaError, SQLAlchemyError):
        journal.patiently(inventory, job)
