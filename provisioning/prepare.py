"""Prepare a change: ask each device what runs, and compute what its intent would change there.

This drives NAPALM from a pool of threads, not through Ansible: it only reads, and costs a third
of the CPU that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from farola.errors import FarolaError
from farola.keys import Keyring
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning import changes
from provisioning.changes import Prepared
from provisioning.context import read_context, rendered_for
from provisioning.devices import driver_for, for_each, why


def prepare_change(
    inventory: Inventory,
    devices: Sequence[DeviceRecord],
    *,
    author: str = "",
    reason: str = "",
    done: Callable[[int], None] = lambda _n: None,
) -> changes.ChangeRecord:
    """Freeze a change for `devices` and return it. Unreachable ones are in it, named.

    Raises
    ------
    ProvisioningError
        An intent or a template cannot be used: nothing was frozen.
    """
    keyring = Keyring(inventory.settings.home)
    context = read_context(inventory, devices, keyring)
    # Every intent is rendered before a device is asked: a wrong variable stops all at once.
    rendered = {device.id: rendered_for(context, device) for device in devices}

    def one(device: DeviceRecord) -> Prepared:
        return prepare_device(device, context.of(device)[1], rendered[device.id])

    found = sorted(for_each(devices, one, done), key=lambda prepared: prepared.device_id)
    with inventory.session() as session:
        number = changes.freeze(session, found, keyring, author=author, reason=reason)
        return changes.load(session, number)


def prepare_device(device: DeviceRecord, secrets: Secrets | None, rendered: Any) -> Prepared:
    """Compute one device's candidate and diff against what runs; never raises for a device."""
    from napalm.base.exceptions import NapalmException

    from provisioning.render import candidate_text, fit

    try:
        driver = driver_for(device, secrets)
        try:
            driver.open()
            running = driver.get_config(retrieve="running")["running"]
            config = parse_running(running)
            fitted = fit(rendered, config)
            candidate = candidate_text(fitted)
            driver.load_merge_candidate(config=candidate)
            diff = printable(driver.compare_config())
        finally:
            driver.close()
    except (FarolaError, NapalmException, OSError, ValueError) as error:
        return Prepared(device.id, "unreachable", message=why(error))
    status = "pending" if diff else "unchanged"
    return Prepared(device.id, status, candidate, diff, base_of(running, candidate))


def parse_running(running: str) -> Any:
    """What `get_config` returned, as data."""
    from napalm_openwrt.uci_text import parse

    return parse(running)


def base_of(running: str, candidate: str) -> str:
    """Hash of the part of `running` that `candidate` touches: its packages."""
    from napalm_openwrt.uci_text import format_config, parse

    config = parse(running)
    touched = {name: config[name] for name in parse(candidate) if name in config}
    return changes.base_hash(format_config(touched))


def printable(text: str) -> str:
    """`text` with bytes that are no UTF-8 written as \\xNN, so that it can be stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
