"""NAPALM's driver for an OpenWrt access point: signing in, commands; the rest is in its bases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napalm.base.base import NetworkDriver
from napalm.base.exceptions import CommandErrorException, ConnectionException

from napalm_openwrt.configuring import Configuring
from napalm_openwrt.getters import Getters
from napalm_openwrt.session import Access, NotConnected, Session


class OpenWrtDriver(Configuring, Getters, NetworkDriver):  # type: ignore[misc]  # napalm publishes no types
    """Drives one access point over SSH.

    `optional_args`: `port` (22), `known_hosts` (path; default the user's own), `host_key` (the
    key itself, `ssh-ed25519 AAAA…`), `key_file`, `private_key` (a key's text), `passphrase`,
    `ssh_strict` (True: refuse unknown host keys), `mask_secrets` (False: diffs show secrets),
    `commit_id` (see `next_commit_id`).
    """

    platform = "openwrt"

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: dict[str, Any] | None = None,
    ) -> None:
        """Keep what is needed to sign in; nothing is sent before `open`."""
        args = optional_args or {}
        self.hostname, self.username, self.timeout = hostname, username, timeout
        self.mask_secrets = bool(args.get("mask_secrets", False))
        self.access = Access(
            host=hostname, port=_port(args.get("port")), username=username,
            password=password or None, known_hosts=_path(args.get("known_hosts")),
            host_key=args.get("host_key"), key_file=_path(args.get("key_file")),
            private_key=args.get("private_key"), passphrase=args.get("passphrase"),
            strict=bool(args.get("ssh_strict", True)), timeout=float(timeout),
        )  # fmt: skip
        self._session: Session | None = None
        self.next_commit_id = args.get("commit_id")

    # Connection

    def open(self) -> None:
        """Sign in, the host key checked first; see `Session` for what can be wrong."""
        self.close()
        self._session = Session(self.access)

    def close(self) -> None:
        """Sign out. A candidate that was not committed is gone."""
        self.discard_config()
        if self._session is not None:
            self._session.close()
            self._session = None

    def is_alive(self) -> dict[str, bool]:
        """Whether the connection stands."""
        return {"is_alive": self._session is not None and self._session.alive}

    @property
    def session(self) -> Session:
        """The session; before `open` whatever is run on it raises ConnectionClosedException."""
        return self._session or NotConnected(self.access)

    # Commands

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, str]:
        """Output of each command (both streams); CommandErrorException where one is unknown."""
        if encoding != "text":
            raise NotImplementedError(f"encoding {encoding!r} is not supported; use 'text'")
        answers = {}
        for command in commands:
            output = self.session.run(command)
            if output.status == 127:
                raise CommandErrorException(f"{self.access.name}: no such command: {command}")
            answers[command] = output.stdout + output.stderr
        return answers


def _port(value: object) -> int:
    """A TCP port; 22 where none is given."""
    text = str(value or 22)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ConnectionException(f"port {value!r} is no TCP port: give a number from 1 to 65535")
    return int(text)


def _path(value: object) -> str | None:
    return str(Path(str(value)).expanduser()) if value else None
