"""Makes the checks that the settings ask for, from the collector and from access points in turn,
and writes them to the series `check`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from collectors.checks.from_collector import check_from_collector
from collectors.checks.model import EXPECTATIONS, CheckPlan, CheckResult
from collectors.schedule import Job
from farola.errors import InventoryError, SettingsError
from farola.keys import Keyring
from farola.settings import ChecksSettings, Settings
from inventory.db import Inventory
from inventory.queries import devices, secrets
from inventory.records import DeviceRecord, Secrets
from timeseries.base import Batch, Store

if TYPE_CHECKING:
    from napalm_openwrt.session import Access

AT_ONCE = 8
"""Access points signed in to at the same time."""
SSH_TIMEOUT_S = 30.0
COLLECTOR = "collector:"
"""Before the collector's name where the series name a device."""
_NAME = re.compile(r"^(?!-)[A-Za-z0-9._-]{1,253}$")
_INTERFACE = re.compile(r"^(?!-)[A-Za-z0-9._@-]{1,15}$")


@dataclass(frozen=True)
class Checked:
    """The results of one place; `problem` says why an access point could make none."""

    device: str
    results: tuple[CheckResult, ...] = ()
    problem: str = ""


def plan_of(checks: ChecksSettings) -> CheckPlan:
    """The collector's plan. Raises SettingsError for a value that cannot be used."""

    def refuse(name: str, want: str) -> None:
        raise SettingsError(f"[checks] {name} is {getattr(checks, name)!r}: {want}")

    for name in ("interval_s", "timeout_s"):
        if not (math.isfinite(getattr(checks, name)) and 1 <= getattr(checks, name) <= 86_400):
            refuse(name, "use seconds from 1 to 86400")
    if checks.aps < 0:
        refuse("aps", "use 0 or more")
    if checks.expect not in EXPECTATIONS:
        refuse("expect", f"use one of {', '.join(EXPECTATIONS)}")
    for name in ("interface", "ap_interface", "namespace"):
        if getattr(checks, name) and not _INTERFACE.match(getattr(checks, name)):
            refuse(name, "that is no name of one")
    if checks.dns_name and not _NAME.match(checks.dns_name):
        refuse("dns_name", "use a name such as example.org")
    for name in ("source", "dns_server"):
        try:
            ipaddress.ip_address(getattr(checks, name) or "::")
        except ValueError:
            refuse(name, "use an IP address")
    if checks.portal_url and not _is_http(checks.portal_url):
        refuse("portal_url", "use one like http://example.org/generate_204: a portal cannot show "
               "itself in https")  # fmt: skip
    return CheckPlan(
        checks.interface, checks.source, checks.dns_name, checks.dns_server, checks.portal_url,
        checks.expect, checks.timeout_s,
    )  # fmt: skip


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not re.search(r"""[\s"'\\]""", url)
    return parts.scheme == "http" and named and plain and not parts.username


def checks_job(settings: Settings, inventory: Inventory, store: Store, name: str) -> Job | None:
    """The checks as work beside the polls; None where the settings ask for none.

    Raises SettingsError for settings that cannot be used.
    """
    plan = plan_of(settings.checks)
    if not plan.checks and not (settings.checks.aps and settings.checks.ap_interface):
        return None

    async def work() -> None:
        await run_checks(settings, inventory, store, name)

    return Job("checks", settings.checks.interval_s, work)


async def run_checks(
    settings: Settings,
    inventory: Inventory,
    store: Store,
    name: str,
    *,
    ids: Sequence[str] = (),
    places: frozenset[str] = frozenset({"collector", "ap"}),
) -> list[Checked]:
    """Make the checks at `places` and write them; the collector's own bear its `name`.

    The access points are those of `ids`, else the next `aps` of all that can be signed in to.

    Raises
    ------
    SettingsError
        The settings cannot be used.
    InventoryError, StoreError
        The inventory cannot be read, a device is unknown, or the store refused.
    """
    plan = plan_of(settings.checks)
    theirs = replace(plan, interface=settings.checks.ap_interface, source="")
    found: list[Checked] = []
    at_ms = int(time.time() * 1000)
    if "collector" in places and not ids and plan.checks:
        results = await check_from_collector(plan, settings.checks.namespace)
        found.append(Checked(COLLECTOR + name, tuple(results)))
    if "ap" in places and (ids or (theirs.checks and settings.checks.aps)):
        chosen = await asyncio.to_thread(choose, settings, inventory, ids)
        if not theirs.checks:
            return []
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(device: str, access: Access | str) -> Checked:
            if isinstance(access, str):
                return Checked(device, problem=access)
            async with turns:
                return await asyncio.to_thread(_from_access_point, device, access, theirs)

        found += await asyncio.gather(*(one(device, access) for device, access in chosen))
    batch = batch_of(found, at_ms)
    if batch is not None:
        await asyncio.to_thread(store.write, [batch])
    return found


def _from_access_point(device: str, access: Access, plan: CheckPlan) -> Checked:
    from napalm.base.exceptions import NapalmException

    from collectors.checks.from_access_point import check_from_access_point

    try:
        return Checked(device, tuple(check_from_access_point(access, plan)))
    except NapalmException as error:
        return Checked(device, problem=" ".join(str(error).split()))


def batch_of(found: Sequence[Checked], at_ms: int) -> Batch | None:
    """The rows of the series; None if there are none."""
    rows = [(one.device, result) for one in found for result in one.results]
    if not rows:
        return None
    return Batch(
        "check",
        [at_ms] * len(rows),
        {"device": [device for device, _ in rows], "check": [r.check for _, r in rows]},
        {
            "ok": [r.ok for _, r in rows],
            "ms": [r.ms for _, r in rows],
            "reason": [r.reason for _, r in rows],
        },
    )


def choose(
    settings: Settings, inventory: Inventory, ids: Sequence[str]
) -> list[tuple[str, Access | str]]:
    """How to sign in to each access point, or what hinders it."""
    from napalm_openwrt.session import Access  # brings paramiko and napalm

    keyring = Keyring(settings.home)
    with inventory.session() as session:
        known = devices(session, ids)
        missing = sorted(set(ids) - {one.id for one in known})
        if missing:
            named = ", ".join(map(repr, missing[:5]))
            raise InventoryError(
                f"no device {named} in the inventory: correct the id, or import it"
            )
        if not ids:
            able = sorted((one for one in known if _may_check(one)), key=lambda one: one.id)
            begin = int(time.time() / settings.checks.interval_s) * settings.checks.aps
            number = min(settings.checks.aps, len(able))
            known = [able[(begin + n) % len(able)] for n in range(number)]
        held: dict[str, Secrets | str] = {}
        for name in {one.credential_name for one in known if one.credential_name}:
            try:
                held[name] = secrets(session, name, keyring)
            except SettingsError as error:  # of another key: it costs its own devices alone
                held[name] = f"credential {name!r}: {error}"
    chosen: list[tuple[str, Access | str]] = []
    for one in known:
        own = held.get(one.credential_name or "")
        if isinstance(own, str):
            chosen.append((one.id, own))
            continue
        if not one.management_address or not one.host_key or own is None:
            chosen.append((one.id, f"not adopted: run `farola device adopt {one.id}`"))
            continue
        chosen.append((one.id, Access(
            host=one.management_address, port=one.ssh_port, username=own.username or "root",
            password=own.values.get("password") or None, host_key=one.host_key,
            private_key=own.values.get("private_key"), passphrase=own.values.get("passphrase"),
            timeout=SSH_TIMEOUT_S,
        )))  # fmt: skip
    return chosen


def _may_check(one: DeviceRecord) -> bool:
    return bool(
        one.status == "live" and one.role == "access-point" and one.management_address
        and one.host_key and one.credential_name and (one.platform or "openwrt") == "openwrt"
    )  # fmt: skip
