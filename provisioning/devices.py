"""Opens NAPALM drivers for devices of the inventory, and does a thing with many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from farola.errors import DeviceError, FarolaError, InventoryError
from farola.keys import Keyring
from inventory import queries
from inventory.records import DeviceRecord, Secrets

T = TypeVar("T")
AT_ONCE = 24
"""Devices worked on together: signing in waits mostly for the other end."""
TIMEOUT_S = 30


def choose(
    session: Session, ids: Sequence[str], site: str | None, everything: bool
) -> list[DeviceRecord]:
    """Devices that a command means: those named, those at a site, or all with an address.

    Raises
    ------
    InventoryError
        A device or site is unknown, or nothing was chosen.
    """
    if sum((bool(ids), bool(site), everything)) != 1:
        raise InventoryError("say which devices: their ids, or --site ID, or --all (one of them)")
    found = queries.devices(session, ids)
    missing = sorted(set(ids) - {device.id for device in found})
    if missing:
        raise InventoryError(
            f"no device {', '.join(missing[:5])} in the inventory: correct the id, or import it"
        )
    if site:
        found = [device for device in found if device.site_id == site]
    if not ids:
        found = [device for device in found if device.management_address]
    if not found:
        raise InventoryError(
            f"no device with a management address{f' at site {site!r}' if site else ''}: import "
            "them with `farola import access-points … --management-address COL`"
        )
    return found


def credentials(
    session: Session, devices: Iterable[DeviceRecord], keyring: Keyring
) -> dict[str, Secrets]:
    """Credentials that `devices` name, in the clear, by name; an unknown one is left out."""
    found: dict[str, Secrets] = {}
    for name in {device.credential_name for device in devices if device.credential_name}:
        try:
            found[name] = queries.secrets(session, name, keyring)
        except InventoryError:
            continue
    return found


def driver_for(
    device: DeviceRecord, secrets: Secrets | None, *, host_key: str | None = None
) -> Any:
    """Return a closed NAPALM driver for `device`; its host key must be known.

    Raises
    ------
    DeviceError
        The inventory lacks what is needed to reach it safely.
    """
    from napalm import get_network_driver

    platform = device.platform or "openwrt"
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
            "passphrase": secrets.values.get("passphrase"),
        },
    )  # fmt: skip


def why(error: Exception) -> str:
    """`error` in one line; a programming fault shows its type."""
    from napalm.base.exceptions import NapalmException

    text = " ".join(str(error).split())
    if isinstance(error, NapalmException | FarolaError | NotImplementedError) and text:
        return text
    return f"{type(error).__name__}: {text}"


def for_each(
    items: Sequence[T], job: Callable[[T], Any], done: Callable[[int], None]
) -> Iterator[Any]:
    """Yield the results of `job` as they come, several at a time; `done(1)` after each."""
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, max(1, len(items)))) as pool:
        for future in as_completed([pool.submit(job, item) for item in items]):
            done(1)
            yield future.result()
