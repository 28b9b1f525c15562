"""Prepare a change that reboots devices or brings them another firmware, and carry it out on one.

The image is kept under its hash in `firmware/` of FAROLA_HOME, so that what is pushed is what was
frozen.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napalm.base.exceptions import ConnectionException, NapalmException

from farola.errors import FarolaError, InputError, ProvisioningError
from farola.files import written_whole
from farola.keys import Keyring
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning.change import changes
from provisioning.change.changes import Prepared
from provisioning.platforms.choosing import credentials, for_each, why
from provisioning.platforms.drivers import open_driver, platform_of
from provisioning.turn import restarts

if TYPE_CHECKING:
    from provisioning.turn.apply import Turn

FOLDER = "firmware"
LARGEST = 256 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Image:
    """A firmware image, kept."""

    name: str
    sha256: str
    version: str
    """What a device tells once it runs it; empty where nobody said."""

    @property
    def order(self) -> str:
        """What a change freezes of it."""
        return json.dumps(
            {"image": f"{FOLDER}/{self.sha256}.bin", "sha256": self.sha256, "name": self.name}
        )


def keep_image(home: Path, path: Path, digest: str, version: str = "") -> Image:
    """Copy an image into the home once its SHA-256 is the one that its maker published.

    Raises InputError where the file cannot be read, is too large, or its hash is another.
    """
    digest = digest.strip().lower()
    if not _SHA256.fullmatch(digest):
        raise InputError("--sha256 must be the 64 hexadecimal digits that the maker publishes")
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: larger than any access point's firmware: is it the image?")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise InputError(
            f"{path}: its SHA-256 is {found}, not {digest}: it is damaged, or another image"
        )
    kept = home / FOLDER / f"{digest}.bin"
    try:
        kept.parent.mkdir(exist_ok=True, mode=0o700)
        with written_whole(kept) as out:
            out.write(data)
    except OSError as error:
        raise ProvisioningError(f"{kept}: cannot be kept: {error.strerror}") from None
    return Image(path.name, digest, version)


def prepare_restart(
    inventory: Inventory, devices: Sequence[DeviceRecord], image: Image | None, *,
    author: str, reason: str, done: Callable[[int], None] = lambda _n: None,
) -> changes.ChangeRecord:  # fmt: skip
    """Freeze a change that brings `image` to `devices`, or without one reboots them.

    Raises ProvisioningError where a device's platform cannot be restarted so.
    """
    for device in devices:
        if platform_of(device) != "openwrt":
            raise ProvisioningError(
                f"{device.id}: platform {platform_of(device)!r} is neither upgraded nor rebooted "
                "from here: leave it out"
            )
    keyring = Keyring(inventory.settings.home)
    with inventory.session() as session:
        secrets = credentials(session, devices, keyring)

    def one(device: DeviceRecord) -> Prepared:
        return _prepared(device, secrets.get(device.credential_name or ""), image)

    found = sorted(for_each(devices, one, done), key=lambda prepared: prepared.device_id)
    with inventory.session() as session:
        number = changes.freeze(
            session, found, keyring, author=author, reason=reason,
            kind="firmware" if image else "reboot",
            needs_approval=inventory.settings.provisioning.require_approval,
        )  # fmt: skip
        return changes.load(session, number)


def _prepared(device: DeviceRecord, secrets: Secrets | None, image: Image | None) -> Prepared:
    """One device's part; never raises for a device."""
    try:
        driver = open_driver(device, secrets)
        driver.open()
        try:
            restarts.boot_id(driver)
            version = str(driver.get_facts()["os_version"])
        finally:
            driver.close()
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return Prepared(device.id, "unreachable", message=why(error))
    base = restarts.version_hash(version)
    if image is None:
        return Prepared(device.id, "pending", json.dumps({"reboot": True}), "reboot", base)
    goal = restarts.version_hash(image.version) if image.version else ""
    if goal == base:
        return Prepared(device.id, "unchanged", message=f"it runs {version} already")
    diff = (
        f"--- running\n+++ candidate\n-firmware {version}\n"
        f"+firmware {image.version or image.name} (sha256 {image.sha256[:16]}…)\n"
    )
    return Prepared(device.id, "pending", image.order, diff, base, goal_hash=goal)


def carry_out(turn: Turn, home: Path, noted: restarts.Journal | None) -> tuple[str, str]:
    """One device's turn (`apply.Turn`): status and message. Never raises for it."""
    begun = False

    def mark(boot: str, reverts_at: Any) -> None:
        nonlocal begun
        assert noted is not None  # noqa: S101 - only called where it is given
        noted(boot, reverts_at)
        begun = True

    journal = mark if noted else None
    try:
        if "image" in turn.candidate:
            return restarts.upgrade(turn, home, journal)
        return restarts.reboot(turn, journal)
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError) as error:
        if begun:
            return "applying", why(error)
        offline = isinstance(error, ConnectionException) and _offline(error)
        return "queued" if offline else "failed", why(error)


def _offline(error: Exception) -> bool:
    from provisioning.turn.apply import is_offline

    return is_offline(error)
