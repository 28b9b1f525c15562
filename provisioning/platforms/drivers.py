"""What can be done to a device of each platform, and a driver that does it.

Access points have Farola's own NAPALM driver, switches those that NAPALM ships
(`switches.py`); of the rest only the config is fetched (`consoles.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from farola.errors import DeviceError, ProvisioningError
from inventory import queries
from inventory.platforms import CONSOLES, NAPALM, WEB, Capabilities, able, known
from inventory.records import DeviceRecord, Secrets

__all__ = ["Capabilities", "capabilities", "open_driver", "platform_of"]
TIMEOUT_S = 30
NOT_ADOPTED = "not adopted"


def platform_of(device: DeviceRecord) -> str:
    """The platform of `device`; one without any is an access point on OpenWrt."""
    return known(device.platform or "openwrt")


def capabilities(platform: str) -> Capabilities:
    """What the driver of `platform` can do.

    Raises
    ------
    ProvisioningError
        The platform is unknown.
    """
    found = able(platform)
    if found is not None:
        return found
    raise ProvisioningError(
        f"platform {platform!r} is unknown: give the device one of "
        f"{', '.join(sorted((*NAPALM, *CONSOLES)))}"
    )


def told(device: DeviceRecord) -> dict[str, Any]:
    """The platform of `device` and what can be done to it, for people and as JSON."""
    platform = platform_of(device)
    found = able(platform)
    if found is None:
        return {"platform": platform, "can": [], "words": "unknown: nothing can be done to it"}
    return {"platform": platform, "can": found.names(), "words": found.words()}


def told_of(session: Session, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What can be done to each platform that the devices `ids` have, and how many have it."""
    found: dict[str, dict[str, Any]] = {}
    for device in queries.devices(session, ids) if ids else []:
        platform = platform_of(device)
        if platform not in found:
            found[platform] = {**told(device), "devices": 0}
        found[platform]["devices"] += 1
    return found


def open_driver(
    device: DeviceRecord,
    secrets: Secrets | None,
    *,
    host_key: str | None = None,
    commit_id: str | None = None,
) -> Any:
    """Return a closed driver for `device`; who it is must be known.

    Parameters
    ----------
    host_key
        In place of the enrolled one, while a device is being adopted.
    commit_id
        The id that the next commit gets on the device, where its platform takes one.

    Raises
    ------
    DeviceError
        The inventory lacks what is needed to reach it safely.
    ProvisioningError
        Its platform is unknown.
    """
    platform = platform_of(device)
    if not device.management_address:
        raise DeviceError(f"{device.id} has no management address: import it with one")
    if secrets is None:
        raise DeviceError(
            f"{device.id} has no credential: store one with `farola device credential NAME`, then "
            f"`farola device adopt {device.id} --credential NAME` with --known-hosts FILE"
        )
    capabilities(platform)
    key = host_key or device.host_key
    # Over HTTPS the certificate says who it is.
    if not key and platform not in WEB:
        raise DeviceError(
            f"{device.id} is {NOT_ADOPTED}: run `farola device adopt {device.id} --known-hosts "
            "FILE`"
        )
    if platform in CONSOLES:
        from provisioning.platforms.consoles import Console

        return Console(device, secrets, key or "", timeout=TIMEOUT_S)
    if platform != "openwrt":
        from provisioning.platforms.switches import switch_driver

        return switch_driver(
            platform, device, secrets, key or "", commit_id=commit_id, timeout=TIMEOUT_S
        )
    from napalm import get_network_driver

    return get_network_driver(platform)(
        device.management_address, secrets.username or "root", secrets.values.get("password", ""),
        timeout=TIMEOUT_S,
        optional_args={
            "port": device.ssh_port, "host_key": key, "mask_secrets": True,
            "private_key": secrets.values.get("private_key"),
            "passphrase": secrets.values.get("passphrase"), "commit_id": commit_id,
        },
    )  # fmt: skip
