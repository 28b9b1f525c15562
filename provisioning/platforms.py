"""What can be done to a device of each platform, and a driver that does it.

`openwrt` is Farola's own NAPALM driver; `eos`, `ios`, `junos`, `nxos` and `nxos_ssh` are NAPALM's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from farola.errors import DeviceError, ProvisioningError
from inventory.records import DeviceRecord, Secrets

TIMEOUT_S = 30


@dataclass(frozen=True)
class Capabilities:
    """What a platform's driver can do; a rollout adapts to it."""

    diff: bool
    """Whether it tells beforehand what a candidate would change."""
    atomic: bool
    """Whether a commit takes effect whole or not at all."""
    replace: bool
    """Whether a candidate can replace what runs, or is only merged into it."""
    confirm: bool
    """Whether a commit reverts by itself unless it is confirmed."""
    rollback: bool
    """Whether a commit can be taken back."""
    config: bool
    """Whether its config can be fetched for the history."""
    commands: bool
    """Whether commands can be run on it."""

    @property
    def transaction(self) -> bool:
        """Whether a change can be pushed to it: nothing is pushed that was not seen before and
        cannot be taken back.
        """
        return self.diff and self.rollback

    def words(self) -> str:
        """What it can, in words: `diff, atomic, …`."""
        return ", ".join(f.name for f in fields(self) if getattr(self, f.name)) or "nothing"


_WHOLE = Capabilities(
    diff=True, atomic=True, replace=True, confirm=True, rollback=True, config=True, commands=True
)
NAPALM = {
    "openwrt": _WHOLE, "eos": _WHOLE, "junos": _WHOLE,
}  # fmt: skip


def platform_of(device: DeviceRecord) -> str:
    """The platform of `device`; one without any is an access point on OpenWrt."""
    return device.platform or "openwrt"


def capabilities(platform: str) -> Capabilities:
    """What the driver of `platform` can do.

    Raises
    ------
    ProvisioningError
        The platform is unknown.
    """
    if platform in NAPALM:
        return NAPALM[platform]
    raise ProvisioningError(
        f"platform {platform!r} is unknown: give the device one of {', '.join(sorted(NAPALM))}"
    )


def open_driver(
    device: DeviceRecord,
    secrets: Secrets | None,
    *,
    host_key: str | None = None,
    commit_id: str | None = None,
) -> Any:
    """Return a closed driver for `device`; its host key must be known.

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
    """
    from napalm import get_network_driver

    platform = platform_of(device)
    if not device.management_address:
        raise DeviceError(f"{device.id} has no management address: import it with one")
    if secrets is None:
        raise DeviceError(
            f"{device.id} has no credential: store one with `farola device credential NAME`, then "
            f"`farola device adopt {device.id} --credential NAME` with --known-hosts FILE"
        )
    key = host_key or device.host_key
    if not key:
        raise DeviceError(f"{device.id} is not adopted: run `farola device adopt {device.id}`")
    if platform != "openwrt":
        raise DeviceError(f"{device.id}: platform {platform!r} cannot be provisioned yet")
    return get_network_driver(platform)(
        device.management_address, secrets.username or "root", secrets.values.get("password", ""),
        timeout=TIMEOUT_S,
        optional_args={
            "port": device.ssh_port, "host_key": key, "mask_secrets": True,
            "private_key": secrets.values.get("private_key"),
            "passphrase": secrets.values.get("passphrase"), "commit_id": commit_id,
        },
    )  # fmt: skip
