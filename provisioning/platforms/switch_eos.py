"""Arista EOS over eAPI: the one switch whose commits bear our ids."""

from __future__ import annotations

import contextlib
from typing import Any

from napalm.base.exceptions import CommitError

from inventory.platforms import stable
from provisioning.platforms.switches import Switch

SESSION = "farola-"
"""What the names of our configuration sessions begin with; the commit's id follows."""


class EosSwitch(Switch):
    """A commit is a configuration session that bears the commit's id."""

    def _session(self) -> str:
        from napalm_openwrt import new_commit_id

        if self.next_commit_id is None:
            self.next_commit_id = new_commit_id()
        return SESSION + self.next_commit_id

    def _before_load(self) -> None:
        self._opened().config_session = self._session()

    def _let_go(self) -> None:
        # NAPALM's close aborts the session, and with it a commit that waits to be confirmed.
        with contextlib.suppress(Exception):
            if self._driver.config_session in self._driver._get_pending_commits():
                self._driver.config_session = None

    def result(self) -> str | None:
        """The session's config, which EOS computes whole."""
        command = f"show session-config named {self._session()}"
        told = self._do(self._opened()._run_commands, [command], encoding="text")
        return stable(str(told[0]["output"]))

    def discard_config(self) -> None:
        """Abort the session."""
        super().discard_config()

    def confirm_commit(self) -> None:
        """Confirm our own session, over a new connection."""
        if self.next_commit_id is None:
            raise CommitError(f"{self._where()}: no commit of ours is known to wait")
        name = self._session()
        self.open()
        if name not in self._pending():
            raise CommitError(
                f"{self._where()}: commit {self.next_commit_id} does not wait: it has reverted, "
                "or never was"
            )
        self._opened().config_session = name
        self._do(self._opened().confirm_commit)

    def _pending(self) -> dict[str, int]:
        found: dict[str, int] = self._do(self._opened()._get_pending_commits)
        return {name: left for name, left in found.items() if name}

    def pending_commit(self) -> dict[str, Any] | None:
        """The commit that waits; a session that is not ours keeps its own name."""
        for name, left in self._pending().items():
            return {"id": name.removeprefix(SESSION), "message": "", "owner": "",
                    "remaining_s": max(0, left)}  # fmt: skip
        return None

    def commits(self) -> list[dict[str, Any]]:
        """Our commits that EOS still lists (by default it keeps one), newest first."""
        waiting = self._pending()
        return [
            {"id": name.removeprefix(SESSION), "message": "",
             "state": "pending" if name in waiting else "confirmed"}
            for name in sorted(self._completed() | waiting.keys(), reverse=True)
            if name.startswith(SESSION)
        ]  # fmt: skip

    def _completed(self) -> set[str]:
        told = self._do(self._opened()._run_commands, ["show configuration sessions"])
        return {name for name, one in told[0]["sessions"].items() if one["state"] == "completed"}

    def commit_state(self, commit_id: str) -> str:
        """`pending`, or `unknown`: EOS soon forgets a session, so what runs tells the rest."""
        return "pending" if SESSION + commit_id in self._pending() else "unknown"

    def rollback(self) -> None:
        """Abort what waits if it is ours, else put the config before the newest commit back."""
        ours = next((name for name in self._pending() if name.startswith(SESSION)), None)
        self._opened().config_session = ours
        self._do(self._opened().rollback)

    def rollback_to(self, commit_id: str) -> None:
        """Take back exactly this commit: the one that waits, or the newest that EOS lists."""
        name, waiting = SESSION + commit_id, self._pending()
        if name not in waiting and (waiting or self._completed() != {name}):
            raise CommitError(
                f"{self._where()}: commit {commit_id} is not the newest on the switch; look at it, "
                "and push what it shall run as a new change"
            )
        self._opened().config_session = name if name in waiting else None
        self._do(self._opened().rollback)
