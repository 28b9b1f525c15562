"""Apply a frozen change to one device: what the action plugin of `playbooks/` calls.

The result is stored at once, so that a run that is killed still accounts for what it did.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napalm.base.exceptions import NapalmException
from sqlalchemy.exc import SQLAlchemyError

from farola.errors import FarolaError, InventoryError, ProvisioningError
from farola.keys import Keyring
from farola.settings import load_settings
from inventory import queries
from inventory.db import Inventory, open_inventory
from inventory.records import DeviceRecord, Secrets
from napalm_openwrt.uci_text import parse
from provisioning import changes
from provisioning.devices import credentials, driver_for, why
from provisioning.prepare import base_of, printable

TRIES = 6
"""How often a result is offered to an inventory that others hold locked, 10 s each."""


@dataclass(frozen=True)
class Applied:
    """What became of one device."""

    status: str
    """`pushed`, `unchanged`, `failed` or `drifted`."""
    message: str = ""
    diff: str = ""
    """Masked; what was or would be changed."""


def apply_change(home: Path, change_id: int, device_id: str, *, check: bool = False) -> Applied:
    """Bring one device of a change to its candidate; in `check` mode only tell the difference.

    Raises
    ------
    FarolaError
        The home, the key or the change cannot be read: nothing was tried.
    """
    settings = load_settings(home)
    keyring = Keyring(home)
    inventory = open_inventory(settings)
    try:
        with inventory.session() as session:
            mine, candidate = changes.load_device(session, change_id, device_id, keyring)
            if mine.status not in changes.OPEN:
                return Applied(mine.status, mine.message)
            found = queries.devices(session, [device_id])
            if not found:
                raise ProvisioningError(f"{device_id} is retired or gone from the inventory")
            secrets = credentials(session, found, keyring).get(found[0].credential_name or "")
        applied = apply_candidate(
            found[0], secrets, candidate, mine.base_hash, check=check, label=f"change {change_id}"
        )
        if not check:
            _store(inventory, change_id, device_id, applied)
        return applied
    finally:
        inventory.close()


def _store(inventory: Inventory, change_id: int, device_id: str, applied: Applied) -> None:
    """Store a result, patiently: the device has it already, and many are stored at a time."""
    for left in reversed(range(TRIES)):
        try:
            with inventory.session() as session:
                changes.record_result(
                    session, change_id, device_id, applied.status, applied.message
                )
        except (InventoryError, SQLAlchemyError) as error:
            # SQLite has waited for its lock before it says so.
            if left and "locked" in str(error):
                continue
            raise ProvisioningError(
                f"the device is {applied.status}, but that could not be stored: "
                f"{getattr(error, 'orig', error)}"
            ) from None
        else:
            return


def apply_candidate(
    device: DeviceRecord, secrets: Secrets | None, candidate: str, base: str,
    *, check: bool, label: str,
) -> Applied:  # fmt: skip
    """Sign in, see that the base still holds, commit, read back; never raises for a device."""
    try:
        driver = driver_for(device, secrets)
        try:
            driver.open()
            running = driver.get_config(retrieve="running")["running"]
            drifted = base_of(running, candidate) != base
            driver.load_merge_candidate(config=candidate)
            diff = printable(driver.compare_config())
            if not diff:
                # A push that was cut off after its commit ends here on the second try: the files
                # are in place, but nothing says that the services took them over.
                if check:
                    return Applied("pushed", "its config is in place already")
                driver.reload(parse(candidate))
                return Applied("pushed", "its config was in place; its services were reloaded")
            if drifted:
                return Applied(
                    "drifted",
                    "its config changed since the change was prepared; look at it, then prepare "
                    "a new change for it",
                )
            if not check:
                driver.commit_config(message=label)
            return Applied("pushed", "", diff)
        finally:
            driver.close()
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return Applied("failed", why(error))
