"""Ansible action `farola_audit`: holds the host against its intent. The device is not changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

import napalm_openwrt  # noqa: F401 - loaded before the fork, not by NAPALM after it
from farola.errors import FarolaError
from farola.settings import default_home
from provisioning.one_by_one import audit_one


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible publishes no types
    """`farola_audit: {}`; with `home` for another FAROLA_HOME."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look at this host; `msg` says what was found."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        host = str((task_vars or {})["inventory_hostname"])
        try:
            found = audit_one(Path(self._task.args.get("home") or default_home()), host)
        except FarolaError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(status=found.status, msg=found.message, failed=found.failed)
        if self._task.diff and found.diff:
            # Ansible shows no `diff` of a host that failed, and one that drifted has.
            result["drift"] = found.diff.splitlines()
        return result
