"""Ansible action `farola_push`: applies a frozen change to the host through NAPALM.

It runs in Ansible's own worker, so no Python is needed on the device and no module is copied.
In a rollout a wave is handed whole to the process that rolls it out (`rollout/handout.py`). In a
run by hand each host's turn is taken here; what is heavy is then imported before Ansible forks.
Secrets are decrypted here and never become arguments, variables or results of the task.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from farola.errors import FarolaError
from farola.settings import default_home
from provisioning.rollout import handout

if not handout.desk():
    from sqlalchemy.orm import configure_mappers

    import napalm_openwrt  # noqa: F401 - loaded before the fork, not by NAPALM after it
    from provisioning.turn.apply import apply_change

    configure_mappers()

# What stands now stays: a collection in each forked worker would copy all of Ansible's memory.
gc.freeze()


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible publishes no types
    """`farola_push: {change: 3}`; with `home` for another FAROLA_HOME. Supports --check --diff.

    In a rollout it runs once for a wave, and `statuses` tells what became of each of its hosts.
    """

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = bool(handout.desk())
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Apply the change; `msg` says why a host failed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        try:
            change = int(self._task.args["change"])
            if handout.desk():
                return result | _wave(change, known["ansible_play_batch"])
            return result | self._host(change, str(known["inventory_hostname"]))
        except (KeyError, ValueError):
            return {**result, "failed": True, "msg": "farola_push: `change` must be a number"}
        except (FarolaError, handout.NobodyThere) as error:
            return {**result, "failed": True, "msg": str(error)}

    def _host(self, change: int, host: str) -> dict[str, Any]:
        home = Path(self._task.args.get("home") or default_home())
        applied = apply_change(home, change, host, check=self._task.check_mode)
        return {
            "changed": applied.status == "pushed" and bool(applied.diff),
            "failed": applied.status not in {"pushed", "unchanged"},
            "status": applied.status,
            "msg": applied.message or applied.status,
            **({"diff": {"prepared": applied.diff}} if self._task.diff else {}),
        }


def _wave(change: int, hosts: Sequence[str]) -> dict[str, Any]:
    """What became of each; none of them has failed for Ansible: who rolls out judges."""
    statuses = handout.hand_out(change, hosts)
    counts = Counter(statuses.values())
    told = ", ".join(f"{many} {status}" for status, many in sorted(counts.items()))
    return {"changed": "pushed" in counts, "statuses": statuses, "msg": told}
