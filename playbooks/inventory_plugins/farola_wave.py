"""Ansible inventory plugin `farola_wave`: the devices of one wave, from the file that the process
which rolls a change out wrote for this one run. It reads no database, and imports next to nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = """
name: farola_wave
short_description: Devices of one wave of a rollout
description:
  - Only for C(farola provision push) itself. An engineer's inventory is C(farola).
options: {}
"""


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]  # ansible publishes no types
    """Reads `….wave.json`: {"group": …, "hosts": {id: {variable: value}}}."""

    NAME = "farola_wave"

    def verify_file(self, path: str) -> bool:
        """Accept files named `….wave.json`."""
        return super().verify_file(path) and path.endswith(".wave.json")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill Ansible's inventory."""
        super().parse(inventory, loader, path, cache)
        try:
            wave = json.loads(Path(path).read_text(encoding="utf-8"))
            group = self.inventory.add_group(wave["group"])
            # The device itself runs no Python: the work is done here, by the action plugin.
            self.inventory.set_variable(group, "ansible_connection", "local")
            for host, variables in wave["hosts"].items():
                self.inventory.add_host(host, group=group)
                for name, value in variables.items():
                    self.inventory.set_variable(host, name, value)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise AnsibleParserError(f"{path}: no wave can be read from it: {error}") from None
