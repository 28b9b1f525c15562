"""Platforms that NAPALM lacks, over Netmiko: their config is fetched, commands are run.

There is no transaction on them: what is typed takes effect at once, line by line, and nothing takes
it back. So no change is pushed to them.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

from napalm.base.exceptions import CommandErrorException, ConnectionClosedException

from inventory.platforms import CONSOLES, stable
from inventory.records import DeviceRecord, Secrets
from provisioning.platforms.switch_access import Folder, explained, quieten, ssh_arguments

READ_S = 120.0
"""A controller with a thousand access points takes its time to print its config."""


class Console:
    """One device over Netmiko, closed until `open`."""

    def __init__(self, device: DeviceRecord, secrets: Secrets, key: str, *, timeout: float) -> None:
        """Keep what is needed to sign in; nothing is sent before `open`."""
        from provisioning.platforms.drivers import platform_of

        self.device, self.timeout = device, timeout
        self.platform = platform_of(device)
        self._secrets, self._key = secrets, key
        self._connection: Any = None

    def __repr__(self) -> str:
        """Its id only: passwords must never reach a log."""
        return f"Console({self.platform}, {self.device.id})"

    def open(self) -> None:
        """Sign in, the host key checked first."""
        from netmiko import ConnectHandler

        self.close()
        quieten()
        folder = Folder()
        try:
            arguments = ssh_arguments(self.device, self._secrets, self._key, folder, self.timeout)
            try:
                self._connection = ConnectHandler(
                    device_type=self.platform, host=self.device.management_address,
                    username=self._secrets.username or "admin",
                    password=self._secrets.values.get("password", ""), **arguments,
                )  # fmt: skip
            except Exception as error:
                raise explained(self.device, self._secrets, error) from None
        finally:
            folder.close()

    def close(self) -> None:
        """Sign out; harmless when there is no connection."""
        if self._connection is not None:
            # It is gone either way.
            with contextlib.suppress(Exception):
                self._connection.disconnect()
            self._connection = None

    def is_alive(self) -> dict[str, bool]:
        """Whether the connection stands."""
        return {"is_alive": self._connection is not None and bool(self._connection.is_alive())}

    def get_config(
        self, retrieve: str = "all", full: bool = False, sanitized: bool = False,
        format: str = "text",
    ) -> dict[str, str]:  # fmt: skip
        """What the platform's command for it prints, without what changes at every look."""
        del full, format
        if sanitized:
            raise self._lacks("a config without its secrets")
        running = self._sent(CONSOLES[self.platform]) if retrieve in {"all", "running"} else ""
        return {"running": stable(running) if running else "", "candidate": "", "startup": ""}

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, str]:
        """Output of each command."""
        if encoding != "text":
            raise NotImplementedError(f"encoding {encoding!r} is not supported; use 'text'")
        return {command: self._sent(command) for command in commands}

    def get_facts(self) -> dict[str, Any]:
        """The name that its prompt shows; the rest is not known for such a platform."""
        prompt = str(self._do("find_prompt"))
        name = re.sub(r"^.*@|[^\w.-]", "", prompt)
        return {
            "hostname": name, "fqdn": name, "vendor": self.platform, "model": "",
            "os_version": "", "serial_number": "", "uptime": -1.0, "interface_list": [],
        }  # fmt: skip

    def get_interfaces(self) -> dict[str, dict[str, Any]]:
        """None are known for such a platform."""
        return {}

    def _sent(self, command: str) -> str:
        return str(self._do("send_command", command, read_timeout=READ_S))

    def _do(self, method: str, *args: Any, **named: Any) -> Any:
        if self._connection is None:
            raise ConnectionClosedException(f"{self._where()}: not connected; call open() first")
        try:
            return getattr(self._connection, method)(*args, **named)
        except (OSError, EOFError) as error:
            raise ConnectionClosedException(
                f"{self._where()}: the connection broke: {error}"
            ) from None
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise CommandErrorException(
                f"{self._where()}: {type(error).__name__}: {text}"
            ) from None

    def _where(self) -> str:
        return f"{self.device.management_address}"

    def _lacks(self, what: str) -> NotImplementedError:
        return NotImplementedError(
            f"{self.device.id}: {self.platform} has no {what}: its config is fetched and kept, and "
            "commands can be run, no more"
        )

    def load_merge_candidate(self, *_given: Any, **_named: Any) -> None:
        """There is no candidate."""
        raise self._lacks("candidate config")

    load_replace_candidate = compare_config = load_merge_candidate

    def commit_config(self, *_given: Any, **_named: Any) -> None:
        """There is no commit."""
        raise self._lacks("commit")

    confirm_commit = commit_config

    def rollback(self, *_given: Any) -> None:
        """There is no way back."""
        raise self._lacks("way back")

    rollback_to = rollback

    def has_pending_commit(self) -> bool:
        """Never."""
        return False

    def discard_config(self) -> None:
        """Nothing to do."""

    def commit_state(self, _commit_id: str) -> str:
        """Nothing was ever committed."""
        return "unknown"
