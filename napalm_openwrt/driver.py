"""NAPALM's vocabulary for an OpenWrt access point: load, compare, commit, discard, roll back.

A candidate is text in the form that `uci export` prints, one or more packages. A merge leaves
alone what it does not name; a replace makes each package that it names exactly the candidate,
and leaves the other packages alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napalm.base.base import NetworkDriver
from napalm.base.exceptions import (
    CommandErrorException,
    CommandTimeoutException,
    CommitError,
    ConnectionClosedException,
    ConnectionException,
    MergeConfigException,
    ReplaceConfigException,
)

from napalm_openwrt import transaction
from napalm_openwrt.beyond import beyond_napalm
from napalm_openwrt.getters import Getters
from napalm_openwrt.session import Access, NotConnected, Session
from napalm_openwrt.uci_merge import MergeConflict, diff, mask_config, merge
from napalm_openwrt.uci_text import Config, UciSyntaxError, format_config, parse

RELOADS = 3
"""How often services are told to reload while that cuts us off."""


class OpenWrtDriver(Getters, NetworkDriver):  # type: ignore[misc]  # napalm publishes no types
    """Drives one access point over SSH.

    `optional_args`: `port` (22), `known_hosts` (path; default the user's own), `host_key` (the
    key itself, `ssh-ed25519 AAAA…`), `key_file`, `private_key` (a key's text), `passphrase`,
    `ssh_strict` (True: refuse unknown host keys), `mask_secrets` (False: diffs show secrets).
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
        self._candidate: Config | None = None
        """The packages as they would be after a commit."""
        self._base: dict[str, str] = {}
        """Text of the files that the candidate was computed against."""

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

    # Configuration

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Load a candidate that is laid over what runs; MergeConfigException if it is faulty."""
        self._load(filename, config, MergeConfigException)

    def load_replace_candidate(
        self, filename: str | None = None, config: str | None = None
    ) -> None:
        """Load a candidate that replaces each package it names, or ReplaceConfigException."""
        self._load(filename, config, ReplaceConfigException)

    def _load(self, filename: str | None, config: str | None, fault: type[Exception]) -> None:
        """Check the candidate here and by the device's own uci, and compute its result."""
        self.discard_config()
        merging = fault is MergeConfigException
        where = filename or "candidate"
        if config is not None and not isinstance(config, str):
            raise fault(f"{where}: must be text, not {type(config).__name__}: decode it first")
        try:
            text = Path(filename).read_text(encoding="utf-8") if filename else config or ""
            candidate = parse(text, keep_empty=merging)
            if not candidate:
                raise fault(f"{where}: holds no package; begin it with a line `package NAME`")
            base = transaction.read_packages(self.session, candidate)
            running = _parsed(base, fault)
            result = merge(running, candidate) if merging else candidate
            transaction.stage(self.session, result)
        except (UciSyntaxError, MergeConflict) as error:
            raise fault(f"{where}: {error}") from None
        except transaction.Refused as error:
            raise fault(f"{where}: refused by the device: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise fault(f"{where}: cannot be read: {error}") from None
        self._candidate, self._base = result, base

    def compare_config(self) -> str:
        """Unified diff of what runs now against the result, as `uci export` prints it, or ""."""
        if self._candidate is None:
            return ""
        found = transaction.read_packages(self.session, self._candidate)
        running = _parsed(found, CommandErrorException)
        return diff(running, self._candidate, mask_secrets=self.mask_secrets)

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Put the candidate in place, keep a snapshot, reload the services it touches.

        Raises
        ------
        CommitError
            The device was not changed, or does not hold what was meant: the message says which.
        LockError
            Another session is committing.
        NotImplementedError
            `revert_in` was given: this driver cannot revert by itself yet.
        """
        if revert_in is not None:
            raise NotImplementedError(
                "commit_config(revert_in=…) is not supported yet; commit without it, and take the "
                "commit back with rollback()"
            )
        if self._candidate is None:
            return
        running = _parsed(self._base, CommitError)
        changed = {
            name: package
            for name, package in self._candidate.items()
            if running.get(name) != package
        }
        if changed:
            base = {name: text for name, text in self._base.items() if name in changed}
            owner = message or f"{self.username} through NAPALM"
            transaction.commit(self.session, changed, base, owner=owner)
            self.discard_config()
            self._reload(changed)
        self.discard_config()

    @beyond_napalm
    def reload(self, packages: Iterable[str]) -> None:
        """Reload the services of `packages` as they stand in /etc/config.

        For a commit that was cut off after its files were in place: the device holds what was
        meant, and may still run what it had before.

        Raises
        ------
        CommitError
            A service did not reload, or the device did not come back.
        """
        found = transaction.read_packages(self.session, packages)
        self._reload(_parsed(found, CommitError))

    def _reload(self, meant: Config, gone: tuple[str, ...] = ()) -> None:
        """Reload services. Where that cuts us off, come back, see that the config is there, and
        reload again: nothing tells whether the first word of it arrived.
        """
        packages = {*meant, *gone}
        for _ in range(RELOADS):
            try:
                transaction.reload_services(self.session, packages)
            except (ConnectionClosedException, CommandTimeoutException):
                self._come_back(meant)
            else:
                return
        raise CommitError(
            f"{self.access.name}: the config is in place, but the connection was lost {RELOADS} "
            f"times while its services were reloaded, so nothing says that they run it; try again"
        )

    def _come_back(self, meant: Config) -> None:
        try:
            if self._session is not None:
                self._session.close()
            self._session = Session(self.access)
        except ConnectionException as error:
            raise CommitError(
                f"{self.access.name}: the config is in place, but the device does not let us in "
                f"since its services were reloaded: {error}"
            ) from None
        transaction.assert_running(
            self.session, meant, transaction.read_packages(self.session, meant)
        )

    def has_pending_commit(self) -> bool:
        """Whether a commit waits to be confirmed: never, as commits do not revert by themselves."""
        return False

    def discard_config(self) -> None:
        """Forget the candidate. Nothing of it was left on the device."""
        self._candidate, self._base = None, {}

    def rollback(self) -> None:
        """Put back what the newest commit replaced; once more goes one commit further back.

        The files are put back as they were before that commit, byte for byte: what anybody
        changed in them since, by hand too, is lost. Look first, with `get_config`.

        Raises
        ------
        CommitError
            The device keeps no snapshot, or the snapshot could not be put back.
        """
        self.discard_config()
        snapshot = transaction.last_snapshot(self.session)
        if snapshot is None:
            raise CommitError(f"{self.access.name}: there is no commit to roll back")
        identity, files = snapshot
        result = _parsed({n: t for n, t in files.items() if t is not None}, CommitError)
        gone = tuple(name for name, text in files.items() if text is None)
        transaction.restore(self.session, identity, files, f"rollback by {self.username}")
        self._reload(result, gone)

    def get_config(
        self,
        retrieve: str = "all",
        full: bool = False,
        sanitized: bool = False,
        format: str = "text",
    ) -> dict[str, str]:
        """Config as `uci export` prints it; `sanitized` shows secrets as •••. UCI has no startup
        config of its own, so `startup` is empty.
        """
        del full, format
        config = {"running": "", "candidate": "", "startup": ""}
        show = mask_config if sanitized else dict
        if retrieve in {"all", "running"}:
            found = transaction.read_packages(self.session)
            config["running"] = format_config(show(_parsed(found, CommandErrorException)))
        if retrieve in {"all", "candidate"} and self._candidate is not None:
            config["candidate"] = format_config(show(self._candidate))
        return config

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


def _parsed(files: dict[str, str], fault: type[Exception]) -> Config:
    """Files of /etc/config as data; `fault` names the file that uci itself could not read."""
    config: Config = {}
    for name, text in files.items():
        try:
            config[name] = parse(text, name)[name]
        except UciSyntaxError as error:
            raise fault(f"/etc/config/{name} on the device is broken: {error}") from None
    return config
