"""Chooses devices of the inventory with their credentials, and does a thing with many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from farola.errors import FarolaError, InventoryError
from farola.keys import Keyring
from inventory import queries
from inventory.groups import why_missing
from inventory.records import DeviceRecord, Secrets
from provisioning.platforms.drivers import open_driver

T = TypeVar("T")
AT_ONCE = 24
"""Devices worked on together: signing in waits mostly for the other end."""


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
        raise InventoryError(why_missing(session, missing))
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


driver_for = open_driver
"""The name that it had before."""


def why(error: Exception) -> str:
    """`error` in one line; a programming fault shows its type."""
    from napalm.base.exceptions import NapalmException

    from napalm_openwrt.session import WrongHostKey

    text = " ".join(str(error).split())
    if isinstance(error, WrongHostKey):
        text += (
            ": `farola device adopt DEVICE --known-hosts FILE` accepts it, after `farola device "
            "swap` where it is other hardware"
        )
    if isinstance(error, NapalmException | FarolaError | NotImplementedError) and text:
        return text
    return f"{type(error).__name__}: {text}"


def for_each(
    items: Sequence[T],
    job: Callable[[T], Any],
    done: Callable[[int], None],
    at_once: int = AT_ONCE,
) -> Iterator[Any]:
    """Yield the results of `job` as they come, `at_once` at a time; `done(1)` after each."""
    with ThreadPoolExecutor(max_workers=min(at_once, max(1, len(items)))) as pool:
        for future in as_completed([pool.submit(job, item) for item in items]):
            done(1)
            yield future.result()
