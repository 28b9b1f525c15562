"""Apply a frozen change to one device: what the action plugin of `playbooks/` calls.

Each step is journaled before the device is touched, and the result at once, so that a run that is
killed still accounts for what it did.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from napalm.base.exceptions import ConnectAuthError, ConnectionException, NapalmException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from farola.people import person
from farola.settings import Settings, load_settings
from inventory import queries
from inventory.db import Inventory, open_inventory
from inventory.models import utcnow
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt import new_commit_id
from napalm_openwrt.session import WrongHostKey
from provisioning.change import changes, journal, seal
from provisioning.change.changes import DeviceChange
from provisioning.change.gates import may_push
from provisioning.change.prepare import base_of, printable, unfinished
from provisioning.history.configs import History, Kept
from provisioning.platforms.choosing import credentials, why
from provisioning.platforms.drivers import capabilities, open_driver, platform_of
from provisioning.rollout.policy import Policy, policy_of
from provisioning.turn.settling import linger_s

RESTARTS = frozenset({"firmware", "reboot"})
"""Kinds of change that are no config."""


@dataclass(frozen=True)
class Applied:
    """What became of one device."""

    status: str
    """As in the inventory; `pending` where its turn did not come (the push was stopped)."""
    message: str = ""
    diff: str = ""
    """Masked; what was or would be changed."""
    running: str = field(default="", repr=False)
    """What it runs now, in the clear, where it was asked; for the history."""


@dataclass(frozen=True)
class Turn:
    """One device's turn: what it shall run, and how."""

    device: DeviceRecord
    secrets: Secrets | None
    mine: DeviceChange
    candidate: str
    policy: Policy
    label: str


Journal = Callable[[str, "datetime | None"], None]
"""Called with the commit's id, and when it reverts by itself, before the device is touched."""


@dataclass(frozen=True)
class Means:
    """What every turn needs, opened once for as many as there are."""

    settings: Settings
    keyring: Keyring
    inventory: Inventory
    history: History
    actor: str

    @classmethod
    def of(cls, inventory: Inventory, actor: str) -> Means:
        """Those of an open inventory's home."""
        settings = inventory.settings
        keyring = Keyring(settings.home)
        return cls(settings, keyring, inventory, History(settings.home, keyring), actor)


def apply_change(home: Path, change_id: int, device_id: str, *, check: bool = False) -> Applied:
    """Bring one device of a change to its candidate; in `check` mode only tell the difference.

    Raises
    ------
    FarolaError
        The home, the key or the change cannot be read or used: nothing was tried.
    """
    inventory = open_inventory(load_settings(home))
    try:
        means = Means.of(inventory, person())
        with inventory.session() as session:  # a push has looked at all of it before
            row = changes.row_of(session, change_id)
            seal.check_whole(means.keyring, row, changes.seals(session, change_id))
        return take_turn(means, change_id, device_id, check=check)
    finally:
        inventory.close()


def take_turn(means: Means, change_id: int, device_id: str, *, check: bool = False) -> Applied:
    """The same with what is open already; several at a time may, each on its own thread."""
    inventory, keyring, actor = means.inventory, means.keyring, means.actor
    settings = means.settings
    with inventory.session() as session:
        row = changes.row_of(session, change_id)
        mine, candidate = changes.load_device(session, change_id, device_id, keyring)
        kind = row.kind
        if mine.status not in changes.OPEN:
            return Applied(mine.status, mine.message)
        policy = Policy.read(row.policy) if row.policy else policy_of(settings.provisioning)
        if not check:
            journal.may_be_pushed(row)
            if row.status in {"halted", "held"}:
                return Applied("pending", f"the push was {row.status}: {row.halted_because}")
            gate = may_push(session, settings, datetime.now(UTC), ignore_windows=policy.now)
            if not gate.open:
                return Applied("pending", gate.why)
        found = queries.devices(session, [device_id])
        if not found:
            raise ProvisioningError(f"{device_id} is retired or gone from the inventory")
        secrets = credentials(session, found, keyring).get(found[0].credential_name or "")
    turn = Turn(found[0], secrets, mine, candidate, policy, f"change {change_id} by {actor}")
    apply = partial(restart_turn, settings.home) if kind in RESTARTS else apply_turn
    if check:
        return apply(turn, None)

    taken = ""

    def noted(commit_id: str, reverts_at: datetime | None) -> None:
        nonlocal taken

        def job(session: Session) -> None:
            journal.applying(
                session, change_id, device_id, commit_id=commit_id, reverts_at=reverts_at,
                actor=actor,
            )  # fmt: skip

        try:
            journal.patiently(inventory, job)
        except ProvisioningError as error:
            taken = str(error)
            raise

    applied = apply(turn, noted)
    if taken:  # what became of it is for whoever is at it to store
        raise ProvisioningError(taken)
    if applied.running:
        _put_aside(means.history, turn.device, applied.running)
    _store(inventory, change_id, device_id, applied, actor)
    return applied


def _put_aside(history: History, device: DeviceRecord, running: str) -> None:
    """Keep what the device runs now for the history; the nightly fetch does if this fails."""
    with contextlib.suppress(FarolaError):
        history.put_aside(Kept(device.id, running, platform_of(device)))


def _store(
    inventory: Inventory, change_id: int, device_id: str, applied: Applied, actor: str
) -> None:
    def job(session: Session) -> None:
        journal.record_result(
            session, change_id, device_id, applied.status, applied.message, actor=actor
        )

    try:
        journal.patiently(inventory, job)
    except (FarolaError, SQLAlchemyError) as error:
        raise ProvisioningError(
            f"the device is {applied.status}, but that could not be stored: "
            f"{getattr(error, 'orig', error)}"
        ) from None


def apply_turn(turn: Turn, noted: Journal | None) -> Applied:
    """Sign in, see that the base still holds, commit, confirm; never raises for a device.

    Without `noted` the device is only looked at.
    """
    begun = ""
    try:
        can = capabilities(platform_of(turn.device))
        commit_id = new_commit_id()
        driver = open_driver(turn.device, turn.secrets, commit_id=commit_id)
        try:
            try:
                driver.open()
            except ConnectionException as error:
                return Applied("queued" if is_offline(error) else "failed", why(error))
            seen = _look(driver, turn)
            if seen.status != "pending":
                return seen
            if noted is None:
                return replace(seen, status="pushed", running="")
            wait = 0
            if platform_of(turn.device) == "openwrt" and not turn.policy.hold:
                wait = linger_s(
                    turn.candidate, seen.running, turn.mine.settle_s, turn.policy.linger_s
                )
            window = turn.policy.confirm_s + wait if can.confirm else None
            reverts = utcnow() + timedelta(seconds=window) if window else None
            noted(commit_id, reverts)
            begun = commit_id
            return _commit(driver, turn, seen.diff, window, wait)
        finally:
            driver.close()
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError) as error:
        if begun:
            return settle(turn, begun, why(error))
        return Applied("failed", why(error))


def restart_turn(home: Path, turn: Turn, noted: Journal | None) -> Applied:
    """Reboot a device or bring it another firmware; never raises for a device."""
    from provisioning.turn.upgrades import carry_out

    status, message = carry_out(turn, home, noted)
    return Applied(status, message, turn.mine.diff)


def _look(driver: Any, turn: Turn) -> Applied:
    """What is to be done: `pending`, or what else it is already."""
    mine, candidate = turn.mine, turn.candidate
    if hasattr(driver, "look"):
        running, diff = driver.look(candidate, replace=mine.replace)
    else:
        running = driver.get_config(retrieve="running")["running"]
        if mine.replace:
            driver.load_replace_candidate(config=candidate)
        else:
            driver.load_merge_candidate(config=candidate)
        diff = driver.compare_config()
    base, diff = base_of(running, candidate, platform_of(turn.device)), printable(diff)
    if other := unfinished(driver):
        return Applied("failed", f"{other}; nothing was changed: push again afterwards")
    if not diff:
        return Applied("pushed", "its config is in place already")
    if base != mine.base_hash:
        return Applied(
            "drifted",
            "its config changed since the change was prepared; look at it, then prepare a new "
            "change for it",
        )
    return Applied("pending", "", diff, running)


def _commit(driver: Any, turn: Turn, diff: str, window: int | None, wait: int) -> Applied:
    if window is None:
        driver.commit_config(message=turn.label)
        return Applied("pushed", "committed at once: its platform cannot take it back by itself",
                       diff)  # fmt: skip
    driver.commit_config(message=turn.label, revert_in=window)
    if turn.policy.hold:
        return Applied("unconfirmed", "held: waits for `farola provision confirm`", diff)
    time.sleep(wait)
    driver.confirm_commit()
    return Applied("pushed", "", diff, driver.get_config(retrieve="running")["running"])


def settle(turn: Turn, commit_id: str, fault: str) -> Applied:
    """After a fault: ask the device over a new connection what became of our commit."""
    from provisioning.turn.resolve import ask

    found = ask(turn.device, turn.secrets, turn.mine, turn.candidate, commit_id, take_back=True)
    if found is None:
        return Applied(
            "applying", f"it does not let us in since: {fault}; unless it was confirmed, it "
            "goes back by itself to what it ran",
        )  # fmt: skip
    status, message = found
    return Applied("pushed" if status == "pushed" else "failed", f"{fault}; {message}")


def is_offline(error: Exception) -> bool:
    """Whether a device was not there, as against one that refused us or is not who it should be."""
    return isinstance(error, ConnectionException) and not isinstance(
        error, ConnectAuthError | WrongHostKey
    )
