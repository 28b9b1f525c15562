"""Prepare a change: ask each device what runs, and compute what its intent would change there.

This drives NAPALM from a pool of threads, not through Ansible: it only reads, and costs a third
of the CPU that way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from farola.errors import FarolaError, ProvisioningError
from farola.keys import Keyring
from farola.output import note
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets
from provisioning.change import changes
from provisioning.change.changes import Prepared
from provisioning.history.configs import History, Kept
from provisioning.intent.context import (
    intent_of,
    read_context,
    refuse_shared_addresses,
    rendered_for,
    secret_fingerprints,
)
from provisioning.platforms.choosing import for_each, why
from provisioning.platforms.drivers import capabilities, open_driver, platform_of


def prepare_change(
    inventory: Inventory,
    devices: Sequence[DeviceRecord],
    *,
    author: str = "",
    reason: str = "",
    kind: str = "config",
    needs_approval: bool | None = None,
    candidates: Mapping[str, tuple[str, bool]] | None = None,
    done: Callable[[int], None] = lambda _n: None,
) -> changes.ChangeRecord:
    """Freeze a change for `devices` and return it. Unreachable ones are in it, named.

    Parameters
    ----------
    needs_approval
        Whether another person must approve it; None is as the settings say, which it cannot waive.
    candidates
        By device, in place of its intent: a candidate's text, and whether that replaces the
        packages it names (else it is merged).

    Raises
    ------
    ProvisioningError
        An intent or a template cannot be used, or a device's platform cannot be pushed to: nothing
        was frozen.
    """
    keyring = Keyring(inventory.settings.home)
    refuse_unable(devices)
    context = read_context(inventory, devices, keyring)
    if candidates is None:
        refuse_shared_addresses(inventory, context, devices)
    makers: dict[str, Maker] = {}
    fingerprints: dict[str, dict[str, str]] = {}
    # Every intent is rendered before a device is asked: a wrong variable stops all at once.
    for device in devices:
        if candidates is not None:
            makers[device.id] = _given(candidates[device.id])
        else:
            intent = intent_of(context, device)
            fingerprints[device.id] = secret_fingerprints(intent, keyring)
            makers[device.id] = _intended(rendered_for(context, device, intent))

    read: dict[str, str] = {}

    def one(device: DeviceRecord) -> Prepared:
        make = makers[device.id]

        def noted(running: str) -> tuple[str, bool]:
            read[device.id] = running
            return make(running)

        prepared = prepare_device(device, context.of(device)[1], noted)
        return dataclasses.replace(prepared, secrets=fingerprints.get(device.id, {}))

    found = sorted(for_each(devices, one, done), key=lambda prepared: prepared.device_id)
    approval = bool(needs_approval) or inventory.settings.provisioning.require_approval
    with inventory.session() as session:
        number = changes.freeze(
            session, found, keyring, author=author, reason=reason, kind=kind,
            needs_approval=approval,
        )  # fmt: skip
        change = changes.load(session, number)
    changed = {one.device_id for one in found if one.status == "pending"}
    ran = [Kept(d.id, read[d.id], platform_of(d)) for d in devices if d.id in changed]
    _keep(inventory, ran, keyring, author, number)
    return change


def _keep(
    inventory: Inventory, ran: list[Kept], keyring: Keyring, author: str, number: int
) -> None:
    """Keep what devices ran before a change, so that there is a way back to it."""
    try:
        if ran:
            History(inventory.settings.home, keyring).add_many(
                ran, author=author or "farola", cause=f"before change {number}"
            )
    except FarolaError as error:
        note(f"WARNING: what ran before change {number} is not in the history: {error}")


def pushable(devices: Sequence[DeviceRecord]) -> list[DeviceRecord]:
    """Those of many `devices` to whose platform a change can be pushed; the others are told.

    Raises
    ------
    ProvisioningError
        None is left, or a platform is unknown.
    """
    able = [one for one in devices if capabilities(platform_of(one)).transaction]
    left = sorted({platform_of(one) for one in devices} - {platform_of(one) for one in able})
    if left:
        note(
            f"{len(devices) - len(able)} devices are left out: nothing can be pushed to "
            f"{', '.join(left)}, whose config is only fetched and kept"
        )
    if not able:
        refuse_unable(devices)
    return able


def refuse_unable(devices: Sequence[DeviceRecord]) -> None:
    """Raise ProvisioningError where a platform has no way to push safely at all."""
    for device in devices:
        platform = platform_of(device)
        if not capabilities(platform).transaction:
            raise ProvisioningError(
                f"{device.id}: no change can be pushed to platform {platform!r}: it has neither a "
                "diff beforehand nor a way back; its config is only fetched and kept. Leave it out"
            )


Maker = Callable[[str], "tuple[str, bool]"]
"""Makes a candidate from what a device runs: its text, and whether it replaces."""


def _given(candidate: tuple[str, bool]) -> Maker:
    return lambda _running: candidate


def _intended(rendered: Any) -> Maker:
    def make(running: str) -> tuple[str, bool]:
        from provisioning.intent.render import candidate_text, fit

        if isinstance(rendered, str):  # a switch's lines, which are the candidate
            return rendered, False
        return candidate_text(fit(rendered, parse_running(running))), False

    return make


def prepare_device(device: DeviceRecord, secrets: Secrets | None, make: Maker) -> Prepared:
    """Compute one device's candidate and diff against what runs; never raises for a device."""
    from napalm.base.exceptions import NapalmException

    try:
        driver = open_driver(device, secrets)
        try:
            driver.open()
            running = driver.get_config(retrieve="running")["running"]
            candidate, replace = make(running)
            if replace:
                driver.load_replace_candidate(config=candidate)
            else:
                driver.load_merge_candidate(config=candidate)
            diff = printable(driver.compare_config())
            if other := unfinished(driver):
                return Prepared(device.id, "unreachable", message=other)
            # Some switches work the result out themselves.
            result = driver.result() if hasattr(driver, "result") else None
        finally:
            driver.close()
        goal, settle = goal_of(platform_of(device), running, candidate, replace=replace)
        goal = changes.base_hash(result) if result else goal
        base = base_of(running, candidate, platform_of(device))
    except (FarolaError, NapalmException, NotImplementedError, OSError, ValueError) as error:
        return Prepared(device.id, "unreachable", message=why(error))
    status = "pending" if diff else "unchanged"
    return Prepared(
        device.id, status, candidate, diff, base, goal_hash=goal, replace=replace, settle_s=settle
    )


def unfinished(driver: Any) -> str:
    """What is to be said of a device whose config was read while a commit had not ended there, so
    that it may yet go back; "" where all is settled. Raises as a driver does.
    """
    if hasattr(driver, "unfinished"):
        if not driver.unfinished:
            return ""
    elif not hasattr(driver, "pending_commit"):
        return ""
    found = driver.pending_commit()
    if found is None:  # it ended meanwhile, but what was read was read before
        if not hasattr(driver, "unfinished"):
            return ""
        return f"the commit {driver.unfinished} ended while its config was read: try again"
    left, about = found.get("remaining_s"), found.get("message") or found.get("owner")
    name = f"the commit {found['id']}" if found["id"] else "a commit"
    return (
        f"{name}{f' ({about})' if about else ''} waits to be confirmed"
        + (f" for {left} s more" if left else "")
        + ": confirm it, roll it back, or wait"
    )


def goal_of(platform: str, running: str, candidate: str, *, replace: bool) -> tuple[str, int]:
    """The base as it will be once the candidate is in place, and how long its radios will listen
    for radar (seconds); ("", 0) where only the device could tell.
    """
    if platform != "openwrt":
        return "", 0
    from napalm_openwrt.uci_merge import merge
    from napalm_openwrt.uci_text import format_config, parse
    from provisioning.turn.settling import settle_s

    config = parse(running)
    wanted = parse(candidate, keep_empty=not replace)
    result = wanted if replace else merge(config, wanted)
    goal = base_of(format_config({**config, **result}), candidate)
    return goal, settle_s(config, {**config, **result})


def parse_running(running: str) -> Any:
    """What `get_config` returned, as data."""
    from napalm_openwrt.uci_text import parse

    return parse(running)


def base_of(running: str, candidate: str, platform: str = "openwrt") -> str:
    """Hash of the part of `running` that `candidate` touches: its packages, or on a switch all."""
    if platform != "openwrt":
        return changes.base_hash(running)
    from napalm_openwrt.uci_text import format_config, parse

    config = parse(running)
    touched = {name: config[name] for name in parse(candidate) if name in config}
    return changes.base_hash(format_config(touched))


def printable(text: str) -> str:
    """`text` with bytes that are no UTF-8 written as \\xNN, so that it can be stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
