"""All that intent needs from the home, read once for many devices, and what it makes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farola.keys import Keyring
from farola.output import named, note
from farola.settings import Settings
from inventory import queries
from inventory.db import Inventory
from inventory.records import DeviceRecord, Secrets, SiteRecord
from provisioning.devices import credentials
from provisioning.intent import gather, read_levels, unknown_names

IDS_SHOWN = 4


@dataclass(frozen=True)
class Context:
    """All that preparing needs from the home, read once."""

    settings: Settings
    sites: Mapping[str, SiteRecord]
    secrets: Mapping[str, Secrets]
    levels: Mapping[str, Any]

    def of(self, device: DeviceRecord) -> tuple[SiteRecord | None, Secrets | None]:
        """The device's site and credential."""
        return (
            self.sites.get(device.site_id or ""),
            self.secrets.get(device.credential_name or ""),
        )


def read_context(
    inventory: Inventory, devices: Sequence[DeviceRecord], keyring: Keyring
) -> Context:
    """Read settings, sites, credentials and variables for `devices`."""
    with inventory.session() as session:
        return Context(
            inventory.settings,
            {site.id: site for site in queries.sites(session)},
            credentials(session, devices, keyring),
            read_levels(inventory.settings.home),
        )


def unknown_variables(inventory: Inventory) -> list[str]:
    """What the home's variables name that the inventory does not have: a slip, most likely."""
    from sqlalchemy import select

    from inventory.models import Device

    levels = read_levels(inventory.settings.home)
    with inventory.session() as session:
        known = set(session.scalars(select(Device.id))) if levels.get("devices") else set()
        return unknown_names(levels, known, queries.sites(session))


def tell_slips(inventory: Inventory) -> None:
    """Say on stderr what `variables.yaml` names that is not in the inventory."""
    if unknown := unknown_variables(inventory):
        note(
            "WARNING: variables.yaml names what is not in the inventory: "
            f"{named(unknown, IDS_SHOWN)}: correct the name, or take it out"
        )


def rendered_for(context: Context, device: DeviceRecord) -> Any:
    """The config that the device's intent makes, radios still named by band."""
    from provisioning.render import read_template, render

    site, secrets = context.of(device)
    intent = gather(
        context.settings, device, site, levels=context.levels,
        secrets=secrets.values if secrets else None,
    )  # fmt: skip
    text, path = read_template(context.settings.home, device.role)
    return render(text, intent, name=path)
