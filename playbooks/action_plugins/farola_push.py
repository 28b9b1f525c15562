"""Ansible action `farola_push`: applies a frozen change to the host through NAPALM.

It runs in Ansible's own worker, so no Python is needed on the device and no module is copied.
In a rollout each turn is handed to the process that rolls out (`provisioning.handout`). In a run by
hand it is taken here; all that is heavy is then imported at the top, before Ansible forks.
Secrets are decrypted here and never become arguments, variables or results of the task.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from farola.errors import FarolaError, ProvisioningError
from farola.settings import default_home
from provisioning import handout

if not handout.desk():
    from sqlalchemy.orm import configure_mappers

    import napalm_openwrt  # noqa: F401 - loaded before the fork, not by NAPALM after it
    from provisioning.apply import apply_change

    configure_mappers()

# What stands now stays: a collection in each forked worker would copy all of Ansible's memory.
gc.freeze()


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
            status, message, diff = _turn(home, change, host, check=self._task.check_mode)
        except (KeyError, ValueError):
            return {**result, "failed": True, "msg": "farola_push: `change` must be a number"}
        except (FarolaError, handout.NobodyThere) as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(
            changed=status == "pushed" and bool(diff),
            # Who rolls out judges; Ansible would end a wave with a batch that failed whole.
            failed=status not in {"pushed", "unchanged"} and not handout.desk(),
            status=status,
            msg=message or status,
        )
        if self._task.diff:
            result["diff"] = {"prepared": diff}
        return result


def _turn(home: Path, change: int, host: str, *, check: bool) -> tuple[str, str, str]:
    """Status, message and diff of the host's turn, taken here or by who rolls the change out."""
    if not handout.desk():
        applied = apply_change(home, change, host, check=check)
        return applied.status, applied.message, applied.diff
    answer = handout.hand_out(change, host, check=check)
    if "error" in answer:
        raise ProvisioningError(str(answer["error"]))
    return str(answer["status"]), str(answer["message"]), str(answer["diff"])
