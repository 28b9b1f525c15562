"""All that intent needs from the home, read once for many devices, and what it makes of each."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from farola.errors import InventoryError, ProvisioningError
from farola.keys import Keyring
from farola.output import named, note
from farola.settings import Settings
from inventory import queries
from inventory.db import Inventory
from inventory.models import Device, DeviceGroup
from inventory.records import DeviceRecord, Secrets, SiteRecord
from provisioning.intent.levels import (
    parts_of,
    read_levels,
    references,
    refuse_unknown_variables,
    unknown_names,
)
from provisioning.intent.meant import Intent, gather, wireguard_credential
from provisioning.intent.variables import UNIQUE
from provisioning.platforms.choosing import credentials
from provisioning.platforms.drivers import platform_of

IDS_SHOWN = 4


@dataclass(frozen=True)
class Context:
    """All that preparing needs from the home, read once."""

    settings: Settings
    sites: Mapping[str, SiteRecord]
    secrets: Mapping[str, Secrets]
    """Credentials in the clear, by name: those of the devices, and those that values refer to."""
    levels: Mapping[str, Any]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Groups that each device is in, by its id."""

    def of(self, device: DeviceRecord) -> tuple[SiteRecord | None, Secrets | None]:
        """The device's site and credential."""
        return (
            self.sites.get(device.site_id or ""),
            self.secrets.get(device.credential_name or ""),
        )

    def address_of_tunnel(self, device: DeviceRecord) -> str:
        """The `wireguard_address` that its levels give a device; "" for none."""
        return str(given(self, device, ("wireguard_address",)).get("wireguard_address", ""))


def given(context: Context, device: DeviceRecord, names: Sequence[str]) -> dict[str, Any]:
    """What the levels set of `names` for a device, unchecked and without defaults."""
    site = context.sites.get(device.site_id or "")
    found: dict[str, Any] = {}
    groups = context.groups.get(device.id, ())
    for _level, _source, part in parts_of(context.levels, device, site, groups):
        found |= {name: part[name] for name in names if name in part}
    return found


def read_context(
    inventory: Inventory, devices: Sequence[DeviceRecord], keyring: Keyring
) -> Context:
    """Read settings, sites, groups, credentials and variables for `devices`.

    Raises
    ------
    ProvisioningError
        `variables.yaml` sets a variable that there is not.
    """
    home = inventory.settings.home
    levels = read_levels(home)
    refuse_unknown_variables(levels, _own_variables(home))
    with inventory.session() as session:
        secrets = credentials(session, devices, keyring)
        for name in _wanted(levels, devices) - secrets.keys():
            with contextlib.suppress(InventoryError):
                secrets[name] = queries.secrets(session, name, keyring)
        return Context(
            inventory.settings,
            {site.id: site for site in queries.sites(session)},
            secrets, levels, _groups(session),
        )  # fmt: skip


def _wanted(levels: Mapping[str, Any], devices: Sequence[DeviceRecord]) -> set[str]:
    """Names of the credentials that values refer to, and of the devices' WireGuard keys."""
    named = references(levels)
    parts = [levels.get("city") or {}]
    parts += [one for level, part in levels.items() if level != "city" for one in part.values()]
    if any("wireguard_server" in part for part in parts):
        named |= {wireguard_credential(device.id) for device in devices}
    return named


def _groups(session: Session) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = session.execute(
        select(DeviceGroup.device_id, DeviceGroup.name).order_by(DeviceGroup.name)
    )
    for device_id, name in rows:
        found.setdefault(device_id, []).append(name)
    return found


def _own_variables(home: Path) -> set[str]:
    """Variables that the home's own templates name."""
    from provisioning.intent.features import variables_of

    found: set[str] = set()
    for path in (home / "templates").rglob("*"):
        if path.suffix in {".yaml", ".j2"}:
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = path.read_text(encoding="utf-8")
                found |= variables_of(text)
                for part in re.findall(r"\{[{%].*?[%}]\}", text, flags=re.DOTALL):
                    found |= set(re.findall(r"[A-Za-z_]\w*", part))
    return found


def unknown_variables(inventory: Inventory) -> list[str]:
    """What the home's variables name that the inventory does not have: a slip, most likely."""
    levels = read_levels(inventory.settings.home)
    with inventory.session() as session:
        devices = set(session.scalars(select(Device.id))) if levels.get("devices") else set()
        groups = set(session.scalars(select(DeviceGroup.name))) if levels.get("groups") else set()
        return unknown_names(levels, devices, queries.sites(session), groups)


def tell_slips(inventory: Inventory) -> None:
    """Say on stderr what `variables.yaml` names that is not in the inventory."""
    if unknown := unknown_variables(inventory):
        note(
            "WARNING: variables.yaml names what is not in the inventory: "
            f"{named(unknown, IDS_SHOWN)}: correct the name, or take it out"
        )


def intent_of(context: Context, device: DeviceRecord) -> Intent:
    """All variables of `device`, checked."""
    site, secrets = context.of(device)
    return gather(
        context.settings, device, site, levels=context.levels,
        secrets=secrets.values if secrets else None,
        groups=context.groups.get(device.id, ()), vault=context.secrets,
    )  # fmt: skip


def rendered_for(context: Context, device: DeviceRecord, intent: Intent | None = None) -> Any:
    """The config that the device's intent makes: of an access point as data, radios still named by
    band; of a switch as text.
    """
    from provisioning.intent.render import read_template, render

    if (platform := platform_of(device)) != "openwrt":
        from provisioning.platforms.switch_templates import render_switch

        mine = intent if intent is not None else intent_of(context, device)
        return render_switch(context.settings.home, device, platform, mine)
    text, path = read_template(context.settings.home, device.role)
    return render(text, intent if intent is not None else intent_of(context, device), name=path)


def secret_fingerprints(intent: Intent, keyring: Keyring) -> dict[str, str]:
    """Keyed fingerprint of each secret variable: tells whether one changed, and nothing else."""
    return {
        name: fingerprint(keyring, str(one.value)) for name, one in intent.items() if one.secret
    }


def fingerprint(keyring: Keyring, secret: str) -> str:
    """The fingerprint of one secret, 12 hexadecimal digits."""
    return keyring.fingerprint(secret, "config secret")[:12]


def refuse_shared_addresses(
    inventory: Inventory, context: Context, devices: Sequence[DeviceRecord]
) -> None:
    """Refuse to prepare where two devices would have one address.

    One is the address and port that they are reached at; the others are those that
    `variables.yaml` gives them. All devices of the inventory count, not only `devices`.

    Raises
    ------
    ProvisioningError
        It names both devices and the address.
    """
    chosen = {device.id for device in devices}
    with inventory.session() as session:
        everyone = queries.devices(session)
    seen: dict[tuple[str, str], str] = {}

    def take(kind: str, address: str, device: str) -> None:
        other = seen.setdefault((kind, address), device)
        if other != device and chosen & {other, device}:
            raise ProvisioningError(
                f"{other} and {device} have one {kind}, {address}: give one of them its own"
            )

    mentioned = [name for name in UNIQUE if name in _named(context.levels)]
    for device in everyone:
        if device.management_address and device.controller_id is None:
            shown = f"{device.management_address}:{device.ssh_port}"
            take("management address", shown, device.id)
        if not mentioned:
            continue
        for name, value in given(context, device, mentioned).items():
            take(name, str(value).partition("/")[0], device.id)


def _named(levels: Mapping[str, Any]) -> set[str]:
    """All variables that some level sets."""
    found = set(levels.get("city") or {})
    for level, part in levels.items():
        if level != "city":
            found.update(*part.values())
    return found
