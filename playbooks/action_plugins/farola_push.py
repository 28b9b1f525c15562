"""Ansible action `farola_push`: applies a frozen change to the host through NAPALM.

It runs in Ansible's own worker, so no Python is needed on the device and no module is copied.
All that is heavy is imported and set up at the top: once, before Ansible forks its workers.
Secrets are decrypted here and never become arguments, variables or results of the task.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from sqlalchemy.orm import configure_mappers

import napalm_openwrt  # noqa: F401 - loaded before the fork, not by NAPALM after it
from farola.errors import FarolaError
from farola.settings import default_home
from provisioning.apply import apply_change

configure_mappers()


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible publishes no types
    """`farola_push: {change: 3}`; with `home` for another FAROLA_HOME. Supports --check --diff."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Apply the change to this host; `msg` says why a host failed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._task.args
        host = str((task_vars or {})["inventory_hostname"])
        home = Path(arguments.get("home") or default_home())
        try:
            change = int(arguments["change"])
            applied = apply_change(home, change, host, check=self._task.check_mode)
        except (KeyError, ValueError):
            return {**result, "failed": True, "msg": "farola_push: `change` must be a number"}
        except FarolaError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(
            changed=applied.status == "pushed" and bool(applied.diff),
            failed=applied.status not in {"pushed", "unchanged"},
            status=applied.status,
            msg=applied.message or applied.status,
        )
        if self._task.diff:
            result["diff"] = {"prepared": applied.diff}
        return result
