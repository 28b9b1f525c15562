"""Ansible action `farola_audit`: holds the host against its intent. The device is not changed."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

import napalm_openwrt  # noqa: F401 - loaded before the fork, not by NAPALM after it
from provisioning.platforms.one_by_one import audit_one, told_to_ansible


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible publishes no types
    """`farola_audit: {}`; with `home` for another FAROLA_HOME."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at this host; `msg` says what was found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        host = str((task_vars or {})["inventory_hostname"])
        return result | told_to_ansible(audit_one, self._task, host)
