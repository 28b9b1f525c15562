"""Confirm what `push --hold` left waiting for a person."""

from __future__ import annotations

from collections.abc import Callable

from napalm.base.exceptions import NapalmException
from sqlalchemy.orm import Session

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from inventory import queries
from inventory.db import Inventory
from inventory.records import DeviceRecord
from provisioning.change import changes, journal
from provisioning.change.locks import alone
from provisioning.platforms.choosing import credentials, for_each, why
from provisioning.platforms.drivers import open_driver
from provisioning.turn.resolve import resolve_change


def confirm_change(
    inventory: Inventory, change_id: int, actor: str,
    done: Callable[[int], None] = lambda _n: None,
) -> dict[str, tuple[str, str]]:  # fmt: skip
    """Confirm every unconfirmed device of a change, each over a new connection.

    Returns of each its status and why. The rest is then asked what it runs.

    Raises
    ------
    ProvisioningError
        Nothing of the change waits to be confirmed.
    """
    with alone(inventory.settings, change_id):
        with inventory.session() as session:
            record = changes.load(session, change_id)
            waiting = {d.device_id: d for d in record.of("unconfirmed")}
            devices = queries.devices(session, list(waiting)) if waiting else []
            secrets = credentials(session, devices, Keyring(inventory.settings.home))
        if not waiting:
            raise ProvisioningError(f"change {change_id}: no device waits to be confirmed")

        def one(device: DeviceRecord) -> tuple[str, str]:
            secret = secrets.get(device.credential_name or "")
            commit_id = waiting[device.id].commit_id
            try:
                driver = open_driver(device, secret, commit_id=commit_id)
                try:
                    driver.open()
                    state = driver.commit_state(commit_id)
                    if state != "pending":
                        return device.id, f"its commit is {state}: there is nothing to confirm"
                    driver.confirm_commit()
                finally:
                    driver.close()
            except (FarolaError, NapalmException, OSError, ValueError) as error:
                return device.id, why(error)
            return device.id, ""

        statuses = {}
        for name, fault in for_each(devices, one, done):
            statuses[name] = ("unconfirmed", fault) if fault else ("pushed", "confirmed")
            if not fault:
                _keep(inventory, change_id, name, actor)
        # Whoever refused says itself whether it has gone back.
        for name, status in resolve_change(inventory, change_id, actor=actor).items():
            statuses[name] = (status, statuses.get(name, ("", ""))[1])
        with inventory.session() as session:
            journal.confirmed(session, change_id)
    return statuses


def _keep(inventory: Inventory, change_id: int, name: str, actor: str) -> None:
    def job(session: Session) -> None:
        journal.record_result(session, change_id, name, "pushed", "confirmed", actor=actor)

    journal.patiently(inventory, job)
