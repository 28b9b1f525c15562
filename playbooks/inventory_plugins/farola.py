"""Ansible inventory plugin `farola`: the devices of FAROLA_HOME as hosts, without secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.vars import load_extra_vars
from sqlalchemy import select

from farola.errors import FarolaError, ProvisioningError
from farola.settings import default_home, load_settings
from inventory import queries
from inventory.change_models import ChangeDevice
from inventory.db import open_inventory
from inventory.groups import groups

FEW = 1000
"""Devices up to which the database is asked for them by their ids."""

DOCUMENTATION = """
name: farola
short_description: Devices of a Farola home
description:
  - Every device that is not retired is a host, in a group for its role and one for its platform.
  - The groups of C(farola device group) are groups here, other letters than a-z and digits as C(_).
  - The devices of a change are in the group C(change_N); with FAROLA_CHANGE=N only they are read.
  - With C(-e change=N) that change must exist and have a device that is not retired.
  - Hosts carry no credential. The action plugin decrypts those itself.
options:
  plugin:
    description: Must be C(farola).
    required: true
    choices: [farola]
  home:
    description: FAROLA_HOME to read.
    type: path
    env: [{name: FAROLA_HOME}]
  change:
    description: Read only the devices of this change.
    type: int
    env: [{name: FAROLA_CHANGE}]
"""


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # ansible publishes no types
    """Reads `farola.yml`."""

    NAME = "farola"

    def verify_file(self, path: str) -> bool:
        """Accept files named `farola.yml` or `….farola.yml`."""
        return super().verify_file(path) and path.endswith(("farola.yml", "farola.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill Ansible's inventory."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        home = Path(self.get_option("home") or default_home())
        try:
            self._fill(home, self.get_option("change"))
            self._expect(load_extra_vars(loader).get("change"))
        except FarolaError as error:
            raise AnsibleParserError(str(error)) from None

    def _expect(self, change: object) -> None:
        """Refuse a change without hosts: Ansible skips such a play and calls that a success."""
        if change is not None and f"change_{change}" not in self.inventory.groups:
            raise ProvisioningError(
                f"change {change} has no device here: `farola provision status` shows the newest "
                "change; make one with `farola provision prepare`"
            )

    def _fill(self, home: Path, change: int | None) -> None:
        farola = open_inventory(load_settings(home))
        try:
            with farola.session() as session:
                query = select(ChangeDevice.change_id, ChangeDevice.device_id)
                if change is not None:
                    query = query.where(ChangeDevice.change_id == change)
                members = [(number, device) for number, device in session.execute(query)]
                chosen = {device for _number, device in members} if change is not None else None
                few = chosen is not None and len(chosen) <= FEW
                devices = queries.devices(session, sorted(chosen or ()) if few else ())
                grouped = groups(session) if change is None else {}
        finally:
            farola.close()
        known = set()
        for device in devices:
            if chosen is not None and device.id not in chosen:
                continue
            known.add(device.id)
            self.inventory.add_host(device.id)
            for group in (device.role, device.platform):
                if group:
                    name = self.inventory.add_group(group.replace("-", "_"))
                    self.inventory.add_host(device.id, group=name)
            # The device itself runs no Python: the work is done here, by the action plugin.
            self.inventory.set_variable(device.id, "ansible_connection", "local")
            self.inventory.set_variable(device.id, "farola_address", device.management_address)
            self.inventory.set_variable(device.id, "farola_site", device.site_id)
        for name, ids in grouped.items():
            group = self.inventory.add_group(_group_name(name))
            for device_id in ids:
                self.inventory.add_host(device_id, group=group)
        for number, device_id in members:
            if device_id in known:
                group = self.inventory.add_group(f"change_{number}")
                self.inventory.add_host(device_id, group=group)


def _group_name(name: str) -> str:
    """A group's name as Ansible allows it."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return f"group_{plain}" if not plain or plain[0].isdigit() else plain
